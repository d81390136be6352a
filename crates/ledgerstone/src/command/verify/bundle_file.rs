//! Verifies what a person was given about themselves, with nothing but the file and a key: every
//! content is what its header says, every header is in the tree of a signed checkpoint, and what is there
//! to be read is what is proved.

mod page;
mod record;

use std::path::Path;

use ledgerstone_ledger::bundle::csv;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::VerifierKey;

use self::page::{Page, Pages, Wrong};
use super::Arguments;
use crate::arguments::verifier_key;
use crate::command::taxonomy::read;
use crate::failure::{Ending, Failure};
use crate::output::Console;

/// What no proof of single records can say.
const NOT_PROVED: &str =
    "not proved: that nothing about the person was left out by whoever made the file";

/// What was found to hold.
#[derive(Default)]
struct Held {
    records: u64,
    /// Those among them without a content that their event could be compared with.
    without_content: u64,
}

pub fn run(path: &Path, arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let keys = arguments.keys.iter().map(|key| verifier_key(key)).collect::<Result<Vec<_>, _>>()?;
    let shown =
        if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let text = read(path)?;
    if text.starts_with(csv::HEADER.trim_end().as_bytes()) {
        let reason = format!("{shown}: is a bundle as CSV, which has no proofs");
        return Err(Failure::new(ErrorCode::InvalidProof, reason)
            .with_remedy("Verify the bundle that `requests bundle` wrote as JSON."));
    }
    match verify(&text, &keys).map_err(|wrong| wrong.at(&shown)) {
        Ok(held) => {
            tell(&held, arguments.output.json, console)?;
            Ok(Ending::Done)
        }
        Err(Wrong::Form(reason)) => Err(Failure::new(ErrorCode::InvalidProof, reason)),
        Err(Wrong::Proof(reason)) => tell_wrong(&reason, arguments.output.json, console),
    }
}

fn verify(text: &[u8], keys: &[VerifierKey]) -> Result<Held, Wrong> {
    let (mut held, mut pages) = (Held::default(), Pages::default());
    let read = serde_json::Deserializer::from_slice(text).into_iter::<Page<'_>>();
    for (number, page) in (1_u64..).zip(read) {
        let at = format!("page {number}");
        let page = page.map_err(|error| Wrong::form(error).at(&at))?;
        pages.add(&page, keys).map_err(|wrong| wrong.at(&at))?;
        for record in &page.records {
            let has_content = record::check(record, &page.checkpoint, keys).map_err(|wrong| {
                wrong.at(&format!("record {}", record.proof.leaf_index)).at(&at)
            })?;
            held.records += 1;
            held.without_content += u64::from(!has_content);
        }
    }
    if pages.is_whole() {
        return Ok(held);
    }
    Err(Wrong::Form("has no page that is the last one, so pages are missing".to_owned()))
}

fn tell(held: &Held, json: bool, console: &mut Console) -> Result<(), Failure> {
    if json {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.boolean("completeness_proved", false);
        object.boolean("holds", true);
        object.number("records", held.records);
        object.number("without_content", held.without_content);
        object.close();
        return console.line(out);
    }
    let records = held.records;
    console.line(format!("the proofs of {records} records hold, and their contents, headers and clear values are theirs"))?;
    if held.without_content > 0 {
        let count = held.without_content;
        console.line(format!(
            "{count} of them come without content, so that their events are not proved"
        ))?;
    }
    console.line(NOT_PROVED)
}

fn tell_wrong(reason: &str, json: bool, console: &mut Console) -> Result<Ending, Failure> {
    if json {
        console.line(super::proof_file::does_not_hold(reason))?;
    }
    console.failure(&Failure::new(ErrorCode::ProofMismatch, reason.to_owned()));
    Ok(Ending::Findings)
}
