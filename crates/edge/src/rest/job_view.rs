//! A job as the interface shows it.

use std::time::Duration;

use ledgerstone_ledger::jobs::{JobView, NewJob, Waiting};
use ledgerstone_model::{ErrorCode, JobId, JobState};
use ledgerstone_proof::TenantId;
use ledgerstone_store::JobFailure;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::problem::Problem;
use super::service::Service;

/// Work that may outlive the request that asked for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    id: String,
    kind: String,
    /// `queued`, `running`, `waiting`, `done`, `failed` or `cancelled`.
    state: &'static str,
    /// How much of it is done, of 100.
    percent: u8,
    request: Value,
    created_at: String,
    /// Opaque id of who asked for it.
    created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    /// What came of it; lists of jobs leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<JobError>,
    /// While it is `waiting`: what for. Nobody has to do anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<JobWaiting>,
}

/// What a job waits for whose own work is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobWaiting {
    /// How many contents are still to go.
    contents: u64,
    /// The same in words.
    detail: String,
    /// When they have gone at the latest; absent where runs of retention come only when somebody asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl From<Waiting> for JobWaiting {
    fn from(waiting: Waiting) -> Self {
        Self {
            contents: waiting.contents(),
            detail: waiting.sentence(),
            until: waiting.until().map(|at| at.to_string()),
        }
    }
}

/// Why a job could not be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobError {
    code: &'static str,
    detail: String,
}

impl Job {
    /// The job with its result.
    pub(super) fn whole(view: JobView) -> Self {
        let is_waiting = view.row.state == JobState::Waiting;
        let result = view.row.result.as_deref().filter(|_| !is_waiting).map(parsed);
        Self { result, ..Self::brief(view) }
    }

    /// The job without its result.
    pub(super) fn brief(view: JobView) -> Self {
        let JobView { row, percent } = view;
        let waiting = row.result.as_deref().filter(|_| row.state == JobState::Waiting);
        let waiting = waiting.and_then(Waiting::parse).map(JobWaiting::from);
        Self {
            id: row.id.to_string(),
            kind: row.kind,
            state: row.state.as_str(),
            percent,
            request: parsed(&row.request),
            created_at: row.created_at.to_string(),
            created_by: row.created_by,
            started_at: row.started_at.map(|at| at.to_string()),
            ended_at: row.ended_at.map(|at| at.to_string()),
            result: None,
            error: row.failure.map(JobError::from),
            waiting,
        }
    }
}

impl From<JobFailure> for JobError {
    fn from(failure: JobFailure) -> Self {
        Self { code: failure.code.as_str(), detail: failure.message }
    }
}

/// JSON that the server wrote itself.
fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

impl Service {
    /// Takes a job and waits a while for its end.
    pub(super) async fn run_job(
        &self,
        new: NewJob,
        patience: Duration,
    ) -> Result<JobView, Problem> {
        let tenant = new.tenant.clone();
        let jobs = self.jobs().clone();
        let submitted = self.blocking(move |_| jobs.submit(new)).await?;
        let (told, ended) = oneshot::channel();
        self.jobs().on_end(&submitted.row.id, move || {
            // Nobody listens where the patience is over.
            let _ = told.send(());
        });
        // Either way the job is looked at again.
        let _ = timeout(patience, ended).await;
        self.job(&tenant, &submitted.row.id)
    }

    /// A job of a tenant.
    pub(super) fn job(&self, tenant: &TenantId, id: &JobId) -> Result<JobView, Problem> {
        self.jobs().get(tenant, id).ok_or_else(no_such_job)
    }
}

pub(super) fn no_such_job() -> Problem {
    Problem::new(
        ErrorCode::NotFound,
        "there is no such job, or it ended so long ago that it is forgotten",
    )
}
