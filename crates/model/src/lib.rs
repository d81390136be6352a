//! What the ledger is about: the event with all its fields, the stages it goes through before it
//! is appended, the server's own records, and the closed list of errors.
//!
//! Nothing here does I/O, waits, reads a clock or draws randomness.

#![forbid(unsafe_code)]

pub mod access;
pub mod as_sent;
pub mod audit;
pub mod calendar;
pub mod dead_letter;
pub mod error_code;
pub mod event;
pub mod filter;
pub mod hold;
pub mod id;
pub mod intake;
pub mod job;
pub mod json;
pub mod json_pointer;
pub mod json_tree;
pub mod json_write;
mod nearest;
pub mod number_set;
pub mod numbers;
mod pattern_fault;
pub mod peek;
pub mod personal;
pub mod policy;
mod policy_text;
mod random_id;
pub mod rejection;
pub mod retention;
pub mod schema;
pub mod schema_path;
pub mod schema_table;
pub mod sealed;
pub mod sealing;
pub mod subject_request;
pub mod system;
pub mod taxonomy;
pub mod time;
pub mod timestamp;
pub mod visible;

pub use as_sent::{AsSentError, as_sent};
pub use audit::{Actor, Administration, AuditRecord};
pub use dead_letter::{DeadLetter, DeadLetterId, LetterState, SubmissionId};
pub use error_code::ErrorCode;
pub use event::{EVENT_BYTES_DEFAULT, EVENT_BYTES_MAX, ParseContext, ValidEvent};
pub use filter::Filter;
pub use intake::IntakeSource;
pub use job::{JobId, JobState};
pub use number_set::NumberSet;
pub use numbers::Numbers;
pub use peek::peek_text;
pub use rejection::{Fault, Rejection};
pub use sealed::{PlannedEvent, SealedEvent};
pub use system::SystemRecord;
pub use taxonomy::{
    AdmittedEvent, KeptOut, Taxonomy, TaxonomyDocument, TaxonomyDraft, TaxonomyMode,
};
pub use time::{Clock, Entropy};
pub use timestamp::{EventTime, TimestampError, Zone};
pub use visible::{HiddenPart, ReadEvent, SeenEvent, Why};
