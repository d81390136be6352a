//! `GET /v1/proofs/consistency`: that a ledger only grew from one size to another.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};
use ledgerstone_ledger::Ledger;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Hash, TenantId, TreeSize};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// From which size to which.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyQuery {
    /// Records in the earlier tree, at least 1.
    #[param(minimum = 1)]
    from: u64,
    /// Records in the later tree.
    #[param(minimum = 1)]
    to: u64,
}

/// A consistency proof (RFC 9162 §2.1.4); hashes in standard base64.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyProof {
    from: u64,
    to: u64,
    hashes: Vec<String>,
    /// The roots of both trees, to be compared with those of the checkpoints that are held.
    from_root: String,
    to_root: String,
}

/// That the tree of the first `from` records is the beginning of that of the first `to`. The same
/// question always has the same answer.
#[utoipa::path(get, path = "/v1/proofs/consistency", tag = "proofs", params(ConsistencyQuery),
    responses((status = 200, body = ConsistencyProof)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    service.answer_proof(&authorised, (&uri, &headers), prove).await
}

fn prove(
    ledger: &Ledger,
    tenant: &TenantId,
    query: ConsistencyQuery,
) -> Result<ConsistencyProof, Problem> {
    let ConsistencyQuery { from, to } = query;
    let reader = ledger.reader();
    let found = reader.size(tenant)?;
    if from == 0 || from > to || to > found {
        let detail = format!(
            "from {from} to {to} is no growth of this ledger, which has {found} records: from is at least 1, to is not below it and not beyond the ledger"
        );
        return Err(Problem::new(ErrorCode::InvalidArgument, detail));
    }
    let (old, new) = (TreeSize::new(from), TreeSize::new(to));
    let hashes = reader.consistency_proof(tenant, old, new)?;
    Ok(ConsistencyProof {
        from,
        to,
        hashes: hashes.iter().map(Hash::to_base64).collect(),
        from_root: reader.root(tenant, old)?.to_base64(),
        to_root: reader.root(tenant, new)?.to_base64(),
    })
}
