//! What operators do with the sealing keys of an open ledger: see what there is, and rotate.

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

    /// Replaces the key of a tenant and wraps the keys of its people by the new one. No record is
    /// written and none changes: what was sealed opens as before.
    pub fn rotate_sealing_key(&self, tenant: &TenantId) -> Result<Rotated, LedgerError> {
        self.reader().size(tenant)?;
        let ring = self.ring_for(tenant)?;
        if !ring.has_keys_of(tenant) {
            return Err(LedgerError::NothingSealed(tenant.clone()));
        }
        Ok(ring.rotate(tenant)?)
    }
}
