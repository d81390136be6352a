//! Verifies what a person was given about themselves, with nothing but the file and a key: every
//! content is what its header says, and every header is in the tree of a signed checkpoint.

use std::path::Path;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{
    Hash, RecordProofError, TlogProof, VerifierKey, canonicalize, verify_record_proof,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Arguments;
use crate::arguments::verifier_key;
use crate::command::taxonomy::read;
use crate::failure::{Ending, Failure};
use crate::output::Console;

#[derive(Deserialize)]
struct BundlePage<'a> {
    checkpoint: String,
    #[serde(borrow)]
    records: Vec<BundledRecord<'a>>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct BundledRecord<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    proof: BundledProof<'a>,
}

#[derive(Deserialize)]
struct BundledProof<'a> {
    hashes: Vec<String>,
    #[serde(borrow)]
    header: &'a RawValue,
    leaf_index: u64,
}

pub fn run(path: &Path, arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let keys = arguments.keys.iter().map(|key| verifier_key(key)).collect::<Result<Vec<_>, _>>()?;
    let shown =
        if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let text = read(path)?;
    let pages = serde_json::Deserializer::from_slice(&text).into_iter::<BundlePage<'_>>();
    let (mut records, mut is_whole) = (0_u64, false);
    for (number, page) in (1..).zip(pages) {
        let place = |reason: &dyn std::fmt::Display| format!("{shown}: page {number}: {reason}");
        let page = page.map_err(|error| Failure::new(ErrorCode::InvalidProof, place(&error)))?;
        for record in &page.records {
            match check(record, &page.checkpoint, &keys) {
                Ok(()) => records += 1,
                Err(Wrong::Form(reason)) => {
                    return Err(Failure::new(ErrorCode::InvalidProof, place(&reason)));
                }
                Err(Wrong::Proof(reason)) => {
                    let reason = format!("record {}: {reason}", record.proof.leaf_index);
                    return tell_wrong(&place(&reason), arguments.output.json, console);
                }
            }
        }
        is_whole = page.next_cursor.is_none();
    }
    if !is_whole {
        let reason = format!("{shown}: has no page that is the last one, so pages are missing");
        return Err(Failure::new(ErrorCode::InvalidProof, reason));
    }
    if arguments.output.json {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.key("holds").extend_from_slice(b"true");
        object.number("records", records);
        object.close();
        console.line(out)?;
    } else {
        console
            .line(format!("the proofs of {records} records hold, and their contents are theirs"))?;
    }
    Ok(Ending::Done)
}

fn tell_wrong(reason: &str, json: bool, console: &mut Console) -> Result<Ending, Failure> {
    if json {
        console.line(super::proof_file::does_not_hold(reason))?;
    }
    console.failure(&Failure::new(ErrorCode::ProofMismatch, reason.to_owned()));
    Ok(Ending::Findings)
}

/// Why a record is not proved.
enum Wrong {
    /// The file is none.
    Form(String),
    Proof(String),
}

fn check(record: &BundledRecord<'_>, checkpoint: &str, keys: &[VerifierKey]) -> Result<(), Wrong> {
    let form = |error: &dyn std::fmt::Display| Wrong::Form(error.to_string());
    // What laid the file out anew changed no value: the canonical text is the same.
    let canonical =
        |text: &RawValue| canonicalize(text.get().as_bytes()).map_err(|error| form(&error));
    let hashes = record.proof.hashes.iter().map(|hash| Hash::from_base64(hash));
    let hashes = hashes.collect::<Result<Vec<_>, _>>().map_err(|error| form(&error))?;
    let header = canonical(record.proof.header)?;
    let proof = TlogProof::new(Some(header), record.proof.leaf_index, hashes, checkpoint)
        .map_err(|error| form(&error))?;
    let content = canonical(record.content)?;
    match verify_record_proof(&proof, keys, Some(&content)) {
        Ok(_) => Ok(()),
        Err(error @ (RecordProofError::NoHeader | RecordProofError::Header(_))) => {
            Err(form(&error))
        }
        Err(error) => Err(Wrong::Proof(error.to_string())),
    }
}
