//! `/v1/policies/{policy}/versions`: what a policy was before, every version of it.

use axum::Json;
use axum::extract::{Path, State};
use ledgerstone_ledger::PolicyVersion as Known;
use ledgerstone_model::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::policies::{Policy, SetBy, kind};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Every version that a policy ever had, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyVersions {
    versions: Vec<PolicyVersion>,
}

/// A version without its document.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyVersion {
    version: u64,
    set_by: SetBy,
}

impl From<&Known> for PolicyVersion {
    fn from(known: &Known) -> Self {
        let set_by = SetBy::new(known.set_by, known.set_at, known.audit_record);
        Self { version: known.version, set_by }
    }
}

/// Every version of a policy.
#[utoipa::path(get, path = "/v1/policies/{policy}/versions", tag = "policies",
    params(("policy" = String, Path, description = "What it is about, e.g. `sealing`")),
    responses((status = 200, body = PolicyVersions)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
) -> Result<Json<PolicyVersions>, Problem> {
    let (tenant, kind) = (authorised.tenant().clone(), kind(&name)?);
    let versions =
        service.blocking(move |ledger| ledger.policy_versions().of(ledger.reader(), &tenant, kind));
    let versions = versions.await?.iter().map(PolicyVersion::from).collect();
    Ok(Json(PolicyVersions { versions }))
}

/// One version of a policy, with its document.
#[utoipa::path(get, path = "/v1/policies/{policy}/versions/{version}", tag = "policies",
    params(("policy" = String, Path, description = "What it is about, e.g. `sealing`"),
        ("version" = u64, Path)),
    responses((status = 200, body = Policy)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Policy>, Problem> {
    let (tenant, kind) = (authorised.tenant().clone(), kind(&name)?);
    let missing = || {
        let detail = format!("the policy {name} never had a version {version}");
        Problem::new(ErrorCode::NotFound, detail)
    };
    let number: u64 = version.parse().map_err(|_| missing())?;
    let found = service.blocking(move |ledger| {
        ledger.policy_versions().get(ledger.reader(), &tenant, kind, number)
    });
    found.await?.as_ref().map(|policy| Json(Policy::of(policy))).ok_or_else(missing)
}
