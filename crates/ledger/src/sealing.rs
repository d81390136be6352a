//! The stage of the road in that seals: the tenant's policy, the keys of the people it is about, the
//! envelopes. And the way back, for whoever may have the keys.

use std::collections::HashMap;

use ledgerstone_model::json::NotCanonical;
use ledgerstone_model::sealing::{
    EnvelopeError, EnvelopePlace, NONCE_BYTES, NotOpenedEvent, SealingKeyId, Subject, SubjectKey,
    open_event,
};
use ledgerstone_model::visible::ReadEvent;
use ledgerstone_model::{AdmittedEvent, Entropy, ErrorCode, PlannedEvent, SealedEvent};
use ledgerstone_proof::{EventId, SALT_BYTES, Salt, TenantId, split_content};
use ledgerstone_store::ReadError;
use rayon::prelude::*;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ledger::Ledger;
use crate::sealing_keys::{KeyRing, KeyRingError};
use crate::sequencer::{AdministerError, ShutTenant};

/// Fewer events are not worth a second thread.
const PARALLEL_EVENTS_MIN: usize = 32;

/// Why events could not be sealed. Nothing of them was written.
#[derive(Debug, Error)]
pub enum SealError {
    #[error("the policies could not be read: {0}")]
    Policies(#[from] ReadError),
    #[error("{code}: {message}")]
    NotWritten { code: ErrorCode, message: String },
    #[error(transparent)]
    Shut(#[from] ShutTenant),
    #[error("the ledger was opened without sealing keys, and tenant {0} has fields to seal")]
    NoKeys(TenantId),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Text(#[from] NotCanonical),
}

impl SealError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Policies(error) => error.code(),
            Self::NotWritten { code, .. } => *code,
            Self::Shut(shut) => shut.code(),
            Self::NoKeys(_) => ErrorCode::KeyServiceUnavailable,
            Self::Keys(error) => error.code(),
            Self::Envelope(_) | Self::Text(_) => ErrorCode::Internal,
        }
    }
}

impl From<AdministerError> for SealError {
    fn from(error: AdministerError) -> Self {
        match error {
            AdministerError::Failed { code, message } => Self::NotWritten { code, message },
            AdministerError::Read { source, .. } => Self::Policies(source),
            AdministerError::Shut(shut) => Self::Shut(shut),
        }
    }
}

impl Ledger {
    /// Seals events as the policies of their tenants say. The keys of people who were not met
    /// before are made, and durable when this returns: with one pair of syncs for all of a tenant's.
    ///
    /// Fails as a whole, and then nothing but keys has changed.
    pub fn seal(&self, events: Vec<AdmittedEvent>) -> Result<Vec<SealedEvent>, SealError> {
        let is_of_one = events
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.event().tenant() == b.event().tenant()));
        match events.first().map(|event| event.event().tenant().clone()) {
            None => Ok(Vec::new()),
            Some(tenant) if is_of_one => self.seal_for(&tenant, events),
            Some(_) => self.seal_mixed(events),
        }
    }

    /// Events of several tenants, each tenant's at once.
    fn seal_mixed(&self, events: Vec<AdmittedEvent>) -> Result<Vec<SealedEvent>, SealError> {
        let mut by_tenant: HashMap<TenantId, (Vec<usize>, Vec<AdmittedEvent>)> = HashMap::new();
        let count = events.len();
        for (index, event) in events.into_iter().enumerate() {
            let group = by_tenant.entry(event.event().tenant().clone()).or_default();
            group.0.push(index);
            group.1.push(event);
        }
        let mut sealed = Vec::with_capacity(count);
        for (tenant, (places, events)) in by_tenant {
            sealed.extend(places.into_iter().zip(self.seal_for(&tenant, events)?));
        }
        sealed.sort_unstable_by_key(|(place, _)| *place);
        Ok(sealed.into_iter().map(|(_, event)| event).collect())
    }

    fn seal_for(
        &self,
        tenant: &TenantId,
        events: Vec<AdmittedEvent>,
    ) -> Result<Vec<SealedEvent>, SealError> {
        // Nothing is made for who takes nothing, least of all keys.
        self.sequencer.refuse_shut(tenant)?;
        let policy = self.sealing_policy(tenant)?;
        let plan = |event| PlannedEvent::new(event, policy.fields());
        let planned: Vec<PlannedEvent> = if events.len() < PARALLEL_EVENTS_MIN {
            events.into_iter().map(plan).collect::<Result<_, _>>()?
        } else {
            let min = PARALLEL_EVENTS_MIN;
            events.into_par_iter().with_min_len(min).map(plan).collect::<Result<_, _>>()?
        };
        self.seal_with_keys(tenant, planned)
    }

    fn seal_with_keys(
        &self,
        tenant: &TenantId,
        mut planned: Vec<PlannedEvent>,
    ) -> Result<Vec<SealedEvent>, SealError> {
        // Before the keys: of those that are destroyed from here on it is found out later.
        let as_of = self.key_destructions();
        let keys = self.keys_for(tenant, &mut planned)?;
        let sealed = seal_planned(planned, &keys, &*self.entropy)?;
        Ok(sealed.into_iter().map(|event| event.with_keys_as_of(as_of)).collect())
    }

    fn key_destructions(&self) -> u64 {
        self.sealing_keys().map_or(0, KeyRing::destructions)
    }

    /// Seals those of the events again whose keys were destroyed after they got them, so that nothing is
    /// recorded which nobody could ever read: who acts again gets a new key.
    pub(crate) fn seal_again(
        &self,
        events: Vec<SealedEvent>,
    ) -> Result<Vec<SealedEvent>, SealError> {
        let as_of = self.key_destructions();
        let mut out = Vec::with_capacity(events.len());
        for event in events {
            if !event.may_have_lost_keys(as_of) || self.has_its_keys(&event) {
                out.push(event.with_keys_as_of(as_of));
                continue;
            }
            let tenant = event.tenant().clone();
            let policy = self.sealing_policy(&tenant)?;
            let planned = PlannedEvent::again(event, policy.fields())?;
            out.extend(self.seal_with_keys(&tenant, vec![planned])?);
        }
        Ok(out)
    }

    fn has_its_keys(&self, event: &SealedEvent) -> bool {
        let ring = self.sealing_keys();
        let is_live = |id: &SealingKeyId| ring.is_some_and(|ring| ring.is_live(id));
        let keys = split_content(event.content()).ok().and_then(|(text, _)| {
            ReadEvent::read(text).ok().map(|read| read.key_ids().all(is_live))
        });
        keys.unwrap_or(false)
    }

    fn keys_for(
        &self,
        tenant: &TenantId,
        planned: &mut [PlannedEvent],
    ) -> Result<HashMap<Subject, SubjectKey>, SealError> {
        let subjects = subjects_of(planned.iter());
        if subjects.is_empty() {
            return Ok(HashMap::new());
        }
        let ring = self.sealing_keys().ok_or_else(|| SealError::NoKeys(tenant.clone()))?;
        let mut keys = ring.known_keys(tenant, &subjects)?;
        if keys.len() < subjects.len() {
            self.mark_repetitions(planned, &keys);
            let new = planned.iter().filter(|event| !event.is_repetition());
            let mut new = subjects_of(new);
            new.retain(|subject| !keys.contains_key(*subject));
            let made = ring.keys_for(tenant, &new)?;
            keys.extend(new.into_iter().cloned().zip(made));
            for subject in planned.iter().flat_map(PlannedEvent::subjects) {
                if !keys.contains_key(subject) {
                    keys.insert(subject.clone(), ring.unkept_key());
                }
            }
        }
        Ok(keys)
    }

    /// Nobody gets a key for an event that is recorded already: who was erased does not come back because
    /// somebody sends an old event again.
    fn mark_repetitions(&self, planned: &mut [PlannedEvent], keys: &HashMap<Subject, SubjectKey>) {
        let store = self.sequencer.store();
        for event in planned {
            let meets_new = event.subjects().iter().any(|subject| !keys.contains_key(*subject));
            // What cannot be looked up now is refused when it is to be appended.
            if meets_new && !matches!(store.find(event.tenant(), event.event_id()), Ok(None)) {
                event.mark_repetition();
            }
        }
    }

    /// The keys that fields are sealed under; `None` where nothing is ever sealed.
    pub(crate) fn sealing_keys(&self) -> Option<&KeyRing> {
        self.sequencer.sealing_keys()
    }
}

/// Whose keys events need, without repetition.
fn subjects_of<'a>(planned: impl Iterator<Item = &'a PlannedEvent>) -> Vec<&'a Subject> {
    let mut subjects: Vec<_> = planned.flat_map(PlannedEvent::subjects).collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects
}

/// Seals with randomness that is drawn for all events at once, which costs little more than for one.
fn seal_planned(
    planned: Vec<PlannedEvent>,
    keys: &HashMap<Subject, SubjectKey>,
    entropy: &dyn Entropy,
) -> Result<Vec<SealedEvent>, SealError> {
    let bytes = |event: &PlannedEvent| SALT_BYTES + NONCE_BYTES * event.envelope_count();
    let mut random = vec![0; planned.iter().map(bytes).sum()];
    entropy.fill(&mut random);
    let mut rest = random.as_slice();
    let drawn = planned.into_iter().map(|event| {
        let (own, others) = rest.split_at_checked(bytes(&event)).unwrap_or_default();
        rest = others;
        (event, own)
    });
    let drawn: Vec<_> = drawn.collect();
    let seal = |(event, random)| seal_one(event, keys, random);
    if drawn.len() < PARALLEL_EVENTS_MIN {
        return drawn.into_iter().map(seal).collect();
    }
    drawn.into_par_iter().with_min_len(PARALLEL_EVENTS_MIN).map(seal).collect()
}

fn seal_one(
    event: PlannedEvent,
    keys: &HashMap<Subject, SubjectKey>,
    random: &[u8],
) -> Result<SealedEvent, SealError> {
    let (salt, nonces) = random.split_first_chunk().ok_or(EnvelopeError::Refused)?;
    let (mut nonces, _) = nonces.as_chunks::<NONCE_BYTES>();
    let key_of = |subject: &Subject| {
        keys.get(subject).cloned().ok_or(SealError::Envelope(EnvelopeError::Refused))
    };
    let nonce = || {
        let (first, rest) = nonces.split_first()?;
        nonces = rest;
        Some(*first)
    };
    event.seal(key_of, nonce, &Salt::from_bytes(*salt))
}

/// A stored event with its values back in their places, as far as their keys exist.
#[derive(Debug)]
pub(crate) struct Reopened {
    pub(crate) text: Zeroizing<Vec<u8>>,
    /// Whether values stayed away, because their keys are destroyed.
    pub(crate) is_partial: bool,
}

/// Why a stored event could not be opened.
#[derive(Debug, Error)]
pub(crate) enum ReopenError {
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Event(#[from] NotOpenedEvent),
}

impl ReopenError {
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Keys(error) => error.code(),
            Self::Event(_) => ErrorCode::RecordDamaged,
        }
    }
}

/// Opens everything of a stored event that there are keys for.
pub(crate) fn reopen(
    keys: Option<&KeyRing>,
    (tenant, event_id): (&TenantId, &EventId),
    text: &[u8],
) -> Result<Reopened, ReopenError> {
    let mut is_partial = false;
    let mut failure = None;
    let text = open_event(text, EnvelopePlace { tenant, event_id }, |envelope| {
        let key = match keys.map(|keys| keys.key(tenant, envelope.key_id())) {
            Some(Ok(key)) => key,
            Some(Err(error)) => {
                failure = Some(error);
                None
            }
            None => None,
        };
        is_partial |= key.is_none();
        key
    })?;
    failure.map_or(Ok(Reopened { text, is_partial }), |error| Err(error.into()))
}
