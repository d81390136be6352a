//! One record as one line of JSON: what `list` and `get` print and `GET /v1/events` lists.

use ledgerstone_model::HiddenPart;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::record_hash;
use ledgerstone_store::StoredRecord;

use crate::visible::VisibleEvent;

/// Appends `{"corrected_by":[…],"event":{…},"hidden":[…],"record":{header fields,"record_hash","signature","key_id"}}`.
/// The event is null where nothing of it is seen; `corrected_by` and `hidden` are left out where they would be empty;
/// signature and key id are null where checkpoints alone vouch for the record.
pub fn write_record(event: &VisibleEvent, out: &mut Vec<u8>) {
    let mut line = ObjectWriter::open(out);
    write_parts(event, &mut line, |_| {});
    line.close();
}

/// The members of a line, with others between `hidden` and `record`.
pub(crate) fn write_parts(
    event: &VisibleEvent,
    line: &mut ObjectWriter<'_>,
    others: impl FnOnce(&mut ObjectWriter<'_>),
) {
    write_corrections(event, line);
    line.key("event").extend_from_slice(event.event().unwrap_or(b"null"));
    write_hidden(event, line);
    others(line);
    write_header(event.record(), line.key("record"));
}

/// Appends the member `corrected_by`, if there is anything to say in it.
fn write_corrections(event: &VisibleEvent, object: &mut ObjectWriter<'_>) {
    if event.corrected_by().is_empty() {
        return;
    }
    object.array("corrected_by", event.corrected_by(), |correction, out| {
        let mut one = ObjectWriter::open(out);
        one.text("event_id", correction.event_id.as_str());
        one.number("sequence_number", correction.sequence_number.value());
        one.close();
    });
}

/// Appends the member `hidden`, if there is anything to say in it.
pub fn write_hidden(event: &VisibleEvent, object: &mut ObjectWriter<'_>) {
    if event.hidden().is_empty() {
        return;
    }
    object.array("hidden", event.hidden(), HiddenPart::write);
}

fn write_header(record: &StoredRecord, inner: &mut Vec<u8>) {
    let header = record.header_bytes();
    inner.extend_from_slice(header.strip_suffix(b"}").unwrap_or(&header));
    inner.extend_from_slice(b",\"record_hash\":\"");
    record_hash(&header).write_hex(inner);
    inner.extend_from_slice(b"\",\"signature\":");
    match &record.signature {
        Some(signature) => {
            let text = signature.to_base64();
            inner.extend_from_slice(format!("\"{text}\",\"key_id\":\"").as_bytes());
            inner.extend_from_slice(signature.key_id.as_str().as_bytes());
            inner.extend_from_slice(b"\"}");
        }
        None => inner.extend_from_slice(b"null,\"key_id\":null}"),
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{EventId, Hash, IngestedAt, KeyId, Kind, SequenceNumber, TenantId};
    use ledgerstone_store::{RecordSignature, StoredRecord};

    use super::write_record;
    use crate::visible::VisibleEvent;

    fn record() -> StoredRecord {
        StoredRecord {
            tenant: TenantId::parse("acme").unwrap(),
            sequence_number: SequenceNumber::new(7).unwrap(),
            event_id: EventId::parse("e7").unwrap(),
            ingested_at: IngestedAt::from_micros(0).unwrap(),
            kind: Kind::Event,
            previous_hash: Hash::ZERO,
            content_hash: ledgerstone_proof::sha256(b"content"),
            content: Some(br#"{"event":{"a":1},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}"#.to_vec()),
            signature: None,
        }
    }

    fn line(record: StoredRecord) -> serde_json::Value {
        let mut out = Vec::new();
        write_record(&VisibleEvent::as_stored(record), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_holds_the_event_the_header_and_the_hash() {
        let line = line(record());
        assert_eq!(line["event"]["a"], 1);
        assert_eq!(line["record"]["sequence_number"], 7);
        let hash = ledgerstone_proof::record_hash(&record().header_bytes()).to_hex();
        assert_eq!(line["record"]["record_hash"], hash);
        assert_eq!(line["record"]["signature"], serde_json::Value::Null);
    }

    #[test]
    fn a_signature_comes_with_its_key_id() {
        let mut record = record();
        let key_id = KeyId::parse("0123456789abcdef").unwrap();
        record.signature = Some(RecordSignature { key_id, bytes: vec![1; 64] });
        let line = line(record);
        assert!(line["record"]["signature"].is_string(), "{line}");
    }

    #[test]
    fn a_content_that_is_gone_is_said_to_be() {
        let whole = line(record());
        assert!(whole.get("hidden").is_none());
        let mut record = record();
        record.content = None;
        let line = line(record);
        assert!(line["event"].is_null());
        assert_eq!(line["hidden"], serde_json::json!([{"pointer": "", "why": "dropped"}]));
        assert_eq!(line["record"], whole["record"]);
    }
}
