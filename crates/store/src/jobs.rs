//! Where jobs are kept, so that a restart does not lose them: the port, and an implementation in
//! memory for where nothing better is at hand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerstone_model::{ErrorCode, JobId, JobState};
use ledgerstone_proof::{IngestedAt, TenantId};

use crate::admin::AdminError;

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    pub id: JobId,
    /// Whose job it is: nobody else sees it.
    pub tenant: TenantId,
    /// What kind of work it is.
    pub kind: String,
    /// What exactly is to be done, as one JSON object of that kind.
    pub request: String,
    pub state: JobState,
    pub created_at: IngestedAt,
    /// Opaque id of who asked for it.
    pub created_by: String,
    /// How often it was begun and not ended in good order.
    pub attempts: u64,
    pub started_at: Option<IngestedAt>,
    pub ended_at: Option<IngestedAt>,
    /// What came of it, as one JSON object.
    pub result: Option<String>,
    pub failure: Option<JobFailure>,
}

/// Why a job could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFailure {
    pub code: ErrorCode,
    /// For whoever asked for it.
    pub message: String,
}

/// Keeps jobs.
///
/// When [`save_job`](Self::save_job) returned, the job survives a crash; a row is as it was saved
/// or is not there. Jobs are no truth: one that is lost is asked for again.
pub trait JobStore: Send + Sync {
    /// Every job, in the order of their ids.
    fn jobs(&self) -> Result<Vec<JobRow>, AdminError>;

    /// Saves a job, over what was saved of it before.
    fn save_job(&self, job: &JobRow) -> Result<(), AdminError>;

    /// Forgets a job; it may be unknown.
    fn remove_job(&self, id: &JobId) -> Result<(), AdminError>;
}

/// Jobs that end with the process.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    rows: Mutex<BTreeMap<JobId, JobRow>>,
}

impl MemoryJobs {
    // Nothing is left half done under the lock.
    fn rows(&self) -> MutexGuard<'_, BTreeMap<JobId, JobRow>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobStore for MemoryJobs {
    fn jobs(&self) -> Result<Vec<JobRow>, AdminError> {
        Ok(self.rows().values().cloned().collect())
    }

    fn save_job(&self, job: &JobRow) -> Result<(), AdminError> {
        self.rows().insert(job.id.clone(), job.clone());
        Ok(())
    }

    fn remove_job(&self, id: &JobId) -> Result<(), AdminError> {
        self.rows().remove(id);
        Ok(())
    }
}
