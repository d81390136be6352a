//! The type of a refused event, as far as it can be read: for counting.

use std::borrow::Cow;

use serde::Deserialize;

use super::prepare::Source;
use crate::metrics::EventStatus;

/// Bytes of an event's type, as the model has it.
const BYTES_MAX: usize = 256;

/// What is read of a text that need be no event.
#[derive(Deserialize)]
struct Typed<'t> {
    #[serde(borrow)]
    event_type: Cow<'t, str>,
}

impl Source {
    /// Counts an event that was refused for what it is.
    pub(in crate::rest) fn count_refused(&self, text: &[u8]) {
        let shaped = self.shaped(text);
        let event_type = event_type(shaped.as_deref().unwrap_or(text));
        self.metrics().refused_events_of(event_type.as_deref()).count(EventStatus::Rejected);
    }
}

/// The type that a text names as an event does, where it could be one.
fn event_type(text: &[u8]) -> Option<Cow<'_, str>> {
    let Typed { event_type } = serde_json::from_slice(text).ok()?;
    let is_one =
        (1..=BYTES_MAX).contains(&event_type.len()) && !event_type.chars().any(char::is_control);
    is_one.then_some(event_type)
}

#[cfg(test)]
mod tests {
    use super::event_type;

    #[test]
    fn the_type_is_read_of_what_is_no_event() {
        for text in [r#"{"event_type":"a.b"}"#, r#"{"x":[1e400],"event_type":"a\u002eb","id":7}"#] {
            assert_eq!(event_type(text.as_bytes()).as_deref(), Some("a.b"), "{text}");
        }
        let long = format!(r#"{{"event_type":"{}"}}"#, "x".repeat(257));
        let no_type = [r#"{"event_type":""}"#, r#"{"event_type":7}"#, "{}", "7", "nonsense", &long];
        let others = [r#"{"event_type":"a\u0000b"}"#, r#"{"event_type":"a","event_type":"b"}"#];
        for text in no_type.into_iter().chain(others) {
            assert_eq!(event_type(text.as_bytes()), None, "{text}");
        }
        assert_eq!(event_type(b"{\"event_type\":\"\xff\"}"), None);
    }
}
