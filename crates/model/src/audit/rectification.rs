//! What a person had corrected (Regulation (EU) 2016/679, article 16): new values beside records that
//! stay as they are.
//!
//! The corrections are sealed as a whole under the person's own key, so that they go with the person.
//! Which records they are about is clear: it stays provable that something was corrected.

use ledgerstone_proof::{Canonicalizer, EventId, Hash, IngestedAt, SequenceNumber};

use super::Actor;
use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_pointer::is_pointer;
use crate::json_write::ObjectWriter;
use crate::rejection::{Fault, Faults, Rejection};
use crate::sealing::{FieldClass, SEALED_MARK, SubjectId};
use crate::subject_request::SubjectRequestId;

/// The event type of these records.
pub const RECTIFICATION_EVENT_TYPE: &str = "audit.rectification";

/// Records that one request corrects.
pub const CORRECTED_RECORDS_MAX: usize = 100;

/// Values that are corrected in one record.
pub const CHANGES_MAX: usize = 100;

/// New values of one event, by JSON pointers (RFC 6901) into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The canonical object.
    text: Vec<u8>,
    pointers: Vec<String>,
}

impl Changes {
    /// Reads `{"/data/after/name":"Ana Lima",…}`. Names every fault (`INVALID_CORRECTION`).
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        let mut canonical = Vec::with_capacity(text.len());
        scratch.strict(text, &mut canonical)?;
        let object = Value::new(&canonical);
        if object.kind() != ValueKind::Object {
            return Err(fault("changes: must be an object from JSON pointers to new values"));
        }
        let (mut pointers, mut faults) = (Vec::new(), Faults::default());
        let mut members = object.members();
        while let Some((key, value)) = members.next_member()? {
            let pointer = key.text().into_owned();
            if !is_pointer(&pointer) {
                let reason = format!(
                    "changes: `{pointer}` is no JSON pointer into an event, like /actor/name"
                );
                faults.add(String::new(), ErrorCode::InvalidCorrection, reason);
            } else if holds_mark(value)? {
                let reason =
                    "its new value holds the mark of sealed values, which only the server writes";
                faults.add(pointer.clone(), ErrorCode::InvalidCorrection, reason);
            }
            pointers.push(pointer);
        }
        faults.into_result()?;
        if pointers.is_empty() || pointers.len() > CHANGES_MAX {
            let found = pointers.len();
            return Err(fault(&format!(
                "changes: has {found} values; 1 to {CHANGES_MAX} are meant"
            )));
        }
        Ok(Self { text: canonical, pointers })
    }

    /// The places that change.
    pub fn pointers(&self) -> &[String] {
        &self.pointers
    }
}

fn fault(reason: &str) -> Rejection {
    let code = ErrorCode::InvalidCorrection;
    Rejection::of(Fault::new(String::new(), code, reason.to_owned()))
}

/// Depth is bounded by the canonicaliser, so recursion is safe here.
fn holds_mark(value: Value<'_>) -> Result<bool, NotCanonical> {
    if value.kind() == ValueKind::Array {
        let mut elements = value.elements();
        while let Some(element) = elements.next_element()? {
            if holds_mark(element)? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let mut members = value.members();
    while let Some((key, member)) = members.next_member()? {
        if key.raw() == SEALED_MARK.as_bytes() || holds_mark(member)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A record, and what is right instead of what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectedRecord {
    pub event_id: EventId,
    pub sequence_number: SequenceNumber,
    pub content_hash: Hash,
    pub changes: Changes,
}

/// What one request had corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RectificationRecord {
    /// Who entered the corrections.
    pub actor: Actor,
    pub request: SubjectRequestId,
    pub subject: SubjectId,
    /// The strictest class of the places that change: that of the envelope.
    pub class: FieldClass,
    pub corrected: Vec<CorrectedRecord>,
}

impl RectificationRecord {
    /// Writes the event in canonical JSON, before anything of it is sealed.
    pub(crate) fn write(&self, at: IngestedAt, out: &mut Vec<u8>) {
        let mut event = ObjectWriter::open(out);
        let mut action = ObjectWriter::open(event.key("action"));
        action.text("status", "success");
        action.text("verb", "rectify");
        action.close();
        self.actor.write(&mut event);
        let mut data = ObjectWriter::open(event.key("data"));
        let mut metadata = ObjectWriter::open(data.key("metadata"));
        metadata.array("corrections", &self.corrected, |one, out| {
            out.extend_from_slice(&one.changes.text);
        });
        metadata.array("records", &self.corrected, |one, out| {
            let mut record = ObjectWriter::open(out);
            record.hash("content_hash", &one.content_hash);
            record.text("event_id", one.event_id.as_str());
            record.number("sequence_number", one.sequence_number.value());
            record.close();
        });
        metadata.text("subject", &self.subject.to_string());
        metadata.close();
        data.close();
        event.text("event_type", RECTIFICATION_EVENT_TYPE);
        let mut target = ObjectWriter::open(event.key("target"));
        target.text("id", &self.request.to_string());
        target.text("type", "subject_request");
        target.close();
        event.text("timestamp", &at.to_string());
        event.close();
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{Canonicalizer, EventId, IngestedAt, SequenceNumber, canonicalize};

    use super::{CHANGES_MAX, Changes, CorrectedRecord, RectificationRecord};
    use crate::audit::Actor;
    use crate::sealing::{FieldClass, SubjectId};
    use crate::subject_request::SubjectRequestId;

    fn parse(text: &str) -> Result<Changes, String> {
        Changes::parse(text.as_bytes(), &mut Canonicalizer::new())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_record_names_what_it_corrects() {
        let record = RectificationRecord {
            actor: Actor::operator("uid:1000"),
            request: SubjectRequestId::from_bytes([7; 16]),
            subject: SubjectId::from_bytes([9; 32]),
            class: FieldClass::Personal,
            corrected: vec![CorrectedRecord {
                event_id: EventId::parse("e-1").unwrap(),
                sequence_number: SequenceNumber::new(5).unwrap(),
                content_hash: ledgerstone_proof::sha256(b"content"),
                changes: parse(r#"{"/data/after/name" : "Ana", "/actor/name":null}"#).unwrap(),
            }],
        };
        let mut text = Vec::new();
        record.write(IngestedAt::from_micros(1).unwrap(), &mut text);
        assert_eq!(canonicalize(&text).unwrap(), text);
        let hash = ledgerstone_proof::sha256(b"content").to_hex();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            [
                r#"{"action":{"status":"success","verb":"rectify"},"#,
                r#""actor":{"id":"uid:1000","type":"operator"},"data":{"metadata":{"#,
                r#""corrections":[{"/actor/name":null,"/data/after/name":"Ana"}],"#,
                &format!(r#""records":[{{"content_hash":"{hash}","event_id":"e-1","sequence_number":5}}],"#),
                r#""subject":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk"}},"#,
                r#""event_type":"audit.rectification","#,
                r#""target":{"id":"07070707070707070707070707070707","type":"subject_request"},"#,
                r#""timestamp":"1970-01-01T00:00:00.000001Z"}"#
            ]
            .concat()
        );
    }

    #[test]
    fn what_is_no_correction_is_refused_by_name() {
        for (text, part) in [
            ("{}", "has 0 values"),
            ("[]", "must be an object"),
            (r#"{"actor.name":1}"#, "`actor.name` is no JSON pointer"),
            (r#"{"":1}"#, "is no JSON pointer"),
            (r#"{"/a":[{"$sealed":0}]}"#, "/a: its new value holds the mark"),
            (r#"{"/a":1,"/a":2}"#, "DUPLICATE_KEY"),
            (r#"{"/a":9007199254740993}"#, "number"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(part), "{text}: {found}");
        }
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|at| format!("\"/a/{at}\":0")).collect();
            parse(&format!("{{{}}}", members.join(",")))
        };
        assert_eq!(many(CHANGES_MAX).unwrap().pointers().len(), CHANGES_MAX);
        assert!(many(CHANGES_MAX + 1).is_err());
    }
}
