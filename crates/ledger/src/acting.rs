//! How those who act stand in the server's own `audit` records: name, addresses and words are sealed under
//! a key of their own, so that they go with whoever is erased.
//!
//! The keys are made, and durable, before the records that need them. Where they cannot be had, what they
//! would seal is left out: nothing that must be recorded waits for the service of the root key, and nothing
//! personal stands in clear. The opaque id stands in any case.

use std::collections::HashMap;

use ledgerstone_model::sealing::{Subject, SubjectKey};
use ledgerstone_model::{Actor, AuditRecord};
use ledgerstone_proof::TenantId;

use crate::ledger::Ledger;
use crate::sequencer::{AdministerError, Round};

/// The keys of those who act, for the ledgers that seal anything. In others they stand in clear.
#[derive(Debug, Default)]
pub(crate) struct Acting {
    sealing: HashMap<TenantId, HashMap<Subject, SubjectKey>>,
}

/// How a record names whoever acted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    InClear,
    Sealed(&'a SubjectKey),
    LeftOut,
}

impl Acting {
    pub(crate) fn named(&self, tenant: &TenantId, record: &AuditRecord) -> Named<'_> {
        let Some(keys) = self.sealing.get(tenant).filter(|_| record.names_somebody()) else {
            return Named::InClear;
        };
        match record.actor().subject() {
            // Nobody's name, address or words.
            None => Named::InClear,
            Some(subject) => keys.get(&subject).map_or(Named::LeftOut, Named::Sealed),
        }
    }
}

impl Ledger {
    /// The keys of those who act in these ledgers, durable.
    pub(crate) fn acting<'a>(
        &self,
        who: impl IntoIterator<Item = (&'a TenantId, &'a Actor)>,
    ) -> Acting {
        let mut wanted: HashMap<&TenantId, Vec<Subject>> = HashMap::new();
        for (tenant, actor) in who {
            wanted.entry(tenant).or_default().extend(actor.subject());
        }
        let sealing = wanted.into_iter().filter(|(tenant, _)| self.seals_who_acts(tenant));
        let keys = sealing.map(|(tenant, mut subjects)| {
            subjects.sort_unstable();
            subjects.dedup();
            let asked: Vec<&Subject> = subjects.iter().collect();
            let keys = self.sealing_keys().map(|ring| ring.keys_for(tenant, &asked));
            let keys = keys.and_then(Result::ok).unwrap_or_default();
            (tenant.clone(), subjects.into_iter().zip(keys).collect())
        });
        Acting { sealing: keys.collect() }
    }

    /// `_system` has no people, and a ledger that was brought to its end gets no keys any more; others have
    /// what their policy says. Where that cannot be read, what may be personal is left out.
    fn seals_who_acts(&self, tenant: &TenantId) -> bool {
        let seals =
            || self.known_sealing_policy(tenant).map(|policy| !policy.fields().seals_nothing());
        !tenant.is_system() && self.refuse_shut(tenant).is_ok() && seals().unwrap_or(true)
    }

    /// An administrative round in which somebody acts; `None` where no record says more of them than an
    /// opaque id.
    pub(crate) fn administer_as<T>(
        &self,
        tenants: &[TenantId],
        by: Option<&Actor>,
        build: impl FnOnce(&mut Round<'_>) -> T,
    ) -> Result<T, AdministerError> {
        let each = by.into_iter().flat_map(|by| tenants.iter().map(move |tenant| (tenant, by)));
        let acting = self.acting(each);
        self.sequencer.administer(tenants, |round| {
            round.name_as(acting);
            build(round)
        })
    }
}
