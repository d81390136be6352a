//! Verification by the server, and the jobs that it runs as.

use std::time::Duration;

use ledgerstone_model::{JobId, JobState};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::answer::unexpected;
use crate::call::{Call, Repeat};
use crate::client::Client;
use crate::error::ClientError;

/// What is to be verified.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    is_tree_only: bool,
    from: Option<u64>,
    to: Option<u64>,
    tenant: Option<String>,
}

impl VerifyRequest {
    /// The credential's ledger from its first record to its last, with every signature; for a
    /// credential of `_system`, every ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves the signatures of single records out.
    #[must_use]
    pub const fn tree_only(mut self) -> Self {
        self.is_tree_only = true;
        self
    }

    /// Only records from this number on.
    #[must_use]
    pub const fn from(mut self, number: u64) -> Self {
        self.from = Some(number);
        self
    }

    /// Only records below this number.
    #[must_use]
    pub const fn to(mut self, number: u64) -> Self {
        self.to = Some(number);
        self
    }

    /// Names the credential's own tenant: of `_system`, only its own ledger.
    #[must_use]
    pub fn tenant(mut self, name: &str) -> Self {
        self.tenant = Some(name.to_owned());
        self
    }

    fn to_json(&self) -> serde_json::Value {
        let mut body = json!({"level": if self.is_tree_only { "tree" } else { "full" }});
        if let Some(members) = body.as_object_mut() {
            members.extend(self.from.map(|number| ("from".to_owned(), json!(number))));
            members.extend(self.to.map(|number| ("to".to_owned(), json!(number))));
            members.extend(self.tenant.as_ref().map(|name| ("tenant".to_owned(), json!(name))));
        }
        body
    }
}

/// Work that may outlive the request that asked for it.
#[derive(Clone, Debug)]
pub struct Job {
    id: JobId,
    state: JobState,
    percent: u8,
    result: Option<Box<RawValue>>,
    error: Option<JobError>,
    waiting: Option<JobWaiting>,
}

/// What a job waits for whose own work is done: it ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct JobWaiting {
    /// How many contents are still to go.
    pub contents: u64,
    /// The same in words.
    pub detail: String,
    /// When they have gone at the latest, where that is known.
    pub until: Option<String>,
}

/// Why a job could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JobError {
    code: String,
    detail: String,
}

impl JobError {
    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// A job as the server writes it.
#[derive(Deserialize)]
pub(crate) struct JobMembers {
    id: String,
    state: String,
    percent: u8,
    result: Option<Box<RawValue>>,
    error: Option<JobError>,
    waiting: Option<JobWaiting>,
}

impl Job {
    pub(crate) fn parse(members: JobMembers) -> Result<Self, String> {
        let JobMembers { id, state, percent, result, error, waiting } = members;
        Ok(Self {
            id: JobId::parse(&id).ok_or_else(|| format!("{id:?} is no id of a job"))?,
            state: JobState::parse(&state)
                .ok_or_else(|| format!("{state:?} is no state of a job"))?,
            percent,
            result,
            error,
            waiting,
        })
    }

    pub const fn id(&self) -> &JobId {
        &self.id
    }

    pub const fn state(&self) -> JobState {
        self.state
    }

    /// How much of it is done, of 100.
    pub const fn percent(&self) -> u8 {
        self.percent
    }

    /// What came of it, as the server wrote it; none before it is done.
    pub fn result(&self) -> Option<&RawValue> {
        self.result.as_deref()
    }

    /// Why it could not be done.
    pub const fn error(&self) -> Option<&JobError> {
        self.error.as_ref()
    }

    /// What it waits for, while it does.
    pub const fn waiting(&self) -> Option<&JobWaiting> {
        self.waiting.as_ref()
    }
}

impl Client {
    /// Has a ledger verified. The job has ended where that took no longer than about two seconds.
    pub async fn verify(&self, request: &VerifyRequest) -> Result<Job, ClientError> {
        // Verifying twice costs time and changes nothing.
        let call = Call::post(self.route("v1/verify", &[])).json(&request.to_json());
        self.job_of(&call.repeat(Repeat::Safe)).await
    }

    /// A job as it stands.
    pub async fn job(&self, id: &JobId) -> Result<Job, ClientError> {
        self.job_of(&Call::get(self.route(&format!("v1/jobs/{id}"), &[]))).await
    }

    /// Waits until nobody works on a job any more, which it may be waiting as well, and looks at it every `pause`,
    /// telling each time how it stands.
    pub async fn follow(
        &self,
        mut job: Job,
        pause: Duration,
        mut tell: impl FnMut(&Job),
    ) -> Result<Job, ClientError> {
        while !job.state.has_ended() {
            tell(&job);
            tokio::time::sleep(pause).await;
            job = self.job(&job.id).await?;
        }
        Ok(job)
    }

    /// Cancels a job, and answers how it stands.
    pub async fn cancel_job(&self, id: &JobId) -> Result<Job, ClientError> {
        self.job_of(&Call::delete(self.route(&format!("v1/jobs/{id}"), &[]))).await
    }

    async fn job_of(&self, call: &Call) -> Result<Job, ClientError> {
        let members: JobMembers = self.send(call).await?.json()?;
        Job::parse(members).map_err(|reason| unexpected(call.name(), reason))
    }
}
