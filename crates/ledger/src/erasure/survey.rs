//! Goes through a ledger for everything that holds one person: sealed under their keys, in clear, or sealed
//! for somebody else.
//!
//! What stands in clear is found in two ways: by who acted or was acted upon, and by the names that the
//! person has there, wherever else these stand. What is sealed for somebody else is looked for where the
//! person acted or was acted upon. Somebody whose keys were destroyed has no names any more,
//! so whatever depends on them is recorded before.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};

use aho_corasick::AhoCorasick;
use ledgerstone_model::NumberSet;
use ledgerstone_model::json::Value;
use ledgerstone_model::personal::names::{Names, names_party};
use ledgerstone_model::sealing::{
    Envelope, EnvelopePlace, FieldPolicy, Preset, SealingKeyId, SealingPlan, Subject, SubjectId,
};
use ledgerstone_proof::{Kind, TenantId, canonical_string_into, split_content};
use ledgerstone_store::StoredRecord;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Order;
use crate::subjects::SubjectIds;

use super::others::{self, OthersEnvelopes, Part};

/// Names that are looked for at a time; whoever has more takes one more walk through the ledger for each.
const NAMES_AT_A_TIME: usize = 10_000;

/// Is told of progress, and says whether to go on.
pub trait SurveyWatch: Sync {
    /// So many more records were looked at, of so many.
    fn records(&self, more: u64, total: u64) -> ControlFlow<()>;
}

/// Nobody watches.
impl SurveyWatch for () {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Where a person stands in a ledger.
#[derive(Debug, Default)]
pub struct Survey {
    sealed: NumberSet,
    clear: NumberSet,
    /// Those of them with something in clear, and those with something under a key of somebody else.
    in_clear: NumberSet,
    for_others: NumberSet,
    /// The type by which events call the person.
    kind: Option<String>,
    names: Names,
    size: u64,
}

impl Survey {
    /// Records with values that are sealed under the person's keys.
    pub const fn sealed(&self) -> &NumberSet {
        &self.sealed
    }

    /// Records that hold values of the person which destroying the person's keys does not reach, and whose
    /// contents go as a whole: values in clear, such as would be sealed today or a name, and those of
    /// [`Self::sealed_for_others`].
    pub const fn clear(&self) -> &NumberSet {
        &self.clear
    }

    /// Those of them that have nothing of the person in clear: they name the person as actor or target, and hold
    /// values of the person, or a name, under a key of somebody else.
    pub fn sealed_for_others(&self) -> NumberSet {
        let mut alone = self.for_others.clone();
        alone.remove(&self.in_clear);
        alone
    }

    fn found_in_clear(&mut self, number: u64) {
        self.in_clear.insert(number);
        self.clear.insert(number);
    }

    fn found_for_others(&mut self, number: u64) {
        self.for_others.insert(number);
        self.clear.insert(number);
    }

    /// The type by which events call the person; `None` where no event names the person by an id.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// How many records hold something of the person, sealed and in clear.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.sealed.len(), self.clear.len())
    }

    pub(super) const fn names(&self) -> &Names {
        &self.names
    }
}

/// Looks for one person.
pub(super) struct Surveyor<'a> {
    ledger: &'a Ledger,
    tenant: &'a TenantId,
    subject: &'a SubjectId,
    keys: HashSet<SealingKeyId>,
    policy: FieldPolicy,
    policy_of_acts: FieldPolicy,
    ids: SubjectIds<'a>,
    /// The same policy where the person's type is a person's, once it is known.
    as_person: Option<FieldPolicy>,
    /// Records that name the person and have something sealed for others.
    shared: NumberSet,
    found: Survey,
}

impl<'a> Surveyor<'a> {
    pub(super) fn new(
        ledger: &'a Ledger,
        tenant: &'a TenantId,
        subject: &'a SubjectId,
        keys: &[SealingKeyId],
    ) -> Result<Self, LedgerError> {
        let policy = ledger.sealing_policy(tenant)?;
        let fields = policy.fields();
        let standard = || FieldPolicy::of_preset(Preset::Standard);
        Ok(Self {
            ledger,
            tenant,
            subject,
            keys: keys.iter().copied().collect(),
            policy: if fields.seals_nothing() { standard() } else { fields.clone() },
            policy_of_acts: FieldPolicy::of_audit_records(),
            ids: SubjectIds::new(ledger.ring_for(tenant)?, tenant),
            as_person: None,
            shared: NumberSet::default(),
            found: Survey::default(),
        })
    }

    pub(super) const fn found(&self) -> &Survey {
        &self.found
    }

    pub(super) fn into_found(self) -> Survey {
        self.found
    }

    /// Looks at what the ledger gained since the last look. Answers whether it got through it all: not
    /// where `watch` ended it.
    pub(super) fn go_on(&mut self, watch: &dyn SurveyWatch) -> Result<bool, LedgerError> {
        let (from, size) = (self.found.size, self.ledger.reader().size(self.tenant)?);
        if from == 0 {
            let kept = self.ledger.kept_contents(self.tenant, self.subject)?;
            self.found.clear = kept.in_clear.clone();
            self.found.clear.add(&kept.for_others);
            (self.found.in_clear, self.found.for_others) = (kept.in_clear, kept.for_others);
        }
        let known = self.found.names.clone();
        let total = 2 * (size - from);
        for record in self.ledger.reader().walk(self.tenant, Order::Sequence, from..size) {
            self.look_at(&record?)?;
            if watch.records(1, total).is_break() {
                return Ok(false);
            }
        }
        // A name that is new stands perhaps where it was nobody's name before.
        let new = self.found.names.beyond(&known);
        if !self.search(&known, from..size, watch)? || !self.search(&new, 0..size, watch)? {
            return Ok(false);
        }
        self.found.size = size;
        Ok(true)
    }

    fn look_at(&mut self, record: &StoredRecord) -> Result<(), LedgerError> {
        let Some(text) = event_text(record)? else { return Ok(()) };
        let number = record.sequence_number.value();
        let unreadable = |_| damaged(record, "is not canonical");
        let (own, others) = self.envelopes(record, text)?;
        if !own.is_empty() {
            self.found.sealed.insert(number);
        }
        let part = self.part(record, text)?;
        for envelope in &own {
            self.note_sealed_names(record, &part, envelope)?;
        }
        let mut is_clear = false;
        for group in ["actor", "target"] {
            if part.is(group) {
                is_clear |= self.found.names.note_party(text, group).map_err(unreadable)?;
            }
        }
        // Of what the server says itself, only words about whoever acted are anybody's.
        let policy = if record.kind == Kind::Audit { &self.policy_of_acts } else { &self.policy };
        let plan = SealingPlan::make(text, policy).map_err(unreadable)?;
        for person in plan.subjects_in_clear(text).map_err(unreadable)? {
            is_clear |= self.is_them(Some(person))?;
        }
        if is_clear {
            self.found.found_in_clear(number);
        }
        let others =
            OthersEnvelopes::of((record, text), others, self.ledger.ring_for(self.tenant)?);
        if part.is_any() && !others.is_empty() {
            self.look_at_others(record, &part, &others)?;
        }
        Ok(())
    }

    /// The envelopes of an event under keys of the person, and the others.
    fn envelopes(
        &self,
        record: &StoredRecord,
        text: &[u8],
    ) -> Result<(Vec<Envelope>, Vec<Envelope>), LedgerError> {
        let unreadable = |_| damaged(record, "is not canonical");
        let Some(sealed) = Value::new(text).member("sealed").map_err(unreadable)? else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut envelopes = Vec::new();
        let mut elements = sealed.elements();
        while let Some(element) = elements.next_element().map_err(unreadable)? {
            let envelope = Envelope::parse(element);
            envelopes.push(envelope.map_err(|_| damaged(record, "has an envelope that is none"))?);
        }
        Ok(envelopes.into_iter().partition(|one| self.keys.contains(one.key_id())))
    }

    fn part(&mut self, record: &StoredRecord, text: &[u8]) -> Result<Part, LedgerError> {
        let part = Part::read((record, text), self.subject, &mut self.ids)?;
        if self.found.kind.is_none() {
            self.found.kind = part.kind().map(str::to_owned);
        }
        Ok(part)
    }

    /// Looks for the person in what is sealed for others.
    fn look_at_others(
        &mut self,
        record: &StoredRecord,
        part: &Part,
        others: &OthersEnvelopes<'_>,
    ) -> Result<(), LedgerError> {
        let ring = self.ledger.ring_for(self.tenant)?;
        let (opened, number) = (others.open(ring)?, record.sequence_number.value());
        self.shared.insert(number);
        let unreadable = |_| damaged(record, "is not canonical");
        others::note_names(&opened, part, &mut self.found.names).map_err(unreadable)?;
        if let (Some(target), Some(kind)) = (part.target(), part.kind()) {
            let event = others.opened_event(ring)?;
            let with_type = || self.policy.with_person_type(kind);
            let policy = self.as_person.get_or_insert_with(with_type);
            if others::holds_target(&opened, target, &event, policy).map_err(unreadable)? {
                self.found.found_for_others(number);
            }
        }
        Ok(())
    }

    fn is_them(&mut self, somebody: Option<&Subject>) -> Result<bool, LedgerError> {
        match somebody {
            Some(somebody) => Ok(self.ids.of(somebody)? == *self.subject),
            None => Ok(false),
        }
    }

    /// Remembers what an envelope of the person calls them. The name of whatever they did something to, a thing
    /// or somebody without an id, is sealed under their key as well, and is not theirs.
    fn note_sealed_names(
        &mut self,
        record: &StoredRecord,
        part: &Part,
        envelope: &Envelope,
    ) -> Result<(), LedgerError> {
        let ring = self.ledger.ring_for(self.tenant)?;
        let Some(key) = ring.key(self.tenant, envelope.key_id())? else { return Ok(()) };
        let place = EnvelopePlace { tenant: &record.tenant, event_id: &record.event_id };
        let Ok(opened) = envelope.open(&key, place) else { return Ok(()) };
        let mut members = Value::new(&opened).members();
        while let Ok(Some((pointer, value))) = members.next_member() {
            let is_theirs = names_party(&pointer.text()).is_some_and(|group| part.is(group));
            if let Some(name) = value.text().filter(|_| is_theirs) {
                self.found.names.note(&name);
            }
        }
        Ok(())
    }

    /// Whether what is sealed for others holds one of the names, in an event that names the person.
    fn names_in_others(&self, names: &[&str], record: &StoredRecord) -> Result<bool, LedgerError> {
        let number = record.sequence_number.value();
        if !self.shared.contains(number) || self.found.for_others.contains(number) {
            return Ok(false);
        }
        let Some(text) = event_text(record)? else { return Ok(false) };
        let ring = self.ledger.ring_for(self.tenant)?;
        let (_, others) = self.envelopes(record, text)?;
        let others = OthersEnvelopes::of((record, text), others, ring);
        let mut called = Names::default();
        names.iter().for_each(|name| called.note(name));
        for plaintext in others.open(ring)? {
            let found = called.stand_in_json(Value::new(&plaintext));
            if found.map_err(|_| damaged(record, "is not canonical"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Looks for names in what stands in clear, and in what is sealed for others where the person stands.
    fn search(
        &mut self,
        names: &Names,
        numbers: Range<u64>,
        watch: &dyn SurveyWatch,
    ) -> Result<bool, LedgerError> {
        let names: Vec<&str> = names.iter().collect();
        let total = 2 * numbers.end;
        for names in names.chunks(NAMES_AT_A_TIME) {
            let searcher = searcher(names)?;
            for record in self.ledger.reader().walk(self.tenant, Order::Sequence, numbers.clone()) {
                let record = record?;
                if has_name(&searcher, names, &record)? {
                    self.found.found_in_clear(record.sequence_number.value());
                }
                if self.names_in_others(names, &record)? {
                    self.found.found_for_others(record.sequence_number.value());
                }
                if watch.records(1, total).is_break() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Whether a value of the record holds one of the names, in clear.
fn has_name(
    searcher: &AhoCorasick,
    names: &[&str],
    record: &StoredRecord,
) -> Result<bool, LedgerError> {
    let Some(text) = event_text(record)? else { return Ok(false) };
    let mut met = Names::default();
    let places = searcher.find_overlapping_iter(text).map(|place| place.pattern());
    places.filter_map(|name| names.get(name.as_usize())).for_each(|name| met.note(name));
    met.stand_in(text).map_err(|_| damaged(record, "is not canonical"))
}

/// The canonical text of an event that may name people, and is there.
fn event_text(record: &StoredRecord) -> Result<Option<&[u8]>, LedgerError> {
    let content = record.content.as_deref().filter(|_| record.kind != Kind::System);
    let text = content.map(split_content).transpose();
    Ok(text.map_err(|_| damaged(record, "has no readable content"))?.map(|(text, _)| text))
}

pub(super) fn damaged(record: &StoredRecord, reason: &'static str) -> LedgerError {
    LedgerError::Damaged { tenant: record.tenant.clone(), number: record.sequence_number, reason }
}

/// Finds texts in which a name may stand, as it is spelt in canonical form.
fn searcher(names: &[&str]) -> Result<AhoCorasick, LedgerError> {
    let spelt = names.iter().map(|name| {
        let mut spelt = Vec::with_capacity(name.len() + 2);
        canonical_string_into(name, &mut spelt);
        spelt.get(1..spelt.len().saturating_sub(1)).unwrap_or_default().to_vec()
    });
    AhoCorasick::new(spelt).map_err(|error| LedgerError::Search(error.to_string()))
}
