//! The jobs of a process in memory: those that wait, those that run, and the last that ended.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use ledgerstone_model::{JobId, JobState};
use ledgerstone_proof::TenantId;
use ledgerstone_store::JobRow;

use super::error::JobError;
use super::settings::JobSettings;
use super::waiting::Awaited;
use super::work::Control;

/// Called once when a job has ended.
pub(super) type OnEnd = Box<dyn FnOnce() + Send>;

/// A job as it stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    pub row: JobRow,
    /// How much of it is done, of 100.
    pub percent: u8,
}

/// A job and what is needed while it has not ended.
pub(super) struct Entry {
    pub(super) row: JobRow,
    pub(super) control: Arc<Control>,
    pub(super) on_end: Vec<OnEnd>,
}

impl Entry {
    pub(super) fn new(row: JobRow) -> Self {
        Self { row, control: Arc::default(), on_end: Vec::new() }
    }

    pub(super) fn view(&self) -> JobView {
        let percent = match self.row.state {
            JobState::Queued => 0,
            // Its own work is done; what it had of it is not known any more after a restart.
            JobState::Waiting | JobState::Done => 100,
            _ => self.control.percent(),
        };
        JobView { row: self.row.clone(), percent }
    }
}

/// All jobs.
#[derive(Default)]
pub(super) struct Roster {
    jobs: BTreeMap<JobId, Entry>,
    queue: VecDeque<JobId>,
    pub(super) is_stopping: bool,
}

impl Roster {
    /// Whether there is room for one more job of this tenant.
    pub(super) fn admit(&self, tenant: &TenantId, limits: &JobSettings) -> Result<(), JobError> {
        if self.is_stopping {
            return Err(JobError::Stopping);
        }
        let open = || self.jobs.values().filter(|entry| !entry.row.state.has_ended());
        let of_tenant = open().filter(|entry| entry.row.tenant == *tenant).count();
        if of_tenant >= limits.open_jobs_per_tenant {
            return Err(JobError::TooManyOfTenant { open: of_tenant });
        }
        let all = open().count();
        if all >= limits.open_jobs {
            return Err(JobError::TooMany { open: all });
        }
        Ok(())
    }

    pub(super) fn put(&mut self, row: JobRow) {
        self.jobs.insert(row.id.clone(), Entry::new(row));
    }

    pub(super) fn drop_job(&mut self, id: &JobId) {
        self.jobs.remove(id);
    }

    pub(super) fn enqueue(&mut self, id: JobId) {
        self.queue.push_back(id);
    }

    /// The next job that still waits.
    pub(super) fn next(&mut self) -> Option<JobId> {
        while let Some(id) = self.queue.pop_front() {
            if self.jobs.get(&id).is_some_and(|entry| entry.row.state == JobState::Queued) {
                return Some(id);
            }
        }
        None
    }

    pub(super) fn entry(&mut self, id: &JobId) -> Option<&mut Entry> {
        self.jobs.get_mut(id)
    }

    /// A job that belongs to this tenant.
    pub(super) fn of(&mut self, tenant: &TenantId, id: &JobId) -> Option<&mut Entry> {
        self.jobs.get_mut(id).filter(|entry| entry.row.tenant == *tenant)
    }

    /// The jobs of a tenant, the newest first.
    pub(super) fn list(&self, tenant: &TenantId) -> Vec<JobView> {
        let of_tenant = self.jobs.values().filter(|entry| entry.row.tenant == *tenant);
        let mut views: Vec<JobView> = of_tenant.map(Entry::view).collect();
        views.sort_by_key(|view| std::cmp::Reverse(view.row.created_at));
        views
    }

    /// Those that wait for what others do.
    pub(super) fn waiting(&self) -> Vec<(JobId, Awaited)> {
        let all = self.jobs.iter();
        all.filter_map(|(id, entry)| Some((id.clone(), Awaited::of(&entry.row)?))).collect()
    }

    pub(super) fn running(&self) -> impl Iterator<Item = &Entry> {
        self.jobs.values().filter(|entry| entry.row.state == JobState::Running)
    }

    /// Forgets the oldest ended jobs beyond those that are remembered, and answers which. The newest that waits for
    /// something stays beside them: nothing else tells how that stands. So there are at most as many more as
    /// approved erasures and closings of tenants that are not done.
    pub(super) fn prune(&mut self, limits: &JobSettings) -> Vec<JobId> {
        let mut of_tenant: BTreeMap<&TenantId, usize> = BTreeMap::new();
        let mut all = 0;
        let mut gone = Vec::new();
        let mut ended: Vec<(&JobId, &Entry)> =
            self.jobs.iter().filter(|(_, entry)| entry.row.state.has_ended()).collect();
        ended.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.row.ended_at));
        let mut awaited = HashSet::new();
        for (id, entry) in ended {
            if Awaited::of(&entry.row).is_some_and(|what| awaited.insert(what)) {
                continue;
            }
            let same = of_tenant.entry(&entry.row.tenant).or_default();
            if *same >= limits.ended_jobs_per_tenant || all >= limits.ended_jobs {
                gone.push(id.clone());
            } else {
                *same += 1;
                all += 1;
            }
        }
        for id in &gone {
            self.jobs.remove(id);
        }
        gone
    }
}
