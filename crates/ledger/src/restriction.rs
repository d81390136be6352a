//! Restriction of processing (Regulation (EU) 2016/679, article 18): while it is in force, the events of a
//! person are closed to all but those who answer for personal data.

use std::collections::HashSet;

use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectId, parties};
use ledgerstone_model::subject_request::{RequestState, SubjectRight};
use ledgerstone_model::visible::ReadEvent;
use ledgerstone_proof::TenantId;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::subjects::SubjectIds;

/// The people of a tenant whose events are closed now.
#[derive(Debug)]
pub(crate) struct Restricted<'l> {
    people: HashSet<SubjectId>,
    /// Everything that was ever sealed for them.
    keys: HashSet<SealingKeyId>,
    ids: SubjectIds<'l>,
}

impl Ledger {
    /// Those whose events are closed; `None` where there is nobody.
    pub(crate) fn restricted(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<Restricted<'_>>, LedgerError> {
        let requests = self.requests(tenant)?;
        let in_force = requests.iter().map(|entry| &entry.request).filter(|request| {
            request.right() == SubjectRight::Restriction
                && request.state() == RequestState::Approved
        });
        let people: HashSet<SubjectId> = in_force.map(|request| *request.subject()).collect();
        if people.is_empty() {
            return Ok(None);
        }
        let ring = self.ring_for(tenant)?;
        let keys = people.iter().flat_map(|person| ring.keys_of(tenant, person).0).collect();
        Ok(Some(Restricted { people, keys, ids: SubjectIds::new(ring, tenant) }))
    }
}

impl Restricted<'_> {
    /// Whether a stored event is by one of them, or about one of them, or holds anything that is sealed for
    /// them. One of which that cannot be told, because the tenant's key cannot be had, is closed too.
    pub(crate) fn concerns(&mut self, event: &[u8]) -> bool {
        let is_sealed_for_them = ReadEvent::read(event)
            .is_ok_and(|read| read.key_ids().any(|key| self.keys.contains(key)));
        is_sealed_for_them
            || parties(event).is_ok_and(|parties| parties.iter().any(|one| self.is_one(one)))
    }

    fn is_one(&mut self, subject: &Subject) -> bool {
        self.ids.of(subject).map_or(true, |id| self.people.contains(&id))
    }
}
