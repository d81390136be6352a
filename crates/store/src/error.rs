//! How a store fails: three outcomes of an append, two of a read.

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{SequenceNumber, TenantId};
use thiserror::Error;

use crate::batch::SourceName;

/// The outcome of an append that did not succeed. What matters to the caller is what is known.
#[derive(Debug, Error)]
pub enum AppendError {
    /// Another writer moved a head or a position; nothing was written. Reload and build again.
    #[error("another writer moved {what}; reload it and build the batch again")]
    Conflict { what: Moved },
    /// Nothing was written and the heads are known. The same batch may be tried later.
    #[error("{reason}; nothing was written")]
    Unavailable { code: ErrorCode, reason: String },
    /// It is not known whether the batch was written. The store answers nothing else until it is
    /// opened again; the caller gives the outcome to its clients as unknown.
    #[error("{reason}; it is not known whether the batch was written")]
    Unknown { reason: String },
}

/// What another writer moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    Head(TenantId),
    Position(SourceName),
}

impl std::fmt::Display for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head(tenant) => write!(f, "the head of ledger {tenant}"),
            Self::Position(source) => write!(f, "the position of source {}", source.as_str()),
        }
    }
}

impl AppendError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Conflict { .. } => ErrorCode::Conflict,
            Self::Unavailable { code, .. } => *code,
            Self::Unknown { .. } => ErrorCode::OutcomeUnknown,
        }
    }
}

/// A read that could not be answered.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The record's bytes are there but are not what was written.
    #[error("{} of ledger {tenant} is damaged: {reason}", spoken(*sequence_number))]
    Damaged { tenant: TenantId, sequence_number: Option<SequenceNumber>, reason: String },
    /// The medium did not answer.
    #[error("reading {what} failed: {source}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
}

/// The record as a message names it.
fn spoken(number: Option<SequenceNumber>) -> String {
    number.map_or_else(|| "a record".to_owned(), |number| format!("record {number}"))
}

impl ReadError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged { .. } => ErrorCode::RecordDamaged,
            Self::Io { .. } => ErrorCode::StorageFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{SequenceNumber, TenantId};

    use super::ReadError;

    #[test]
    fn a_damaged_record_is_named_as_a_reader_would_name_it() {
        let damaged = |sequence_number| ReadError::Damaged {
            tenant: TenantId::parse("acme").unwrap(),
            sequence_number,
            reason: "checksum does not match".to_owned(),
        };
        let number = SequenceNumber::new(7).unwrap();
        assert_eq!(
            damaged(Some(number)).to_string(),
            "record 7 of ledger acme is damaged: checksum does not match"
        );
        assert_eq!(
            damaged(None).to_string(),
            "a record of ledger acme is damaged: checksum does not match"
        );
    }
}
