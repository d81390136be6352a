//! `GET /v1/checkpoint`: what the caller's ledger is now, signed.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use ledgerstone_ledger::{Ledger, LedgerError, SignedCheckpoint};
use ledgerstone_proof::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

use super::accept::Form;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// A checkpoint, and the key it is checked with.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckpointAnswer {
    /// The signed note, to be kept as it is.
    note: String,
    /// The log's public key under the ledger's name. To be had from elsewhere by who trusts nobody.
    vkey: String,
    /// Records in the tree.
    size: u64,
    /// The tree's root, in standard base64.
    root: String,
}

/// The newest checkpoint of the caller's ledger, at most one second old, or where nothing was added as
/// old as that. `wait=checkpoint` and proofs of a record get one that covers it. That of `_system`
/// stands for all ledgers: they are anchored in it first.
#[utoipa::path(get, path = "/v1/checkpoint", tag = "proofs",
    responses((status = 200, content(
        (CheckpointAnswer = "application/json"), (String = "text/plain")
    ))))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let tenant = authorised.tenant().clone();
    let mut response = match Form::preferred(&headers, Form::Json) {
        Form::Text => service.signed_checkpoint(tenant).await?.note.into_response(),
        Form::Json => {
            let answer = move |ledger: &Ledger| CheckpointAnswer::make(ledger, &tenant);
            Json(service.blocking(answer).await?).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization, x-api-key"));
    Ok(response)
}

impl CheckpointAnswer {
    fn make(ledger: &Ledger, tenant: &TenantId) -> Result<Self, LedgerError> {
        let SignedCheckpoint { size, root, note, .. } = signed(ledger, tenant)?;
        let vkey = ledger.verifier_key(tenant)?.to_string();
        Ok(Self { note, vkey, size: size.value(), root: root.to_base64() })
    }
}

impl Service {
    pub(super) async fn signed_checkpoint(
        &self,
        tenant: TenantId,
    ) -> Result<SignedCheckpoint, Problem> {
        self.blocking(move |ledger| signed(ledger, &tenant)).await
    }
}

fn signed(ledger: &Ledger, tenant: &TenantId) -> Result<SignedCheckpoint, LedgerError> {
    if tenant.is_system() {
        Ok(ledger.anchor()?.checkpoint)
    } else {
        ledger.recent_checkpoint(tenant)
    }
}
