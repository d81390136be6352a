//! Where dead letters are kept: the port, and its implementation as files.

mod codec;
mod files;
mod roster;

use std::io;

use ledgerstone_model::{DeadLetter, DeadLetterId, ErrorCode, LetterState, SubmissionId};
use ledgerstone_proof::TenantId;
use thiserror::Error;

pub use codec::{decode, encode};
pub use files::FileDeadLetters;

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterLimits {
    /// Letters of all tenants.
    pub letters: u64,
    pub letters_per_tenant: u64,
    /// Bytes of all files.
    pub bytes: u64,
    pub bytes_per_tenant: u64,
}

impl Default for DeadLetterLimits {
    fn default() -> Self {
        Self {
            letters: 100_000,
            letters_per_tenant: 10_000,
            bytes: 256 * 1024 * 1024,
            bytes_per_tenant: 64 * 1024 * 1024,
        }
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterCounts {
    pub letters: u64,
    /// Those of which nothing is recorded.
    pub open: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Why letters could not be kept, read or changed.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    #[error("as many dead letters are kept as may be")]
    Full,
    #[error("{what} failed: {source}")]
    Io {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}

impl DeadLetterError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Full => ErrorCode::DeadLettersFull,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                io::ErrorKind::ReadOnlyFilesystem => ErrorCode::ReadOnlyStorage,
                _ => ErrorCode::StorageFailed,
            },
        }
    }
}

/// Keeps dead letters.
///
/// When a method that changes something returned, the change survives a crash; a crash before leaves
/// the letters of one submission as they were. What cannot be read any more is set aside, counted,
/// and never fatal: a letter is no record. `since` is in microseconds since 1970.
pub trait DeadLetterStore: Send + Sync {
    /// Keeps the letters of one submission, whose indexes rise: as many of the first of them as
    /// there is room for, which is the answer; [`DeadLetterError::Full`] where that is none.
    fn keep(
        &self,
        tenant: &TenantId,
        submission: SubmissionId,
        letters: &[DeadLetter],
    ) -> Result<usize, DeadLetterError>;

    /// At most `limit` letters of a tenant, the newest first: those before `before`, of submissions
    /// made at `since` or later.
    fn list(
        &self,
        tenant: &TenantId,
        since: i64,
        before: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, DeadLetterError>;

    /// A letter of a tenant.
    fn get(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
    ) -> Result<Option<DeadLetter>, DeadLetterError>;

    /// Changes a letter's state; `false` where there is no such letter.
    fn set_state(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
        state: LetterState,
    ) -> Result<bool, DeadLetterError>;

    /// Removes a letter; `false` where there is none.
    fn remove(&self, tenant: &TenantId, id: DeadLetterId) -> Result<bool, DeadLetterError>;

    /// Removes all submissions made before `since`, and answers how many letters went.
    fn purge(&self, since: i64) -> Result<u64, DeadLetterError>;

    /// How much of a tenant is kept, or of all.
    fn counts(&self, tenant: Option<&TenantId>) -> DeadLetterCounts;

    /// Files that could not be read and were set aside since the store was opened.
    fn set_aside(&self) -> u64;

    fn limits(&self) -> DeadLetterLimits;
}
