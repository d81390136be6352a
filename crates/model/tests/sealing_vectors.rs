//! C2SP/wycheproof cases of what envelopes are made with: AES-256-GCM and HKDF-SHA-256, as the
//! library does them that sealing calls.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use serde_json::Value;

const AES_256_GCM_CASES: &str = include_str!("../../../fixtures/wycheproof/aes_256_gcm.json");
const HKDF_SHA_256_CASES: &str = include_str!("../../../fixtures/wycheproof/hkdf_sha256.json");

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    let text = case[name].as_str().expect("a text");
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn cases(file: &Value) -> impl Iterator<Item = &Value> {
    let groups = file["testGroups"].as_array().expect("a list").iter();
    groups.flat_map(|group| group["tests"].as_array().expect("a list"))
}

/// Keys of 256 bits, nonces of 96 and tags of 128: what XAES-256-GCM uses.
#[test]
fn aes_256_gcm_cases() {
    let (file, mut seen) = (vectors(AES_256_GCM_CASES), 0);
    for case in cases(&file) {
        let key = || LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes(case, "key")).unwrap());
        let nonce = || Nonce::try_assume_unique_for_key(&bytes(case, "iv")).unwrap();
        let aad = || Aad::from(bytes(case, "aad"));
        let sealed = [bytes(case, "ct"), bytes(case, "tag")].concat();
        let mut room = sealed.clone();
        let opened = key().open_in_place(nonce(), aad(), &mut room).map(|text| text.to_vec()).ok();
        let is_valid = case["result"] == "valid";
        assert_eq!(opened, is_valid.then(|| bytes(case, "msg")), "case {}", case["tcId"]);
        if is_valid {
            let mut text = bytes(case, "msg");
            key().seal_in_place_append_tag(nonce(), aad(), &mut text).unwrap();
            assert_eq!(text, sealed, "case {}", case["tcId"]);
        }
        seen += 1;
    }
    assert_eq!(seen, 66);
}

/// A length that the caller chooses.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf_sha_256_cases() {
    let (file, mut seen) = (vectors(HKDF_SHA_256_CASES), 0);
    for case in cases(&file) {
        let length = usize::try_from(case["size"].as_u64().unwrap()).unwrap();
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &bytes(case, "salt"));
        let pseudorandom = salt.extract(&bytes(case, "ikm"));
        let info = bytes(case, "info");
        let mut out = vec![0; length];
        let made = pseudorandom
            .expand(&[&info], Length(length))
            .and_then(|okm| okm.fill(&mut out))
            .map(|()| out);
        let expected = (case["result"] == "valid").then(|| bytes(case, "okm"));
        assert_eq!(made.ok(), expected, "case {}", case["tcId"]);
        seen += 1;
    }
    assert_eq!(seen, 86);
}
