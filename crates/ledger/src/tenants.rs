//! Tenants come to be: first a `system.tenant` record in `_system`, then the genesis of their ledger.
//!
//! A crash between the two leaves a tenant without a ledger, which the next opening completes.

use std::sync::PoisonError;

use ledgerstone_model::system::{
    Genesis, LedgerId, LogName, SigningMode, SystemRecord, TenantRecord, TenantState,
};
use ledgerstone_proof::{SequenceNumber, TenantId};

use crate::error::LedgerError;
use crate::history::TenantEntry;
use crate::keys::KeyRing;
use crate::ledger::{Ledger, hold};
use crate::sequencer::SignedAs;
use crate::settings::LEDGERS_PER_ROUND;
use ledgerstone_model::Entropy;
use ledgerstone_model::system::PublicKey;

impl Ledger {
    /// Creates a tenant.
    pub fn create_tenant(&self, tenant: &TenantId) -> Result<(), LedgerError> {
        let created = self.create_missing(std::slice::from_ref(tenant))?;
        if created == 0 { Err(LedgerError::TenantExists(tenant.clone())) } else { Ok(()) }
    }

    /// Creates those of the tenants that do not exist, and answers how many. Many at once cost
    /// little more than one.
    pub fn create_tenants(&self, tenants: &[TenantId]) -> Result<usize, LedgerError> {
        self.create_missing(tenants)
    }

    pub(crate) fn create_missing(&self, tenants: &[TenantId]) -> Result<usize, LedgerError> {
        let _creating = hold(&self.creating);
        let mut missing = Vec::new();
        for tenant in tenants {
            if self.store.head(tenant)?.is_none() {
                missing.push(tenant.clone());
            }
        }
        missing.sort_unstable();
        missing.dedup();
        for chunk in missing.chunks(LEDGERS_PER_ROUND) {
            self.announce_tenants(chunk)?;
            self.begin_ledgers(chunk)?;
        }
        Ok(missing.len())
    }

    /// Begins the ledgers of tenants that were announced, but whose ledger a crash prevented.
    pub(crate) fn complete_tenants(&self) -> Result<(), LedgerError> {
        let _creating = hold(&self.creating);
        let history = self.history();
        let mut missing = Vec::new();
        for tenant in history.tenants().keys() {
            if self.store.head(tenant)?.is_none() {
                missing.push(tenant.clone());
            }
        }
        missing.chunks(LEDGERS_PER_ROUND).try_for_each(|chunk| self.begin_ledgers(chunk))
    }

    /// Writes `system.tenant` records for those that `_system` does not know.
    fn announce_tenants(&self, tenants: &[TenantId]) -> Result<(), LedgerError> {
        let history = self.history();
        let new = || tenants.iter().filter(|tenant| !history.tenants().contains_key(tenant));
        let entries = self.sequencer.administer(&[TenantId::system()], |round| {
            let announce = |tenant: &TenantId| {
                let mut at = None;
                let number = round.push(0, SignedAs::Usual, |_, now| {
                    at = Some(now);
                    SystemRecord::Tenant(TenantRecord::new(tenant.clone(), TenantState::Active))
                });
                entry(number, at).map(|entry| (tenant.clone(), entry))
            };
            new().filter_map(announce).collect::<Vec<_>>()
        })?;
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, entry) in entries {
            history.add_tenant(tenant, entry);
        }
        Ok(())
    }

    /// Writes the genesis of each of these ledgers, unless it has begun already.
    fn begin_ledgers(&self, tenants: &[TenantId]) -> Result<(), LedgerError> {
        let log_name = self.log_name();
        let ring = hold(&self.ring).clone();
        let genesis = |tenant: &TenantId| {
            new_genesis(tenant, &log_name, &ring, self.settings.signing, &*self.entropy)
        };
        let prepared = tenants.iter().map(genesis).collect::<Result<Vec<Genesis>, _>>()?;
        self.sequencer.administer(tenants, |round| {
            for (ledger, genesis) in prepared.into_iter().enumerate() {
                if round.size(ledger) == 0 {
                    let genesis = SystemRecord::Genesis(Box::new(genesis));
                    round.push(ledger, SignedAs::Always, |_, _| genesis);
                }
            }
        })?;
        Ok(())
    }
}

fn entry(
    number: Option<SequenceNumber>,
    at: Option<ledgerstone_proof::IngestedAt>,
) -> Option<TenantEntry> {
    Some(TenantEntry { state: TenantState::Active, created_by: number?, created_at: at? })
}

/// What a ledger that begins now says of itself.
pub(crate) fn new_genesis(
    tenant: &TenantId,
    log_name: &LogName,
    ring: &KeyRing,
    signing: SigningMode,
    entropy: &dyn Entropy,
) -> Result<Genesis, LedgerError> {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    Genesis::new(
        LedgerId::from_bytes(id),
        log_name.clone(),
        tenant.clone(),
        &ring.log.current.verifying_key(),
        PublicKey::Ed25519(ring.record.current.verifying_key()),
        signing,
    )
    .map_err(|error| LedgerError::InvalidProof { what: "the log name", reason: error.to_string() })
}
