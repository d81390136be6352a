//! Events in the model's own form, one JSON object a line.

use ledgerstone_model::{EVENT_BYTES_MAX, Rejection};

use super::reader::Reader;
use super::{ImportError, Importer, Input, Position, Submission, Submissions};
use crate::shape::Shaped;

/// Bytes a line may have: the largest event, with room for white space and escapes.
const LINE_BYTES_MAX: usize = 8 * EVENT_BYTES_MAX;

/// The importer `ndjson`. Lines are handed on as they are, so an event means the same as if it
/// had been sent; what becomes of numbers that are not exact is for whoever parses them.
#[derive(Debug)]
pub struct Ndjson;

impl Importer for Ndjson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn doc(&self) -> &'static str {
        "events in Ledgerstone's own form, one JSON object a line"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl"]
    }

    fn submissions<'a>(&self, input: Input<'a>) -> Result<Submissions<'a>, ImportError> {
        Ok(Box::new(Lines { reader: Some(Reader::open(input)?), line: 0, events: 0 }))
    }

    fn map(&self, _: &[u8]) -> Result<Option<Shaped>, Rejection> {
        Ok(None)
    }
}

/// The lines of an input that are not blank. The reader is gone after the end or an error.
struct Lines<'a> {
    reader: Option<Reader<'a>>,
    line: u64,
    events: u64,
}

impl Lines<'_> {
    fn next_event(&mut self) -> Result<Option<Submission>, ImportError> {
        let Some(mut reader) = self.reader.take() else {
            return Ok(None);
        };
        loop {
            self.line += 1;
            let position = Position::Line(self.line);
            let text = match reader.line(LINE_BYTES_MAX) {
                Ok(Some(text)) => text,
                Ok(None) if self.events == 0 => return Err(ImportError::Empty),
                Ok(None) => return Ok(None),
                Err(gather) => return Err(gather.at(position, LINE_BYTES_MAX)),
            };
            if !text.trim_ascii().is_empty() {
                self.events += 1;
                self.reader = Some(reader);
                return Ok(Some(Submission::new(text, position)));
            }
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Submission, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_event().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, Ndjson};
    use crate::importer::{ImportError, Importer as _, InputLimits, Position, read};
    use ledgerstone_model::ErrorCode;

    #[test]
    fn lines_come_as_they_are() {
        let input = &b"{\"a\":1}\r\n\n  \nnot json\n{}"[..];
        let found: Vec<_> = read(&Ndjson, input, InputLimits::default())
            .unwrap()
            .map(Result::unwrap)
            .map(|one| (one.text().to_vec(), one.position()))
            .collect();
        assert_eq!(
            found,
            [
                (b"{\"a\":1}".to_vec(), Position::Line(1)),
                (b"not json".to_vec(), Position::Line(4)),
                (b"{}".to_vec(), Position::Line(5)),
            ]
        );
    }

    #[test]
    fn events_are_native() {
        let mut events = read(&Ndjson, &b"{}"[..], InputLimits::default()).unwrap();
        let event = events.next().unwrap().unwrap();
        assert_eq!(Ndjson.map(event.text()), Ok(None));
        assert!(events.next().is_none());
    }

    #[test]
    fn nothing_at_all_is_an_error() {
        let error = read(&Ndjson, &b""[..], InputLimits::default()).err().unwrap();
        assert_eq!(error.code(), ErrorCode::EmptyInput);
        let mut blank = read(&Ndjson, &b"\n \n"[..], InputLimits::default()).unwrap();
        assert!(matches!(blank.next(), Some(Err(ImportError::Empty))));
        assert!(blank.next().is_none());
    }

    #[test]
    fn a_line_without_end_is_given_up_with_its_place() {
        let text = [b"{}\n".to_vec(), vec![b'x'; LINE_BYTES_MAX + 1]].concat();
        let mut events = read(&Ndjson, text.as_slice(), InputLimits::default()).unwrap();
        assert!(events.next().unwrap().is_ok());
        let error = events.next().unwrap().unwrap_err();
        assert_eq!(error.code(), ErrorCode::EventTooLarge);
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(events.next().is_none());
    }
}
