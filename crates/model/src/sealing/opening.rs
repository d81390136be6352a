//! Puts the values of envelopes back into their places.

use std::collections::HashMap;

use thiserror::Error;
use zeroize::Zeroizing;

use super::envelope::{Envelope, EnvelopeError, EnvelopePlace};
use super::key::SubjectKey;
use super::plan::{ENVELOPES, MARK};
use crate::json::{Key, NotCanonical, Value, ValueKind};
use crate::rejection::pointer_push;

/// Why a stored event could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotOpenedEvent {
    #[error(transparent)]
    Text(#[from] NotCanonical),
    #[error("envelope {index}: {source}")]
    Envelope { index: usize, source: EnvelopeError },
    #[error("a sealed place and its envelope do not fit together")]
    Places,
}

/// Writes a stored event as it was before it was sealed, as far as there are keys for it.
///
/// `key_of` gives the key of an envelope to whoever may see what is in it; without one, the places
/// of that envelope become `{"$sealed":true}`. An event without envelopes comes back as it is.
pub fn open_event(
    text: &[u8],
    place: EnvelopePlace<'_>,
    mut key_of: impl FnMut(&Envelope) -> Option<SubjectKey>,
) -> Result<Zeroizing<Vec<u8>>, NotOpenedEvent> {
    let event = Value::new(text);
    let Some(sealed) = event.member(ENVELOPES)? else {
        return Ok(Zeroizing::new(text.to_vec()));
    };
    let mut opened = Vec::new();
    let mut elements = sealed.elements();
    while let Some(element) = elements.next_element()? {
        let at = |source| NotOpenedEvent::Envelope { index: opened.len(), source };
        let envelope = Envelope::parse(element).map_err(at)?;
        let plaintext = match key_of(&envelope) {
            Some(key) => Some(envelope.open(&key, place).map_err(at)?),
            None => None,
        };
        opened.push(plaintext);
    }
    let values: Vec<_> = opened.iter().map(|text| text.as_deref()).collect();
    let mut opening = Opening { values: read_values(&values)?, out: Zeroizing::new(Vec::new()) };
    opening.object(event, &mut String::new())?;
    Ok(opening.out)
}

type Values<'a> = Vec<Option<HashMap<String, &'a [u8]>>>;

fn read_values<'a>(plaintexts: &[Option<&'a Vec<u8>>]) -> Result<Values<'a>, NotCanonical> {
    plaintexts.iter().map(|text| text.map(|text| by_pointer(text)).transpose()).collect()
}

fn by_pointer(plaintext: &[u8]) -> Result<HashMap<String, &[u8]>, NotCanonical> {
    let mut out = HashMap::new();
    let mut members = Value::new(plaintext).members();
    while let Some((pointer, value)) = members.next_member()? {
        out.insert(pointer.text().into_owned(), value.raw());
    }
    Ok(out)
}

struct Opening<'a> {
    values: Values<'a>,
    out: Zeroizing<Vec<u8>>,
}

impl Opening<'_> {
    fn value(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotOpenedEvent> {
        match (value.kind(), envelope_index(value)?) {
            (_, Some(index)) => self.sealed(index, pointer),
            (ValueKind::Object, None) => self.object(value, pointer),
            (ValueKind::Array, None) => self.array(value, pointer),
            _ => {
                self.out.extend_from_slice(value.raw());
                Ok(())
            }
        }
    }

    fn sealed(&mut self, index: usize, pointer: &str) -> Result<(), NotOpenedEvent> {
        match self.values.get(index).ok_or(NotOpenedEvent::Places)? {
            None => self.out.extend_from_slice(format!("{{\"{MARK}\":true}}").as_bytes()),
            Some(values) => {
                let value = values.get(pointer).ok_or(NotOpenedEvent::Places)?;
                self.out.extend_from_slice(value);
            }
        }
        Ok(())
    }

    fn object(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotOpenedEvent> {
        let is_event = pointer.is_empty();
        self.out.push(b'{');
        let mut is_first = true;
        let mut members = value.members();
        while let Some((key, member)) = members.next_member()? {
            if is_event && key.raw() == ENVELOPES.as_bytes() {
                continue;
            }
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            self.member(key, member, pointer)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn member(
        &mut self,
        key: Key<'_>,
        member: Value<'_>,
        pointer: &mut String,
    ) -> Result<(), NotOpenedEvent> {
        self.out.push(b'"');
        self.out.extend_from_slice(key.raw());
        self.out.extend_from_slice(b"\":");
        let length = pointer.len();
        pointer_push(pointer, &key.text());
        self.value(member, pointer)?;
        pointer.truncate(length);
        Ok(())
    }

    fn array(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotOpenedEvent> {
        self.out.push(b'[');
        let mut elements = value.elements();
        let mut index = 0_usize;
        while let Some(element) = elements.next_element()? {
            if index > 0 {
                self.out.push(b',');
            }
            let length = pointer.len();
            pointer_push(pointer, &index.to_string());
            self.value(element, pointer)?;
            pointer.truncate(length);
            index += 1;
        }
        self.out.push(b']');
        Ok(())
    }
}

/// The envelope that a place points to, if it is a sealed one: `{"$sealed":i}` and nothing else.
fn envelope_index(value: Value<'_>) -> Result<Option<usize>, NotCanonical> {
    if value.kind() != ValueKind::Object {
        return Ok(None);
    }
    let mut members = value.members();
    let Some((key, index)) = members.next_member()? else {
        return Ok(None);
    };
    let is_mark = key.raw() == MARK.as_bytes() && members.next_member()?.is_none();
    Ok(index.unsigned().filter(|_| is_mark).and_then(|index| usize::try_from(index).ok()))
}
