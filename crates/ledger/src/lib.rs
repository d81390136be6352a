//! The ledger: the road in (sequence, sign, append, receipt), the road out (read, prove), and the one
//! verifier.

pub mod access_log;
mod acting;
pub mod anchor;
pub mod api_keys;
pub mod bundle;
pub mod check;
pub mod checkpoint;
pub mod closing;
pub mod dead_letters;
pub mod driver;
mod duplicates;
pub mod erasure;
pub mod error;
pub mod follower;
pub mod history;
pub mod holds;
mod in_flight;
pub mod jobs;
pub mod keyfile;
pub mod keys;
pub mod ledger;
mod next_batch;
mod open;
pub mod policies;
pub mod projection;
pub mod proofs;
pub mod reader;
pub mod receipt;
pub mod record_line;
pub mod rectification;
mod register;
pub mod restriction;
mod retention;
pub mod rotation;
mod sealing;
pub mod sealing_keys;
mod sequencer;
pub mod settings;
mod signing_mode;
pub mod subject_requests;
pub mod subjects;
pub mod taxonomies;
pub mod tenant_states;
mod tenants;
mod ticket;
pub mod tlog;
mod trees;
mod visible;
mod whole;
mod withheld;

pub use access_log::{
    Access, AccessLogCounts, Awaited, Denial, ReturnedRecords, Ripe, SubjectAccess,
};
pub use anchor::AnchorReport;
pub use api_keys::{ApiKeyRefusal, ApiKeys, Ensured, FirstAdminKey, IssuedKey, NewApiKey};
pub use checkpoint::SignedCheckpoint;
pub use dead_letters::{DeadLetterPurge, DeadLetters, LetterTurn, NewDeadLetter};
pub use driver::Driver;
pub use error::{LedgerError, RolledBack};
pub use follower::{FOLLOWERS, Follower, FollowerContext, FollowerEntry, FollowerError};
pub use history::{KeyPeriod, KeyState, SystemHistory, TenantEntry};
pub use holds::{HoldEntry, HoldWords, NewHold};
pub use jobs::{JobPool, JobSettings};
pub use keyfile::KeyFiles;
pub use keys::{KeyHome, KeyHomeError, KeyRing, KeySlots, MemoryKeys, OutgoingKey, Retirement};
pub use ledger::{Ledger, LedgerStatus, Waiting};
pub use open::check_keys;
pub use policies::{
    ContentsInClear, PolicyDraft, PolicyInForce, PolicyOutcome, PolicyVersion, PolicyVersions,
};
pub use reader::{Listing, Order, Reader};
pub use receipt::{Compared, Outcome, Receipt, ReceiptStatus, Refusal};
pub use retention::{
    ClosingAsked, ContentDrop, Dropped, LedgerOutcome, Proposal, Retention, RetentionReport,
};
pub use rotation::RotationReport;
pub use sealing::SealError;
pub use sequencer::{ShutTenant, SubmitError};
pub use settings::{KEY_OVERLAP, Settings, TenantCreation};
pub use taxonomies::{AdmissionError, TaxonomyInForce};
pub use ticket::Ticket;
pub use visible::{OpenedKeys, VIEWED_AT_ONCE, Viewer, VisibleEvent};
pub use withheld::Withheld;
