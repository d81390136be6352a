//! Tenants come to be: first a `system.tenant` record in `_system`, which draws the id of their ledger,
//! then the genesis of that ledger, which names the record.
//!
//! A crash between the two leaves a tenant without a ledger. The next opening begins it as it was
//! announced.

use std::sync::PoisonError;

use ledgerstone_model::system::{
    Announcement, Genesis, KeyUse, LedgerId, LedgerOwner, LogName, SigningMode, SystemRecord,
    TenantRecord, TenantState,
};
use ledgerstone_model::{Actor, Administration, Entropy};
use ledgerstone_proof::TenantId;

use crate::error::LedgerError;
use crate::history::TenantEntry;
use crate::keys::KeyRing;
use crate::ledger::{Ledger, hold};
use crate::policies::PolicyInForce;
use crate::sequencer::{Round, SignedAs};
use crate::settings::LEDGERS_PER_ROUND;

impl Ledger {
    /// Creates a tenant as somebody ordered. The name of one that was closed is never given again.
    pub fn create_tenant(&self, tenant: &TenantId, by: &Actor) -> Result<(), LedgerError> {
        if self.create_as(std::slice::from_ref(tenant), Some(by))? > 0 {
            return Ok(());
        }
        let tenant = tenant.clone();
        Err(match self.tenant_state(&tenant) {
            Some(TenantState::Closing) => LedgerError::NameOfClosing(tenant),
            Some(TenantState::Closed) => LedgerError::NameOfClosed(tenant),
            _ => LedgerError::TenantExists(tenant),
        })
    }

    /// Creates those of the tenants that do not exist, and answers how many. Many at once cost
    /// little more than one. No record says who ordered it: this is for the server itself.
    pub fn create_tenants(&self, tenants: &[TenantId]) -> Result<usize, LedgerError> {
        self.create_as(tenants, None)
    }

    fn create_as(&self, tenants: &[TenantId], by: Option<&Actor>) -> Result<usize, LedgerError> {
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
            self.announce_tenants(chunk, by)?;
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
    fn announce_tenants(
        &self,
        tenants: &[TenantId],
        by: Option<&Actor>,
    ) -> Result<(), LedgerError> {
        let history = self.history();
        let new = tenants.iter().filter(|tenant| !history.tenants().contains_key(tenant));
        let entries = self.sequencer.administer(&[TenantId::system()], |round| {
            let announce = |tenant: &TenantId| {
                let entry = announce(round, tenant, new_ledger_id(&*self.entropy), by)?;
                Some((tenant.clone(), entry))
            };
            new.filter_map(announce).collect::<Vec<_>>()
        })?;
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, entry) in entries {
            history.add_tenant(tenant, entry);
        }
        Ok(())
    }

    /// Writes the genesis of each of these ledgers as it was announced, unless it has begun already.
    fn begin_ledgers(&self, tenants: &[TenantId]) -> Result<(), LedgerError> {
        let log_name = self.log_name();
        let ring = hold(&self.ring).clone();
        let history = self.history();
        let genesis = |tenant: &TenantId| {
            let unknown = || LedgerError::UnknownTenant(tenant.clone());
            let entry = history.tenants().get(tenant).ok_or_else(unknown)?;
            let owner = LedgerOwner::Tenant(tenant.clone(), entry.created_by);
            new_genesis(entry.ledger_id, owner, &log_name, &ring, self.settings.signing)
        };
        let prepared = tenants.iter().map(genesis).collect::<Result<Vec<Genesis>, _>>()?;
        self.with_default_policies(tenants, || {
            self.sequencer.administer(tenants, |round| {
                let begin = |(ledger, genesis)| self.begin_ledger(round, ledger, genesis);
                prepared.into_iter().enumerate().map(begin).collect()
            })
        })?;
        Ok(())
    }

    /// Writes a genesis, and the policy under which the ledger's events will be sealed.
    fn begin_ledger(
        &self,
        round: &mut Round<'_>,
        ledger: usize,
        genesis: Genesis,
    ) -> Option<PolicyInForce> {
        if round.size(ledger) > 0 {
            return None;
        }
        let genesis = SystemRecord::Genesis(Box::new(genesis));
        round.push(ledger, SignedAs::Always, |_, _| genesis)?;
        if self.has_default_policy() { self.push_default_policy(round, ledger) } else { None }
    }
}

/// Writes the `system.tenant` record that creates a tenant, after one that says who ordered it.
fn announce(
    round: &mut Round<'_>,
    tenant: &TenantId,
    ledger_id: LedgerId,
    by: Option<&Actor>,
) -> Option<TenantEntry> {
    let state = TenantState::Active;
    let mut record = TenantRecord::new(tenant.clone(), ledger_id, state);
    if let Some(by) = by {
        let act = Administration::new("create", by.clone(), "tenant", tenant.as_str());
        record = record.explained_by(round.push_act(0, act)?);
    }
    let mut at = None;
    let number = round.push(0, SignedAs::Usual, |_, now| {
        at = Some(now);
        SystemRecord::Tenant(record)
    })?;
    let created_by = Announcement::new(number, round.last_hash(0)?);
    Some(TenantEntry { state, ledger_id, created_by, created_at: at?, closing: None })
}

/// Draws the id of a ledger.
pub(crate) fn new_ledger_id(entropy: &dyn Entropy) -> LedgerId {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    LedgerId::from_bytes(id)
}

/// What a ledger that begins now says of itself.
pub(crate) fn new_genesis(
    ledger_id: LedgerId,
    owner: LedgerOwner,
    log_name: &LogName,
    ring: &KeyRing,
    signing: SigningMode,
) -> Result<Genesis, LedgerError> {
    Genesis::new(
        ledger_id,
        log_name.clone(),
        owner,
        &ring.log.current.verifying_key(),
        ring.public(KeyUse::Record),
        signing,
    )
    .map_err(|error| LedgerError::InvalidProof { what: "the log name", reason: error.to_string() })
}
