//! `/v1/policies/{policy}/approve`: the second person's word for a policy that needs one.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::SequenceNumber;
use serde::Deserialize;
use utoipa::ToSchema;

use super::policies::{Policy, answer, kind};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// What is approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The record that holds the proposed policy, the `system_record` of `proposed`: what was not seen is
    /// not approved.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    system_record: u64,
}

/// Puts a proposed policy in force: another person than the one who put it forward.
#[utoipa::path(post, path = "/v1/policies/{policy}/approve", tag = "policies",
    params(("policy" = String, Path, description = "What it is about, e.g. `retention`")),
    request_body = Approval,
    responses((status = 200, body = Policy, description = "The policy as it is in force now"),
        (status = 403, description = "A second person is needed"),
        (status = 404, description = "Nothing was put forward"),
        (status = 412, description = "Another version was put forward")))]
pub async fn approve(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let kind = kind(&name)?;
    let Approval { system_record } = service.read_small(&headers, body).await?;
    let proposed_in = SequenceNumber::new(system_record).map_err(|error| {
        Problem::new(ErrorCode::InvalidArgument, format!("system_record: {error}"))
    })?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let set = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.approve_policy(&tenant, kind, proposed_in, &by)
    });
    Ok(answer(Policy::of(&*set.await?)))
}
