//! Ledgers that take nothing, or nothing but what ends them: seen under the sequencing lock, so that
//! nothing slips in behind the record that says so.

use std::collections::HashMap;

use ledgerstone_model::{ErrorCode, SealedEvent};
use ledgerstone_proof::TenantId;
use thiserror::Error;

/// A tenant is on its way out, or gone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShutTenant {
    #[error("tenant {0} is being closed: nothing is taken any more")]
    Closing(TenantId),
    #[error("tenant {0} is closed: its ledger has ended")]
    Closed(TenantId),
}

impl ShutTenant {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Closing(_) => ErrorCode::TenantClosing,
            Self::Closed(_) => ErrorCode::TenantClosed,
        }
    }
}

/// Who writes into a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// Whoever has something to say: not where the tenant is being closed.
    Usual,
    /// What ends the ledger, and what every ledger that has not ended must hold.
    Ending,
}

/// The ledgers that are shut.
#[derive(Debug, Default)]
pub(super) struct ShutLedgers(HashMap<TenantId, IsEnded>);

type IsEnded = bool;

impl ShutLedgers {
    pub(super) fn shut(&mut self, tenant: TenantId, is_ended: IsEnded) {
        *self.0.entry(tenant).or_default() |= is_ended;
    }

    pub(super) fn has_ended(&self, tenant: &TenantId) -> bool {
        self.0.get(tenant).copied().unwrap_or(false)
    }

    /// Fails where one of these ledgers takes nothing by this door.
    pub(super) fn refuse<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a TenantId>,
        door: Door,
    ) -> Result<(), ShutTenant> {
        if self.0.is_empty() {
            return Ok(());
        }
        for tenant in tenants {
            match (self.0.get(tenant), door) {
                (Some(true), _) => return Err(ShutTenant::Closed(tenant.clone())),
                (Some(false), Door::Usual) => return Err(ShutTenant::Closing(tenant.clone())),
                (Some(false), Door::Ending) | (None, _) => {}
            }
        }
        Ok(())
    }

    pub(super) fn refuse_events(&self, events: &[SealedEvent]) -> Result<(), ShutTenant> {
        self.refuse(events.iter().map(SealedEvent::tenant), Door::Usual)
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::TenantId;

    use super::{Door, ShutLedgers, ShutTenant};

    #[test]
    fn what_has_ended_takes_nothing_and_stays_so() {
        let [acme, beta] = ["acme", "beta"].map(|name| TenantId::parse(name).unwrap());
        let mut shut = ShutLedgers::default();
        let both = [acme.clone(), beta.clone()];
        assert_eq!(shut.refuse(&both, Door::Usual), Ok(()));
        shut.shut(beta.clone(), false);
        assert_eq!(shut.refuse(&both, Door::Usual), Err(ShutTenant::Closing(beta.clone())));
        assert_eq!(shut.refuse(&both, Door::Ending), Ok(()));
        shut.shut(beta.clone(), true);
        shut.shut(beta.clone(), false);
        assert!(shut.has_ended(&beta) && !shut.has_ended(&acme));
        for door in [Door::Usual, Door::Ending] {
            assert_eq!(shut.refuse(&both, door), Err(ShutTenant::Closed(beta.clone())));
            assert_eq!(shut.refuse([&acme], door), Ok(()));
        }
    }
}
