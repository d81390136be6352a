//! `/v1/retention`: contents whose time is over, dropped as a job, and how that stands.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::LedgerError;
use ledgerstone_ledger::jobs::{RetentionRequest, is_retention};
use ledgerstone_model::{Administration, JobState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::job_view::Job;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// How long the answer waits for the job to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the dropping of contents stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retention {
    /// Whether the policy in force ever lets anything go.
    lets_anything_go: bool,
    /// The version of the policy in force; 0 where the default counts.
    policy_version: u64,
    /// Holds that stand.
    holds: u64,
    /// Runs that are recorded and not done: what is left of them goes with the next run.
    open_runs: Vec<OpenRun>,
    /// The newest job, without its result where it is a look.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_job: Option<Job>,
}

/// A run that is not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenRun {
    run: String,
    /// Contents of this tenant that it covers.
    contents: u64,
}

/// What is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionBody {
    /// Only looks, and says what would go.
    #[serde(default)]
    dry_run: bool,
}

/// How the dropping of contents stands.
#[utoipa::path(get, path = "/v1/retention", tag = "retention",
    responses((status = 200, body = Retention)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<Retention>, Problem> {
    let tenant = authorised.tenant().clone();
    let jobs = service.jobs().list(&tenant);
    let last = jobs.into_iter().find(|job| is_retention(&job.row));
    let state = service.blocking(move |ledger| {
        let policy = ledger.retention_policy(&tenant)?;
        let in_force = ledger.policy(&tenant, ledgerstone_model::policy::PolicyKind::Retention)?;
        let holds = ledger.holds(&tenant)?.iter().filter(|hold| hold.stands()).count();
        let open_runs = ledger.open_runs(&tenant)?.into_iter();
        Ok::<_, LedgerError>(Retention {
            lets_anything_go: policy.lets_anything_go(),
            policy_version: in_force.map_or(0, |policy| policy.version()),
            holds: holds as u64,
            open_runs: open_runs
                .map(|(run, contents)| OpenRun { run: run.to_string(), contents })
                .collect(),
            last_job: None,
        })
    });
    Ok(Json(Retention { last_job: last.map(Job::whole), ..state.await? }))
}

/// Drops the contents whose time is over, or, with `dry_run`, says which those are. A credential of
/// `_system` does it for all tenants in one run.
#[utoipa::path(post, path = "/v1/retention", tag = "retention", request_body = Option<RetentionBody>,
    responses((status = 200, body = Job, description = "The job, done"),
        (status = 202, body = Job, headers(("Location" = String)))))]
pub async fn run(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let RetentionBody { dry_run } = service.read_small(&headers, body).await?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let ordered = service.blocking(move |ledger| {
        if dry_run {
            return Ok(None);
        }
        let by = by(ledger);
        let act = Administration::new("run", by, "retention", tenant.as_str());
        ledger.record_order(&tenant, act).map(Some)
    });
    let request = RetentionRequest { is_dry_run: dry_run, audit_record: ordered.await? };
    let created_by = authorised.caller().principal().as_str().to_owned();
    let job = request.into_job(authorised.tenant().clone(), created_by);
    let view = service.run_job(job, PATIENCE).await?;
    let is_over = view.row.state == JobState::Done;
    let place = HeaderValue::try_from(format!("/v1/jobs/{}", view.row.id));
    let job = Json(Job::whole(view));
    if is_over {
        return Ok(job.into_response());
    }
    let mut response = (StatusCode::ACCEPTED, job).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
