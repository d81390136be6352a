//! Signatures: what holds, what does not, alone and in batches, and which keys are no keys.

use ledgerstone_proof::{
    Hash, KeyId, Signature, SignatureError, SigningKey, VerifyingKey, sha256, verify_batch,
};

#[test]
fn keys() {
    let key = SigningKey::from_seed([7; 32]);
    assert_eq!(key.seed(), &[7; 32]);
    assert!(!format!("{key:?}").contains("7, 7"), "a secret is not printed");
    let id = KeyId::ed25519(&key.verifying_key());
    let mut message = b"ed25519\n".to_vec();
    message.extend_from_slice(key.verifying_key().as_bytes());
    assert_eq!(id.as_str(), &sha256(&message).to_hex()[..16]);
    assert_eq!(KeyId::parse(id.as_str()), Some(id.clone()));
    for bad in ["", &id.as_str()[1..], &id.as_str().to_uppercase(), "ghijklmnopqrstuv"] {
        assert_eq!(KeyId::parse(bad), None, "{bad}");
    }
    let signature = key.sign(b"message");
    assert_eq!(key.verifying_key().verify(b"message", &signature), Ok(()));
    key.verifying_key().verify(b"massage", &signature).expect_err("another message");
    let other = SigningKey::from_seed([8; 32]).verifying_key();
    other.verify(b"message", &signature).expect_err("another key");
}

#[test]
fn batches_hold_only_if_each_signature_holds() {
    let keys = [SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32])];
    let messages: Vec<_> = (0..40_u8).map(|n| vec![n; usize::from(n)]).collect();
    let items: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(n, message)| {
            let key = &keys[n % 2];
            (message.as_slice(), key.sign(message), key.verifying_key())
        })
        .collect();
    assert_eq!(verify_batch(&items), Ok(()));
    assert_eq!(verify_batch(&[]), Ok(()));
    for bad in 0..items.len() {
        let mut altered = items.clone();
        altered[bad].2 = keys[(bad + 1) % 2].verifying_key();
        verify_batch(&altered).expect_err("one key was swapped");
        let mut altered = items.clone();
        altered[bad].1 = altered[(bad + 2) % 40].1;
        verify_batch(&altered).expect_err("one signature was swapped");
    }
}

/// Points of small order and encodings that are not canonical are refused as keys, and as a
/// signature's point, alone and in a batch.
#[test]
fn weak_points_are_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    let order_8 =
        *Hash::from_hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
            .expect("hex")
            .as_bytes();
    let key = SigningKey::from_seed([3; 32]);
    for point in [one, minus_one, [0; 32], not_canonical, order_8] {
        VerifyingKey::from_bytes(&point).expect_err("a weak key");
        let mut signature = *key.sign(b"m").as_bytes();
        signature[..32].copy_from_slice(&point);
        let signature = Signature::from_bytes(signature);
        key.verifying_key().verify(b"m", &signature).expect_err("a weak point");
        verify_batch(&[(b"m", signature, key.verifying_key())]).expect_err("a weak point");
    }
}

/// The 19 encodings of y from the prime 2^255 - 19 on; some decode to points of large order.
#[test]
fn encodings_beyond_the_prime_are_refused() {
    for first in 0xed..=0xff {
        for last in [0x7f, 0xff] {
            let mut point = [0xff; 32];
            (point[0], point[31]) = (first, last);
            assert_eq!(VerifyingKey::from_bytes(&point), Err(SignatureError::Key));
        }
    }
}
