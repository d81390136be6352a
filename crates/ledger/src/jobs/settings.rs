//! How many jobs there may be, and how much of the machine they may use.

use std::time::Duration;

/// Times that a job is begun again after the process died under it.
pub(super) const ATTEMPTS_MAX: u64 = 3;

/// Findings that the result of a verification lists; the others are counted.
pub(super) const RESULT_FINDINGS_MAX: usize = 200;

/// Limits of the jobs, and when others of them come.
#[derive(Clone, Copy, Debug)]
pub struct JobSettings {
    /// Jobs that run at one moment.
    pub workers: usize,
    /// Jobs of all tenants that wait or run; more are refused with `TOO_MANY_JOBS`.
    pub open_jobs: usize,
    /// The same for one tenant, so that none takes all places.
    pub open_jobs_per_tenant: usize,
    /// Ended jobs that are remembered; the oldest make room. Those that wait are remembered beside them.
    pub ended_jobs: usize,
    /// The same for one tenant.
    pub ended_jobs_per_tenant: usize,
    /// Threads that one verification uses.
    pub verification_threads: usize,
    /// Time between two runs of retention; none where they come only when somebody asks.
    pub retention_every: Option<Duration>,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            workers: 2,
            open_jobs: 64,
            open_jobs_per_tenant: 8,
            ended_jobs: 1_000,
            ended_jobs_per_tenant: 100,
            verification_threads: 2,
            retention_every: Some(Duration::from_hours(24)),
        }
    }
}
