//! The threads that do jobs, and how jobs come, go and come back after a restart.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use ledgerstone_model::{ErrorCode, JobId, JobState};
use ledgerstone_proof::TenantId;
use ledgerstone_store::{JobFailure, JobRow, JobStore};

use super::error::JobError;
use super::kind::JobKind;
use super::roster::{Entry, JobView, Roster};
use super::settings::{ATTEMPTS_MAX, JobSettings};
use super::waiting::Waiting;
use super::work::{Control, Ended, Interruption, JobTools, Work};
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};

/// A job to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    pub tenant: TenantId,
    /// A name in [`JOB_KINDS`](super::JOB_KINDS).
    pub kind: &'static str,
    /// What to do, as one JSON object of that kind.
    pub request: String,
    /// Opaque id of who asks.
    pub created_by: String,
}

/// The threads that do jobs. Dropping it stops them; what had not ended begins again in the next
/// process.
pub struct JobPool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    ledger: Arc<Ledger>,
    store: Arc<dyn JobStore>,
    tools: JobTools,
    settings: JobSettings,
    roster: Mutex<Roster>,
    /// There is something to do, or it is time to stop.
    work: Condvar,
}

impl JobPool {
    /// Takes up the jobs that are kept, and starts the threads.
    pub fn start(
        ledger: &Arc<Ledger>,
        store: Arc<dyn JobStore>,
        tools: JobTools,
        settings: JobSettings,
    ) -> Result<Self, LedgerError> {
        let shared = Arc::new(Shared {
            ledger: Arc::clone(ledger),
            store,
            tools,
            settings,
            roster: Mutex::default(),
            work: Condvar::new(),
        });
        shared.take_up();
        shared.settle_waiting();
        let pool = Self { shared, threads: Mutex::default() };
        for number in 0..settings.workers.max(1) {
            let shared = Arc::clone(&pool.shared);
            let builder = std::thread::Builder::new().name(format!("job-{number}"));
            let thread = builder.spawn(move || shared.run()).map_err(LedgerError::Thread)?;
            hold(&pool.threads).push(thread);
        }
        Ok(pool)
    }

    /// Takes a job; it is saved when this returns.
    pub fn submit(&self, new: NewJob) -> Result<JobView, JobError> {
        self.shared.submit(new)
    }

    /// A job of a tenant. Another tenant's is not there.
    pub fn get(&self, tenant: &TenantId, id: &JobId) -> Option<JobView> {
        self.shared.roster().of(tenant, id).map(|entry| entry.view())
    }

    /// The jobs of a tenant, the newest first.
    pub fn list(&self, tenant: &TenantId) -> Vec<JobView> {
        self.shared.roster().list(tenant)
    }

    /// Ends a job that waits at once, and tells one that runs to end soon. One that has ended stays
    /// as it is.
    pub fn cancel(&self, tenant: &TenantId, id: &JobId) -> Option<JobView> {
        let mut roster = self.shared.roster();
        let entry = roster.of(tenant, id)?;
        match entry.row.state {
            JobState::Queued => {
                drop(roster);
                self.shared.end(id, JobState::Cancelled, |_| {});
            }
            JobState::Running => {
                entry.control.interrupt(Interruption::Cancelled);
                drop(roster);
            }
            JobState::Waiting | JobState::Done | JobState::Failed | JobState::Cancelled => {
                drop(roster);
            }
        }
        self.get(tenant, id)
    }

    /// Calls back once when a job has ended; at once if it has ended or is not known.
    pub fn on_end(&self, id: &JobId, call: impl FnOnce() + Send + 'static) {
        let mut roster = self.shared.roster();
        match roster.entry(id).filter(|entry| !entry.row.state.has_ended()) {
            Some(entry) => entry.on_end.push(Box::new(call)),
            None => {
                drop(roster);
                call();
            }
        }
    }

    /// Ends the threads. Jobs that run are interrupted, and begin again in the next process.
    pub fn stop(&self) {
        let mut roster = self.shared.roster();
        roster.is_stopping = true;
        roster.running().for_each(|entry| entry.control.interrupt(Interruption::Stopping));
        drop(roster);
        self.shared.work.notify_all();
        for thread in std::mem::take(&mut *hold(&self.threads)) {
            // Work that panics is caught; there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl Drop for JobPool {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn roster(&self) -> MutexGuard<'_, Roster> {
        hold(&self.roster)
    }

    /// Jobs that an earlier process left behind: what had not ended waits again.
    fn take_up(&self) {
        let rows = self.store.jobs().unwrap_or_else(|error| {
            tracing::error!(%error, "the jobs that were kept cannot be read; none is taken up");
            Vec::new()
        });
        for mut row in rows {
            if row.state.has_ended() {
                self.roster().put(row);
                continue;
            }
            if row.attempts >= ATTEMPTS_MAX {
                row.state = JobState::Failed;
                row.ended_at = Some(self.ledger.clock.now());
                let message =
                    format!("the server stopped unexpectedly {ATTEMPTS_MAX} times under it");
                row.failure = Some(JobFailure { code: ErrorCode::Internal, message });
                self.save(&row);
                self.roster().put(row);
                continue;
            }
            row.state = JobState::Queued;
            let id = row.id.clone();
            let mut roster = self.roster();
            roster.put(row);
            roster.enqueue(id);
        }
        self.prune();
    }

    fn submit(&self, new: NewJob) -> Result<JobView, JobError> {
        let kind = JobKind::named(new.kind).ok_or(JobError::UnknownKind(new.kind.to_owned()))?;
        let now = self.ledger.clock.now();
        let mut random = [0; 16];
        self.ledger.entropy.fill(&mut random);
        let row = JobRow {
            id: JobId::new(now, random),
            tenant: new.tenant,
            kind: kind.name.to_owned(),
            request: new.request,
            state: JobState::Queued,
            created_at: now,
            created_by: new.created_by,
            attempts: 0,
            started_at: None,
            ended_at: None,
            result: None,
            failure: None,
        };
        let mut roster = self.roster();
        roster.admit(&row.tenant, &self.settings)?;
        // It has its place, but nobody works on it before it is saved.
        roster.put(row.clone());
        drop(roster);
        if let Err(error) = self.store.save_job(&row) {
            self.roster().drop_job(&row.id);
            return Err(error.into());
        }
        self.roster().enqueue(row.id.clone());
        self.work.notify_one();
        Ok(JobView { row, percent: 0 })
    }

    /// A thread's life.
    fn run(&self) {
        while let Some((job, control)) = self.begin_next() {
            let outcome = self.work_on(&job, &control);
            // Whoever waits for this job finds those done that it ended, and it may wait for one that ended before.
            self.settle_waiting();
            self.conclude(&job, &control, outcome);
            self.settle_waiting();
        }
    }

    /// Waits for the next job and marks it as running; `None` when it is time to stop.
    fn begin_next(&self) -> Option<(JobRow, Arc<Control>)> {
        let mut roster = self.roster();
        loop {
            if roster.is_stopping {
                return None;
            }
            if let Some(entry) = roster.next().and_then(|id| roster.entry(&id)) {
                entry.row.state = JobState::Running;
                entry.row.attempts += 1;
                entry.row.started_at = Some(self.ledger.clock.now());
                let begun = (entry.row.clone(), Arc::clone(&entry.control));
                drop(roster);
                self.save(&begun.0);
                return Some(begun);
            }
            roster = self.work.wait(roster).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work_on(&self, job: &JobRow, control: &Control) -> Result<String, Ended> {
        let unknown =
            || Ended::failed(ErrorCode::Internal, "this version knows no such kind of job");
        let kind = JobKind::named(&job.kind).ok_or_else(unknown)?;
        let (ledger, tools, settings) = (&*self.ledger, &self.tools, &self.settings);
        let work = Work { ledger, tools, settings, job, control };
        catch_unwind(AssertUnwindSafe(|| (kind.run)(&work)))
            .unwrap_or_else(|_| Err(Ended::failed(ErrorCode::Internal, "the work panicked")))
    }

    fn conclude(&self, job: &JobRow, control: &Control, outcome: Result<String, Ended>) {
        match outcome {
            Ok(result) => self.end(&job.id, JobState::Done, |row| row.result = Some(result)),
            Err(Ended::Interrupted) if control.interruption() == Some(Interruption::Stopping) => {
                self.put_back(&job.id);
            }
            Err(Ended::Interrupted) => self.end(&job.id, JobState::Cancelled, |_| {}),
            Err(Ended::Waiting { contents }) => {
                let waiting =
                    Waiting::new(contents, self.ledger.clock.now(), self.settings.retention_every);
                tracing::info!(job = %job.id, kind = job.kind, contents, "a job waits for what is being written");
                let result = waiting.to_json();
                self.end(&job.id, JobState::Waiting, |row| row.result = Some(result));
            }
            Err(Ended::Failed { code, message }) => {
                if is_told(code) {
                    tracing::warn!(job = %job.id, kind = job.kind, %code, message, "a job met what stands against it");
                } else {
                    tracing::error!(job = %job.id, kind = job.kind, %code, message, "a job failed");
                }
                let failure = JobFailure { code, message: told(code, message) };
                self.end(&job.id, JobState::Failed, |row| row.failure = Some(failure));
            }
        }
    }

    /// A job that a clean stop interrupted waits for the next process.
    fn put_back(&self, id: &JobId) {
        let mut roster = self.roster();
        let Some(entry) = roster.entry(id) else { return };
        entry.row.state = JobState::Queued;
        entry.row.started_at = None;
        entry.row.attempts = entry.row.attempts.saturating_sub(1);
        let row = entry.row.clone();
        drop(roster);
        self.save(&row);
    }

    fn end(&self, id: &JobId, state: JobState, change: impl FnOnce(&mut JobRow)) {
        let mut roster = self.roster();
        let Some(entry) = roster.entry(id).filter(|entry| !entry.row.state.has_ended()) else {
            return;
        };
        entry.row.state = state;
        entry.row.ended_at = Some(self.ledger.clock.now());
        change(&mut entry.row);
        let (row, calls) = (entry.row.clone(), std::mem::take(&mut entry.on_end));
        drop(roster);
        self.save(&row);
        self.prune();
        calls.into_iter().for_each(|call| call());
    }

    /// Jobs that waited are done where others did what was left.
    fn settle_waiting(&self) {
        let waiting = self.roster().waiting();
        if waiting.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.ensure_requests() {
            tracing::error!(%error, "whether jobs still wait cannot be told: requests of people cannot be read");
            return;
        }
        for (id, awaited) in waiting {
            if let Some(end) = awaited.end(&self.ledger) {
                self.settle(&id, end);
            }
        }
        self.prune();
    }

    /// Ends a job that waited.
    fn settle(&self, id: &JobId, end: Result<String, LedgerError>) {
        let mut roster = self.roster();
        let waits = |entry: &&mut Entry| entry.row.state == JobState::Waiting;
        let Some(entry) = roster.entry(id).filter(waits) else { return };
        entry.row.ended_at = Some(self.ledger.clock.now());
        match end {
            Ok(result) => {
                entry.row.state = JobState::Done;
                entry.row.result = Some(result);
            }
            Err(error) => {
                entry.row.state = JobState::Failed;
                entry.row.result = None;
                let code = error.code();
                entry.row.failure =
                    Some(JobFailure { code, message: told(code, error.to_string()) });
            }
        }
        let row = entry.row.clone();
        drop(roster);
        self.save(&row);
    }

    /// A job that cannot be saved goes on; a restart would begin it again.
    fn save(&self, row: &JobRow) {
        if let Err(error) = self.store.save_job(row) {
            tracing::error!(job = %row.id, %error, "the state of a job could not be saved");
        }
    }

    fn prune(&self) {
        let gone = self.roster().prune(&self.settings);
        for id in gone {
            if let Err(error) = self.store.remove_job(&id) {
                tracing::error!(job = %id, %error, "an old job could not be forgotten");
            }
        }
    }
}

/// Whether it is nothing of the server's own that stands against a job.
const fn is_told(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::HeldBack
            | ErrorCode::DutyToKeep
            | ErrorCode::ContentsWaiting
            | ErrorCode::MoreInClear
            | ErrorCode::TenantClosing
            | ErrorCode::TenantClosed
    )
}

/// What a job's owner is told.
fn told(code: ErrorCode, message: String) -> String {
    if is_told(code) {
        return message;
    }
    "the server could not do this; its log says why, under the job's id".to_owned()
}
