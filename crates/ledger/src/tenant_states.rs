//! Tenants are suspended and resumed: an `audit` record that says who and why, and the `system.tenant`
//! record that counts, both in `_system` and in one append.

use std::sync::PoisonError;

use ledgerstone_model::system::{SystemRecord, TenantRecord, TenantState};
use ledgerstone_model::{Actor, Administration, SealedEvent};
use ledgerstone_proof::TenantId;

use crate::error::LedgerError;
use crate::history::TenantEntry;
use crate::ledger::{Ledger, hold};
use crate::sequencer::{ShutTenant, SignedAs, SubmitError};

impl Ledger {
    /// The state of a tenant; `None` where there is no such tenant. Costs a look into memory.
    pub fn tenant_state(&self, tenant: &TenantId) -> Option<TenantState> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        history.tenants().get(tenant).map(|entry| entry.state)
    }

    /// Refuses a submission that holds an event for a tenant that is suspended. Whether tenants exist
    /// is seen when it is sequenced.
    pub(crate) fn refuse_suspended(&self, events: &[SealedEvent]) -> Result<(), SubmitError> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        if history.suspended().is_empty() {
            return Ok(());
        }
        let mut tenants = events.iter().map(SealedEvent::tenant);
        match tenants.find(|tenant| history.suspended().contains(tenant)) {
            Some(tenant) => Err(SubmitError::Suspended(tenant.clone())),
            None => Ok(()),
        }
    }

    /// Brings a tenant into a state, durably and for all requests that begin afterwards. A tenant
    /// that is in it already stays as it is.
    pub fn set_tenant_state(
        &self,
        tenant: &TenantId,
        state: TenantState,
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<TenantEntry, LedgerError> {
        let _creating = hold(&self.creating);
        let known = self.tenant_entry(tenant)?;
        refuse_ending(tenant, known.state)?;
        let verb = match state {
            TenantState::Active => "resume",
            TenantState::Suspended => "suspend",
            TenantState::Closing | TenantState::Closed => {
                return Err(LedgerError::ClosedByTwo(tenant.clone()));
            }
        };
        if known.state == state {
            return Ok(known);
        }
        let mut act = Administration::new(verb, by.clone(), "tenant", tenant.as_str());
        if let Some(reason) = reason {
            act = act.with_reason(reason);
        }
        let written = self.sequencer.administer(&[TenantId::system()], |round| {
            let record = TenantRecord::new(tenant.clone(), known.ledger_id, state);
            let record = record.explained_by(round.push_act(0, act)?);
            round.push(0, SignedAs::Usual, |_, _| SystemRecord::Tenant(record))
        })?;
        written.ok_or(LedgerError::NotBuilt("the tenant's state"))?;
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.set_tenant_state(tenant, state);
        Ok(TenantEntry { state, ..known })
    }

    pub(crate) fn tenant_entry(&self, tenant: &TenantId) -> Result<TenantEntry, LedgerError> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let entry = history.tenants().get(tenant).cloned();
        entry.ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))
    }
}

/// From the end of a tenant there is no way back.
pub(crate) fn refuse_ending(tenant: &TenantId, state: TenantState) -> Result<(), ShutTenant> {
    match state {
        TenantState::Active | TenantState::Suspended => Ok(()),
        TenantState::Closing => Err(ShutTenant::Closing(tenant.clone())),
        TenantState::Closed => Err(ShutTenant::Closed(tenant.clone())),
    }
}
