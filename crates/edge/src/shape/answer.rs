//! The way back: a record as a flat object, for the clients of a shape.

use ledgerstone_ledger::VisibleEvent;
use ledgerstone_ledger::record_line::write_hidden;
use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Signature, record_hash};
use ledgerstone_store::StoredRecord;

use super::{Pointer, SHAPES, Shape};

/// Where the value of an answer's member comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field of the event.
    Field(Pointer),
    /// The event's id, whoever gave it.
    Id,
    /// When the server took the event.
    IngestedAt,
    SequenceNumber,
    ContentHash,
    RecordHash,
    PreviousHash,
    /// The signature over the header, in base64.
    Signature,
}

impl Shape {
    /// Writes a record as the clients of this shape expect it, with `hidden` behind its members where
    /// the event is not seen as it was sent. A member without a value is null.
    pub(crate) fn write(&self, seen: &VisibleEvent, out: &mut Vec<u8>) {
        let (event, record) = (seen.event(), seen.record());
        let aside = event.and_then(|event| self.aside(event));
        let mut object = ObjectWriter::open(out);
        for (member, source) in self.answers {
            let out = object.key(member);
            match (source, event) {
                (Source::Field(pointer), Some(event)) => {
                    let value = self.value((member, pointer), event, aside);
                    out.extend_from_slice(value.map_or(b"null", Value::raw));
                }
                (source, _) => write_value(*source, record, out),
            }
        }
        write_hidden(seen, &mut object);
        object.close();
    }

    /// What this shape's mapping put aside of an event that was sent in it.
    fn aside<'a>(&self, event: &'a [u8]) -> Option<Value<'a>> {
        let mapping = field(event, "/intake/mapping").ok()??.text()?;
        if mapping != self.mapping {
            return None;
        }
        field(event, "/intake/unmapped").ok()?
    }

    /// The value of a member that comes from a field: as it was sent, where the field did not take it.
    fn value<'a>(
        &self,
        (member, pointer): (&str, Pointer),
        event: &'a [u8],
        aside: Option<Value<'a>>,
    ) -> Option<Value<'a>> {
        let sent_as = |name: &str| aside?.member(name).ok()?;
        let other_spelling = || {
            let others = self.moves.iter().filter(|(from, to)| *to == pointer && *from != member);
            others.map(|(from, _)| sent_as(from)).find(Option::is_some).flatten()
        };
        sent_as(member).or_else(|| field(event, pointer).ok()?).or_else(other_spelling)
    }
}

/// The one of these shapes in which an event was sent, if it was.
pub(crate) fn sent_as(seen: &VisibleEvent, shapes: &[&'static Shape]) -> Option<&'static Shape> {
    let mapping = field(seen.event()?, "/intake/mapping").ok()??.text()?;
    shapes.iter().copied().find(|shape| shape.mapping == mapping)
}

/// The shapes in which records can be answered.
pub(crate) fn answering() -> impl Iterator<Item = &'static Shape> {
    SHAPES.iter().copied().filter(|shape| !shape.answers.is_empty())
}

/// Writes what comes from the record; a field of an event that is not shown is null.
fn write_value(source: Source, record: &StoredRecord, out: &mut Vec<u8>) {
    let text = match source {
        Source::Field(_) => None,
        Source::SequenceNumber => {
            let number = record.sequence_number.value().to_string();
            return out.extend_from_slice(number.as_bytes());
        }
        Source::Id => Some(record.event_id.to_string()),
        Source::IngestedAt => Some(record.ingested_at.to_string()),
        Source::ContentHash => Some(record.content_hash.to_hex()),
        Source::RecordHash => Some(record_hash(&record.header_bytes()).to_hex()),
        Source::PreviousHash => Some(record.previous_hash.to_hex()),
        Source::Signature => record.signature.as_ref().and_then(|signature| {
            Some(Signature::try_from(signature.bytes.as_slice()).ok()?.to_base64())
        }),
    };
    match text {
        Some(text) => ledgerstone_proof::canonical_string_into(&text, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn field<'a>(event: &'a [u8], pointer: &str) -> Result<Option<Value<'a>>, NotCanonical> {
    let mut value = Some(Value::new(event));
    for step in pointer.split('/').skip(1) {
        let Some(group) = value else { return Ok(None) };
        value = group.member(step)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use ledgerstone_ledger::VisibleEvent;
    use ledgerstone_model::schema;
    use ledgerstone_proof::{EventId, Hash, IngestedAt, Kind, SequenceNumber, TenantId};
    use ledgerstone_store::StoredRecord;
    use serde_json::{Value, json};

    use super::super::find;
    use super::{Source, answering, sent_as};

    fn record(event: &Value) -> VisibleEvent {
        let content = format!(r#"{{"event":{event},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}}"#);
        VisibleEvent::as_stored(StoredRecord {
            tenant: TenantId::parse("acme").unwrap(),
            sequence_number: SequenceNumber::new(7).unwrap(),
            event_id: EventId::parse("e7").unwrap(),
            ingested_at: IngestedAt::from_micros(0).unwrap(),
            kind: Kind::Event,
            previous_hash: Hash::ZERO,
            content_hash: ledgerstone_proof::sha256(content.as_bytes()),
            content: Some(content.into_bytes()),
            signature: None,
        })
    }

    fn shown(shape: &str, record: &VisibleEvent) -> Value {
        let mut out = Vec::new();
        find(shape).unwrap().write(record, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn what_a_shape_moves_in_comes_out_under_the_same_name() {
        for shape in answering() {
            for (member, source) in shape.answers {
                let Source::Field(pointer) = source else { continue };
                assert!(schema::at_pointer(pointer).is_some(), "{}: {pointer}", shape.name);
                let moved = shape.moves.iter().find(|(from, _)| from == member);
                assert!(moved.is_none_or(|(_, to)| to == pointer), "{}: {member}", shape.name);
            }
            let mut members: Vec<_> = shape.answers.iter().map(|(member, _)| member).collect();
            members.sort_unstable();
            members.dedup();
            assert_eq!(members.len(), shape.answers.len(), "{}", shape.name);
        }
    }

    #[test]
    fn a_record_is_told_in_the_words_of_its_readers() {
        let record = record(&json!({
            "action": {"status": "allow", "verb": "deploy"}, "actor": {"id": "a", "type": "agent"},
            "data": {"metadata": {"rule": 3}}, "event_type": "x.y", "intake": {"mapping": "agent/1"},
        }));
        let agent = shown("agent", &record);
        assert_eq!(agent["payload"], json!({"rule": 3}));
        assert_eq!((&agent["agent_id"], &agent["outcome"]), (&json!("a"), &json!("allow")));
        assert_eq!(agent["prev_hash"].as_str().unwrap().len(), 64);
        assert_eq!(agent["signature"], Value::Null);
        let user = shown("user", &record);
        assert_eq!((&user["user_id"], &user["action"]), (&json!("a"), &json!("deploy")));
        assert_eq!(user["risk_level"], Value::Null);
        let entity = shown("entity", &record);
        assert_eq!((&entity["Actor"], &entity["ID"]), (&json!("a"), &json!("e7")));
        let shapes: Vec<_> = answering().collect();
        assert_eq!(sent_as(&record, &shapes).unwrap().name, "agent");
        assert!(sent_as(&record, &[find("user").unwrap()]).is_none());
    }

    #[test]
    fn a_content_that_is_gone_leaves_what_the_record_says() {
        let whole = record(&json!({"actor": {"id": "a"}, "event_type": "x.y"}));
        assert!(shown("agent", &whole).get("hidden").is_none());
        let bare =
            VisibleEvent::as_stored(StoredRecord { content: None, ..whole.record().clone() });
        let bare = shown("agent", &bare);
        assert_eq!(bare["hidden"], json!([{"pointer": "", "why": "dropped"}]));
        assert_eq!((&bare["agent_id"], &bare["event_type"]), (&Value::Null, &Value::Null));
        assert_eq!(bare["id"], "e7");
    }
}
