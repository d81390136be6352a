//! What a sealed field is made of: classes, keys, and the envelope that holds the encrypted values
//! of one person in one event.

pub mod access_month;
pub mod class;
pub(crate) mod clear_paths;
mod contradiction;
mod declared;
pub mod envelope;
pub mod key;
pub mod opening;
mod packing;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod preset;
pub mod rule;
pub(crate) mod spread;
mod stored_party;
pub mod subject;
pub mod subject_id;
pub mod xaes;

pub use access_month::AccessMonth;
pub use class::FieldClass;
pub(crate) use clear_paths::is_clear;
pub use clear_paths::is_fact_of_log;
pub use envelope::{Envelope, EnvelopeError, EnvelopePlace};
pub use key::{SealingKeyId, SubjectKey};
pub use opening::{NotOpenedEvent, open_event};
pub use pattern::PathPattern;
pub(crate) use plan::MARK as SEALED_MARK;
pub use plan::{SealingPlan, party};
pub use policy::FieldPolicy;
pub use preset::Preset;
pub use rule::{FieldOwner, FieldRule, NamedPeople};
pub use stored_party::{SealedParty, StoredParty};
pub use subject::Subject;
pub use subject_id::SubjectId;
pub use xaes::NONCE_BYTES;
