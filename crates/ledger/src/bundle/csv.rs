//! One record of a bundle as lines of CSV (RFC 4180): a line for each value of the event.
//!
//! Spreadsheets take a cell that begins like a formula for one, whoever wrote it; such texts get an
//! apostrophe before them, which spreadsheets do not show.

use ledgerstone_model::json::{NotCanonical, Value, ValueKind};
use ledgerstone_model::rejection::pointer_push;
use ledgerstone_model::visible::HiddenPart;

use super::BundledEvent;

/// The first line, and its end.
pub const HEADER: &str = "sequence_number,event_id,ingested_at,kind,pointer,type,value,hidden\r\n";

/// Stands in the place of a value that nobody can read any more.
const GONE: &[u8] = br#"{"$sealed":true}"#;

/// Characters that make a formula of what they begin.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Appends the lines of a record: `pointer` is that of a value in the event, `type` is `text`, `number`,
/// `boolean`, `null`, or `object` or `array` where that is empty, `hidden` says why a value is not whole.
pub fn write_bundled(bundled: &BundledEvent, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    let event = bundled.event();
    let record = event.record();
    let mut lines = Lines {
        begin: [
            record.sequence_number.value().to_string(),
            cell(record.event_id.as_str()),
            record.ingested_at.to_string(),
            record.kind.as_str().to_owned(),
        ]
        .join(","),
        hidden: event.hidden(),
        out,
    };
    match event.event() {
        Some(text) => lines.value(Value::new(text), &mut String::new()),
        None => {
            lines.line("", "null", "");
            Ok(())
        }
    }
}

struct Lines<'a> {
    begin: String,
    hidden: &'a [HiddenPart],
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    /// Goes no deeper than canonical JSON is nested.
    fn value(&mut self, value: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
        match value.kind() {
            _ if value.raw() == GONE => self.line(pointer, "null", ""),
            ValueKind::Object => return self.members(value, pointer),
            ValueKind::Array => return self.elements(value, pointer),
            ValueKind::Text => self.line(pointer, "text", &value.text().unwrap_or_default()),
            kind => {
                let kind = match kind {
                    ValueKind::Number => "number",
                    ValueKind::Bool => "boolean",
                    _ => "null",
                };
                let text = String::from_utf8_lossy(value.raw());
                // A negative number is no formula.
                self.raw_line(pointer, kind, if kind == "null" { "" } else { &text });
            }
        }
        Ok(())
    }

    fn members(&mut self, object: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
        let length = pointer.len();
        let mut members = object.members();
        let mut is_empty = true;
        while let Some((key, member)) = members.next_member()? {
            is_empty = false;
            pointer_push(pointer, &key.text());
            self.value(member, pointer)?;
            pointer.truncate(length);
        }
        if is_empty {
            self.line(pointer, "object", "");
        }
        Ok(())
    }

    fn elements(&mut self, array: Value<'_>, pointer: &mut String) -> Result<(), NotCanonical> {
        let length = pointer.len();
        let mut elements = array.elements();
        let mut index = 0_usize;
        while let Some(element) = elements.next_element()? {
            pointer_push(pointer, &index.to_string());
            self.value(element, pointer)?;
            pointer.truncate(length);
            index += 1;
        }
        if index == 0 {
            self.line(pointer, "array", "");
        }
        Ok(())
    }

    fn line(&mut self, pointer: &str, kind: &str, text: &str) {
        self.raw_line(pointer, kind, &cell(text));
    }

    fn raw_line(&mut self, pointer: &str, kind: &str, value: &str) {
        let why = self.why(pointer).unwrap_or_default();
        let line = format!("{},{},{kind},{value},{why}\r\n", self.begin, cell(pointer));
        self.out.extend_from_slice(line.as_bytes());
    }

    /// Why the value at a place, or all that it stands in, is not whole.
    fn why(&self, pointer: &str) -> Option<&'static str> {
        let is_above = |part: &&HiddenPart| {
            let rest = pointer.strip_prefix(part.pointer());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.hidden.iter().find(is_above).map(|part| part.why().as_str())
    }
}

/// A cell, quoted where RFC 4180 section 2 asks for it, and no formula.
fn cell(text: &str) -> String {
    let guarded = if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() };
    let is_plain = !guarded.contains([',', '"', '\r', '\n']) && guarded.trim() == guarded;
    if is_plain { guarded } else { format!("\"{}\"", guarded.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::json::Value;
    use ledgerstone_model::visible::{HiddenPart, Why};

    use super::{Lines, cell};

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        for (text, written) in [
            ("", ""),
            ("Ana", "Ana"),
            ("Lima, Ana", "\"Lima, Ana\""),
            ("the \"boss\"", "\"the \"\"boss\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            (" padded", "\" padded\""),
            ("=1+1", "'=1+1"),
            ("+351 912", "'+351 912"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("=a,b", "\"'=a,b\""),
        ] {
            assert_eq!(cell(text), written);
        }
    }

    #[test]
    fn every_value_has_a_line() {
        let event = br#"{"a":{"$sealed":true},"b":[1,-2,true,null],"c":{},"d":[],"e/f":"=x","g":{"h":"J. D."}}"#;
        let hidden = [
            HiddenPart::value("/a".to_owned(), None, Why::Erased),
            HiddenPart::value("/g".to_owned(), None, Why::Redacted),
        ];
        let mut out = Vec::new();
        let mut lines = Lines { begin: "7".to_owned(), hidden: &hidden[..1], out: &mut out };
        lines.value(Value::new(event), &mut String::new()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "7,/a,null,,erased\r\n7,/b/0,number,1,\r\n7,/b/1,number,-2,\r\n7,/b/2,boolean,true,\r\n\
             7,/b/3,null,,\r\n7,/c,object,,\r\n7,/d,array,,\r\n7,/e~1f,text,'=x,\r\n7,/g/h,text,J. D.,\r\n"
        );
        let mut out = Vec::new();
        let mut lines = Lines { begin: "7".to_owned(), hidden: &hidden[1..], out: &mut out };
        lines.value(Value::new(br#"{"g":"J. D."}"#), &mut String::new()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "7,/g,text,J. D.,redacted\r\n");
    }
}
