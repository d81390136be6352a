//! Followers: whatever is derived from the ledgers tails the stream of commits from a cursor of its
//! own, so that it never sees what is not committed and never misses what is.

mod snapshot;
pub mod tiles;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_model::ErrorCode;
use ledgerstone_store::{Changes, Cursor, LedgerStore, ReadError, Wanted};
use thiserror::Error;

use crate::error::LedgerError;

/// How many of a follower run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One in each process: what it keeps is the process's own.
    Each,
    /// One in the deployment: what it keeps is shared.
    Once,
}

/// Why a follower could not go on. It tries again later, from its saved cursor.
#[derive(Debug, Error)]
pub enum FollowerError {
    #[error("{what}: {source}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Ledger(Box<LedgerError>),
}

impl From<LedgerError> for FollowerError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(Box::new(error))
    }
}

impl FollowerError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Io { .. } => ErrorCode::StorageFailed,
            Self::Read(error) => error.code(),
            Self::Ledger(error) => error.code(),
        }
    }
}

/// Something that is derived from the ledgers, and can be deleted and built again.
pub trait Follower: Send {
    /// Its name in the table, in logs and in health checks.
    fn name(&self) -> &'static str;

    /// How long it rests once it has caught up.
    fn pause(&self) -> Duration;

    /// What it wants of the records.
    fn wants(&self) -> Wanted;

    /// Where it stands: the empty cursor if it has nothing yet, or if what it has is damaged.
    fn load(&mut self) -> Result<Cursor, FollowerError>;

    /// Takes in what was committed after the cursor.
    fn apply(&mut self, changes: &Changes) -> Result<(), FollowerError>;

    /// Keeps what it has together with the cursor, both or neither.
    fn save(&mut self, next: &Cursor) -> Result<(), FollowerError>;
}

/// What followers are made from.
#[derive(Clone)]
pub struct FollowerContext {
    pub store: Arc<dyn LedgerStore>,
    /// The data directory; what is derived lies in directories of its own in it.
    pub data: PathBuf,
}

/// A line of the table of followers.
#[derive(Clone, Copy)]
pub struct FollowerEntry {
    pub name: &'static str,
    pub mode: Mode,
    pub make: fn(&FollowerContext) -> Box<dyn Follower>,
}

/// Every follower there is.
pub const FOLLOWERS: &[FollowerEntry] =
    &[FollowerEntry { name: tiles::NAME, mode: Mode::Each, make: tiles::TilesWriter::boxed }];
