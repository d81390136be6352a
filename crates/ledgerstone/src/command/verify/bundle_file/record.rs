//! Verifies one record of a bundle: its way to the checkpoint, its content, and that the members which are
//! there to be read say what those do.

use ledgerstone_model::visible::departure;
use ledgerstone_proof::{
    Hash, ProvedRecord, RecordProofError, TlogProof, VerifierKey, canonicalize, split_content,
    verify_record_proof,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::page::{Record, Wrong};

/// Whether the content is there, so that the event was compared with it.
pub fn check(record: &Record<'_>, checkpoint: &str, keys: &[VerifierKey]) -> Result<bool, Wrong> {
    let content = match record.content.get() {
        "null" => None,
        _ => Some(canonical(record.content).map_err(|wrong| wrong.at("content"))?),
    };
    let proved = prove(record, checkpoint, keys, content.as_deref())?;
    check_record(record.shown_header, &proved).map_err(|wrong| wrong.at("record"))?;
    let Some(content) = content else { return Ok(false) };
    check_event(record, &content).map_err(|wrong| wrong.at("event"))?;
    Ok(true)
}

/// What laid the file out anew changed no value: the canonical text is the same.
fn canonical(text: &RawValue) -> Result<Vec<u8>, Wrong> {
    canonicalize(text.get().as_bytes()).map_err(Wrong::form)
}

fn prove(
    record: &Record<'_>,
    checkpoint: &str,
    keys: &[VerifierKey],
    content: Option<&[u8]>,
) -> Result<ProvedRecord, Wrong> {
    let hashes = record.proof.hashes.iter().map(|hash| Hash::from_base64(hash));
    let hashes = hashes.collect::<Result<Vec<_>, _>>();
    let hashes = hashes.map_err(|error| Wrong::form(error).at("proof: hashes"))?;
    let header = canonical(record.proof.header).map_err(|wrong| wrong.at("proof: header"))?;
    let proof = TlogProof::new(Some(header), record.proof.leaf_index, hashes, checkpoint);
    let proof = proof.map_err(|error| Wrong::form(error).at("proof"))?;
    verify_record_proof(&proof, keys, content).map_err(|error| match error {
        RecordProofError::NoHeader | RecordProofError::Header(_) => Wrong::form(error).at("proof"),
        error => Wrong::Proof(error.to_string()),
    })
}

/// Whether `record` has the members of the header as they are proved, and the hash over them. Its signature
/// is vouched for by the checkpoint.
fn check_record(record: &RawValue, proved: &ProvedRecord) -> Result<(), Wrong> {
    let mut shown: Map<String, Value> = serde_json::from_str(record.get()).map_err(Wrong::form)?;
    let header = proved.header().to_canonical();
    let header: Map<String, Value> = serde_json::from_slice(&header).map_err(Wrong::form)?;
    let hash = Value::from(proved.header().record_hash().to_hex());
    let proved = header.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in proved.chain([("record_hash", &hash)]) {
        if shown.remove(name).as_ref() != Some(value) {
            return Err(Wrong::Proof(format!("{name}: is not {value}, which is proved")));
        }
    }
    shown.retain(|name, _| name != "signature" && name != "key_id");
    match shown.keys().next() {
        Some(other) => Err(Wrong::Proof(format!("{other}: is no member of the header"))),
        None => Ok(()),
    }
}

/// Whether the event is the content's, as far as that is in clear.
fn check_event(record: &Record<'_>, content: &[u8]) -> Result<(), Wrong> {
    let (recorded, _) = split_content(content).map_err(Wrong::form)?;
    let shown = canonical(record.event)?;
    let is_replaced = |pointer: &str| record.hidden.iter().any(|part| part.pointer == pointer);
    match departure(recorded, &shown, &is_replaced)? {
        Some(pointer) => Err(Wrong::Proof(format!("{pointer}: is not what the content says"))),
        None => Ok(()),
    }
}
