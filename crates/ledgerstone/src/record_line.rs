//! One stored record as one line of JSON: what `list` and `get` print.

use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Signature, record_hash, split_content};
use ledgerstone_store::StoredRecord;

/// Appends `{"event":{…},"record":{header fields,"record_hash","signature","key_id"}}`. The event
/// is null where its content was dropped; signature and key id are null where checkpoints alone
/// vouch for the record.
pub fn write_record(record: &StoredRecord, out: &mut Vec<u8>) {
    let header = record.header_bytes();
    let mut line = ObjectWriter::open(out);
    line.key("event").extend_from_slice(event_of(record).unwrap_or(b"null"));
    let inner = line.key("record");
    inner.extend_from_slice(header.strip_suffix(b"}").unwrap_or(&header));
    inner.extend_from_slice(b",\"record_hash\":\"");
    record_hash(&header).write_hex(inner);
    inner.extend_from_slice(b"\",\"signature\":");
    match &record.signature {
        Some(signature) => {
            let text = Signature::try_from(signature.bytes.as_slice())
                .map_or_else(|_| String::new(), |signature| signature.to_base64());
            inner.extend_from_slice(format!("\"{text}\",\"key_id\":\"").as_bytes());
            inner.extend_from_slice(signature.key_id.as_str().as_bytes());
            inner.extend_from_slice(b"\"}");
        }
        None => inner.extend_from_slice(b"null,\"key_id\":null}"),
    }
    line.close();
}

/// The event inside a record's content.
pub fn event_of(record: &StoredRecord) -> Option<&[u8]> {
    let (event, _) = split_content(record.content.as_deref()?).ok()?;
    Some(event)
}
