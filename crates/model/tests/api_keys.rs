//! API keys as text: frozen spelling, strict reading, and secrets that do not show.

use std::sync::atomic::{AtomicU8, Ordering};

use ledgerstone_model::Entropy;
use ledgerstone_model::access::{ApiKey, ApiKeyError, ApiKeyId};
use ledgerstone_proof::{Hash, sha256};
use proptest::prelude::*;

/// Bytes that count up from a first one.
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn key(first: u8) -> ApiKey {
    ApiKey::generate(&Counting(AtomicU8::new(first)))
}

/// The key of bytes 0 to 47. CRC-32C of its first 85 characters, by another program: b80f9478.
const FROZEN: &str =
    "lsk_abcdefghijklmnop_101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2fb80f9478";

#[test]
fn a_key_is_spelt_so_for_ever() {
    let key = key(0);
    assert_eq!(key.to_text().as_str(), FROZEN);
    assert_eq!(key.id().as_str(), "abcdefghijklmnop");
    let secret: Vec<u8> = (16..48).collect();
    assert_eq!(key.secret_hash(), sha256(&secret));
    let read = ApiKey::parse(FROZEN).unwrap();
    assert_eq!(read.to_text(), key.to_text());
    assert!(read.has_secret(&sha256(&secret)));
    assert!(!read.has_secret(&Hash::ZERO));
    assert!(!read.has_secret(&self::key(1).secret_hash()));
}

#[test]
fn what_is_cut_mistyped_or_something_else_is_told_apart() {
    let longer = format!("{FROZEN}0");
    let spaced = format!(" {FROZEN}");
    let upper = FROZEN.replace("1a1b", "1A1B");
    let wrong_id = FROZEN.replace("abcdef", "abcde1");
    let moved = FROZEN.replace("mnop_10", "mnop10_");
    let wide = FROZEN.replace("1011", "é11");
    assert_eq!(wide.len(), FROZEN.len());
    let typo = FROZEN.replace("1213", "1214");
    let other_id = FROZEN.replace("abcdef", "abcdeg");
    for (text, error) in [
        ("", ApiKeyError::Prefix),
        ("eyJhbGciOiJub25lIn0.e30.", ApiKeyError::Prefix),
        (&FROZEN[1..], ApiKeyError::Prefix),
        (&spaced, ApiKeyError::Prefix),
        ("lsk_", ApiKeyError::Length(4)),
        (&FROZEN[..92], ApiKeyError::Length(92)),
        (&FROZEN[..85], ApiKeyError::Length(85)),
        (&longer, ApiKeyError::Length(94)),
        (&upper, ApiKeyError::Characters),
        (&wrong_id, ApiKeyError::Characters),
        (&moved, ApiKeyError::Characters),
        (&wide, ApiKeyError::Characters),
        (&typo, ApiKeyError::Checksum),
        (&other_id, ApiKeyError::Checksum),
    ] {
        let found = ApiKey::parse(text).map(|_| ());
        assert_eq!(found, Err(error), "{text}");
        let told = error.to_string();
        assert!(!told.contains("101112"), "an error repeats no secret: {told}");
    }
}

#[test]
fn secrets_do_not_show() {
    let shown = format!("{:?} {:#?}", key(0), key(0));
    assert!(shown.contains("abcdefghijklmnop") && !shown.contains("1011"), "{shown}");
}

#[test]
fn every_changed_byte_is_noticed() {
    for index in 0..FROZEN.len() {
        for bit in 0..8 {
            let mut changed = FROZEN.as_bytes().to_vec();
            changed[index] ^= 1 << bit;
            let Ok(text) = String::from_utf8(changed) else { continue };
            assert!(ApiKey::parse(&text).is_err(), "byte {index}, bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(first: u8) {
        let text = key(first).to_text();
        prop_assert_eq!(ApiKey::parse(&text).unwrap().to_text(), text);
    }

    #[test]
    fn no_text_panics_and_what_is_read_is_written_so(text in "(lsk_)?[a-z2-7]{0,17}_?[0-9a-fé_]{0,80}") {
        if let Ok(key) = ApiKey::parse(&text) {
            let written = key.to_text();
            prop_assert_eq!(written.as_str(), text.as_str());
        }
    }

    #[test]
    fn ids_are_sixteen_of_the_alphabet(text in "[a-z0-9A-Z=]{14,18}") {
        let good = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        prop_assert_eq!(ApiKeyId::parse(&text).is_some(), good);
    }
}
