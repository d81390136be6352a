//! One record of a bundle as JSON: what is shown, beside what it is checked by.

use ledgerstone_model::json_write::{ObjectWriter, text_array_into};
use ledgerstone_proof::Hash;

use super::{BundledEvent, BundledProof};
use crate::record_line::write_parts;

/// Appends `{"content":{…},"corrected_by":[…],"event":{…},"hidden":[…],"proof":{"hashes","header","leaf_index"},"record":{…}}`:
/// a line as listings have it, the canonical content that `record.content_hash` is over, or null, and the way
/// from the header to the root of the page's checkpoint.
pub fn write_bundled(bundled: &BundledEvent, proof: &BundledProof, out: &mut Vec<u8>) {
    let mut line = ObjectWriter::open(out);
    line.key("content").extend_from_slice(bundled.content().unwrap_or(b"null"));
    write_parts(bundled.event(), &mut line, |line| {
        let mut object = ObjectWriter::open(line.key("proof"));
        let hashes: Vec<String> = proof.hashes.iter().map(Hash::to_base64).collect();
        text_array_into(&hashes, object.key("hashes"));
        object.key("header").extend_from_slice(&bundled.event().record().header_bytes());
        object.number("leaf_index", proof.leaf_index);
        object.close();
    });
    line.close();
}
