//! Restriction of processing (Regulation (EU) 2016/679, article 18): while it is in force, the events of a
//! person are closed to all but those who answer for personal data.

use std::collections::HashSet;

use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectId};
use ledgerstone_model::subject_request::{RequestState, SubjectRight};
use ledgerstone_model::visible::ReadEvent;
use ledgerstone_proof::TenantId;
use ledgerstone_store::StoredRecord;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::subjects::SubjectIds;

/// The people of a tenant whose events are closed now.
#[derive(Debug)]
pub(crate) struct Restricted<'l> {
    people: HashSet<SubjectId>,
    /// All that were ever theirs: those that live, and those that are destroyed.
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
        let keys = people.iter().flat_map(|person| {
            let (live, destroyed) = ring.keys_of(tenant, person);
            live.into_iter().chain(destroyed)
        });
        let keys = keys.collect();
        Ok(Some(Restricted { people, keys, ids: SubjectIds::new(ring, tenant) }))
    }
}

impl Restricted<'_> {
    /// Whether a stored event is by one of them, or about one of them, or holds anything that is sealed for
    /// them. One of which that cannot be told is closed too: because it cannot be read, or because a key
    /// cannot be had.
    pub(crate) fn concerns(&mut self, record: &StoredRecord, event: &[u8]) -> bool {
        !is_free_of(&self.keys, event) || self.names_one(record, event)
    }

    fn names_one(&mut self, record: &StoredRecord, event: &[u8]) -> bool {
        let Ok(parties) = self.ids.parties(record, event) else { return true };
        let mut is_one =
            |who: &Subject| self.ids.of(who).map_or(true, |id| self.people.contains(&id));
        parties.is_unsure() || parties.known().any(&mut is_one)
    }
}

/// Whether an event can be read, and has nothing in it that is sealed under one of these keys.
fn is_free_of(keys: &HashSet<SealingKeyId>, event: &[u8]) -> bool {
    ReadEvent::read(event)
        .is_ok_and(|read| read.is_whole() && !read.key_ids().any(|key| keys.contains(key)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ledgerstone_model::sealing::SealingKeyId;

    use super::is_free_of;

    const ENVELOPE: &str = r#"{"alg":"XAES-256-GCM","class":"personal","cm":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","ct":"AAAAAAAAAAAAAAAAAAAAAA","kid":"AQEBAQEBAQEBAQEBAQEBAQ","n":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;

    /// Ana is restricted, and has the key of ones.
    fn is_free_of_anas(event: &str) -> bool {
        is_free_of(&HashSet::from([SealingKeyId::new([1; 16])]), event.as_bytes())
    }

    #[test]
    fn what_cannot_be_read_is_free_of_nobody() {
        let sealed = |envelope: &str| {
            format!(r#"{{"actor":{{"id":"bo","name":{{"$sealed":0}}}},"sealed":[{envelope}]}}"#)
        };
        assert!(is_free_of_anas(r#"{"actor":{"id":"bo"},"target":{"id":"cy"}}"#));
        assert!(!is_free_of_anas(&sealed(ENVELOPE)));
        let of_another = ENVELOPE.replace("AQEBAQEBAQEBAQEBAQEBAQ", "AgICAgICAgICAgICAgICAg");
        assert!(is_free_of_anas(&sealed(&of_another)));
        for unreadable in [
            sealed(r#"{"alg":"unheard-of"}"#),
            sealed(&of_another.replace("personal", "curious")),
            r#"{"actor":{"id":"bo"},"sealed":[{"#.to_owned(),
            r#"{"actor":{"id":"bo"#.to_owned(),
        ] {
            assert!(!is_free_of_anas(&unreadable), "{unreadable}");
        }
    }
}
