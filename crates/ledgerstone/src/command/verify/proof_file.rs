//! Verifies one record with nothing but its proof file and a key.

use std::io::Read as _;
use std::path::Path;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{ProvedRecord, RecordProofError, TlogProof, verify_record_proof};

use super::Arguments;
use crate::arguments::{read_file, verifier_key};
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub fn run(path: &Path, arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let keys = arguments.keys.iter().map(|key| verifier_key(key)).collect::<Result<Vec<_>, _>>()?;
    let content = arguments.content.as_deref().map(read_file).transpose()?;
    let is_input = path.as_os_str() == "-";
    let shown = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let in_file = |reason: String| format!("{shown}: {reason}");
    let proof = TlogProof::parse(&if is_input { read_input()? } else { read_file(path)? })
        .map_err(|error| Failure::new(ErrorCode::InvalidProof, in_file(error.to_string())))?;
    match verify_record_proof(&proof, &keys, content.as_deref()) {
        Ok(proved) => {
            print(&proved, arguments.output.json, console)?;
            Ok(Ending::Done)
        }
        Err(error @ (RecordProofError::NoHeader | RecordProofError::Header(_))) => {
            Err(Failure::new(ErrorCode::InvalidProof, in_file(error.to_string())))
        }
        Err(error) => {
            let failure = Failure::new(ErrorCode::ProofMismatch, in_file(error.to_string()));
            if arguments.output.json {
                console.line(does_not_hold(&error.to_string()))?;
            }
            console.failure(&failure);
            Ok(Ending::Findings)
        }
    }
}

fn read_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| {
        let message = format!("standard input cannot be read: {error}");
        Failure::new(ErrorCode::StorageFailed, message)
    })?;
    Ok(bytes)
}

pub(super) fn does_not_hold(reason: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.key("holds").extend_from_slice(b"false");
    object.text("reason", reason);
    object.close();
    out
}

fn print(proved: &ProvedRecord, json: bool, console: &mut Console) -> Result<(), Failure> {
    if json {
        return console.line(to_json(proved));
    }
    let (header, checkpoint) = (proved.header(), proved.checkpoint());
    console.line("the proof holds")?;
    for (name, value) in [
        ("tenant", header.tenant_id().to_string()),
        ("id", header.event_id().to_string()),
        ("number", header.sequence_number().to_string()),
        ("ingested at", header.ingested_at().to_string()),
        ("content hash", header.content_hash().to_string()),
        ("record hash", header.record_hash().to_string()),
        ("in the tree", format!("{} of {} records", checkpoint.origin(), checkpoint.size())),
        ("content", content_line(proved).to_owned()),
    ] {
        console.line(format!("  {name:<13} {value}"))?;
    }
    Ok(())
}

const fn content_line(proved: &ProvedRecord) -> &'static str {
    if proved.content_checked() {
        "given, and it is the record's"
    } else {
        "not given (--content FILE checks it)"
    }
}

fn to_json(proved: &ProvedRecord) -> Vec<u8> {
    let (header, checkpoint) = (proved.header(), proved.checkpoint());
    let mut out = Vec::with_capacity(512);
    let mut object = ObjectWriter::open(&mut out);
    object.boolean("content_checked", proved.content_checked());
    object.text("content_hash", &header.content_hash().to_hex());
    object.boolean("holds", true);
    object.text("id", header.event_id().as_str());
    object.text("ingested_at", &header.ingested_at().to_string());
    object.text("kind", header.kind().as_str());
    object.text("origin", checkpoint.origin());
    object.text("record_hash", &header.record_hash().to_hex());
    object.text("root", &checkpoint.root().to_base64());
    object.number("sequence_number", header.sequence_number().value());
    object.number("size", checkpoint.size().value());
    object.text("tenant_id", header.tenant_id().as_str());
    object.close();
    out
}
