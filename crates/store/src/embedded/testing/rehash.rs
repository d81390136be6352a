//! Computes the hashes of one record again, and its signature.

use ledgerstone_proof::{
    Hash, HeaderFields, SequenceNumber, SigningKey, TenantId, leaf_hash, record_hash, sha256,
};

use crate::batch::NewRecord;

pub fn rehash_record(
    record: &mut NewRecord,
    tenant: &TenantId,
    number: u64,
    previous: Hash,
    key: Option<&SigningKey>,
) -> Hash {
    record.content_hash = sha256(&record.content);
    let header = header_of(record, tenant, number, previous);
    record.leaf_hash = leaf_hash(&header);
    record.record_hash = record_hash(&header);
    if let (Some(key), Some(signature)) = (key, &mut record.signature) {
        signature.bytes = key.sign(&header).as_bytes().to_vec();
    }
    record.record_hash
}

pub fn header_of(record: &NewRecord, tenant: &TenantId, number: u64, previous: Hash) -> Vec<u8> {
    let mut header = Vec::new();
    let Ok(sequence_number) = SequenceNumber::new(number) else {
        return header;
    };
    HeaderFields {
        content_hash: &record.content_hash,
        event_id: record.event_id.as_str(),
        ingested_at: record.ingested_at,
        kind: record.kind,
        previous_hash: &previous,
        sequence_number,
        tenant_id: tenant.as_str(),
    }
    .write_canonical(&mut header);
    header
}
