//! Dropping contents: the one thing that ever leaves a store.
//!
//! It stands apart from [`LedgerStore`], so that whoever reads, follows or verifies a store holds
//! nothing by which a content could go.

use std::collections::BTreeMap;

use ledgerstone_model::{ErrorCode, NumberSet};
use ledgerstone_proof::TenantId;
use thiserror::Error;

use crate::contract::LedgerStore;

/// A store whose contents can be dropped.
///
/// # What it promises
///
/// - **Contents alone.** Headers, signatures, ids, trees and checkpoints stay what they are, byte for
///   byte; so does every content that is not named. Contents of `system` records stay.
/// - **Gone.** What is reported as dropped is on the medium no more, nor in anything derived from
///   it. Readers that began before go on and see the content or none, never something else.
/// - **Repeatable.** After an error, or a crash at any point, every content is there or gone, and
///   everything else is as it was; the same call again does the rest. What is gone already is
///   passed over.
/// - **As far as it goes.** What lies where nothing can be changed yet is reported as waiting; it
///   goes by the same call later, at once after [`settle`](Self::settle).
///
/// What may be dropped is decided by the caller, who has recorded it durably before.
pub trait RetentionStore: LedgerStore {
    /// Drops the contents of these records. One call at a time; another waits.
    fn drop_contents(&self, plan: &DropPlan) -> Result<DropReport, DropError>;

    /// Brings what was committed before this call to where contents can be dropped, so that nothing of
    /// it waits. Costs a container of its own, however small: for when it cannot wait.
    fn settle(&self) -> Result<(), DropError>;
}

/// The records whose contents are to go, by ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropPlan {
    numbers: BTreeMap<TenantId, NumberSet>,
}

impl DropPlan {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds records of a ledger.
    pub fn add(&mut self, tenant: &TenantId, numbers: &NumberSet) {
        if !numbers.is_empty() {
            self.numbers.entry(tenant.clone()).or_default().add(numbers);
        }
    }

    /// The same with records of a ledger.
    #[must_use]
    pub fn with(mut self, tenant: &TenantId, numbers: &NumberSet) -> Self {
        self.add(tenant, numbers);
        self
    }

    /// The records of a ledger; `None` where nothing of it is to go.
    pub fn numbers(&self, tenant: &TenantId) -> Option<&NumberSet> {
        self.numbers.get(tenant)
    }

    /// Ledgers and their records.
    pub fn iter(&self) -> impl Iterator<Item = (&TenantId, &NumberSet)> {
        self.numbers.iter()
    }
}

/// What a call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropReport {
    /// Contents that were there and are gone.
    pub dropped: u64,
    /// Bytes that the medium has more room for.
    pub freed_bytes: u64,
    /// The containers that were written anew, each once.
    pub rewritten: Vec<RewrittenContainer>,
    /// Records whose contents cannot go yet: what holds them is not sealed.
    pub waiting: BTreeMap<TenantId, NumberSet>,
}

/// A container that was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewrittenContainer {
    /// Commit ordinal of its first record.
    pub first: u64,
    pub old_generation: u32,
    pub new_generation: u32,
}

/// Why not everything was dropped that could have been. What is gone stays gone.
#[derive(Debug, Error)]
pub enum DropError {
    /// Something failed, or is damaged; the rest was done as far as possible.
    #[error("{reason}; what is left can be dropped later")]
    Unavailable { code: ErrorCode, reason: String },
    /// It is not known what the medium holds: the store takes nothing more until it is opened again.
    #[error("{reason}; what is left can be dropped once the store is opened again")]
    Unknown { reason: String },
}

impl DropError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable { code, .. } => *code,
            Self::Unknown { .. } => ErrorCode::OutcomeUnknown,
        }
    }
}
