//! Verifies one record of a bundle: its way to the checkpoint, its content, and that the members which are
//! there to be read say what those do.

use ledgerstone_model::system::PublicKey;
use ledgerstone_model::visible::departure;
use ledgerstone_proof::{
    Hash, KeyId, ProvedRecord, RecordProofError, TlogProof, VerifierKey, canonicalize,
    split_content, verify_record_proof,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::page::{Record, Wrong};

/// What of a record could be checked beside its proof.
pub struct Checked {
    /// Whether the content is there, so that the event was compared with it.
    pub has_content: bool,
    pub signature: Signed,
}

/// What a record's signature is worth.
pub enum Signed {
    /// It holds, by a key that the file names.
    By(KeyId),
    /// The file names no keys.
    Unchecked,
    /// The record comes without one: the checkpoint alone vouches for it.
    Not,
}

/// Checks a record by its proof, and its signature by the keys of records, where the file names any.
pub fn check(
    record: &Record<'_>,
    checkpoint: &str,
    keys: &[VerifierKey],
    record_keys: Option<&[PublicKey]>,
) -> Result<Checked, Wrong> {
    let content = match record.content.get() {
        "null" => None,
        _ => Some(canonical(record.content).map_err(|wrong| wrong.at("content"))?),
    };
    let proved = prove(record, checkpoint, keys, content.as_deref())?;
    let signature = check_record(record.shown_header, &proved, record_keys)
        .map_err(|wrong| wrong.at("record"))?;
    if let Some(content) = &content {
        check_event(record, content).map_err(|wrong| wrong.at("event"))?;
    }
    Ok(Checked { has_content: content.is_some(), signature })
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

/// Whether `record` has the members of the header as they are proved, the hash over them, and a signature of them
/// that holds, if it has one.
fn check_record(
    record: &RawValue,
    proved: &ProvedRecord,
    keys: Option<&[PublicKey]>,
) -> Result<Signed, Wrong> {
    let mut shown: Map<String, Value> = serde_json::from_str(record.get()).map_err(Wrong::form)?;
    let signed = proved.header().to_canonical();
    let header: Map<String, Value> = serde_json::from_slice(&signed).map_err(Wrong::form)?;
    let hash = Value::from(proved.header().record_hash().to_hex());
    let proved = header.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in proved.chain([("record_hash", &hash)]) {
        if shown.remove(name).as_ref() != Some(value) {
            return Err(Wrong::Proof(format!("{name}: is not {value}, which is proved")));
        }
    }
    let (signature, key_id) = (shown.remove("signature"), shown.remove("key_id"));
    match shown.keys().next() {
        Some(other) => Err(Wrong::Proof(format!("{other}: is no member of the header"))),
        None => check_signature(&signed, (signature, key_id), keys),
    }
}

fn check_signature(
    header: &[u8],
    said: (Option<Value>, Option<Value>),
    keys: Option<&[PublicKey]>,
) -> Result<Signed, Wrong> {
    let (signature, key_id) = match said {
        (Some(Value::Null), Some(Value::Null)) => return Ok(Signed::Not),
        (Some(Value::String(signature)), Some(Value::String(key_id))) => (signature, key_id),
        _ => {
            let reason =
                "signature, key_id: are texts, or both null where the record is not signed";
            return Err(Wrong::Form(reason.to_owned()));
        }
    };
    let Some(keys) = keys else { return Ok(Signed::Unchecked) };
    let key = keys.iter().find(|key| key.key_id().as_str() == key_id);
    let key = key.ok_or_else(|| {
        Wrong::Proof(format!("key_id: {key_id} is none of the keys that record_keys names"))
    })?;
    match key.verifies_base64(header, &signature) {
        Some(true) => Ok(Signed::By(key.key_id())),
        Some(false) => {
            Err(Wrong::Proof(format!("signature: does not hold under the key {key_id}")))
        }
        None => Err(Wrong::Form("signature: is not base64".to_owned())),
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
