//! The keys that sign checkpoints and records, for credentials of `_system`.

use ledgerstone_model::system::{KeyChange, KeyUse};
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// A key and when it came into use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SigningKeyEntry {
    pub key_id: String,
    /// `log` for checkpoints, `record` for headers.
    #[serde(rename = "use")]
    pub usage: String,
    pub algorithm: String,
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
    /// The verifier key that `_system`'s checkpoints are checked with; of log keys alone.
    pub vkey: Option<String>,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Rotation {
    #[serde(rename = "use")]
    pub usage: String,
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

    /// Replaces a key by a fresh one in every ledger.
    pub async fn rotate_signing_key(
        &self,
        usage: KeyUse,
        reason: KeyChange,
    ) -> Result<Rotation, ClientError> {
        let body = json!({"use": usage.as_str(), "reason": reason.as_str()});
        let call = Call::post(self.route("v1/signing-keys/rotate", &[])).json(&body);
        self.send(&call).await?.json()
    }
}
