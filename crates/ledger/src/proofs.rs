//! Proofs for those who hold nothing but a public key.

use ledgerstone_proof::{
    EventId, Hash, SequenceNumber, TenantId, TlogProof, TreeSize, VerifierKey, verify_record_proof,
};
use ledgerstone_store::StoredRecord;

use crate::checkpoint::SignedCheckpoint;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Reader;
use crate::trees;

impl Reader {
    /// Proof that the record with a number is in the tree of the first `size` records.
    pub fn inclusion_proof(
        &self,
        tenant: &TenantId,
        number: SequenceNumber,
        size: TreeSize,
    ) -> Result<Vec<Hash>, LedgerError> {
        self.covers(tenant, size)?;
        if number.value() >= size.value() {
            return Err(LedgerError::NotCovered { tenant: tenant.clone(), number });
        }
        Ok(trees::inclusion(self.store(), tenant, number.value(), size.value())?)
    }

    /// Proof that the tree of the first `old` records is the beginning of that of the first `new`.
    pub fn consistency_proof(
        &self,
        tenant: &TenantId,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<Vec<Hash>, LedgerError> {
        self.covers(tenant, new)?;
        if old > new || old.value() == 0 {
            return Err(LedgerError::InvalidProof {
                what: "the range of sizes",
                reason: format!("{old} to {new} is not a growth"),
            });
        }
        Ok(trees::consistency(self.store(), tenant, old.value(), new.value())?)
    }

    /// The root over a ledger's first `size` records.
    pub fn root(&self, tenant: &TenantId, size: TreeSize) -> Result<Hash, LedgerError> {
        self.covers(tenant, size)?;
        Ok(trees::root_at(self.store(), tenant, size.value())?)
    }

    /// The proof file of one record under a checkpoint that covers it. It is verified before it is
    /// handed out, as its receiver will verify it.
    pub fn record_proof_under(
        &self,
        record: &StoredRecord,
        checkpoint: &SignedCheckpoint,
        keys: &[VerifierKey],
    ) -> Result<TlogProof, LedgerError> {
        let (tenant, number) = (&record.tenant, record.sequence_number);
        let hashes = self.inclusion_proof(tenant, number, checkpoint.size)?;
        let unproven =
            |reason: String| LedgerError::UnprovenRecord { tenant: tenant.clone(), number, reason };
        let header = Some(record.header_bytes());
        let proof = TlogProof::new(header, number.value(), hashes, &checkpoint.note)
            .map_err(|error| unproven(error.to_string()))?;
        verify_record_proof(&proof, keys, record.content.as_deref())
            .map_err(|error| unproven(error.to_string()))?;
        Ok(proof)
    }

    /// The proof file of one record under the newest checkpoint that is kept, for processes that
    /// only read.
    pub fn record_proof(&self, tenant: &TenantId, id: &EventId) -> Result<TlogProof, LedgerError> {
        let record = self.get(tenant, id)?;
        let number = record.sequence_number;
        let kept = self.newest_checkpoint(tenant)?.filter(|kept| kept.size > number.value());
        let kept = kept.ok_or(LedgerError::NotCovered { tenant: tenant.clone(), number })?;
        let keys = self.log_keys(tenant, &self.history()?)?;
        let size = TreeSize::new(kept.size);
        let root = self.root(tenant, size)?;
        let checkpoint = SignedCheckpoint { tenant: tenant.clone(), size, root, note: kept.note };
        self.record_proof_under(&record, &checkpoint, &keys)
    }

    fn covers(&self, tenant: &TenantId, size: TreeSize) -> Result<(), LedgerError> {
        let found = self.size(tenant)?;
        if size.value() > found {
            return Err(LedgerError::InvalidProof {
                what: "the size of the tree",
                reason: format!("ledger {tenant} has {found} records, not {size}"),
            });
        }
        Ok(())
    }
}

impl Ledger {
    /// The proof file of one record, under a checkpoint made now if the last one does not cover it.
    pub fn record_proof(&self, tenant: &TenantId, id: &EventId) -> Result<TlogProof, LedgerError> {
        let record = self.reader().get(tenant, id)?;
        let checkpoint = self.checkpoint(tenant)?;
        let keys = self.reader().log_keys(tenant, &self.history())?;
        self.reader().record_proof_under(&record, &checkpoint, &keys)
    }
}
