//! RSA record keys: the one encoding of a key, the one signature of a message, and frozen records.

#![cfg(feature = "rsa")]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_proof::rsa::{BITS, RsaError, RsaSigningKey, RsaVerifyingKey};
use ledgerstone_proof::{Header, KeyId, leaf_hash, record_hash, sha256, split_content};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/proof");
    let text = std::fs::read_to_string(folder.join(name)).expect("a fixture");
    serde_json::from_str(&text).expect("a fixture is JSON")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a string")
}

fn bytes(value: &Value, member: &str) -> Vec<u8> {
    STANDARD.decode(text(value, member)).expect("base64")
}

fn frozen_key() -> RsaSigningKey {
    RsaSigningKey::from_pkcs8(&bytes(&fixture("rsa.json")["record_key"], "private_key"))
        .expect("a private key")
}

#[test]
fn a_frozen_key_has_its_frozen_id() {
    let key = &fixture("rsa.json")["record_key"];
    let public = RsaVerifyingKey::from_spki(&bytes(key, "public_key")).expect("a public key");
    assert_eq!(frozen_key().verifying_key(), &public);
    assert_eq!(public.as_spki(), bytes(key, "public_key"));
    assert_eq!(public.key_id().as_str(), text(key, "key_id"));
    assert_eq!((public.bits(), public.signature_bytes()), (3_072, 384));
    let kept = frozen_key().to_pkcs8().expect("PKCS#8");
    let again = RsaSigningKey::from_pkcs8(&kept).expect("a private key");
    assert_eq!(again.verifying_key(), &public);
    let shown = format!("{:?}", frozen_key());
    assert_eq!(shown, format!("RsaSigningKey(of {})", public.key_id()), "no secret is printed");
}

#[test]
fn frozen_records_continue_the_frozen_ledger() {
    let (ledger, rsa) = (fixture("ledger.json"), fixture("rsa.json"));
    let before = ledger["records"].as_array().and_then(|all| all.last()).expect("records");
    let mut previous = text(before, "record_hash").to_owned();
    let records = rsa["records"].as_array().expect("records");
    assert_eq!(records.len(), 2);
    for record in records {
        let (content, header) = (text(record, "content"), text(record, "header"));
        let (event, _) = split_content(content.as_bytes()).expect("a content");
        assert_eq!(event, text(record, "event").as_bytes());
        let parsed = Header::parse(header.as_bytes()).expect("a header");
        assert_eq!(*parsed.content_hash(), sha256(content.as_bytes()));
        assert_eq!(parsed.previous_hash().to_hex(), previous);
        assert_eq!(leaf_hash(header.as_bytes()).to_hex(), text(record, "leaf_hash"));
        previous = record_hash(header.as_bytes()).to_hex();
        assert_eq!(previous, text(record, "record_hash"));
    }
    let (announcement, signed) = (&records[0], &records[1]);
    assert_eq!(text(announcement, "key_id"), text(before, "key_id"), "by the old key");
    let key = frozen_key();
    assert_eq!(KeyId::parse(text(signed, "key_id")), Some(key.verifying_key().key_id()));
    let (header, signature) = (text(signed, "header").as_bytes(), bytes(signed, "signature"));
    assert_eq!(key.verifying_key().verify(header, &signature), Ok(()));
    assert_eq!(key.sign(header), Ok(signature), "the same message gives the same signature");
}

#[test]
fn every_other_signature_fails() {
    let key = frozen_key();
    let public = key.verifying_key();
    let signature = key.sign(b"message").expect("a signature");
    assert_eq!(public.verify(b"massage", &signature), Err(RsaError::Mismatch));
    for at in 0..signature.len() {
        let mut altered = signature.clone();
        altered[at] ^= 1 << (at % 8);
        assert_eq!(public.verify(b"message", &altered), Err(RsaError::Mismatch), "byte {at}");
    }
    for length in [0, 1, 64, 256, 383] {
        assert_eq!(public.verify(b"message", &signature[..length]), Err(RsaError::Form));
    }
    let longer = [&[0], &signature[..]].concat();
    assert_eq!(public.verify(b"message", &longer), Err(RsaError::Form));
    let stranger = RsaSigningKey::generate().expect("a key");
    assert_eq!(stranger.verifying_key().bits(), BITS as usize);
    assert_ne!(stranger.verifying_key(), public);
    let other = stranger.verifying_key().verify(b"message", &signature);
    assert_eq!(other, Err(RsaError::Mismatch));
}

#[test]
fn a_key_has_one_encoding() {
    let spki = frozen_key().verifying_key().as_spki().to_vec();
    let refused = |der: &[u8], why: &str| {
        assert_eq!(RsaVerifyingKey::from_spki(der), Err(RsaError::PublicKey), "{why}");
    };
    refused(&[], "nothing");
    refused(&spki[..37], "too short for anything");
    refused(&[&spki[..], &[0]].concat(), "a byte more");
    refused(&spki[..spki.len() - 1], "a byte less");
    // Everything but the modulus has one value only.
    for at in (0..33).chain(33 + 384..spki.len()) {
        for bit in 0..8 {
            let mut altered = spki.clone();
            altered[at] ^= 1 << bit;
            refused(&altered, &format!("bit {bit} of byte {at}"));
        }
    }
    let mut short = spki.clone();
    short[33] &= 0x7f;
    refused(&short, "a modulus with fewer bits than its bytes have");
    let mut even = spki;
    even[33 + 383] &= 0xfe;
    refused(&even, "an even modulus");
}

#[test]
fn keys_that_are_too_small_or_too_large_are_refused() {
    for (bytes, is_accepted) in [(255, false), (256, true), (384, true), (512, true), (513, false)]
    {
        // The modulus need not be a product of two primes to be looked at.
        let mut modulus = vec![0xc5; bytes];
        modulus[bytes - 1] |= 1;
        let length =
            |before: usize| u16::try_from(bytes + before).expect("small").to_be_bytes().to_vec();
        let spki = [
            vec![0x30, 0x82],
            length(34),
            vec![0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0],
            vec![0x03, 0x82],
            length(15),
            vec![0, 0x30, 0x82],
            length(10),
            vec![0x02, 0x82],
            length(1),
            vec![0],
            modulus,
            vec![2, 3, 1, 0, 1],
        ]
        .concat();
        assert_eq!(RsaVerifyingKey::from_spki(&spki).is_ok(), is_accepted, "{bytes} bytes");
    }
}

#[test]
fn private_keys_that_are_none_are_refused() {
    let good = bytes(&fixture("rsa.json")["record_key"], "private_key");
    RsaSigningKey::from_pkcs8(&[]).expect_err("nothing");
    RsaSigningKey::from_pkcs8(&good[..good.len() / 2]).expect_err("half of one");
    let mut altered = good.clone();
    // A byte in the middle of a prime: the parts do not fit each other.
    altered[1_000] ^= 1;
    RsaSigningKey::from_pkcs8(&altered).expect_err("parts that do not fit");
}
