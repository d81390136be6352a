//! Has what expired dropped again and again while the server runs: a job of `_system`, which goes over
//! all tenants.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ledgerstone_proof::{IngestedAt, TenantId};

use super::pool::JobPool;
use super::retention::{RetentionRequest, is_retention};
use super::roster::JobView;
use crate::error::LedgerError;
use crate::ledger::Ledger;

/// How often it is looked whether it is time, unless something else is said.
const LOOK: Duration = Duration::from_mins(1);

/// Who asks for the jobs.
const ASKED_BY: &str = "ledgerstone";

/// The thread that asks for the jobs. Dropping it stops it.
pub struct RetentionSchedule {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RetentionSchedule {
    /// Asks for a job when the last one of its own began that long ago, and for the first one soon.
    pub fn start(
        ledger: &Arc<Ledger>,
        jobs: &Arc<JobPool>,
        every: Duration,
    ) -> Result<Self, LedgerError> {
        Self::start_looking(ledger, jobs, every, LOOK)
    }

    /// The same, looking whether it is time that often.
    pub fn start_looking(
        ledger: &Arc<Ledger>,
        jobs: &Arc<JobPool>,
        every: Duration,
        look: Duration,
    ) -> Result<Self, LedgerError> {
        let (stop, stopped) = channel();
        let (ledger, jobs) = (Arc::clone(ledger), Arc::clone(jobs));
        let work = move || {
            while stopped.recv_timeout(look) == Err(RecvTimeoutError::Timeout) {
                let known = jobs.list(&TenantId::system());
                if is_due(&known, ledger.clock.now(), every) {
                    ask(&jobs);
                }
            }
        };
        let thread = std::thread::Builder::new().name("retention".to_owned()).spawn(work);
        Ok(Self { stop: Some(stop), thread: Some(thread.map_err(LedgerError::Thread)?) })
    }
}

impl Drop for RetentionSchedule {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

fn ask(jobs: &JobPool) {
    let request = RetentionRequest { is_dry_run: false, audit_record: None };
    if let Err(error) = jobs.submit(request.into_job(TenantId::system(), ASKED_BY.to_owned())) {
        tracing::error!(%error, "what expired stays until it is tried again");
    }
}

/// Whether it is time for a job. `known` has the newest first.
fn is_due(known: &[JobView], now: IngestedAt, every: Duration) -> bool {
    let own = |job: &&JobView| is_retention(&job.row) && job.row.created_by == ASKED_BY;
    let Some(last) = known.iter().find(own) else { return true };
    let age = now.micros().saturating_sub(last.row.created_at.micros());
    let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
    last.row.state.has_ended() && age >= every
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_model::{JobId, JobState};
    use ledgerstone_proof::{IngestedAt, TenantId};
    use ledgerstone_store::JobRow;

    use super::{ASKED_BY, is_due};
    use crate::jobs::JobView;

    fn at(seconds: i64) -> IngestedAt {
        IngestedAt::from_micros(seconds * 1_000_000).unwrap()
    }

    fn job(created_by: &str, state: JobState) -> JobView {
        let row = JobRow {
            id: JobId::new(at(100), [7; 16]),
            tenant: TenantId::system(),
            kind: "retention".to_owned(),
            request: "{}".to_owned(),
            state,
            created_at: at(100),
            created_by: created_by.to_owned(),
            attempts: 0,
            started_at: None,
            ended_at: None,
            result: None,
            failure: None,
        };
        JobView { row, percent: 0 }
    }

    #[test]
    fn it_is_time_when_its_own_last_job_is_long_ago() {
        let every = Duration::from_mins(1);
        assert!(is_due(&[], at(0), every));
        let done = job(ASKED_BY, JobState::Done);
        assert!(!is_due(std::slice::from_ref(&done), at(159), every));
        assert!(is_due(std::slice::from_ref(&done), at(160), every));
        // A clock that was set back does not hurry.
        assert!(!is_due(std::slice::from_ref(&done), at(10), every));
        assert!(!is_due(&[job(ASKED_BY, JobState::Running), done], at(900), every));
        assert!(is_due(&[job("key:a", JobState::Done)], at(100), every), "somebody else's");
    }
}
