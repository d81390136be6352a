//! For whom the value at a place of a stored event is sealed.

use super::ReadEvent;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_pointer::step_into;
use crate::rejection::pointer_steps;
use crate::sealing::opening::envelope_index;
use crate::sealing::{Envelope, FieldClass, SealingKeyId};

impl ReadEvent<'_> {
    /// The keys that the place at a JSON pointer is sealed under, or parts of it are, and their
    /// classes; none where it stands in clear.
    pub fn sealed_at(
        &self,
        pointer: &str,
    ) -> Result<Vec<(SealingKeyId, FieldClass)>, NotCanonical> {
        let mut found = Vec::new();
        let mut value = Value::new(self.text);
        for step in pointer_steps(pointer) {
            if envelope_index(value)?.is_some() {
                break;
            }
            match step_into(value, &step)? {
                Some(inner) => value = inner,
                None => return Ok(found),
            }
        }
        self.gather(value, &mut found)?;
        Ok(found)
    }

    /// Goes no deeper than canonical JSON is nested.
    fn gather(
        &self,
        value: Value<'_>,
        found: &mut Vec<(SealingKeyId, FieldClass)>,
    ) -> Result<(), NotCanonical> {
        if let Some(index) = envelope_index(value)? {
            let envelope = self.envelopes.get(index).and_then(Option::as_ref);
            found.extend(envelope.map(|one: &Envelope| (*one.key_id(), one.class())));
        } else if value.kind() == ValueKind::Array {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                self.gather(element, found)?;
            }
        } else {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                self.gather(member, found)?;
            }
        }
        Ok(())
    }
}
