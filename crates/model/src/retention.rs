//! How long contents are kept: what the law asks for at least, what their purpose allows at most, and
//! what follows from both for one record.
//!
//! Everything counts from `ingested_at`, which no client chooses. A rule asks only for fields that are
//! clear whatever is sealed: so no key is needed to tell when a content goes, anybody can check it, and
//! no value of a person stands in a policy.

mod period;
mod policy;
mod preset;
mod reader;
mod shortening;
mod term;

pub use period::Period;
pub use policy::{
    Contradiction, RETENTION_POLICY_BYTES_MAX, RETENTION_RULES_MAX, RetentionPolicy, RetentionRule,
};
pub use preset::RetentionPreset;
pub use term::{Term, is_kept_by_sender};
