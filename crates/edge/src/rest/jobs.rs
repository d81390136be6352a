//! `/v1/jobs`: what the caller's tenant has asked for that takes long.

use axum::Json;
use axum::extract::{Path, State};
use ledgerstone_model::JobId;
use serde::Serialize;
use utoipa::ToSchema;

use super::job_view::{Job, no_such_job};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Jobs of the caller's tenant, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Jobs {
    jobs: Vec<Job>,
}

/// The jobs that wait and run, and the last that ended, without their results.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", responses((status = 200, body = Jobs)))]
pub async fn list(State(service): State<Service>, authorised: Authorised) -> Json<Jobs> {
    let jobs = service.jobs().list(authorised.tenant());
    Json(Jobs { jobs: jobs.into_iter().map(Job::brief).collect() })
}

/// One job, with its result once it is done.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Job)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    Ok(Json(Job::whole(service.job(authorised.tenant(), &job_id(&id)?)?)))
}

/// Cancels a job. One that waits is cancelled at once, one that runs soon; one that has ended stays as
/// it is.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Job)))]
pub async fn cancel(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), job_id(&id)?);
    let jobs = service.jobs().clone();
    let cancel = move |_: &_| jobs.cancel(&tenant, &id).ok_or_else(no_such_job);
    Ok(Json(Job::whole(service.blocking(cancel).await?)))
}

/// A text that is no id is the id of no job.
fn job_id(text: &str) -> Result<JobId, Problem> {
    JobId::parse(text).ok_or_else(no_such_job)
}
