//! What callers looked for is sealed under a key of each month; here the keys go that have outlived
//! their time.
//!
//! Which keys those are follows from the calendar, so that an older copy of the key files that was put
//! back is caught up with at the next opening.

use std::ops::ControlFlow;

use ledgerstone_model::sealing::{AccessMonth, SealingKeyId, Subject};
use ledgerstone_model::{Actor, Administration, AuditRecord};
use ledgerstone_proof::{SequenceNumber, TenantId};

use crate::error::LedgerError;
use crate::ledger::Ledger;

impl Ledger {
    /// Destroys the keys of months that are over for long, in every ledger, and says so in its records.
    /// Answers how many keys that were; `go_on` is asked before each ledger.
    pub fn destroy_outlived_access_keys(
        &self,
        go_on: &dyn Fn() -> ControlFlow<()>,
    ) -> Result<usize, LedgerError> {
        let mut destroyed = 0;
        for tenant in self.reader().tenants()? {
            if go_on().is_break() {
                break;
            }
            let keys = self.outlived_keys(&tenant)?;
            if !keys.is_empty() {
                self.destroy_access_keys(&tenant, &keys)?;
                destroyed += keys.len();
            }
        }
        Ok(destroyed)
    }

    /// The keys of the months since the ledger began whose time is over.
    fn outlived_keys(
        &self,
        tenant: &TenantId,
    ) -> Result<Vec<(AccessMonth, SealingKeyId)>, LedgerError> {
        let Some(ring) =
            self.sealing_keys().filter(|_| !tenant.is_system() && self.refuse_shut(tenant).is_ok())
        else {
            return Ok(Vec::new());
        };
        let last = AccessMonth::of(self.clock.now()).newest_outlived();
        let begun = self.reader().record(tenant, SequenceNumber::GENESIS)?.ingested_at;
        let months: Vec<_> = AccessMonth::of(begun).to(last).collect();
        if months.is_empty() {
            return Ok(Vec::new());
        }
        let subjects: Vec<_> = months.iter().map(|month| Subject::AccessMonth(*month)).collect();
        let keys = ring.live_keys_of(tenant, &subjects)?;
        Ok(months.into_iter().zip(keys).filter_map(|(month, key)| Some((month, key?))).collect())
    }

    fn destroy_access_keys(
        &self,
        tenant: &TenantId,
        keys: &[(AccessMonth, SealingKeyId)],
    ) -> Result<(), LedgerError> {
        self.sequencer.administer(std::slice::from_ref(tenant), |round| {
            for (month, key) in keys {
                let target = ("access_log_key", key.to_string());
                let act = Administration::new("destroy", Actor::server(), target.0, &target.1)
                    .with_label(&month.to_string());
                round.push_audit(0, |_| AuditRecord::Administration(act));
            }
        })?;
        let ids: Vec<_> = keys.iter().map(|(_, key)| *key).collect();
        self.ring_for(tenant)?.destroy(&ids)?;
        self.record_key_generation()
    }
}
