//! Contents that go: the runs that drop them, and what reading says where one is gone.
//!
//! A run is recorded before it does anything: `system.retention_started` in each ledger names every
//! record, a checkpoint is signed over it, then the store drops the contents, and `system.retention` says
//! that they are gone. A run that a crash cut short goes on from its records.

mod expiry;
mod index;
mod run;

pub(crate) use expiry::duty_on;
pub use expiry::{Expired, HeldBack, LedgerExpiry, RuleConflict};
pub(crate) use index::Ending;
pub use index::{ClosingAsked, Dropped, Proposal};
pub(crate) use index::{KeptContents, RetentionIndex};
pub(crate) use run::STARTED_PER_COMMIT;
pub use run::{ContentDrop, LedgerOutcome, Retention, RetentionReport};
