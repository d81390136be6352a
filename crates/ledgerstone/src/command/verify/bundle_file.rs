//! Verifies what a person was given about themselves, with nothing but the file and a key: every
//! content is what its header says, every header is in the tree of a signed checkpoint, and what is there
//! to be read is what is proved.

mod page;
mod record;

use std::collections::BTreeMap;
use std::path::Path;

use ledgerstone_ledger::bundle::csv;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::VerifierKey;

use self::page::{Page, Pages, Wrong};
use self::record::{Checked, Signed};
use super::Arguments;
use crate::arguments::verifier_key;
use crate::command::taxonomy::read;
use crate::failure::{Ending, Failure};
use crate::output::Console;

/// What no proof of single records can say.
const NOT_PROVED: &str =
    "not proved: that nothing about the person was left out by whoever made the file";

/// Records without content that are named one by one; the others are counted.
const NAMED_MAX: usize = 100;

/// What was found to hold.
#[derive(Default)]
struct Held {
    records: u64,
    /// Those among them without a content that their event could be compared with, and the numbers of the first.
    without_content: u64,
    named: Vec<u64>,
    /// How many signatures hold, by which key.
    signatures: BTreeMap<String, u64>,
    /// Those that the file names no key for.
    unchecked: u64,
    unsigned: u64,
    /// Keys that the file calls the log's own, and that were not given to check it by.
    not_given: Vec<String>,
}

impl Held {
    fn note_named(&mut self, named: &VerifierKey, given: &[VerifierKey]) {
        let text = named.to_string();
        if !given.contains(named) && !self.not_given.contains(&text) {
            self.not_given.push(text);
        }
    }

    fn add(&mut self, number: u64, checked: &Checked) {
        self.records += 1;
        if !checked.has_content {
            self.without_content += 1;
            if self.named.len() < NAMED_MAX {
                self.named.push(number);
            }
        }
        match &checked.signature {
            Signed::By(key) => *self.signatures.entry(key.to_string()).or_default() += 1,
            Signed::Unchecked => self.unchecked += 1,
            Signed::Not => self.unsigned += 1,
        }
    }
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
        let named = pages.add(&page, keys).map_err(|wrong| wrong.at(&at))?;
        held.note_named(&named, keys);
        let record_keys = page.record_keys().map_err(|wrong| wrong.at(&at))?;
        for record in &page.records {
            let number = record.proof.leaf_index;
            let checked = record::check(record, &page.checkpoint, keys, record_keys.as_deref());
            let checked = checked.map_err(|wrong| wrong.at(&format!("record {number}")).at(&at))?;
            held.add(number, &checked);
        }
    }
    if pages.is_whole() {
        return Ok(held);
    }
    Err(Wrong::Form("has no page that is the last one, so pages are missing".to_owned()))
}

fn tell(held: &Held, json: bool, console: &mut Console) -> Result<(), Failure> {
    if json {
        return console.line(held.json());
    }
    held.sentences().into_iter().try_for_each(|sentence| console.line(sentence))
}

impl Held {
    fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.boolean("completeness_proved", false);
        object.boolean("holds", true);
        object.texts("keys_not_given", &self.not_given);
        object.number("records", self.records);
        let mut signatures = ObjectWriter::open(object.key("signatures"));
        let mut held = ObjectWriter::open(signatures.key("held"));
        for (key, count) in &self.signatures {
            held.number(key, *count);
        }
        held.close();
        signatures.number("unchecked", self.unchecked);
        signatures.number("unsigned", self.unsigned);
        signatures.close();
        object.number("without_content", self.without_content);
        object.array("without_content_numbers", &self.named, |number, out| {
            out.extend_from_slice(number.to_string().as_bytes());
        });
        object.close();
        out
    }

    fn sentences(&self) -> Vec<String> {
        let records = self.records;
        let mut said = vec![format!(
            "the proofs of {records} records hold, and their contents, headers and clear values are theirs"
        )];
        for (key, count) in &self.signatures {
            said.push(format!(
                "{count} signatures hold by the record key {key}, which the file names: \
                 /v1/verification-keys says whether it is the server's"
            ));
        }
        if self.unchecked > 0 {
            let count = self.unchecked;
            said.push(format!(
                "the signatures of {count} records were not checked: the file names no record keys"
            ));
        }
        if self.unsigned > 0 {
            let count = self.unsigned;
            said.push(format!(
                "{count} of them come without a signature: the checkpoint alone vouches for them"
            ));
        }
        if self.without_content > 0 {
            let count = self.without_content;
            let numbers: Vec<_> = self.named.iter().map(ToString::to_string).collect();
            let more = if self.without_content > numbers.len() as u64 { ", …" } else { "" };
            said.push(format!(
                "{count} of them come without content, so that their events are not proved: {}{more}",
                numbers.join(", ")
            ));
        }
        for key in &self.not_given {
            said.push(format!(
                "not proved: that {key}, which the file calls the log's key, is it: it signed the checkpoint, and was \
                 not given with --key"
            ));
        }
        said.push(NOT_PROVED.to_owned());
        said
    }
}

fn tell_wrong(reason: &str, json: bool, console: &mut Console) -> Result<Ending, Failure> {
    if json {
        console.line(super::proof_file::does_not_hold(reason))?;
    }
    console.failure(&Failure::new(ErrorCode::ProofMismatch, reason.to_owned()));
    Ok(Ending::Findings)
}
