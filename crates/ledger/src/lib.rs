//! The ledger: the road in (sequence, sign, append, receipt), the road out (read, prove), and the one
//! verifier.

pub mod anchor;
pub mod api_keys;
pub mod check;
pub mod checkpoint;
pub mod driver;
mod duplicates;
pub mod error;
pub mod follower;
pub mod history;
mod in_flight;
pub mod keyfile;
pub mod keys;
pub mod ledger;
mod next_batch;
mod open;
pub mod projection;
pub mod proofs;
pub mod reader;
pub mod receipt;
pub mod rotation;
mod sequencer;
pub mod settings;
mod signing_mode;
mod tenants;
mod ticket;
pub mod tlog;
mod trees;

pub use anchor::AnchorReport;
pub use api_keys::{ApiKeyRefusal, ApiKeys, Ensured, IssuedKey, NewApiKey};
pub use checkpoint::SignedCheckpoint;
pub use driver::Driver;
pub use error::{LedgerError, RolledBack};
pub use follower::{FOLLOWERS, Follower, FollowerContext, FollowerEntry, FollowerError};
pub use history::{KeyPeriod, SystemHistory, TenantEntry};
pub use keyfile::KeyFiles;
pub use keys::{KeyHome, KeyHomeError, KeyRing, KeySlots, MemoryKeys, OutgoingKey, Retirement};
pub use ledger::{Ledger, LedgerStatus};
pub use reader::{Listing, Order, Reader};
pub use receipt::{Outcome, Receipt, ReceiptSignature, ReceiptStatus, Refusal};
pub use rotation::RotationReport;
pub use sequencer::SubmitError;
pub use settings::{Settings, TenantCreation};
pub use ticket::Ticket;
