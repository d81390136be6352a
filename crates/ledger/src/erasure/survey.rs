//! Goes through a ledger for everything that holds one person: sealed under their keys, or in clear.

use std::collections::HashSet;
use std::ops::ControlFlow;

use aho_corasick::AhoCorasick;
use ledgerstone_model::json::{Value, ValueKind};
use ledgerstone_model::personal::detect::has_personal_data;
use ledgerstone_model::sealing::{
    Envelope, EnvelopePlace, FieldPolicy, Preset, SealingKeyId, SealingPlan, SubjectId,
};
use ledgerstone_model::{DeadLetter, NumberSet};
use ledgerstone_proof::{Kind, TenantId, canonicalize, split_content};
use ledgerstone_store::StoredRecord;

use crate::dead_letters::DeadLetters;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Order;
use crate::subjects::SubjectIds;

/// Shorter values stand in too many places that are about somebody else.
const TEXT_BYTES_MIN: usize = 6;

/// Values by which a person is looked for.
const TEXTS_MAX: usize = 10_000;

/// Dead letters looked at at a time.
const LETTERS_PAGE: usize = 100;

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
    /// Values that name the person, as they stand in canonical JSON without the quotes.
    texts: HashSet<String>,
}

impl Survey {
    /// Records with values that are sealed under the person's keys.
    pub const fn sealed(&self) -> &NumberSet {
        &self.sealed
    }

    /// Records that hold values of the person in clear which would be sealed today.
    pub const fn clear(&self) -> &NumberSet {
        &self.clear
    }
}

/// Looks at every record twice: once for the person's keys and values, and once for the values
/// elsewhere. `None` where `watch` ended it.
pub(super) fn survey(
    ledger: &Ledger,
    tenant: &TenantId,
    subject: &SubjectId,
    keys: &[SealingKeyId],
    watch: &dyn SurveyWatch,
) -> Result<Option<Survey>, LedgerError> {
    let policy = ledger.sealing_policy(tenant)?;
    let standard = FieldPolicy::of_preset(Preset::Standard);
    let fields = policy.fields();
    let mut surveyor = Surveyor {
        ledger,
        tenant,
        subject,
        keys: keys.iter().copied().collect(),
        policy: if fields.seals_nothing() { &standard } else { fields },
        ids: SubjectIds::new(ledger.ring_for(tenant)?, tenant),
        found: Survey::default(),
    };
    let total = 2 * ledger.reader().size(tenant)?;
    for record in ledger.reader().list(tenant, Order::Sequence, None)? {
        surveyor.look_at(&record?)?;
        if watch.records(1, total).is_break() {
            return Ok(None);
        }
    }
    let mut found = surveyor.found;
    let Some(searcher) = searcher(&found.texts)? else {
        let _ = watch.records(total / 2, total);
        return Ok(Some(found));
    };
    for record in ledger.reader().list(tenant, Order::Sequence, None)? {
        let record = record?;
        if record.kind != Kind::System
            && record.content.as_deref().is_some_and(|content| searcher.is_match(content))
        {
            found.clear.insert(record.sequence_number.value());
        }
        if watch.records(1, total).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

fn searcher(texts: &HashSet<String>) -> Result<Option<AhoCorasick>, LedgerError> {
    if texts.is_empty() {
        return Ok(None);
    }
    AhoCorasick::new(texts).map(Some).map_err(|error| LedgerError::Search(error.to_string()))
}

struct Surveyor<'a> {
    ledger: &'a Ledger,
    tenant: &'a TenantId,
    subject: &'a SubjectId,
    keys: HashSet<SealingKeyId>,
    policy: &'a FieldPolicy,
    ids: SubjectIds<'a>,
    found: Survey,
}

impl Surveyor<'_> {
    fn look_at(&mut self, record: &StoredRecord) -> Result<(), LedgerError> {
        let damaged = |reason| LedgerError::Damaged {
            tenant: record.tenant.clone(),
            number: record.sequence_number,
            reason,
        };
        let Some(content) = record.content.as_deref().filter(|_| record.kind != Kind::System)
        else {
            return Ok(());
        };
        let (text, _) = split_content(content).map_err(|_| damaged("has no readable content"))?;
        let number = record.sequence_number.value();
        let unreadable = |_| damaged("is not canonical");
        if let Some(sealed) = Value::new(text).member("sealed").map_err(unreadable)? {
            let mut elements = sealed.elements();
            while let Some(element) = elements.next_element().map_err(unreadable)? {
                let envelope = Envelope::parse(element)
                    .map_err(|_| damaged("has an envelope that is none"))?;
                if self.keys.contains(envelope.key_id()) {
                    self.found.sealed.insert(number);
                    self.note_texts(record, &envelope)?;
                }
            }
        }
        let plan = SealingPlan::make(text, self.policy).map_err(unreadable)?;
        for person in plan.subjects_in_clear(text) {
            if self.ids.of(person)? == *self.subject {
                self.found.clear.insert(number);
            }
        }
        Ok(())
    }

    /// Remembers the values of an envelope that name the person.
    fn note_texts(
        &mut self,
        record: &StoredRecord,
        envelope: &Envelope,
    ) -> Result<(), LedgerError> {
        let ring = self.ledger.ring_for(self.tenant)?;
        let Some(key) = ring.key(self.tenant, envelope.key_id())? else { return Ok(()) };
        let place = EnvelopePlace { tenant: &record.tenant, event_id: &record.event_id };
        let Ok(opened) = envelope.open(&key, place) else { return Ok(()) };
        let mut members = Value::new(&opened).members();
        while let Ok(Some((pointer, value))) = members.next_member() {
            note_names(&pointer.text(), value, &mut self.found.texts);
        }
        Ok(())
    }
}

/// Remembers the texts of a value that name somebody: by the name of their field, or by their form.
fn note_names(pointer: &str, value: Value<'_>, texts: &mut HashSet<String>) {
    match value.kind() {
        ValueKind::Text => {
            let text = value.text().unwrap_or_default();
            let names = pointer.ends_with("/name") || pointer.ends_with("/email");
            let raw = value.raw();
            let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            if inner.len() >= TEXT_BYTES_MIN
                && texts.len() < TEXTS_MAX
                && (names || has_personal_data(&text))
            {
                texts.insert(String::from_utf8_lossy(inner).into_owned());
            }
        }
        ValueKind::Object => {
            let mut members = value.members();
            while let Ok(Some((name, member))) = members.next_member() {
                note_names(&format!("{pointer}/{}", name.text()), member, texts);
            }
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Ok(Some(element)) = elements.next_element() {
                note_names(pointer, element, texts);
            }
        }
        ValueKind::Number | ValueKind::Bool | ValueKind::Null => {}
    }
}

/// Removes refused submissions that name the person, and answers how many.
pub(super) fn remove_letters(
    ledger: &Ledger,
    letters: &DeadLetters,
    tenant: &TenantId,
    subject: &SubjectId,
    found: &Survey,
) -> Result<u64, LedgerError> {
    let searcher = searcher(&found.texts)?;
    let standard = FieldPolicy::of_preset(Preset::Standard);
    let mut ids = SubjectIds::new(ledger.ring_for(tenant)?, tenant);
    let mut removed = 0;
    let mut before = None;
    loop {
        let page = letters.list(tenant, before, LETTERS_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(removed) };
        before = Some(*last);
        for (id, letter) in &page {
            let is_named = searcher.as_ref().is_some_and(|texts| texts.is_match(&letter.text))
                || is_about(letter, subject, &standard, &mut ids)?;
            if is_named && letters.remove(tenant, *id)? {
                removed += 1;
            }
        }
    }
}

/// Whether a refused event, where it can be read, has the person for actor or target.
fn is_about(
    letter: &DeadLetter,
    subject: &SubjectId,
    policy: &FieldPolicy,
    ids: &mut SubjectIds<'_>,
) -> Result<bool, LedgerError> {
    let Ok(text) = canonicalize(&letter.text) else { return Ok(false) };
    let Ok(plan) = SealingPlan::make(&text, policy) else { return Ok(false) };
    for person in plan.subjects() {
        if ids.of(person)? == *subject {
            return Ok(true);
        }
    }
    Ok(false)
}
