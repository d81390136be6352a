//! The keys that sign checkpoints and records, for credentials of `_system`.

use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse};
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// A key and when it came into use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SigningKeyEntry {
    pub key_id: String,
    /// `log` for checkpoints, `record` for headers.
    #[serde(rename = "use")]
    pub usage: String,
    /// `ed25519` or `rsa`.
    pub algorithm: String,
    /// In base64: the 32 bytes of an Ed25519 key, the `SubjectPublicKeyInfo` (RFC 5280) of an RSA key.
    pub public_key: String,
    /// `current`, `outgoing` or `replaced`.
    pub state: String,
    pub announced_at: String,
    /// Number of the record in `_system` that announced it.
    pub announced_by: u64,
    pub replaces: Option<String>,
    /// `rotation` or `compromise`; absent for the first keys.
    pub reason: Option<String>,
    /// Until when it signs beside the key that took its place.
    pub signs_until: Option<String>,
    /// The verifier key of the ledger's checkpoints; of log keys alone.
    pub vkey: Option<String>,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Rotation {
    #[serde(rename = "use")]
    pub usage: String,
    /// Of the new key.
    pub algorithm: String,
    pub old: String,
    pub new: String,
    /// Ledgers that announced the new key, `_system` included.
    pub ledgers: u64,
}

#[derive(Deserialize)]
struct Listed {
    signing_keys: Vec<SigningKeyEntry>,
}

impl Client {
    /// Every key that was ever in use, the oldest first.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyEntry>, ClientError> {
        let answer = self.send(&Call::get(self.route("v1/signing-keys", &[]))).await?;
        Ok(answer.json::<Listed>()?.signing_keys)
    }

    /// Replaces a key by a fresh one in every ledger. Without an `algorithm`, which only a record
    /// key may have, the new key is of the old one's.
    pub async fn rotate_signing_key(
        &self,
        usage: KeyUse,
        algorithm: Option<KeyAlgorithm>,
        reason: KeyChange,
    ) -> Result<Rotation, ClientError> {
        let mut body = json!({"use": usage.as_str(), "reason": reason.as_str()});
        if let Some(algorithm) = algorithm {
            body["record_key_algorithm"] = algorithm.as_str().into();
        }
        let call = Call::post(self.route("v1/signing-keys/rotate", &[])).json(&body);
        self.send(&call).await?.json()
    }
}
