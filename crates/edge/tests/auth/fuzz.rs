//! Bounded fuzzing of the front door: mutated tokens and keys must never panic, and none but the
//! original is let in. `LEDGERSTONE_FUZZ_ITERATIONS` makes it longer.

use ledgerstone_edge::auth::jose::{Algorithm, CompactJws, KeySet};
use ledgerstone_model::access::ApiKey;
use ledgerstone_testkit::SeededEntropy;
use serde_json::json;

use crate::keys::{TestKey, base64url};
use crate::rig::{Rig, claims};

/// Pieces that steer mutations to the interesting places.
const PIECES: &[&str] = &[
    ".",
    "..",
    "=",
    "e30",
    "lsk_",
    "_",
    "\"",
    "{",
    "}",
    "[",
    ",",
    ":",
    "none",
    "\"alg\":\"none\"",
    "\"crit\":[]",
    "\"kid\":\"../x\"",
    "1e999",
    "-1",
    "null",
    "\\u0000",
    "\u{e9}",
    "\"exp\":",
    "\"aud\":[",
    "9007199254740993",
];

/// A xorshift generator: the same seed finds the same failure again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 32).unwrap_or_default() % bound.max(1)
    }

    fn mutate(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(9)).min(bytes.len());
            match self.below(4) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                _ => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn iterations() -> usize {
    let set = std::env::var("LEDGERSTONE_FUZZ_ITERATIONS").ok();
    set.map_or(2_000, |text| text.parse().expect("a number of iterations"))
}

#[tokio::test]
async fn mutated_tokens_open_nothing() {
    let mut random = Random(0x5eed_70ce_4551_9d0c);
    let key = TestKey::new("EdDSA", "k1");
    let rig = Rig::believing(&key);
    let good = key.token(&claims());
    assert!(rig.bearer(&good).await.is_ok());
    let header = json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"}).to_string();
    let (mut parsed, mut let_in) = (0, 0);
    for round in 0..iterations() {
        // Half of them are mutated as they travel, half before they are signed.
        let token = if round % 2 == 0 {
            random.mutate(&good)
        } else {
            let header = if round % 4 == 1 { random.mutate(&header) } else { header.clone() };
            let claims = random.mutate(&claims().to_string());
            let signed = format!("{}.{}", base64url(header), base64url(claims));
            format!("{signed}.{}", base64url(key.sign(signed.as_bytes())))
        };
        if !token.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            continue;
        }
        parsed += usize::from(CompactJws::parse(&token).is_ok());
        if let Ok(caller) = rig.bearer(&token).await {
            assert!(round % 2 == 1 || token == good, "{token}");
            assert!(!caller.tenant().is_system());
            let_in += 1;
        }
    }
    // A fuzzer that never gets past the front door proves nothing.
    assert!(parsed > 100 && let_in > 20, "{parsed} {let_in}");
}

#[tokio::test]
async fn mutated_api_keys_open_nothing() {
    let mut random = Random(0x5eed_0a91_4e75_1f3b);
    let rig = Rig::believing(&TestKey::new("EdDSA", "k1"));
    let good = ApiKey::generate(&SeededEntropy::new(3)).to_text();
    let mut read = 0;
    for round in 0..iterations() {
        let text = if round % 50 == 0 { good.to_string() } else { random.mutate(&good) };
        if let Ok(key) = ApiKey::parse(&text) {
            assert_eq!(key.to_text().as_str(), good.as_str(), "only the original has its checksum");
            read += 1;
        }
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            assert!(rig.bearer(&text).await.is_err(), "no key was granted");
        }
    }
    assert!(read > 0);
}

#[test]
fn mutated_key_sets_never_panic() {
    let mut random = Random(0x5eed_e75e_7a11_03c5);
    let keys: Vec<TestKey> =
        ["EdDSA", "ES256", "RS256"].into_iter().map(|name| TestKey::new(name, "k")).collect();
    let jwks: Vec<serde_json::Value> = keys.iter().map(TestKey::jwk).collect();
    let good = json!({ "keys": jwks }).to_string();
    let (mut read, mut left_out) = (0, 0);
    for _ in 0..iterations() {
        if let Ok(set) = KeySet::parse(random.mutate(&good).as_bytes(), Algorithm::ALL) {
            read += set.len();
            left_out += set.unusable();
        }
    }
    assert!(read > 100 && left_out > 100, "{read} {left_out}");
}
