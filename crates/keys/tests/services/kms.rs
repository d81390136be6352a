//! A stub of `Encrypt` and `Decrypt` of AWS KMS as its API reference has them. It looks at no
//! signature and is no KMS; `moto.rs` asks one that others wrote.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stub::{Reply, Request};

/// Keys by their ids.
#[derive(Clone, Default)]
pub struct Kms {
    pub keys: Arc<Mutex<HashMap<String, [u8; 32]>>>,
    draws: Arc<Mutex<u64>>,
}

/// Bytes of a key's id before what it encrypted.
const ID_BYTES: usize = 8;

impl Kms {
    pub fn with(ids: &[&str]) -> Self {
        let key = |(seed, id): (u8, &&str)| ((*id).to_owned(), [seed; 32]);
        let keys = (1..).zip(ids).map(key).collect();
        Self { keys: Arc::new(Mutex::new(keys)), draws: Arc::default() }
    }

    pub fn answer(&self, request: &Request) -> Reply {
        match self.done(request) {
            Ok(answer) => Reply::Json(200, answer.to_string()),
            Err(name) => Reply::Json(400, json!({"__type": name, "message": "no"}).to_string()),
        }
    }

    fn done(&self, request: &Request) -> Result<Value, &'static str> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let context = body["EncryptionContext"].to_string();
        let id = body["KeyId"].as_str().unwrap();
        let key = self.keys.lock().unwrap().get(id).copied().ok_or("NotFoundException")?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let bytes = |name: &str| STANDARD.decode(body[name].as_str().unwrap()).unwrap();
        if request.header("x-amz-target") == "TrentService.Encrypt" {
            let mut text = bytes("Plaintext");
            let nonce = self.nonce();
            key.seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut text,
            )
            .unwrap();
            let blob = STANDARD.encode([id.as_bytes(), &nonce, &text].concat());
            return Ok(
                json!({"CiphertextBlob": blob, "KeyId": id, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
            );
        }
        assert_eq!(request.header("x-amz-target"), "TrentService.Decrypt");
        let blob = bytes("CiphertextBlob");
        let invalid = "InvalidCiphertextException";
        let (of, rest) = blob.split_first_chunk::<ID_BYTES>().ok_or(invalid)?;
        let of = std::str::from_utf8(of).map_err(|_| invalid)?;
        if of != id {
            let is_known = self.keys.lock().unwrap().contains_key(of);
            return Err(if is_known { "IncorrectKeyException" } else { invalid });
        }
        let (nonce, sealed) = rest.split_first_chunk::<12>().ok_or(invalid)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            key.open_in_place(nonce, Aad::from(context), &mut sealed).map_err(|_| invalid)?;
        Ok(json!({"Plaintext": STANDARD.encode(plain), "KeyId": id}))
    }

    fn nonce(&self) -> [u8; 12] {
        let mut draws = self.draws.lock().unwrap();
        *draws += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&draws.to_le_bytes());
        nonce
    }
}
