//! What readers get no more although it may lie in the files yet: contents that a run is to drop.
//!
//! A run goes through what is sealed into segments, so that a content may wait for days until it goes. From
//! the record by which the run begins nothing stops it any more, and nobody is shown what it covers. What
//! carries runs out, looks for people or verifies the files reads what lies there.

use std::sync::Arc;

use ledgerstone_model::NumberSet;
use ledgerstone_proof::{EventId, TenantId};
use ledgerstone_store::{ReadError, StoredRecord};

use crate::error::LedgerError;
use crate::reader::Reader;

/// The contents of one ledger that are dropped for readers, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Withheld(Arc<NumberSet>);

impl Withheld {
    /// The record as it may leave: without its content where a run covers that.
    #[must_use]
    pub fn taken_from(&self, mut record: StoredRecord) -> StoredRecord {
        if self.0.contains(record.sequence_number.value()) {
            record.content = None;
        }
        record
    }
}

impl Reader {
    /// What runs in force cover of a ledger. Where damage keeps later records from being read, those that
    /// were read before it count: one damaged part does not close every ledger to everybody.
    pub fn withheld(&self, tenant: &TenantId) -> Result<Withheld, LedgerError> {
        match self.retention_index().covered_as_known(self.store(), tenant) {
            (covered, Ok(()) | Err(ReadError::Damaged { .. })) => Ok(Withheld(covered)),
            (_, Err(error)) => Err(error.into()),
        }
    }

    /// The record with an id, as it may leave.
    pub fn get_readable(
        &self,
        tenant: &TenantId,
        id: &EventId,
    ) -> Result<StoredRecord, LedgerError> {
        let record = self.get(tenant, id)?;
        Ok(self.withheld(tenant)?.taken_from(record))
    }
}
