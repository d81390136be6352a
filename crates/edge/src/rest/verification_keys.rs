//! `/v1/verification-keys`: the public keys that anybody needs to check what this server signs.

use axum::Json;
use axum::extract::State;
use ledgerstone_ledger::{KeyPeriod, SystemHistory};
use serde::Serialize;
use utoipa::ToSchema;

use super::service::Service;

/// The public keys of the deployment, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationKeys {
    keys: Vec<VerificationKey>,
}

/// A public key, what it signs and since when.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerificationKey {
    /// The first 16 hexadecimal digits of SHA-256 over algorithm, line end and public key.
    key_id: String,
    /// `log` for checkpoints, `record` for headers.
    #[serde(rename = "use")]
    usage: &'static str,
    /// `ed25519`, or `rsa` for RSASSA-PKCS1-v1_5 with SHA-256.
    algorithm: &'static str,
    /// The public key in standard base64: the 32 bytes of Ed25519, the `SubjectPublicKeyInfo` of RSA.
    public_key: String,
    not_before: String,
    /// When the next key of the same use was announced; absent for the key in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_at: Option<String>,
}

/// Every key that ever signed, so that old proofs can be checked as well.
#[utoipa::path(get, path = "/v1/verification-keys", tag = "proofs",
    responses((status = 200, body = VerificationKeys)))]
pub async fn list(State(service): State<Service>) -> Json<VerificationKeys> {
    let history = service.ledger().history();
    let keys = history.keys().iter().map(|period| VerificationKey::new(period, &history));
    Json(VerificationKeys { keys: keys.collect() })
}

impl VerificationKey {
    fn new(period: &KeyPeriod, history: &SystemHistory) -> Self {
        let mut later = history.keys().iter().filter(|other| other.usage == period.usage);
        let replaced_at = later
            .by_ref()
            .find(|other| other.announced_by > period.announced_by)
            .map(|next| next.announced_at.to_string());
        Self {
            key_id: period.key.key_id().to_string(),
            usage: period.usage.as_str(),
            algorithm: period.key.algorithm().as_str(),
            public_key: period.key.to_base64(),
            not_before: period.announced_at.to_string(),
            replaced_at,
        }
    }
}
