//! Proofs for those who hold nothing but a public key.

use ledgerstone_proof::{
    EventId, Hash, NodeAddress, SequenceNumber, TenantId, TlogProof, TreeSize, VerifierKey,
    verify_consistency, verify_inclusion, verify_record_proof,
};
use ledgerstone_store::{ReadError, StoredRecord};

use crate::checkpoint::SignedCheckpoint;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Reader;
use crate::trees;

/// Hash of a node, or why it cannot be read.
type NodeResult = Result<Hash, ReadError>;

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
        let (index, size) = (number.value(), size.value());
        let by_tiles = self.by_tiles(tenant, |node| {
            let proof = trees::inclusion_from(tenant, index, size, node)?;
            let leaf = self.store().node(tenant, NodeAddress { level: 0, index })?;
            let root = trees::root_at(self.store(), tenant, size)?;
            Ok(verify_inclusion(index, size, &leaf, &proof, &root).is_ok().then_some(proof))
        })?;
        match by_tiles {
            Some(proof) => Ok(proof),
            None => Ok(trees::inclusion(self.store(), tenant, index, size)?),
        }
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
        let (old, new) = (old.value(), new.value());
        let by_tiles = self.by_tiles(tenant, |node| {
            let proof = trees::consistency_from(tenant, old, new, node)?;
            let old_root = trees::root_at(self.store(), tenant, old)?;
            let new_root = trees::root_at(self.store(), tenant, new)?;
            let verified = verify_consistency(old, new, &old_root, &new_root, &proof);
            Ok(verified.is_ok().then_some(proof))
        })?;
        let computed = |node| self.store().node(tenant, node);
        match by_tiles {
            Some(proof) => Ok(proof),
            None => Ok(trees::consistency_from(tenant, old, new, computed)?),
        }
    }

    /// A proof made with the help of stored tiles, which `prove` verifies against the roots that the
    /// store computes: tiles are derived, and never believed. `None` without tiles, and when what
    /// they say does not hold.
    fn by_tiles(
        &self,
        tenant: &TenantId,
        prove: impl FnOnce(&dyn Fn(NodeAddress) -> NodeResult) -> Result<Option<Vec<Hash>>, ReadError>,
    ) -> Result<Option<Vec<Hash>>, LedgerError> {
        let Some(tiles) = self.stored_tiles() else {
            return Ok(None);
        };
        let origin = self.genesis(tenant)?.origin();
        Ok(prove(&|node| match tiles.node(tenant, &origin, node) {
            Ok(Some(hash)) => Ok(hash),
            // Missing, damaged, or not to be read: computed.
            Ok(None) | Err(_) => self.store().node(tenant, node),
        })?)
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
