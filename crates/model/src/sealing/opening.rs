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
    let Some(sealed) = Value::new(text).member(ENVELOPES)? else {
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
    let values = opened.iter().map(|text| match text {
        Some(text) => EnvelopeValues::read(text),
        None => Ok(EnvelopeValues::Shut(GONE)),
    });
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let opened = put_back(text, &values)?;
    let is_shut =
        |place: &PutBack| matches!(values.get(place.envelope), Some(EnvelopeValues::Shut(_)));
    if opened.places.iter().all(|place| place.is_open || is_shut(place)) {
        Ok(opened.text)
    } else {
        Err(NotOpenedEvent::Places)
    }
}

/// What stands in the place of a value that is not there any more, or cannot be had.
pub(crate) const GONE: &[u8] = br#"{"$sealed":true}"#;

/// The values of one envelope.
pub(crate) enum EnvelopeValues<'a> {
    /// By their pointers.
    Open(HashMap<String, &'a [u8]>),
    /// There are none; this stands in their places.
    Shut(&'static [u8]),
}

impl<'a> EnvelopeValues<'a> {
    /// Reads what an envelope opened to.
    pub(crate) fn read(plaintext: &'a [u8]) -> Result<Self, NotCanonical> {
        let mut values = HashMap::new();
        let mut members = Value::new(plaintext).members();
        while let Some((pointer, value)) = members.next_member()? {
            values.insert(pointer.text().into_owned(), value.raw());
        }
        Ok(Self::Open(values))
    }
}

/// An event with values in the places where envelopes were.
pub(crate) struct OpenedEvent {
    pub(crate) text: Zeroizing<Vec<u8>>,
    /// In the order of the text.
    pub(crate) places: Vec<PutBack>,
}

/// One place that was sealed.
pub(crate) struct PutBack {
    pub(crate) pointer: String,
    pub(crate) envelope: usize,
    /// Whether its value stands there now.
    pub(crate) is_open: bool,
}

/// Writes a stored event with these values of its envelopes. A place of which an envelope that is
/// open knows nothing becomes `{"$sealed":true}`.
pub(crate) fn put_back(
    text: &[u8],
    values: &[EnvelopeValues<'_>],
) -> Result<OpenedEvent, NotCanonical> {
    let (out, places) = (Zeroizing::new(Vec::with_capacity(text.len())), Vec::new());
    let mut opening = Opening { values, out, places };
    opening.object(Value::new(text), &mut String::new())?;
    Ok(OpenedEvent { text: opening.out, places: opening.places })
}

struct Opening<'a> {
    values: &'a [EnvelopeValues<'a>],
    out: Zeroizing<Vec<u8>>,
    places: Vec<PutBack>,
}

impl Opening<'_> {
    fn value(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
        match (value.kind(), envelope_index(value)?) {
            (_, Some(index)) => self.sealed(index, pointer),
            (ValueKind::Object, None) => return self.object(value, pointer),
            (ValueKind::Array, None) => return self.array(value, pointer),
            _ => self.out.extend_from_slice(value.raw()),
        }
        Ok(())
    }

    fn sealed(&mut self, envelope: usize, pointer: &str) {
        let (shown, is_open) = match self.values.get(envelope) {
            Some(EnvelopeValues::Open(values)) => match values.get(pointer) {
                Some(value) => (*value, true),
                None => (GONE, false),
            },
            Some(EnvelopeValues::Shut(shown)) => (*shown, false),
            None => (GONE, false),
        };
        self.out.extend_from_slice(shown);
        self.places.push(PutBack { pointer: pointer.to_owned(), envelope, is_open });
    }

    fn object(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
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
    ) -> Result<(), NotCanonical> {
        self.out.push(b'"');
        self.out.extend_from_slice(key.raw());
        self.out.extend_from_slice(b"\":");
        let length = pointer.len();
        pointer_push(pointer, &key.text());
        self.value(member, pointer)?;
        pointer.truncate(length);
        Ok(())
    }

    fn array(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
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
pub(crate) fn envelope_index(value: Value<'_>) -> Result<Option<usize>, NotCanonical> {
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
