//! What a person had corrected (Regulation (EU) 2016/679, article 16): a record of its own beside records
//! that stay as they are, and the way from those to it.

use std::collections::HashSet;
use std::sync::Arc;

use ledgerstone_model::audit::rectification::CORRECTED_RECORDS_MAX;
use ledgerstone_model::audit::{Changes, CorrectedRecord, RectificationRecord};
use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::json_pointer::value_at;
use ledgerstone_model::rejection::pointer_steps;
use ledgerstone_model::sealing::{
    FieldClass, FieldPolicy, FieldRule, SealingKeyId, Subject, SubjectId, SubjectKey,
    is_fact_of_log,
};
use ledgerstone_model::subject_request::{
    Rectification, RequestState, RequestStep, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::visible::{OwnRole, ReadEvent, is_in_clear};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{EventId, Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::sealing::{ReopenError, reopen};
use crate::subject_requests::{RequestEntry, StepWords, push_request};
use crate::subjects::{SubjectIds, targets_person};

/// Stands in the place of a value whose key is gone.
const GONE: &[u8] = br#"{"$sealed":true}"#;

/// The record that corrects another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    pub event_id: EventId,
    pub sequence_number: SequenceNumber,
}

/// What is right instead of what one event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCorrection {
    pub event_id: EventId,
    pub changes: Changes,
}

/// Why nothing was corrected.
#[derive(Debug, Error)]
pub enum RectificationError {
    #[error("request {id} asks for {right}, and not for rectification")]
    OtherRight { id: SubjectRequestId, right: &'static str },
    #[error(
        "request {id} is {state}; what is right is written once a second person has approved it"
    )]
    NotApproved { id: SubjectRequestId, state: &'static str },
    #[error(
        "request {id} is {state}, and nothing comes after it; to correct more, or a correction, open another request: of several corrections of a value the newest counts"
    )]
    Ended { id: SubjectRequestId, state: &'static str },
    #[error("corrections: has {0} events; 1 to {CORRECTED_RECORDS_MAX} are meant")]
    Count(usize),
    #[error("corrections: event {0} stands there twice; name it once with all of its changes")]
    Twice(EventId),
    #[error("the content of event {0} was dropped, so nothing in it can be corrected")]
    Dropped(EventId),
    #[error("the person does not stand in event {0}, and nothing in it is sealed for them")]
    NotInIt(EventId),
    #[error("event {event} has nothing at {pointer}")]
    NoSuchPlace { event: EventId, pointer: String },
    #[error(
        "what event {event} has at {pointer} is about somebody else: it is neither sealed for the person nor about the one of actor and target that they are"
    )]
    SomebodyElses { event: EventId, pointer: String },
    #[error(
        "what event {event} has at {pointer} is a fact of the log, such as which event it is, when it was, what happened and whom it names, or holds one; those are not corrected, values about the person are, like /actor/name"
    )]
    FactOfLog { event: EventId, pointer: String },
    #[error("what event {event} has at {pointer} can be read by nobody any more")]
    Unreadable { event: EventId, pointer: String },
    #[error("the person is being erased, and nothing is written about them any more")]
    BeingErased,
    #[error("event {event} cannot be read: {reason}")]
    Event { event: EventId, code: ErrorCode, reason: String },
}

impl RectificationError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::OtherRight { .. } | Self::NotApproved { .. } | Self::Ended { .. } => {
                ErrorCode::RequestState
            }
            Self::Count(_)
            | Self::Twice(_)
            | Self::NoSuchPlace { .. }
            | Self::SomebodyElses { .. }
            | Self::FactOfLog { .. }
            | Self::Unreadable { .. } => ErrorCode::InvalidCorrection,
            Self::Dropped(_) => ErrorCode::ContentDropped,
            Self::NotInIt(_) => ErrorCode::SubjectNotInEvent,
            Self::BeingErased => ErrorCode::AlreadyErased,
            Self::Event { code, .. } => *code,
        }
    }

    fn unreadable(event: &EventId, code: ErrorCode, reason: String) -> Self {
        Self::Event { event: event.clone(), code, reason }
    }

    fn no_such_place((event, pointer): (EventId, String)) -> LedgerError {
        Self::NoSuchPlace { event, pointer }.into()
    }

    fn somebody_elses((event, pointer): (EventId, String)) -> LedgerError {
        Self::SomebodyElses { event, pointer }.into()
    }
}

impl Ledger {
    /// Carries out an approved request for rectification: writes what is right into a record that is
    /// sealed under the person's key, and ends the request, in one commit. Nothing is written where one
    /// correction of them cannot be.
    pub fn rectify(
        &self,
        tenant: &TenantId,
        id: SubjectRequestId,
        corrections: &[NewCorrection],
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        self.request(tenant, id)?;
        let _changing = self.subject_requests.requests.change();
        let entry = self.request(tenant, id)?;
        let (right, state) = (entry.request.right(), entry.request.state());
        if right != SubjectRight::Rectification {
            return Err(RectificationError::OtherRight { id, right: right.as_str() }.into());
        }
        let named = state.as_str();
        if state.is_final() {
            return Err(RectificationError::Ended { id, state: named }.into());
        }
        if state != RequestState::Approved {
            return Err(RectificationError::NotApproved { id, state: named }.into());
        }
        let subject = *entry.request.subject();
        let (record, key) = self.rectification_of(tenant, (id, subject), corrections, by)?;
        let corrected: Vec<_> = record.corrected.iter().map(|one| one.sequence_number).collect();
        let done = entry.request.after(RequestStep::Finish, &by.principal_id())?;
        let named = (reason.is_some() || by.is_named()).then_some(by);
        let written = self.administer_as(std::slice::from_ref(tenant), named, |round| {
            let (sequence_number, event_id) = round.push_rectification(0, record, &key)?;
            let correction = Correction { event_id: event_id.clone(), sequence_number };
            let corrected = corrected.clone();
            let done =
                done.having_corrected(Rectification { event_id, sequence_number, corrected });
            Some((correction, push_request(round, done, StepWords::new("rectify", reason), by)?))
        })?;
        let (correction, entry) = written.ok_or(LedgerError::NotBuilt("the rectification"))?;
        self.subject_requests.note_corrected(tenant, &corrected, &correction);
        Ok(self.subject_requests.requests.put(tenant.clone(), id, entry))
    }

    /// The records that correct another one, oldest first; those that were read or written since
    /// [`Self::ensure_requests`].
    pub(crate) fn corrections_of(
        &self,
        tenant: &TenantId,
        number: SequenceNumber,
    ) -> Vec<Correction> {
        let known = self.subject_requests.corrections.get(tenant, number);
        known.map(|known| (*known).clone()).unwrap_or_default()
    }

    /// Where what somebody who was erased is to have corrected is gone, the certificate says why.
    fn said_of_erased(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
        error: LedgerError,
    ) -> LedgerError {
        use RectificationError::{NoSuchPlace, NotInIt, Unreadable};
        let is_gone = match &error {
            LedgerError::Rectification(error) => {
                matches!(error, NotInIt(_) | NoSuchPlace { .. } | Unreadable { .. })
            }
            _ => false,
        };
        match self.refuse_second_erasure(tenant, subject) {
            Err(erased) if is_gone => erased,
            _ => error,
        }
    }

    /// The record that says it, and the key that it is to be sealed under, which is durable.
    fn rectification_of(
        &self,
        tenant: &TenantId,
        (request, subject): (SubjectRequestId, SubjectId),
        corrections: &[NewCorrection],
        by: &Actor,
    ) -> Result<(RectificationRecord, SubjectKey), LedgerError> {
        if corrections.is_empty() || corrections.len() > CORRECTED_RECORDS_MAX {
            return Err(RectificationError::Count(corrections.len()).into());
        }
        if self.is_being_erased(tenant, &subject) {
            return Err(RectificationError::BeingErased.into());
        }
        let ring = self.ring_for(tenant)?;
        let (live, _) = ring.keys_of(tenant, &subject);
        let policy = self.known_sealing_policy(tenant)?;
        let mut person = Person {
            ledger: self,
            tenant,
            fields: policy.fields(),
            id: subject,
            keys: live.iter().copied().collect(),
            ids: SubjectIds::new(ring, tenant),
            named: None,
            class: FieldClass::Personal,
        };
        let (mut corrected, mut seen) = (Vec::new(), HashSet::new());
        for correction in corrections {
            if !seen.insert(&correction.event_id) {
                return Err(RectificationError::Twice(correction.event_id.clone()).into());
            }
            corrected.push(
                person
                    .corrected(correction)
                    .map_err(|error| self.said_of_erased(tenant, &subject, error))?,
            );
        }
        let Person { named, class, .. } = person;
        let key = match (live.first(), &named) {
            (Some(id), _) => ring.key(tenant, id)?,
            (None, Some(named)) => ring.keys_for(tenant, &[named])?.pop(),
            (None, None) => None,
        };
        let key = key.ok_or(RectificationError::BeingErased)?;
        let actor = by.clone();
        Ok((RectificationRecord { actor, request, subject, class, corrected }, key))
    }
}

/// Whose data is corrected, and what was learned of it.
struct Person<'l> {
    ledger: &'l Ledger,
    tenant: &'l TenantId,
    fields: &'l FieldPolicy,
    id: SubjectId,
    keys: HashSet<SealingKeyId>,
    ids: SubjectIds<'l>,
    /// As events name them.
    named: Option<Subject>,
    /// The strictest class of all places that change.
    class: FieldClass,
}

impl Person<'_> {
    /// Checks one correction against the event that it is about.
    fn corrected(&mut self, correction: &NewCorrection) -> Result<CorrectedRecord, LedgerError> {
        let event_id = &correction.event_id;
        let record = self.ledger.reader().get_readable(self.tenant, event_id)?;
        let Some(content) = record.content.as_deref() else {
            return Err(RectificationError::Dropped(event_id.clone()).into());
        };
        let damaged =
            |reason| RectificationError::unreadable(event_id, ErrorCode::RecordDamaged, reason);
        let (text, _) = split_content(content).map_err(|error| damaged(error.to_string()))?;
        let not_canonical = |error: NotCanonical| damaged(error.to_string());
        let read = ReadEvent::read(text).map_err(not_canonical)?;
        let role = self.role(&record, text)?;
        let is_sealed_for_them = read.key_ids().any(|key| self.keys.contains(key));
        let is_about_them = is_sealed_for_them || role.is_actor || role.is_target;
        if record.kind == Kind::System || !is_about_them {
            return Err(RectificationError::NotInIt(event_id.clone()).into());
        }
        let opened = self.opened(&record, text)?;
        for pointer in correction.changes.pointers() {
            let at = || (event_id.clone(), pointer.clone());
            let there = value_at(Value::new(&opened), pointer).map_err(not_canonical)?;
            let Some(there) = there else { return Err(RectificationError::no_such_place(at())) };
            if there.raw() == GONE {
                let (event, pointer) = at();
                return Err(RectificationError::Unreadable { event, pointer }.into());
            }
            let sealed = read.sealed_at(pointer).map_err(not_canonical)?;
            let is_clear = is_in_clear(text, pointer).map_err(not_canonical)?;
            // The server's own records hold of people what is sealed, and nothing else.
            if is_fact_of_log(pointer) || (is_clear && record.kind == Kind::Audit) {
                let (event, pointer) = at();
                return Err(RectificationError::FactOfLog { event, pointer }.into());
            }
            let is_others = sealed.iter().any(|(key, _)| !self.keys.contains(key))
                || role.is_anothers(pointer)
                || ((is_clear || sealed.is_empty()) && !has(role, pointer));
            if is_others {
                return Err(RectificationError::somebody_elses(at()));
            }
            let classes = sealed.iter().map(|(_, class)| *class).chain([self.class_at(pointer)]);
            self.class = classes.fold(self.class, Ord::max);
        }
        Ok(CorrectedRecord {
            event_id: event_id.clone(),
            sequence_number: record.sequence_number,
            content_hash: record.content_hash,
            changes: correction.changes.clone(),
        })
    }

    /// Who of the event the person is.
    fn role(&mut self, record: &StoredRecord, text: &[u8]) -> Result<OwnRole, LedgerError> {
        let parties = self.ids.sure_parties(record, text)?;
        let targets_person = targets_person(text, self.fields).map_err(|error| {
            let (event, code) = (&record.event_id, ErrorCode::RecordDamaged);
            RectificationError::unreadable(event, code, error.to_string())
        })?;
        let role = self.ids.role_of(&self.id, &parties, targets_person)?;
        let is_them = [(role.is_actor, parties.actor()), (role.is_target, parties.target())];
        let mut them = is_them.into_iter().filter(|(is_them, _)| *is_them);
        if let Some(them) = them.find_map(|(_, party)| party.known()) {
            self.named = Some(them.clone());
        }
        Ok(role)
    }

    fn opened(
        &self,
        record: &StoredRecord,
        text: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RectificationError> {
        let event_id = &record.event_id;
        let opened = reopen(self.ledger.sealing_keys(), (self.tenant, event_id), text);
        opened.map(|opened| opened.text).map_err(|error: ReopenError| {
            RectificationError::unreadable(event_id, error.code(), error.to_string())
        })
    }

    /// What the tenant's policy says of the place.
    fn class_at(&self, pointer: &str) -> FieldClass {
        let names: Vec<String> = pointer_steps(pointer).collect();
        self.fields.rule_at(&names).map_or(FieldClass::Personal, FieldRule::class)
    }
}

/// Whether what stands in clear there is about the person.
fn has(role: OwnRole, pointer: &str) -> bool {
    pointer_steps(pointer).next().is_some_and(|member| role.has(&member))
}
