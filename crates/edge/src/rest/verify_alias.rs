//! `/api/v1/audit/verify`: verification under the routes and in the flat shape that clients of other
//! audit services expect.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::check::Level;
use ledgerstone_ledger::jobs::{JobView, VerificationRequest, VerificationScope};
use ledgerstone_model::{ErrorCode, JobState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// How long the request waits. Such clients know no jobs, so it is patient.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to verify: everything.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyAll {
    /// `true`; records are picked by `POST /v1/verify`.
    #[serde(default = "yes")]
    verify_all: bool,
}

const fn yes() -> bool {
    true
}

/// A verification in one flat object.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlatVerification {
    /// Whether nothing was found; null while it is not known.
    valid: Option<bool>,
    /// `done`, or `queued` or `running` where it takes longer than 30 seconds.
    status: &'static str,
    /// Records of the ledger, all of which were checked.
    total_events: u64,
    /// Records that findings name.
    invalid_events: u64,
    /// The findings, each in the form of `POST /v1/verify`.
    errors: Vec<Value>,
    /// When the verification ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<String>,
    /// The job, for `GET /v1/jobs/{id}`.
    job_id: String,
}

/// Verifies the caller's ledger.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "verification",
    responses((status = 200, body = FlatVerification), (status = 202, body = FlatVerification)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Response, Problem> {
    run(&service, &authorised).await
}

/// Verifies the caller's ledger.
#[utoipa::path(post, path = "/api/v1/audit/verify", tag = "verification", request_body = Option<VerifyAll>,
    responses((status = 200, body = FlatVerification), (status = 202, body = FlatVerification)))]
pub async fn post(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let VerifyAll { verify_all } = service.read_small(&headers, body).await?;
    if !verify_all {
        let detail = "verify_all is true here; POST /v1/verify takes from and to";
        return Err(Problem::new(ErrorCode::NotSupportedYet, detail));
    }
    run(&service, &authorised).await
}

async fn run(service: &Service, authorised: &Authorised) -> Result<Response, Problem> {
    let request = VerificationRequest { level: Level::Full, scope: VerificationScope::Ledger };
    let principal = authorised.caller().principal().as_str().to_owned();
    let job = request.into_job(authorised.tenant().clone(), principal);
    let job = service.run_job(job, PATIENCE).await?;
    if let Some(failure) = job.row.failure {
        return Err(Problem::new(failure.code, failure.message));
    }
    if job.row.state.has_ended() {
        return Ok(Json(flat(&job)).into_response());
    }
    let place = HeaderValue::try_from(format!("/v1/jobs/{}", job.row.id));
    let mut response = (StatusCode::ACCEPTED, Json(flat(&job))).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn flat(job: &JobView) -> FlatVerification {
    let result: Value = job
        .row
        .result
        .as_deref()
        .map_or(Value::Null, |result| serde_json::from_str(result).unwrap_or_default());
    let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    let own = list("findings");
    let concerned = |finding: &Value| 1 + finding["following"].as_u64().unwrap_or(0);
    let invalid_events = own.iter().map(concerned).sum();
    let mut errors = own;
    errors.extend(list("foundation"));
    FlatVerification {
        valid: result["holds"].as_bool().filter(|_| job.row.state == JobState::Done),
        status: job.row.state.as_str(),
        total_events: result["records_checked"].as_u64().unwrap_or(0),
        invalid_events,
        errors,
        verified_at: job.row.ended_at.map(|at| at.to_string()),
        job_id: job.row.id.to_string(),
    }
}
