//! Legal holds: set by one person, released by two, and above everything that lets contents go.

use std::sync::Arc;

use ledgerstone_model::system::{HoldReleaseAsked, HoldReleased, HoldSet};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::ReadError;

use crate::ledger::Ledger;

/// A hold and the records about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEntry {
    pub set: HoldSet,
    /// The `system.hold_set` record, and when it was written.
    pub set_as: (SequenceNumber, IngestedAt),
    /// Who asked for its end, and the record of that.
    pub release_asked: Option<(HoldReleaseAsked, SequenceNumber)>,
    /// Who released it, and the record of that.
    pub released: Option<(HoldReleased, SequenceNumber)>,
}

impl HoldEntry {
    pub(crate) const fn new(set: HoldSet, set_as: (SequenceNumber, IngestedAt)) -> Self {
        Self { set, set_as, release_asked: None, released: None }
    }

    /// Whether it holds anything back.
    pub const fn stands(&self) -> bool {
        self.released.is_none()
    }
}

impl Ledger {
    /// Every hold that a tenant ever had, oldest first.
    pub fn holds(&self, tenant: &TenantId) -> Result<Vec<Arc<HoldEntry>>, ReadError> {
        let mut holds = self.reader().retention_index().holds(self.store(), tenant)?;
        holds.sort_unstable_by_key(|hold| hold.set_as.0);
        Ok(holds)
    }
}
