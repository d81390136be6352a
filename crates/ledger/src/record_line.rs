//! One stored record as one line of JSON: what `list` and `get` print and `GET /v1/events` lists.

use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{record_hash, split_content};
use ledgerstone_store::StoredRecord;

/// Appends `{"event":{…},"record":{header fields,"record_hash","signature","key_id"}}`. The event
/// is null where its content was dropped; signature and key id are null where checkpoints alone
/// vouch for the record.
pub fn write_record(record: &StoredRecord, out: &mut Vec<u8>) {
    let mut line = ObjectWriter::open(out);
    line.key("event").extend_from_slice(event_of(record).unwrap_or(b"null"));
    write_header(record, line.key("record"));
    line.close();
}

/// Appends the same for a reader who may not see contents:
/// `{"content_withheld":true,"event":null,"record":{…}}`.
pub fn write_record_withheld(record: &StoredRecord, out: &mut Vec<u8>) {
    let mut line = ObjectWriter::open(out);
    line.key("content_withheld").extend_from_slice(b"true");
    line.key("event").extend_from_slice(b"null");
    write_header(record, line.key("record"));
    line.close();
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

/// The event inside a record's content.
pub fn event_of(record: &StoredRecord) -> Option<&[u8]> {
    let (event, _) = split_content(record.content.as_deref()?).ok()?;
    Some(event)
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{EventId, Hash, IngestedAt, KeyId, Kind, SequenceNumber, TenantId};
    use ledgerstone_store::{RecordSignature, StoredRecord};

    use super::{write_record, write_record_withheld};

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

    fn text(write: fn(&StoredRecord, &mut Vec<u8>), record: &StoredRecord) -> String {
        let mut out = Vec::new();
        write(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_holds_the_event_the_header_and_the_hash() {
        let line: serde_json::Value = serde_json::from_str(&text(write_record, &record())).unwrap();
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
        let line: serde_json::Value = serde_json::from_str(&text(write_record, &record)).unwrap();
        assert!(line["record"]["signature"].is_string(), "{line}");
    }

    #[test]
    fn a_withheld_content_is_said_to_be_withheld() {
        let whole: serde_json::Value =
            serde_json::from_str(&text(write_record, &record())).unwrap();
        let line = text(write_record_withheld, &record());
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["content_withheld"], true);
        assert!(line["event"].is_null());
        assert_eq!(line["record"], whole["record"]);
    }
}
