//! Who acted in a stored record and who was acted upon. Everything that depends on it asks here, so that nothing
//! misses somebody whose id is sealed, under whosever key.

use std::collections::BTreeSet;

use ledgerstone_model::sealing::{EnvelopePlace, SealingKeyId, StoredParty, Subject};
use ledgerstone_model::visible::KeyState;
use ledgerstone_store::StoredRecord;

use super::SubjectIds;
use crate::error::LedgerError;
use crate::sealing_keys::KeySource as _;

/// Who is the actor or the target of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// Nobody with an id, or with one that was sealed under a key that is destroyed.
    Nobody,
    /// A person or not.
    Known(Subject),
    /// The id is sealed and does not open: its key cannot be had now, or what holds it is damaged.
    Unsure,
}

/// The actor and the target of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parties {
    actor: Party,
    target: Party,
}

impl Party {
    /// Who it is, as far as that is known.
    pub(crate) const fn known(&self) -> Option<&Subject> {
        match self {
            Self::Known(subject) => Some(subject),
            Self::Nobody | Self::Unsure => None,
        }
    }
}

impl Parties {
    /// `key_of` is asked for the keys of sealed ids, and for no others.
    fn read(
        (record, text): (&StoredRecord, &[u8]),
        mut key_of: impl FnMut(&SealingKeyId) -> Result<KeyState, LedgerError>,
    ) -> Result<Self, LedgerError> {
        let StoredRecord { tenant, event_id, .. } = record;
        let mut one = |group| -> Result<Party, LedgerError> {
            let party = StoredParty::read(text, group).map_err(|_| LedgerError::Damaged {
                tenant: tenant.clone(),
                number: record.sequence_number,
                reason: "is not canonical",
            })?;
            let sealed = match party {
                StoredParty::Nobody => return Ok(Party::Nobody),
                StoredParty::Named(subject) => return Ok(Party::Known(subject)),
                StoredParty::Damaged => return Ok(Party::Unsure),
                StoredParty::Sealed(sealed) => sealed,
            };
            Ok(match key_of(sealed.key_id())? {
                KeyState::Held(key) => {
                    let opened = sealed.open(&key, EnvelopePlace { tenant, event_id });
                    opened.map_or(Party::Unsure, Party::Known)
                }
                KeyState::Destroyed(_) => Party::Nobody,
                KeyState::Unavailable | KeyState::Unknown => Party::Unsure,
            })
        };
        Ok(Self { actor: one("actor")?, target: one("target")? })
    }

    pub(crate) const fn actor(&self) -> &Party {
        &self.actor
    }

    pub(crate) const fn target(&self) -> &Party {
        &self.target
    }

    /// Those who are known.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Subject> {
        [self.actor.known(), self.target.known()].into_iter().flatten()
    }

    /// Whether one of them may be anybody.
    pub(crate) fn is_unsure(&self) -> bool {
        self.actor == Party::Unsure || self.target == Party::Unsure
    }
}

impl SubjectIds<'_> {
    /// Actor and target of a record of the tenant, as far as it can be told now. A key service that is away is
    /// asked once.
    pub(crate) fn parties(
        &mut self,
        record: &StoredRecord,
        text: &[u8],
    ) -> Result<Parties, LedgerError> {
        let Self { keys, tenant, refused, .. } = self;
        Parties::read((record, text), |id| {
            let mut states = keys.states(tenant, &BTreeSet::from([*id]), refused);
            Ok(states.remove(id).unwrap_or(KeyState::Unknown))
        })
    }

    /// The same for whoever has to know: fails where a key cannot be had now. What is damaged stays unsure.
    pub(crate) fn sure_parties(
        &self,
        record: &StoredRecord,
        text: &[u8],
    ) -> Result<Parties, LedgerError> {
        Parties::read((record, text), |id| {
            let key = self.keys.key(&self.tenant, id)?;
            Ok(key.map_or(KeyState::Destroyed(None), KeyState::Held))
        })
    }
}
