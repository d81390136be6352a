//! Where records are kept: the store contract, its backends, and the suite every backend passes.
//!
//! The contract ([`LedgerStore`]) knows records, heads and positions; it holds no business rule:
//! what a record means, who may write it and when a checkpoint is due is decided to the right of
//! this crate.

pub mod admin;
pub mod batch;
pub mod contract;
pub mod dead_letters;
pub mod embedded;
pub mod error;
pub mod jobs;
pub mod key_file;
pub mod memory;
pub mod pass_notes;
pub mod record;
pub mod record_key;
pub mod retention;
pub mod subject_keys;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use batch::{
    AnchoredRound, Batch, ExpectedHead, LedgerAppend, NewCheckpoint, NewRecord, PositionMove,
    SourceName, SourcePosition,
};
pub use contract::{
    Changes, Cursor, Inspector, LedgerStore, Part, PartContents, RunClaims, RunRecord, StoreStatus,
    Wanted,
};
pub use dead_letters::{
    DeadLetterCounts, DeadLetterError, DeadLetterLimits, DeadLetterStore, FileDeadLetters,
};
pub use error::{AppendError, ReadError};
pub use jobs::{JobFailure, JobRow, JobStore, MemoryJobs};
pub use pass_notes::{FileNotes, MemoryNotes, PassNotes};
pub use record::{
    Check, ContainerFinding, Head, KeyGeneration, Location, RecordSignature, StoredCheckpoint,
    StoredRecord,
};
pub use record_key::RecordKey;
pub use retention::{DropError, DropPlan, DropReport, RetentionStore, RewrittenContainer};
