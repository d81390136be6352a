//! What operators do with the sealing keys of an open ledger: see what there is, and rotate. Every change of
//! the key files is followed by a record, which carries their new generation.

use ledgerstone_model::{Actor, Administration, AuditRecord};
use ledgerstone_proof::TenantId;

use super::overview::SealingKeysOverview;
use super::ring::{KeyRingStatus, Rotated};
use crate::error::LedgerError;
use crate::ledger::Ledger;

impl Ledger {
    /// The sealing keys there are; `None` where nothing is ever sealed.
    pub fn sealing_keys_overview(&self) -> Option<SealingKeysOverview> {
        self.sealing_keys().map(super::ring::KeyRing::overview)
    }

    /// How the root key service and the keys in memory are doing; `None` where nothing is ever sealed.
    pub fn key_service(&self) -> Option<KeyRingStatus> {
        self.sealing_keys().map(super::ring::KeyRing::status)
    }

    /// Replaces the key of a tenant and wraps the keys of its people by the new one, as somebody ordered.
    /// No record changes: what was sealed opens as before. An `audit` record says so, and carries the new
    /// generation of the key files, so that a copy of them from before is refused.
    ///
    /// Where the record cannot be written, the key is replaced all the same, and the next opening records
    /// the generation.
    pub fn rotate_sealing_key(
        &self,
        tenant: &TenantId,
        by: &Actor,
    ) -> Result<Rotated, LedgerError> {
        self.reader().size(tenant)?;
        let ring = self.ring_for(tenant)?;
        if !ring.has_keys_of(tenant) {
            return Err(LedgerError::NothingSealed(tenant.clone()));
        }
        let rotated = ring.rotate(tenant)?;
        let key = rotated.key_id.to_string();
        let act = |by: Actor| Administration::new("rotate", by, "sealing_key", &key);
        // A ledger that is being closed takes nothing more; names stay out of `_system`.
        let (told, act) = match self.refuse_shut(tenant) {
            Ok(()) => (tenant.clone(), act(by.clone())),
            Err(_) => (TenantId::system(), act(by.clone().unnamed())),
        };
        let named = act.named_actor().cloned();
        self.administer_as(&[told], named.as_ref(), |round| {
            round.push_audit(0, |_| AuditRecord::Administration(act))
        })?;
        Ok(rotated)
    }

    /// Has a record carry the generation of the key files where none does yet: after keys were destroyed,
    /// and at opening where whoever changed them was interrupted. Copies of the files from before are refused
    /// from here on.
    pub(crate) fn record_key_generation(&self) -> Result<(), LedgerError> {
        let Some(ring) = self.sealing_keys() else { return Ok(()) };
        let generation = ring.generation();
        if generation <= self.store().status().key_generation {
            return Ok(());
        }
        let target = generation.0.to_string();
        let act = Administration::new("note", Actor::server(), "key_generation", &target);
        self.sequencer.administer(&[TenantId::system()], |round| {
            round.push_audit(0, |_| AuditRecord::Administration(act))
        })?;
        Ok(())
    }
}
