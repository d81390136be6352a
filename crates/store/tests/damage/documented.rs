//! The examples in `docs/format.md` are bytes of the fixtures, and hash to what the page says.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_proof::{
    Checkpoint, Hash, Header, KeyId, RsaVerifyingKey, Signature, TlogProof, VerifierKey,
    VerifyingKey, leaf_hash, record_hash, sha256, verify_record_proof,
};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    std::fs::read_to_string(project().join("docs/format.md")).unwrap()
}

/// The fenced blocks of the page: what stands behind the fence, and the lines within.
fn blocks(page: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(word)) => open = Some((word.to_owned(), Vec::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, lines)), None) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks
}

fn block(page: &str, word: &str) -> String {
    let found = blocks(page).into_iter().find(|(found, _)| found == word);
    found.unwrap_or_else(|| panic!("no block `{word}`")).1.join("\n")
}

#[test]
fn hexadecimal_examples_are_bytes_of_the_fixtures() {
    let mut examples = 0;
    for (word, lines) in blocks(&page()) {
        let Some(place) = word.strip_prefix("hex ") else { continue };
        let (file, offset) = place.split_once('@').unwrap();
        let offset: usize = offset.parse().unwrap();
        let digits = lines.iter().flat_map(|line| line.split(';').next().unwrap().split(' '));
        let shown: Vec<u8> = digits
            .filter(|digits| !digits.is_empty())
            .map(|digits| u8::from_str_radix(digits, 16).unwrap())
            .collect();
        let bytes = std::fs::read(project().join("fixtures").join(file)).unwrap();
        assert_eq!(shown, bytes[offset..offset + shown.len()], "{place}");
        examples += 1;
    }
    assert_eq!(examples, 4);
}

#[test]
fn the_record_on_the_page_is_what_the_page_says() {
    let page = page();
    let (content, header) = (block(&page, "text content"), block(&page, "json header"));
    let told = |what: String| assert!(page.contains(&what), "{what} is not on the page");
    told(format!("`{}`", sha256(content.as_bytes()).to_hex()));
    told(format!("`record_hash`: `{}`", record_hash(header.as_bytes()).to_hex()));
    told(format!("`{}`", leaf_hash(header.as_bytes()).to_hex()));
    let parsed = Header::parse(header.as_bytes()).unwrap();
    assert_eq!(parsed.content_hash(), &sha256(content.as_bytes()));
    let ledger = std::fs::read_to_string(project().join("fixtures/proof/ledger.json")).unwrap();
    assert!(ledger.contains(&record_hash(header.as_bytes()).to_hex()));
    let proof = std::fs::read_to_string(project().join("fixtures/proof/proofs/1.tlog-proof"));
    assert_eq!(block(&page, "text proof"), proof.unwrap().trim_end());
}

/// The text between the backquotes of a row of a table.
fn row(page: &str, name: &str) -> String {
    let name = format!("| {name} | `");
    let (_, value) = page.split_once(&name).unwrap_or_else(|| panic!("no row {name}"));
    value.split('`').next().unwrap().to_owned()
}

#[test]
fn the_signatures_on_the_page_verify_under_the_keys_on_the_page() {
    let page = page();
    let header = block(&page, "json header");
    let key = Hash::from_hex(&row(&page, "public key")).unwrap();
    let key = VerifyingKey::from_bytes(key.as_bytes()).unwrap();
    assert_eq!(row(&page, "key id"), KeyId::ed25519(&key).as_str());
    let signature = row(&page, "signature of the header above, base64");
    let signature = STANDARD.decode(signature).unwrap();
    let signature = Signature::from_bytes(signature.try_into().unwrap());
    key.verify(header.as_bytes(), &signature).unwrap();
    let mut vkeys = page.lines().filter_map(|line| VerifierKey::parse(line.trim()).ok());
    let vkey = vkeys.next().unwrap();
    let note = format!("{}\n", block(&page, "text checkpoint"));
    let checkpoint = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&vkey)).unwrap();
    assert_eq!(checkpoint.size().value(), 7);
    let proof = TlogProof::parse(format!("{}\n", block(&page, "text proof")).as_bytes()).unwrap();
    let content = block(&page, "text content");
    verify_record_proof(&proof, &[vkey], Some(content.as_bytes())).unwrap();
}

#[test]
fn the_rsa_record_on_the_page_is_that_of_the_fixture() {
    let (page, header) = (page(), block(&page(), "json rsa header"));
    let fixture = std::fs::read_to_string(project().join("fixtures/proof/rsa.json")).unwrap();
    let fixture: serde_json::Value = serde_json::from_str(&fixture).unwrap();
    let record = &fixture["records"][1];
    assert_eq!(record["header"], header);
    let key = STANDARD.decode(fixture["record_key"]["public_key"].as_str().unwrap()).unwrap();
    let key = RsaVerifyingKey::from_spki(&key).unwrap();
    let told = format!("its key has the id `{}`", key.key_id());
    assert!(page.contains(&told), "{told}");
    let signature = STANDARD.decode(record["signature"].as_str().unwrap()).unwrap();
    key.verify(header.as_bytes(), &signature).unwrap();
}

#[test]
fn the_format_file_on_the_page_is_that_of_the_fixture() {
    let file = "fixtures/embedded-v1/data/FORMAT";
    let shown = block(&page(), &format!("text {file}"));
    let found = std::fs::read_to_string(project().join(file)).unwrap();
    assert_eq!(shown, found.trim_end());
}
