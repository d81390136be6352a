//! What is sent: events as JSON texts, and the key that makes sending them again safe.

use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

/// Characters of an idempotency key.
const KEY_LENGTH_MAX: usize = 255;

/// Why there can be no such event or key.
#[derive(Debug, Error)]
pub enum EventError {
    #[error("the event cannot be written as json: {0}")]
    Json(#[from] serde_json::Error),
    #[error(
        "an idempotency key has 1 to 255 printable ASCII characters without spaces, quotes and backslashes"
    )]
    Key,
}

/// An event as JSON text. Whether it is one that the server takes, the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    text: Vec<u8>,
}

impl Event {
    /// The event that a value is written as.
    pub fn of(value: &impl Serialize) -> Result<Self, EventError> {
        Ok(Self { text: serde_json::to_vec(value)? })
    }

    /// The event in this text.
    pub fn from_text(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into() }
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Appends the event as one line. Between the tokens of JSON a line end means nothing, and within
    /// them none can stand.
    pub(crate) fn write_line(&self, out: &mut Vec<u8>) {
        let one_line = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        out.extend(self.text.iter().map(one_line));
        out.push(b'\n');
    }

    /// Whether it names itself, so that sending it twice records it once.
    pub(crate) fn has_id(&self) -> bool {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
        }
        let named = serde_json::from_slice::<Named<'_>>(&self.text);
        named.is_ok_and(|named| named.id.is_some_and(|id| id.get().starts_with('"')))
    }
}

/// Names a request for ever, so that its events are recorded once however often it is sent. Events
/// without an id get one that follows from the key and their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(HeaderValue);

impl IdempotencyKey {
    /// 1 to 255 characters that nothing else was ever named by, such as a random UUID.
    pub fn new(text: &str) -> Result<Self, EventError> {
        let is_fine = (1..=KEY_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        let value = HeaderValue::from_str(text).ok().filter(|_| is_fine);
        value.map(Self).ok_or(EventError::Key)
    }

    pub(crate) const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, IdempotencyKey};

    #[test]
    fn an_event_is_one_line() {
        let mut line = Vec::new();
        Event::from_text("{\n \"id\": \"a\\nb\"\r\n}").write_line(&mut line);
        assert_eq!(line, b"{  \"id\": \"a\\nb\"  }\n");
    }

    #[test]
    fn only_a_text_is_an_id() {
        for (text, expected) in [
            (r#"{"a":1,"id":"e"}"#, true),
            (r#"{"id":7}"#, false),
            (r#"{"id":null}"#, false),
            (r#"{"x":{"id":"e"}}"#, false),
            ("nonsense", false),
        ] {
            assert_eq!(Event::from_text(text).has_id(), expected, "{text}");
        }
    }

    #[test]
    fn keys_are_what_the_server_reads() {
        assert!(IdempotencyKey::new("8e03978e-40d5").is_ok());
        for text in ["", "a b", "a\"b", "a\\b", "ä", &"k".repeat(256)] {
            assert!(IdempotencyKey::new(text).is_err(), "{text:?}");
        }
    }
}
