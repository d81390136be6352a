//! JSON Web Signature and JSON Web Key cases of C2SP/wycheproof.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_edge::auth::jose::{Algorithm, CompactJws, JoseKey, KeySet};
use ledgerstone_testkit::foreign_data;
use serde_json::{Value, json};

const SIGNATURES: &str = "json_web_signature_test.json";

fn vectors(name: &str) -> Option<Value> {
    let path = foreign_data(&format!("vectors/wycheproof/{name}"))?;
    Some(serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
}

/// Cases whose verdict is not ours. Two call a token invalid for padding that its text does not
/// have: it is byte for byte the token of the valid case 357; two call a token valid
/// with a character in it that is not of base64url, which RFC 7515 section 2 does not allow.
const DISPUTED: [(u64, bool); 4] = [(367, true), (370, true), (372, false), (373, false)];

/// The keys of a group as one reads them from outside, where no set holds a secret.
fn set_of(group: &Value) -> Value {
    let keys = group.get("public").or_else(|| group.get("private")).unwrap();
    keys.get("keys").cloned().unwrap_or_else(|| json!([keys]))
}

/// The same; a secret that stands alone becomes a key, as a configured one would.
fn keys(group: &Value) -> KeySet {
    let list = set_of(group);
    if let [key] = list.as_array().unwrap().as_slice()
        && key["kty"] == "oct"
        && key["alg"] == "HS256"
    {
        let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap()).unwrap();
        return KeySet::new(JoseKey::from_secret(&secret).into_iter().collect());
    }
    KeySet::parse(json!({ "keys": list }).to_string().as_bytes(), Algorithm::ALL).unwrap()
}

/// Whether an implementation of these algorithms alone, each bound to its keys, takes the case.
fn is_expected(group: &Value, case: &Value) -> bool {
    let list = set_of(group);
    let key = &list[0];
    let token = case["jws"].as_str().unwrap_or_default();
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    let claimed = header["alg"].as_str().and_then(Algorithm::parse);
    let own = key["alg"].as_str().and_then(Algorithm::parse);
    let secrets_in_a_set = key["kty"] == "oct" && list.as_array().unwrap().len() > 1;
    case["result"] == "valid" && claimed.is_some() && claimed == own && !secrets_in_a_set
}

fn check(name: &str) -> Option<(usize, usize)> {
    let file = vectors(name)?;
    let is_signatures = name == SIGNATURES;
    let (mut seen, mut taken) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let keys = keys(group);
        for case in group["tests"].as_array().unwrap() {
            let text = case["jws"].as_str().map_or_else(|| case["jws"].to_string(), str::to_owned);
            let found = CompactJws::parse(&text).is_ok_and(|token| keys.verifies(&token));
            let id = case["tcId"].as_u64().unwrap();
            let disputed = DISPUTED.iter().find(|(other, _)| is_signatures && *other == id);
            let wanted = disputed.map_or_else(|| is_expected(group, case), |(_, verdict)| *verdict);
            assert_eq!(found, wanted, "{name} {id}: {}", case["comment"]);
            seen += 1;
            taken += usize::from(found);
        }
    }
    assert_eq!(seen, usize::try_from(file["numberOfTests"].as_u64().unwrap()).unwrap());
    Some((seen, taken))
}

#[test]
fn signatures() {
    if let Some((seen, taken)) = check(SIGNATURES) {
        assert!(seen > 300 && taken > 10, "{seen} {taken}");
    }
}

#[test]
fn keys_and_sets() {
    if let Some((seen, taken)) = check("json_web_key_test.json") {
        assert!(seen > 20 && taken >= 2, "{seen} {taken}");
    }
}
