//! Whose values a stored event holds in clear, which a policy would seal today.

use super::{MARK_START, SealingPlan, Subject};
use crate::json::{NotCanonical, Value, ValueKind};

impl SealingPlan {
    /// Whose values stand in the text in clear: those of an event that was never sealed, or under another
    /// policy, which may have sealed some of what is sealed as a whole today.
    pub fn subjects_in_clear(&self, text: &[u8]) -> Result<Vec<&Subject>, NotCanonical> {
        let mut out: Vec<&Subject> = Vec::new();
        for place in &self.places {
            let value = text.get(place.range.clone()).unwrap_or_default();
            let Some(envelope) = self.envelopes.get(place.envelope) else { continue };
            if !out.contains(&&envelope.subject) && has_clear(Value::new(value))? {
                out.push(&envelope.subject);
            }
        }
        Ok(out)
    }
}

/// Whether a value, or something in it, says something that is not sealed.
fn has_clear(value: Value<'_>) -> Result<bool, NotCanonical> {
    match value.kind() {
        ValueKind::Null => Ok(false),
        ValueKind::Object if value.raw().starts_with(MARK_START) => Ok(false),
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                if has_clear(member)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if has_clear(element)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(true),
    }
}
