//! What senders say of the personal data in their events, under `security`.

use super::class::FieldClass;
use crate::json::{NotCanonical, Value};

/// Words of `security.data_classification` that say that an event holds data about people, and how
/// sensitive it is. Others, such as `internal`, say nothing of people.
const WORDS: &[(&str, FieldClass)] = &[
    ("personal", FieldClass::Personal),
    ("pii", FieldClass::Personal),
    ("pci", FieldClass::Sensitive),
    ("phi", FieldClass::Sensitive),
    ("sensitive", FieldClass::Sensitive),
    ("secret", FieldClass::Secret),
];

/// The class that the sender declares for what no rule is about: by `data_classification`, or by
/// `pii_detected`.
pub(super) fn declared_class(
    security: Option<Value<'_>>,
) -> Result<Option<FieldClass>, NotCanonical> {
    let Some(security) = security else { return Ok(None) };
    let word = security.member("data_classification")?.and_then(Value::text);
    let by_word = word.and_then(|word| {
        let known = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word.trim()));
        known.map(|(_, class)| *class)
    });
    let is_detected = security.member("pii_detected")?.and_then(Value::boolean) == Some(true);
    Ok(by_word.or(is_detected.then_some(FieldClass::Personal)))
}
