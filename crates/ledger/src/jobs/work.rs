//! What a job's work is given: what to do, and how it is told to end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use ledgerstone_model::ErrorCode;
use ledgerstone_store::{JobRow, RetentionStore};

use super::settings::JobSettings;
use crate::dead_letters::DeadLetters;
use crate::erasure::SurveyWatch;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::retention::Retention;

/// What some kinds of jobs need beside the ledger; a job that lacks its own fails.
#[derive(Clone, Default)]
pub struct JobTools {
    /// Refused submissions, which name people as well.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// The ledger's own store, with the door by which contents go.
    pub contents: Option<Arc<dyn RetentionStore>>,
}

/// What a job's work is given.
pub(super) struct Work<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) tools: &'a JobTools,
    pub(super) settings: &'a JobSettings,
    pub(super) job: &'a JobRow,
    pub(super) control: &'a Control,
}

impl Work<'_> {
    /// The store with the door by which contents go.
    pub(super) fn contents(&self) -> Result<&dyn RetentionStore, Ended> {
        let lacks = || Ended::failed(ErrorCode::Internal, "the store of contents was not given");
        self.tools.contents.as_deref().ok_or_else(lacks)
    }

    /// The means to drop contents.
    pub(super) fn retention(&self) -> Result<Retention<'_>, Ended> {
        Ok(self.ledger.retention(self.contents()?))
    }
}

/// How work ends without a result.
#[derive(Debug)]
pub(super) enum Ended {
    /// It was told to.
    Interrupted,
    /// So many contents cannot be dropped yet; the runs of retention go on with them.
    Waiting { contents: u64 },
    Failed {
        code: ErrorCode,
        /// For the server's log.
        message: String,
    },
}

impl Ended {
    pub(super) fn failed(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into() }
    }
}

impl From<LedgerError> for Ended {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::ContentsWaiting(contents) => Self::Waiting { contents },
            error => Self::failed(error.code(), error.to_string()),
        }
    }
}

/// Why work is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    Cancelled,
    /// The process is stopping; the job will begin again.
    Stopping,
}

/// A job's progress, and the word that it is to end.
#[derive(Debug, Default)]
pub(super) struct Control {
    done: AtomicU64,
    total: AtomicU64,
    interruption: AtomicU8,
}

impl Control {
    /// Counts what is done, and tells whether to go on.
    pub(super) fn advance(&self, by: u64, total: u64) -> ControlFlow<()> {
        self.done.fetch_add(by, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        match self.interruption() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// How much is done, of 100.
    pub(super) fn percent(&self) -> u8 {
        let total = self.total.load(Ordering::Relaxed).max(1);
        let done = self.done.load(Ordering::Relaxed).min(total);
        u8::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100)
    }

    /// Tells the work to end. The first word counts.
    pub(super) fn interrupt(&self, why: Interruption) {
        let word = match why {
            Interruption::Cancelled => 1,
            Interruption::Stopping => 2,
        };
        let _ = self.interruption.compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn interruption(&self) -> Option<Interruption> {
        match self.interruption.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Interruption::Cancelled),
            _ => Some(Interruption::Stopping),
        }
    }
}

impl SurveyWatch for Control {
    fn records(&self, more: u64, total: u64) -> ControlFlow<()> {
        self.advance(more, total)
    }
}
