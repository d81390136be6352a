//! The stage that may be appended to a ledger: content bytes and their hash.
//!
//! What a client sent gets here through [`PlannedEvent`] alone; what the server observed itself is made
//! from typed records. So nothing unsealed can be appended, and no text from outside can pretend to
//! be a record of the server's own.

use std::fmt;

use ledgerstone_proof::{
    ContentError, EventId, Hash, IngestedAt, Kind, Salt, SequenceNumber, TenantId, sha256,
    split_content, write_content,
};
use zeroize::Zeroizing;

use crate::audit::AuditRecord;
use crate::error_code::ErrorCode;
use crate::id::uuid_v7;
use crate::json::{NotCanonical, Value};
use crate::sealing::{
    EnvelopeError, EnvelopePlace, FieldPolicy, NONCE_BYTES, SealingPlan, Subject, SubjectKey,
};
use crate::system::SystemRecord;
use crate::taxonomy::AdmittedEvent;

/// Bytes that the content wrapper and its salt add to an event.
const WRAPPER_BYTES: usize = 48;

/// What an event says of itself where personal data was found in it and its sender did not say so.
const FOUND: &[(&str, &[u8])] =
    &[("data_classification", b"\"personal\""), ("pii_detected", b"true")];

/// An event of which is decided what will be sealed, and under whose keys.
#[derive(Debug)]
pub struct PlannedEvent {
    event: ClearEvent,
    plan: SealingPlan,
    repeats_only: Option<ErrorCode>,
}

/// What an event says, as it was sent and with what the server added.
#[derive(Debug)]
struct ClearEvent {
    text: ClearText,
    event_id: EventId,
    tenant: TenantId,
    event_type: String,
    timestamp_micros: i64,
}

impl PlannedEvent {
    /// Decides by a policy of the event's tenant.
    pub fn new(event: AdmittedEvent, policy: &FieldPolicy) -> Result<Self, NotCanonical> {
        let repeats_only = event.repeats_only();
        let plan = SealingPlan::make(event.event().text(), policy)?;
        if !plan.has_detected() {
            return Ok(Self { event: ClearEvent::of(event), plan, repeats_only });
        }
        let Some(told) = event.event().with_found(FOUND)? else {
            return Ok(Self { event: ClearEvent::of(event), plan, repeats_only });
        };
        let plan = SealingPlan::make(told.text(), policy)?;
        Ok(Self { event: ClearEvent::of(event.with_event(told)), plan, repeats_only })
    }

    /// Decides anew about an event that was sealed under keys which were destroyed before it was recorded.
    pub fn again(event: SealedEvent, policy: &FieldPolicy) -> Result<Self, NotCanonical> {
        let SealedEvent { tenant, event_id, event_type, timestamp_micros, .. } = event;
        let text = match event.clear_text {
            Some(text) => text,
            None => {
                let text = Value::new(&event.content).member("event")?.map(Value::raw);
                ClearText(Zeroizing::new(text.unwrap_or_default().to_vec()))
            }
        };
        let plan = SealingPlan::make(&text.0, policy)?;
        let repeats_only = event.repeats_only;
        let event = ClearEvent { text, event_id, tenant, event_type, timestamp_micros };
        Ok(Self { event, plan, repeats_only })
    }

    /// Lets it be nothing but a repetition of what is recorded under its id, so that it may be sealed under
    /// keys that nobody keeps.
    pub fn mark_repetition(&mut self) {
        self.repeats_only.get_or_insert(ErrorCode::Internal);
    }

    /// Whether it will be refused unless it is recorded already.
    pub const fn is_repetition(&self) -> bool {
        self.repeats_only.is_some()
    }

    pub const fn event_id(&self) -> &EventId {
        &self.event.event_id
    }

    /// The tenant whose ledger it was made for, and no other.
    pub const fn tenant(&self) -> &TenantId {
        &self.event.tenant
    }

    /// Whose keys are needed, without repetition.
    pub fn subjects(&self) -> Vec<&Subject> {
        self.plan.subjects()
    }

    /// How many nonces sealing takes.
    pub const fn envelope_count(&self) -> usize {
        self.plan.envelope_count()
    }

    /// Seals the event. `key_of` gives the key of each of [`Self::subjects`], durable by now;
    /// `nonce` gives new random bytes at every call, as often as there are envelopes.
    pub fn seal<E: From<EnvelopeError>>(
        self,
        key_of: impl Fn(&Subject) -> Result<SubjectKey, E>,
        nonce: impl FnMut() -> Option<[u8; NONCE_BYTES]>,
        salt: &Salt,
    ) -> Result<SealedEvent, E> {
        let Self { event, plan, repeats_only } = self;
        let ClearEvent { mut text, event_id, tenant, event_type, timestamp_micros } = event;
        let (content, clear_text) = if plan.is_empty() {
            (wrap(&std::mem::take(&mut *text.0), salt), None)
        } else {
            let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
            let sealed = plan.seal(&text.0, place, key_of, nonce)?;
            (wrap(&sealed, salt), Some(text))
        };
        let (content, content_hash) = content;
        Ok(SealedEvent {
            kind: Kind::Event,
            tenant,
            event_id,
            event_type,
            timestamp_micros,
            content,
            content_hash,
            clear_text,
            repeats_only,
            keys_as_of: 0,
        })
    }
}

impl ClearEvent {
    fn of(event: AdmittedEvent) -> Self {
        let (text, event_id, tenant, event_type, timestamp_micros) =
            event.into_event().into_parts();
        let text = ClearText(Zeroizing::new(text));
        Self { text, event_id, tenant, event_type, timestamp_micros }
    }
}

/// The text of an event before it was sealed; kept until it has a place, to compare it with one
/// that was recorded under the same id.
#[derive(Clone, PartialEq, Eq)]
struct ClearText(Zeroizing<Vec<u8>>);

impl fmt::Debug for ClearText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClearText")
    }
}

/// What an `audit` record is sealed with.
#[derive(Clone, Copy, Debug)]
pub struct AuditKeys<'k> {
    /// That of whoever acted; `None` where the record says nothing more of them than their id.
    pub actor: Option<&'k SubjectKey>,
    /// That of everything else: of the month for what was looked for, of the person whose data is
    /// corrected.
    pub others: Option<&'k SubjectKey>,
    pub nonces: [[u8; NONCE_BYTES]; 2],
}

/// An event as it will be stored; only its number and place in the chain are still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEvent {
    kind: Kind,
    tenant: TenantId,
    event_id: EventId,
    event_type: String,
    timestamp_micros: i64,
    content: Vec<u8>,
    content_hash: Hash,
    /// `None` where nothing of it was sealed.
    clear_text: Option<ClearText>,
    repeats_only: Option<ErrorCode>,
    /// How many destructions of keys there had been when it got its own.
    keys_as_of: u64,
}

impl SealedEvent {
    /// A `system` record of a tenant's ledger. Its id follows from the number it will have.
    pub fn system(
        record: &SystemRecord,
        tenant: &TenantId,
        number: SequenceNumber,
        at: IngestedAt,
        salt: &Salt,
    ) -> Self {
        let mut text = Vec::with_capacity(1024);
        record.write_event(at, &mut text);
        let (content, content_hash) = wrap(&text, salt);
        Self {
            kind: Kind::System,
            tenant: tenant.clone(),
            event_id: EventId::for_system(number),
            event_type: record.event_type().to_owned(),
            timestamp_micros: at.micros(),
            content,
            content_hash,
            clear_text: None,
            repeats_only: None,
            keys_as_of: 0,
        }
    }

    /// An `audit` record of a tenant's ledger. `new_id` are 16 random bytes for its id.
    pub fn audit(
        record: &AuditRecord,
        tenant: &TenantId,
        new_id: [u8; 16],
        at: IngestedAt,
        salt: &Salt,
    ) -> Result<Self, ledgerstone_proof::NameError> {
        let mut text = Vec::with_capacity(1024);
        record.write_event(at, &mut text);
        let (content, content_hash) = wrap(&text, salt);
        Ok(Self {
            kind: Kind::Audit,
            tenant: tenant.clone(),
            event_id: EventId::for_audit(&uuid_v7(at, new_id))?,
            event_type: record.event_type().to_owned(),
            timestamp_micros: at.micros(),
            content,
            content_hash,
            clear_text: None,
            repeats_only: None,
            keys_as_of: 0,
        })
    }

    /// An `audit` record of a tenant's ledger with what it says of people sealed under these keys. Without
    /// a key for whoever acted, what it says of them is in clear. `None` only where the library refuses.
    pub fn sealed_audit(
        record: &AuditRecord,
        tenant: &TenantId,
        new_id: [u8; 16],
        at: IngestedAt,
        salt: &Salt,
        keys: AuditKeys<'_>,
    ) -> Option<Self> {
        let event_id = EventId::for_audit(&uuid_v7(at, new_id)).ok()?;
        let mut text = Vec::with_capacity(1024);
        record.write_event(at, &mut text);
        let plan = SealingPlan::make(&text, &record.fields()).ok()?;
        let plan = plan.only_for(|who| keys.actor.is_some() || *who == Subject::Tenant);
        let place = EnvelopePlace { tenant, event_id: &event_id };
        let key_of = |subject: &Subject| {
            let key = if *subject == Subject::Tenant { keys.others } else { keys.actor };
            key.cloned().ok_or(EnvelopeError::Refused)
        };
        let mut nonces = keys.nonces.into_iter();
        let (content, content_hash) =
            wrap(&plan.seal(&text, place, key_of, || nonces.next()).ok()?, salt);
        Some(Self {
            kind: Kind::Audit,
            tenant: tenant.clone(),
            event_id,
            event_type: record.event_type().to_owned(),
            timestamp_micros: at.micros(),
            content,
            content_hash,
            clear_text: None,
            repeats_only: None,
            keys_as_of: 0,
        })
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The tenant whose ledger it was made for, and no other.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub const fn event_id(&self) -> &EventId {
        &self.event_id
    }

    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// When it happened, in microseconds since 1970-01-01T00:00:00Z.
    pub const fn timestamp_micros(&self) -> i64 {
        self.timestamp_micros
    }

    /// The canonical content, `{"event":…,"salt":…}`.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    pub const fn content_hash(&self) -> &Hash {
        &self.content_hash
    }

    /// Why it may not become a record of its own, where it is only to be compared with the one that
    /// has its id.
    pub const fn repeats_only(&self) -> Option<ErrorCode> {
        self.repeats_only
    }

    /// Remembers how many destructions of keys there had been when its keys were looked up.
    #[must_use]
    pub fn with_keys_as_of(self, destructions: u64) -> Self {
        Self { keys_as_of: destructions, ..self }
    }

    /// Whether its keys may be destroyed by now, when there have been so many destructions. Nothing is
    /// ever asked of one that holds nothing sealed, or that is a repetition.
    pub const fn may_have_lost_keys(&self, destructions: u64) -> bool {
        self.clear_text.is_some() && self.repeats_only.is_none() && self.keys_as_of != destructions
    }

    /// The canonical event as it was sent, with what the server added, before anything was sealed.
    pub fn sent_text(&self) -> Result<&[u8], ContentError> {
        match &self.clear_text {
            Some(text) => Ok(&text.0),
            None => split_content(&self.content).map(|(text, _)| text),
        }
    }

    /// The content for whoever keeps it.
    pub fn into_content(self) -> Vec<u8> {
        self.content
    }
}

fn wrap(event: &[u8], salt: &Salt) -> (Vec<u8>, Hash) {
    let mut content = Vec::with_capacity(event.len() + WRAPPER_BYTES);
    write_content(event, salt, &mut content);
    let hash = sha256(&content);
    (content, hash)
}
