//! The table of what jobs can do: one line each.

use super::verification;
use super::work::{Ended, Work};

/// One kind of work.
pub struct JobKind {
    pub name: &'static str,
    /// Does the work and answers its result as one JSON object.
    pub(super) run: fn(&Work<'_>) -> Result<String, Ended>,
}

/// Every kind there is.
pub const JOB_KINDS: &[JobKind] = &[JobKind { name: verification::NAME, run: verification::run }];

impl JobKind {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        JOB_KINDS.iter().find(|kind| kind.name == name)
    }
}
