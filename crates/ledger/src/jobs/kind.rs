//! The table of what jobs can do: one line each.

use super::work::{Ended, Work};
use super::{closing, erasure, erasure_survey, hold_survey, retention, verification};

/// One kind of work.
pub struct JobKind {
    pub name: &'static str,
    /// Does the work and answers its result as one JSON object.
    pub(super) run: fn(&Work<'_>) -> Result<String, Ended>,
}

/// Every kind there is.
pub const JOB_KINDS: &[JobKind] = &[
    JobKind { name: verification::NAME, run: verification::run },
    JobKind { name: erasure::NAME, run: erasure::run },
    JobKind { name: erasure_survey::NAME, run: erasure_survey::run },
    JobKind { name: hold_survey::NAME, run: hold_survey::run },
    JobKind { name: retention::NAME, run: retention::run },
    JobKind { name: closing::NAME, run: closing::run },
];

impl JobKind {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        JOB_KINDS.iter().find(|kind| kind.name == name)
    }
}
