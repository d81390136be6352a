//! `POST /v1/verify`: has a ledger recomputed from its bytes.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::check::Level;
use ledgerstone_ledger::jobs::{JobView, NewJob, VerificationRequest, VerificationScope};
use ledgerstone_ledger::{Ledger, Reader};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::job_view::Job;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// How long the request waits for the verification to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What to verify.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBody {
    /// `full` (default), or `tree` to leave the signatures of single records out.
    #[serde(default)]
    level: LevelName,
    /// The first record to check; the first there is unless given.
    from: Option<u64>,
    /// The first record not to check; the end of the ledger unless given.
    to: Option<u64>,
    /// The caller's own tenant. A credential of `_system` has every ledger verified unless it names
    /// its own here.
    tenant: Option<String>,
}

/// How thoroughly.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LevelName {
    Tree,
    #[default]
    Full,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Tree => Self::Tree,
            LevelName::Full => Self::Full,
        }
    }
}

/// Recomputes hashes, chain, tree, checkpoints, anchors and signatures of the caller's ledger from the
/// bytes on the medium. Answers the ended job with its result, or, where that takes longer than two
/// seconds, 202 and the place where the job can be looked at.
#[utoipa::path(post, path = "/v1/verify", tag = "verification", request_body = Option<VerifyBody>,
    responses((status = 200, body = Job), (status = 202, body = Job, headers(("Location" = String)))))]
pub async fn verify(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body: VerifyBody = service.read_small(&headers, body).await?;
    let (tenant, principal) =
        (authorised.tenant().clone(), authorised.caller().principal().clone());
    let job = move |ledger: &Ledger| job_of(&body, tenant, principal.as_str(), ledger.reader());
    let job = service.run_job(service.blocking(job).await?, PATIENCE).await?;
    match job.row.failure {
        Some(failure) => Err(Problem::new(failure.code, failure.message)),
        None => Ok(answer(job)),
    }
}

fn answer(job: JobView) -> Response {
    let place = HeaderValue::try_from(format!("/v1/jobs/{}", job.row.id));
    let has_ended = job.row.state.has_ended();
    let status = if has_ended { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = (status, Json(Job::whole(job))).into_response();
    if let Ok(place) = place {
        let name = if has_ended { header::CONTENT_LOCATION } else { header::LOCATION };
        response.headers_mut().insert(name, place);
    }
    response
}

fn job_of(
    body: &VerifyBody,
    tenant: TenantId,
    created_by: &str,
    reader: &Reader,
) -> Result<NewJob, Problem> {
    if body.tenant.as_deref().is_some_and(|name| name != tenant.as_str()) {
        let detail = "a credential has its own tenant's ledger verified, and no other";
        return Err(Problem::new(ErrorCode::UnknownTenant, detail));
    }
    let scope = match (body.from, body.to) {
        (None, None) if tenant.is_system() && body.tenant.is_none() => {
            VerificationScope::Deployment
        }
        (None, None) => VerificationScope::Ledger,
        (from, to) => {
            let size = reader.size(&tenant)?;
            let (from, to) = (from.unwrap_or(0), to.unwrap_or(size));
            if from >= to || to > size {
                let detail = format!(
                    "from {from} to {to} names no records of this ledger, which has {size}; from is below to, and to is the first number that is left out"
                );
                return Err(Problem::new(ErrorCode::InvalidArgument, detail));
            }
            VerificationScope::Range { from, to }
        }
    };
    let request = VerificationRequest { level: body.level.into(), scope };
    Ok(request.into_job(tenant, created_by.to_owned()))
}
