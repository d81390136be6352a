//! A stub of the transit engine as Vault and `OpenBao` document it: `encrypt` and `decrypt` of keys
//! with versions, derivation, and associated data. It is no Vault; no real one was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::stub::{Reply, Request};

pub const TOKEN: &str = "hvs.token-of-the-test";

/// A key of the engine.
#[derive(Clone, Debug)]
pub struct Key {
    pub versions: Vec<[u8; 32]>,
    pub min_decryption_version: usize,
    pub is_derived: bool,
    /// Engines from before there was associated data pass it over.
    pub knows_associated_data: bool,
}

impl Key {
    pub fn new(seed: u8) -> Self {
        Self {
            versions: vec![[seed; 32]],
            min_decryption_version: 1,
            is_derived: false,
            knows_associated_data: true,
        }
    }
}

/// The engine, mounted at `transit`, in a namespace or in none.
#[derive(Clone, Default)]
pub struct Transit {
    pub keys: Arc<Mutex<HashMap<String, Key>>>,
    pub namespace: &'static str,
    pub draws: Arc<Mutex<u64>>,
}

impl Transit {
    pub fn with(name: &str, key: Key) -> Self {
        let keys = HashMap::from([(name.to_owned(), key)]);
        Self { keys: Arc::new(Mutex::new(keys)), ..Self::default() }
    }

    pub fn change(&self, name: &str, change: impl FnOnce(&mut Key)) {
        change(self.keys.lock().unwrap().get_mut(name).unwrap());
    }

    pub fn answer(&self, request: &Request) -> Reply {
        match self.done(request) {
            Ok(data) => Reply::Json(200, json!({"request_id": "1", "data": data}).to_string()),
            Err((status, why)) => Reply::Json(status, json!({"errors": why}).to_string()),
        }
    }

    fn done(&self, request: &Request) -> Result<serde_json::Value, (u16, Vec<String>)> {
        let refuse = |status, why: &str| (status, vec![why.to_owned()]);
        if request.header("x-vault-token") != TOKEN
            || request.header("x-vault-namespace") != self.namespace
        {
            return Err(refuse(403, "permission denied"));
        }
        let path: Vec<_> = request.target.trim_start_matches("/v1/").split('/').collect();
        let ["transit", operation @ ("encrypt" | "decrypt"), name] = path[..] else {
            return Err((404, Vec::new()));
        };
        let key = self.keys.lock().unwrap().get(name).cloned();
        let key = key.ok_or_else(|| refuse(400, "encryption key not found"))?;
        let bytes = |name: &str| request.member(name).map(|text| STANDARD.decode(text).unwrap());
        let context = bytes("context").unwrap_or_default();
        if key.is_derived && context.is_empty() {
            return Err(refuse(400, "missing 'context' for key derivation"));
        }
        let associated = bytes("associated_data").filter(|_| key.knows_associated_data);
        let associated = associated.unwrap_or_default();
        if operation == "encrypt" {
            let text = bytes("plaintext").unwrap();
            let version = key.versions.len();
            let sealed = self.seal(&aead(&key, version, &context), &associated, text);
            let ciphertext = format!("vault:v{version}:{}", STANDARD.encode(sealed));
            return Ok(json!({"ciphertext": ciphertext, "key_version": version}));
        }
        let ciphertext = request.member("ciphertext").unwrap();
        let plain =
            opened(&key, &ciphertext, &context, &associated).map_err(|why| refuse(400, why))?;
        Ok(json!({"plaintext": STANDARD.encode(plain)}))
    }

    fn seal(&self, key: &LessSafeKey, associated: &[u8], mut text: Vec<u8>) -> Vec<u8> {
        let mut draws = self.draws.lock().unwrap();
        *draws += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&draws.to_le_bytes());
        let sealing = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(sealing, Aad::from(associated), &mut text).unwrap();
        [&nonce[..], &text].concat()
    }
}

fn opened(
    key: &Key,
    ciphertext: &str,
    context: &[u8],
    associated: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let rest = ciphertext.strip_prefix("vault:v").ok_or("invalid ciphertext: no prefix")?;
    let (version, text) =
        rest.split_once(':').ok_or("invalid ciphertext: wrong number of fields")?;
    let version: usize =
        version.parse().map_err(|_| "invalid ciphertext: version number could not be decoded")?;
    if version == 0 || version > key.versions.len() {
        return Err("invalid ciphertext: version is too new");
    }
    if version < key.min_decryption_version {
        return Err("ciphertext or signature version is disallowed by policy (too old)");
    }
    let text = STANDARD.decode(text).map_err(|_| "invalid ciphertext: could not decode base64")?;
    let (nonce, sealed) = text.split_first_chunk::<12>().ok_or("invalid ciphertext length")?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain =
        aead(key, version, context).open_in_place(nonce, Aad::from(associated), &mut sealed);
    plain.map(|plain| plain.to_vec()).map_err(|_| "invalid ciphertext: unable to decrypt")
}

fn aead(key: &Key, version: usize, context: &[u8]) -> LessSafeKey {
    let bytes = key.versions[version - 1];
    let bytes = if key.is_derived {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), context);
        tag.as_ref().to_vec()
    } else {
        bytes.to_vec()
    };
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).unwrap())
}
