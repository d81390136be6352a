//! Ed25519 edge cases of C2SP/wycheproof.

use ledgerstone_proof::{Signature, VerifyingKey, verify_batch};

use crate::support::{bytes_of_hex, foreign, number, read_json, text};

#[test]
fn ed25519_cases() {
    let Some(root) = foreign("wycheproof") else {
        return;
    };
    let file = read_json(&root.join("ed25519_test.json"));
    let mut seen = 0;
    for group in file["testGroups"].as_array().expect("groups") {
        let key = bytes_of_hex(text(&group["publicKey"], "pk"));
        let key = <&[u8; 32]>::try_from(key.as_slice())
            .ok()
            .and_then(|key| VerifyingKey::from_bytes(key).ok());
        for case in group["tests"].as_array().expect("tests") {
            let message = bytes_of_hex(text(case, "msg"));
            let signature = Signature::try_from(&bytes_of_hex(text(case, "sig"))[..]);
            let holds = |(key, signature): (VerifyingKey, Signature)| {
                let alone = key.verify(&message, &signature);
                assert_eq!(verify_batch(&[(&message, signature, key)]), alone);
                alone.is_ok()
            };
            let found = key.zip(signature.ok()).is_some_and(holds);
            let wanted = text(case, "result") == "valid";
            assert_eq!(found, wanted, "case {}", number(case, "tcId"));
            seen += 1;
        }
    }
    assert_eq!(seen, number(&file, "numberOfTests"));
}
