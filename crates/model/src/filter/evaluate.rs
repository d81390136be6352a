//! Tries a filter on one record, for everything that has the record at hand.

use std::cmp::Ordering;

use ledgerstone_proof::Header;

use super::Filter;
use super::comparison::{Comparison, Limit, Operand, Range, Test};
use super::field::{FieldKind, FieldPath, RecordField};
use super::words::{WordSearch, Words};
use crate::json::{Key, NotCanonical, Value, ValueKind};
use crate::timestamp::EventTime;

/// A record as a filter sees it: what its header says, and its event as far as the caller may look.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    header: &'a Header,
    event: Value<'a>,
}

impl<'a> RecordView<'a> {
    /// A view of a header and the canonical text of its event.
    pub const fn new(header: &'a Header, event: Value<'a>) -> Self {
        Self { header, event }
    }

    /// What the header says.
    pub const fn header(&self) -> &'a Header {
        self.header
    }

    /// The canonical text of the event.
    pub const fn event(&self) -> Value<'a> {
        self.event
    }
}

impl Filter {
    /// Whether the record is meant. Fails only where the event's text is not canonical JSON.
    pub fn matches(&self, record: &RecordView<'_>) -> Result<bool, NotCanonical> {
        match self {
            Self::All => Ok(true),
            Self::And(all) => {
                for one in all {
                    if !one.matches(record)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(any) => {
                for one in any {
                    if one.matches(record)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(inner) => Ok(!inner.matches(record)?),
            Self::Compare(comparison) => comparison.matches(record),
            Self::Text(words) => has_words(record.event, &mut words.search()),
        }
    }
}

impl Comparison {
    fn matches(&self, record: &RecordView<'_>) -> Result<bool, NotCanonical> {
        match self.field().record_field() {
            Some(field) => Ok(self.test().passes_header(field, record.header)),
            None => self.test().passes_event(self.field(), record.event),
        }
    }
}

impl Test {
    /// Every field of a header is there, and is one value.
    fn passes_header(&self, field: RecordField, header: &Header) -> bool {
        let fields = header.fields();
        match field {
            RecordField::Id => self.passes_text(fields.event_id),
            RecordField::TenantId => self.passes_text(fields.tenant_id),
            RecordField::Kind => self.passes_text(header.kind().as_str()),
            RecordField::SequenceNumber => {
                // Both are below 2^53, where every whole number is a double.
                #[expect(clippy::cast_precision_loss)]
                let number = header.sequence_number().value() as f64;
                self.passes_operand(&Operand::Number(number))
            }
            RecordField::IngestedAt => {
                self.passes_operand(&Operand::Time(header.ingested_at().micros()))
            }
        }
    }

    fn passes_text(&self, text: &str) -> bool {
        match self {
            Self::Like(pattern) => pattern.matches(text),
            Self::Text(words) => words.search().read(text),
            other => other.passes_operand(&Operand::Text(text.to_owned())),
        }
    }

    /// For values that are no containers.
    fn passes_operand(&self, value: &Operand) -> bool {
        match self {
            Self::Eq(operand) => value == operand,
            Self::In(operands) => operands.contains(value),
            Self::Range(range) => range.contains(value),
            Self::Exists(wanted) => *wanted,
            Self::Like(_) | Self::Text(_) => false,
        }
    }

    fn passes_event(&self, field: &FieldPath, event: Value<'_>) -> Result<bool, NotCanonical> {
        match self {
            Self::Exists(wanted) => {
                let is_there =
                    any_at(event, field.steps(), &mut |value| Ok(value.kind() != ValueKind::Null))?;
                Ok(is_there == *wanted)
            }
            Self::Text(words) => passes_words(words, field, event),
            _ => any_at(event, field.steps(), &mut |value| {
                any_element(value, &mut |one| self.passes_scalar(field.kind(), one))
            }),
        }
    }

    fn passes_scalar(&self, kind: FieldKind, value: Value<'_>) -> bool {
        match (value.kind(), self) {
            (ValueKind::Text, Self::Like(pattern)) => {
                value.text().is_some_and(|text| pattern.matches(&text))
            }
            _ => operand_of(kind, value).is_some_and(|operand| self.passes_operand(&operand)),
        }
    }
}

/// The words may stand in several texts of the field together.
fn passes_words(words: &Words, field: &FieldPath, event: Value<'_>) -> Result<bool, NotCanonical> {
    let mut search = words.search();
    any_at(event, field.steps(), &mut |value| has_words(value, &mut search))
}

impl Range {
    fn contains(&self, value: &Operand) -> bool {
        let is_above = |limit: &Limit| limit.allows(order(value, limit.value()), Ordering::Greater);
        let is_below = |limit: &Limit| limit.allows(order(value, limit.value()), Ordering::Less);
        self.lower().is_none_or(is_above) && self.upper().is_none_or(is_below)
    }
}

impl Limit {
    fn allows(&self, found: Option<Ordering>, wanted: Ordering) -> bool {
        found == Some(wanted) || (self.is_included() && found == Some(Ordering::Equal))
    }
}

/// The order of two values of one kind; values of two kinds have none.
fn order(left: &Operand, right: &Operand) -> Option<Ordering> {
    match (left, right) {
        (Operand::Text(left), Operand::Text(right)) => Some(left.cmp(right)),
        (Operand::Number(left), Operand::Number(right)) => left.partial_cmp(right),
        (Operand::Time(left), Operand::Time(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A value of an event as something to compare; `None` for containers, `null`, and what does not
/// read as the field's kind.
fn operand_of(kind: FieldKind, value: Value<'_>) -> Option<Operand> {
    match value.kind() {
        ValueKind::Text if kind == FieldKind::Time => {
            EventTime::parse(&value.text()?).ok().map(|time| Operand::Time(time.micros()))
        }
        ValueKind::Text => value.text().map(|text| Operand::Text(text.into_owned())),
        ValueKind::Number => value.number().map(Operand::Number),
        ValueKind::Bool => value.boolean().map(Operand::Bool),
        ValueKind::Object | ValueKind::Array | ValueKind::Null => None,
    }
}

/// Whether a value that the steps lead to passes. Arrays on the way are looked through. Goes no
/// deeper than the path is long and canonical JSON is nested.
fn any_at(
    value: Value<'_>,
    steps: &[String],
    passes: &mut dyn FnMut(Value<'_>) -> Result<bool, NotCanonical>,
) -> Result<bool, NotCanonical> {
    let Some((step, below)) = steps.split_first() else {
        return passes(value);
    };
    match value.kind() {
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((key, member)) = members.next_member()? {
                if is_named(key, step) {
                    return any_at(member, below, passes);
                }
            }
            Ok(false)
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if any_at(element, steps, passes)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

fn is_named(key: Key<'_>, name: &str) -> bool {
    key.raw() == name.as_bytes() || (key.raw().contains(&b'\\') && key.text() == name)
}

/// Whether the value, or an element of it where it is an array, passes.
fn any_element(
    value: Value<'_>,
    passes: &mut dyn FnMut(Value<'_>) -> bool,
) -> Result<bool, NotCanonical> {
    if value.kind() != ValueKind::Array {
        return Ok(passes(value));
    }
    let mut elements = value.elements();
    while let Some(element) = elements.next_element()? {
        if any_element(element, passes)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads every text in a value until all words were met.
fn has_words(value: Value<'_>, search: &mut WordSearch<'_>) -> Result<bool, NotCanonical> {
    match value.kind() {
        ValueKind::Text => Ok(value.text().is_some_and(|text| search.read(&text))),
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                if has_words(member, search)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if has_words(element, search)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}
