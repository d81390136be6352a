//! How the administrative store fails.

use ledgerstone_model::ErrorCode;
use thiserror::Error;

use crate::error::ReadError;

/// An administrative read or write that could not be done.
#[derive(Debug, Error)]
pub enum AdminError {
    /// Something in the projection is not what was written. It is derived: build it again.
    #[error("the projection of system records is damaged at {0}; it has to be rebuilt")]
    Damaged(String),
    /// The projection knows records that the ledger does not have.
    #[error(
        "the ledger _system has {found}, but {projected} had been seen before: an earlier state of \
         the ledger was put back, or its records were exchanged; restore the missing records, or \
         delete the projection if the loss is known and accepted"
    )]
    RolledBack { projected: String, found: String },
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] ReadError),
    /// The database did not answer.
    #[error("{what} failed: {source}")]
    Storage {
        what: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    /// A file of the database could not be removed.
    #[error("removing {file} failed: {source}")]
    Remove {
        file: String,
        #[source]
        source: std::io::Error,
    },
}

impl AdminError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged(_) | Self::Storage { .. } | Self::Remove { .. } => {
                ErrorCode::StorageFailed
            }
            Self::RolledBack { .. } => ErrorCode::LedgerRolledBack,
            Self::Ledger(error) => error.code(),
        }
    }

    /// Whether building the projection again helps.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }

    /// Tells damage of the file from a medium that does not answer. What `SQLite` calls a plain error
    /// is damage too: the statements are fixed, so that only the file can be wrong.
    pub(super) fn from_sqlite(what: &'static str, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Sqlite;
        let medium = matches!(
            source.sqlite_error_code(),
            Some(
                Sqlite::SystemIoFailure
                    | Sqlite::DiskFull
                    | Sqlite::CannotOpen
                    | Sqlite::PermissionDenied
                    | Sqlite::ReadOnly
                    | Sqlite::DatabaseBusy
                    | Sqlite::DatabaseLocked
                    | Sqlite::FileLockingProtocolFailed
                    | Sqlite::OutOfMemory
            )
        );
        if medium {
            Self::Storage { what, source }
        } else {
            Self::Damaged(format!("{what}: {source}"))
        }
    }
}
