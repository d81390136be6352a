//! The road out: records as one caller sees them. What encodes events takes nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use ledgerstone_model::access::{Sight, View};
use ledgerstone_model::audit::rectification::RECTIFICATION_EVENT_TYPE;
use ledgerstone_model::json::Value;
use ledgerstone_model::personal::redact::{Forms, HASH_KEY_BYTES, RedactionPolicy};
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::{EnvelopePlace, FieldPolicy, SealingKeyId};
use ledgerstone_model::visible::{
    HiddenPart, KeyState, Own, ReadEvent, SeenEvent, Visibility, Why,
};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;
use zeroize::Zeroizing;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::policies::{PolicyInForce, SealingInForce};
use crate::reader::Reader;
use crate::rectification::Correction;
use crate::restriction::Restricted;
use crate::retention::Dropped;
use crate::sealing_keys::{KeySource, Refused};
use crate::withheld::Withheld;

/// What the server writes about people into records of its own.
static OF_SERVER_RECORDS: LazyLock<FieldPolicy> = LazyLock::new(FieldPolicy::of_server_records);

/// Records that are looked at at once: their keys are looked up together.
pub const VIEWED_AT_ONCE: usize = 64;

/// A record whose event is opened and redacted for one caller. Only a [`Viewer`] makes it.
#[derive(Clone, Debug)]
pub struct VisibleEvent {
    /// Without its content, so that nothing but what is seen can be encoded.
    record: StoredRecord,
    event: Option<Vec<u8>>,
    hidden: Vec<HiddenPart>,
    opened: Vec<(SealingKeyId, View)>,
    corrected_by: Vec<Correction>,
}

impl VisibleEvent {
    /// The record as it is stored, for the operator of the machine, who has the files anyway:
    /// nothing is opened, and nothing is redacted.
    pub fn as_stored(record: StoredRecord) -> Self {
        let event = record.content.as_deref().and_then(event_in).map(<[u8]>::to_vec);
        let hidden = record.content.is_none().then(|| HiddenPart::event(Why::Dropped));
        Self::new(record, event, hidden.into_iter().collect(), Vec::new())
    }

    fn new(
        record: StoredRecord,
        event: Option<Vec<u8>>,
        hidden: Vec<HiddenPart>,
        opened: Vec<(SealingKeyId, View)>,
    ) -> Self {
        let record = StoredRecord { content: None, ..record };
        Self { record, event, hidden, opened, corrected_by: Vec::new() }
    }

    /// Everything of the record but its content.
    pub const fn record(&self) -> &StoredRecord {
        &self.record
    }

    /// The canonical event as it is seen; `None` where nothing of it is.
    pub fn event(&self) -> Option<&[u8]> {
        self.event.as_deref()
    }

    /// The records that correct it, oldest first, as far as somebody looked for them.
    pub fn corrected_by(&self) -> &[Correction] {
        &self.corrected_by
    }

    /// Whether keys of people were opened for it.
    pub(crate) const fn has_opened_keys(&self) -> bool {
        !self.opened.is_empty()
    }

    /// What is not seen as it was sent.
    pub fn hidden(&self) -> &[HiddenPart] {
        &self.hidden
    }
}

impl Reader {
    /// A record as it is stored, with the record that says so where its content is gone, or is about to be.
    pub fn as_stored(
        &self,
        record: StoredRecord,
        withheld: &Withheld,
    ) -> Result<VisibleEvent, LedgerError> {
        let record = withheld.taken_from(record);
        let dropped = self.dropped(&record)?;
        let mut event = VisibleEvent::as_stored(record);
        if let Some(dropped) = dropped {
            event.hidden = vec![dropped.hidden_part()];
        }
        Ok(event)
    }
}

/// The keys that were opened for somebody, and how much of what they open was seen at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedKeys(BTreeMap<SealingKeyId, View>);

impl OpenedKeys {
    /// Adds what one event took.
    pub fn note(&mut self, event: &VisibleEvent) {
        event.opened.iter().for_each(|(key, view)| self.note_key(*key, *view));
    }

    pub(crate) fn note_key(&mut self, key: SealingKeyId, view: View) {
        let most = self.0.entry(key).or_insert(view);
        *most = (*most).max(view);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SealingKeyId, View)> {
        self.0.iter().map(|(key, view)| (key, *view))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Shows records of one tenant to one caller, for one request.
pub struct Viewer<'l> {
    tenant: TenantId,
    sight: Sight,
    fields: Fields,
    /// How the tenant wants values shown; `None` where it says nothing.
    redaction: Option<Arc<PolicyInForce>>,
    /// The key of hashed values, once it was asked for.
    hash_key: Option<Zeroizing<[u8; HASH_KEY_BYTES]>>,
    keys: Option<&'l dyn KeySource>,
    refused: Refused,
    reader: &'l Reader,
    /// Where it is written why keys are destroyed; `None` where nobody asks.
    ledger: Option<&'l Ledger>,
    /// Read when the first destroyed key is met.
    certificates: Option<HashMap<SealingKeyId, SequenceNumber>>,
    /// Whose events are closed to this caller.
    restricted: Option<Restricted<'l>>,
    /// What is dropped for everybody.
    withheld: Withheld,
}

/// By which policy values that stand in clear are judged.
#[derive(Debug)]
enum Fields {
    InForce(SealingInForce),
    Fixed(Arc<FieldPolicy>),
}

impl Fields {
    fn policy(&self) -> &FieldPolicy {
        match self {
            Self::InForce(policy) => policy.fields(),
            Self::Fixed(policy) => policy,
        }
    }
}

impl Ledger {
    /// The stage through which a caller of this sight sees a tenant's records.
    pub fn viewer(&self, tenant: &TenantId, sight: Sight) -> Result<Viewer<'_>, LedgerError> {
        self.ensure_requests()?;
        let restricted = if sight.sees_restricted() { None } else { self.restricted(tenant)? };
        Ok(Viewer {
            tenant: tenant.clone(),
            sight,
            fields: Fields::InForce(self.known_sealing_policy(tenant)?),
            redaction: self.policy(tenant, PolicyKind::Redaction)?,
            hash_key: None,
            keys: self.sealing_keys().map(|keys| keys as _),
            refused: Refused::default(),
            reader: self.reader(),
            ledger: Some(self),
            certificates: None,
            restricted,
            withheld: self.reader().withheld(tenant)?,
        })
    }
}

impl Ledger {
    /// The stage through which a person sees records about them: nothing is closed to them for being
    /// restricted.
    pub(crate) fn viewer_of_subject(
        &self,
        tenant: &TenantId,
        others: Sight,
    ) -> Result<Viewer<'_>, LedgerError> {
        Ok(Viewer { sight: others, restricted: None, ..self.viewer(tenant, Sight::EVERYTHING)? })
    }
}

impl<'l> Viewer<'l> {
    /// The stage for the operator of the machine, who sees everything that there are keys for.
    pub fn of_operator(
        reader: &'l Reader,
        tenant: &TenantId,
        keys: Option<&'l dyn KeySource>,
    ) -> Result<Self, LedgerError> {
        let none = FieldPolicy::of_server_records();
        Ok(Self {
            tenant: tenant.clone(),
            sight: Sight::EVERYTHING,
            fields: Fields::Fixed(Arc::new(none)),
            redaction: None,
            hash_key: None,
            keys,
            refused: Refused::default(),
            reader,
            ledger: None,
            certificates: None,
            restricted: None,
            withheld: reader.withheld(tenant)?,
        })
    }

    pub const fn sight(&self) -> Sight {
        self.sight
    }

    /// The policy by which it is told what is personal.
    pub(crate) fn fields(&self) -> &FieldPolicy {
        self.fields.policy()
    }

    /// The record without the content that a run in force drops, for whoever looks into it before it is
    /// shown.
    #[must_use]
    pub fn readable(&self, record: StoredRecord) -> StoredRecord {
        self.withheld.taken_from(record)
    }

    /// One record as it is seen.
    pub fn view(&mut self, record: StoredRecord) -> VisibleEvent {
        let record = self.readable(record);
        let keys = self.keys_of(std::slice::from_ref(&record), None);
        self.seen_with_corrections(record, &keys, None)
    }

    /// One record as it is seen, with what is somebody's own shown whole.
    pub(crate) fn view_own(&mut self, record: StoredRecord, own: Own<'_>) -> VisibleEvent {
        let record = self.readable(record);
        let keys = self.keys_of(std::slice::from_ref(&record), Some(own));
        self.seen_with_corrections(record, &keys, Some(own))
    }

    /// Records as they are seen, in their order. The keys of all of them are looked up at once;
    /// [`VIEWED_AT_ONCE`] is a good number.
    pub fn view_all(&mut self, records: Vec<StoredRecord>) -> Vec<VisibleEvent> {
        let records: Vec<_> = records.into_iter().map(|record| self.readable(record)).collect();
        let keys = self.keys_of(&records, None);
        let seen = |record| self.seen_with_corrections(record, &keys, None);
        records.into_iter().map(seen).collect()
    }

    fn keys_of(
        &mut self,
        records: &[StoredRecord],
        own: Option<Own<'_>>,
    ) -> HashMap<SealingKeyId, KeyState> {
        self.find_hash_key();
        let mut ids = BTreeSet::new();
        for record in records {
            let event = record.content.as_deref().and_then(event_in).map(ReadEvent::read);
            if let Some(Ok(event)) = event {
                ids.extend(event.keys_for(self.sight).copied());
                let is_own = |id: &&SealingKeyId| own.is_some_and(|own| own.keys.contains(id));
                ids.extend(event.key_ids().filter(is_own).copied());
            }
        }
        let Some(keys) = self.keys.filter(|_| !ids.is_empty()) else {
            return HashMap::new();
        };
        let mut states = keys.states(&self.tenant, &ids, &mut self.refused);
        for (id, state) in &mut states {
            if let KeyState::Destroyed(certificate) = state {
                *certificate = self.certificate_of(id);
            }
        }
        states
    }

    fn redaction(&self) -> Option<&RedactionPolicy> {
        self.redaction.as_ref()?.document().redaction()
    }

    /// Asks for the key of hashed values, if values will be hashed.
    fn find_hash_key(&mut self) {
        let is_needed = self.sight.looks_for_personal_data()
            && self.redaction().is_some_and(RedactionPolicy::needs_key);
        if is_needed && self.hash_key.is_none() {
            self.hash_key =
                self.keys.and_then(|keys| keys.hash_key(&self.tenant, &mut self.refused));
        }
    }

    fn certificate_of(&mut self, key: &SealingKeyId) -> Option<SequenceNumber> {
        let (ledger, tenant) = (self.ledger, &self.tenant);
        let certificates = self.certificates.get_or_insert_with(|| {
            // Without them it is still told that the value is erased.
            ledger.and_then(|ledger| ledger.certificates_of_keys(tenant).ok()).unwrap_or_default()
        });
        certificates.get(key).copied()
    }

    /// Whether the event is closed because of whom it is about.
    pub fn is_closed(&mut self, record: &StoredRecord) -> bool {
        let Some(restricted) = self.restricted.as_mut().filter(|_| record.kind != Kind::System)
        else {
            return false;
        };
        let event = record.content.as_deref().and_then(event_in);
        event.is_some_and(|event| restricted.concerns(record, event))
    }

    /// What is closed to somebody is not said to have been corrected either.
    fn seen_with_corrections(
        &mut self,
        record: StoredRecord,
        keys: &HashMap<SealingKeyId, KeyState>,
        own: Option<Own<'_>>,
    ) -> VisibleEvent {
        let mut event = self.seen(record, keys, own);
        let is_closed = |part: &HiddenPart| {
            part.pointer().is_empty() && matches!(part.why(), Why::Hidden | Why::Restricted)
        };
        if let Some(ledger) = self.ledger.filter(|_| !event.hidden.iter().any(is_closed)) {
            let number = event.record.sequence_number;
            event.corrected_by = ledger.corrections_of(&self.tenant, number);
        }
        event
    }

    fn seen(
        &mut self,
        record: StoredRecord,
        keys: &HashMap<SealingKeyId, KeyState>,
        own: Option<Own<'_>>,
    ) -> VisibleEvent {
        let nothing =
            |record, why| VisibleEvent::new(record, None, vec![HiddenPart::event(why)], Vec::new());
        let Some(content) = &record.content else {
            return self.without_content(record);
        };
        if self.sight.is_nothing() {
            return nothing(record, Why::Hidden);
        }
        if self.is_closed(&record) {
            return nothing(record, Why::Restricted);
        }
        match event_in(content).and_then(|event| self.read(&record, event, (keys, own))) {
            Some(seen) => {
                let (text, hidden, opened) = seen.into_parts();
                // Whoever administers and reads is no subject of the records about that.
                let opened = if is_of_acts(&record, &text) { Vec::new() } else { opened };
                VisibleEvent::new(record, Some(text), hidden, opened)
            }
            None => nothing(record, Why::Damaged),
        }
    }

    /// A record whose content is gone, with the record that says so; where nothing is said, it is damaged.
    fn without_content(&self, record: StoredRecord) -> VisibleEvent {
        let dropped = match self.reader.dropped(&record) {
            Ok(dropped) => dropped.map(Dropped::hidden_part),
            Err(_) => Some(HiddenPart::event(Why::Damaged)),
        };
        let hidden = dropped.unwrap_or_else(|| HiddenPart::event(Why::Dropped));
        VisibleEvent::new(record, None, vec![hidden], Vec::new())
    }

    fn read(
        &self,
        record: &StoredRecord,
        event: &[u8],
        (keys, own): (&HashMap<SealingKeyId, KeyState>, Option<Own<'_>>),
    ) -> Option<SeenEvent> {
        let place = EnvelopePlace { tenant: &record.tenant, event_id: &record.event_id };
        let fields = match record.kind {
            Kind::Audit => &OF_SERVER_RECORDS,
            Kind::Event | Kind::System => self.fields.policy(),
        };
        // People stand in such records by opaque ids alone, and verification needs every byte.
        let sight = match record.kind {
            Kind::System => Sight::EVERYTHING,
            Kind::Event | Kind::Audit => self.sight,
        };
        let forms = match self.redaction() {
            Some(policy) => Forms::of(policy, self.hash_key.as_deref()),
            None => Forms::default(),
        };
        let key_of = |id: &SealingKeyId| keys.get(id).cloned().unwrap_or(KeyState::Unavailable);
        let visibility = Visibility { sight, fields, forms, own };
        ReadEvent::read(event).ok()?.seen(place, visibility, key_of).ok()
    }
}

/// Whether a record tells what somebody did, and not what is right about a person.
fn is_of_acts(record: &StoredRecord, event: &[u8]) -> bool {
    record.kind == Kind::Audit
        && matches!(Value::new(event).member("event_type"), Ok(Some(found)) if found.text().is_some_and(|text| text != RECTIFICATION_EVENT_TYPE))
}

/// The event inside a content.
fn event_in(content: &[u8]) -> Option<&[u8]> {
    split_content(content).ok().map(|(event, _)| event)
}
