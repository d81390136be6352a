//! `/v1/signing-keys`: the keys that sign, their periods, and how one takes another's place.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use ledgerstone_ledger::{KEY_OVERLAP, KeyPeriod, Ledger, LedgerError, SystemHistory};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse, SigningKeyRecord};
use ledgerstone_proof::{IngestedAt, KeyId, VerifierKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::body_schemas::{one_of, one_of_or_null};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Every key that was ever in use, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeys {
    signing_keys: Vec<SigningKeyPeriod>,
}

/// A key and when it came into use.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyPeriod {
    key_id: String,
    /// `log` for checkpoints, `record` for headers.
    #[serde(rename = "use")]
    usage: &'static str,
    /// `ed25519` or `rsa`.
    algorithm: &'static str,
    /// In base64: the 32 bytes of an Ed25519 key, the `SubjectPublicKeyInfo` of an RSA key.
    public_key: String,
    /// `current`; `outgoing` while it signs beside the key that took its place; then `replaced`.
    state: &'static str,
    announced_at: String,
    /// Number of the record in `_system` that announced it.
    announced_by: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    /// `rotation` or `compromise`; absent for the first keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Until when an outgoing key signs beside the key that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    signs_until: Option<String>,
    /// What checkpoints of the caller's ledger are verified with; of log keys alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
}

/// Which key is to be replaced, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedRotation {
    /// `log` or `record`.
    #[serde(rename = "use")]
    #[schema(schema_with = uses)]
    usage: String,
    /// `rotation`, or `compromise`: then an old log key does not sign beside the new one.
    #[serde(default = "usual_reason")]
    #[schema(schema_with = reasons)]
    reason: String,
    /// Of the new record key: `ed25519` or `rsa`; without it, that of the old one. Log keys are
    /// always `ed25519`, and it is left out.
    #[schema(schema_with = algorithms)]
    record_key_algorithm: Option<String>,
}

fn uses() -> Object {
    one_of(["log", "record"])
}

fn reasons() -> Object {
    one_of(["rotation", "compromise"])
}

fn algorithms() -> Object {
    one_of_or_null(["ed25519", "rsa"])
}

/// What a rotation did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rotation {
    #[serde(rename = "use")]
    usage: &'static str,
    /// Of the new key.
    algorithm: &'static str,
    old: String,
    new: String,
    /// Ledgers that announced the new key, `_system` included.
    ledgers: usize,
}

fn usual_reason() -> String {
    KeyChange::Rotation.as_str().to_owned()
}

/// Every key that was ever in use.
#[utoipa::path(get, path = "/v1/signing-keys", tag = "signing-keys",
    responses((status = 200, body = SigningKeys)), security(("api_key" = []), ("token" = [])))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<SigningKeys>, Problem> {
    let tenant = authorised.tenant().clone();
    let now = service.clock().now();
    let keys = service.blocking(move |ledger| {
        let history = ledger.history();
        let vkeys = ledger.reader().log_keys(&tenant, &history)?;
        let shown = history.keys().iter().map(|period| shown(period, &history, &vkeys, now));
        Ok::<_, LedgerError>(shown.collect())
    });
    Ok(Json(SigningKeys { signing_keys: keys.await? }))
}

/// Replaces a key by a fresh one, in every ledger, and answers once that is done.
#[utoipa::path(post, path = "/v1/signing-keys/rotate", tag = "signing-keys",
    request_body = WantedRotation,
    responses((status = 200, body = Rotation)), security(("api_key" = []), ("token" = [])))]
pub async fn rotate(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Rotation>, Problem> {
    let wanted: WantedRotation = service.read_small(&headers, body).await?;
    let wrong = |what: &str| Problem::new(ErrorCode::InvalidArgument, what);
    let usage = KeyUse::parse(&wanted.usage).ok_or_else(|| wrong("use: write log or record"))?;
    let reason = KeyChange::parse(&wanted.reason)
        .ok_or_else(|| wrong("reason: write rotation or compromise"))?;
    let algorithm = match wanted.record_key_algorithm.as_deref().map(KeyAlgorithm::parse) {
        Some(None) => return Err(wrong("record_key_algorithm: write ed25519 or rsa")),
        Some(Some(_)) if usage == KeyUse::Log => {
            return Err(wrong("record_key_algorithm: leave it out, a log key is always ed25519"));
        }
        None => None,
        Some(known) => known,
    };
    let by = service.actor(&authorised);
    let rotate = move |ledger: &Ledger| match algorithm {
        Some(algorithm) => ledger.rotate_record_key(algorithm, reason, &by(ledger)),
        None => ledger.rotate_key(usage, reason, &by(ledger)),
    };
    let report = service.blocking(rotate).await?;
    Ok(Json(Rotation {
        usage: report.usage.as_str(),
        algorithm: report.algorithm.as_str(),
        old: report.old.to_string(),
        new: report.new.to_string(),
        ledgers: report.ledgers,
    }))
}

fn shown(
    period: &KeyPeriod,
    history: &SystemHistory,
    vkeys: &[VerifierKey],
    now: IngestedAt,
) -> SigningKeyPeriod {
    let key_id = period.key.key_id();
    let signs_until = history.signs_beside_until(&key_id, KEY_OVERLAP).filter(|until| now < *until);
    let vkey = vkeys.iter().find(|vkey| KeyId::ed25519(vkey.verifying_key()) == key_id);
    let announcement = period.announcement.as_ref();
    SigningKeyPeriod {
        usage: period.usage.as_str(),
        algorithm: period.key.algorithm().as_str(),
        public_key: period.key.to_base64(),
        state: history.state_of(period, now).as_str(),
        announced_at: period.announced_at.to_string(),
        announced_by: period.announced_by.value(),
        replaces: announcement.and_then(SigningKeyRecord::replaces).map(ToString::to_string),
        reason: announcement.and_then(SigningKeyRecord::reason).map(KeyChange::as_str),
        signs_until: signs_until.map(|until| until.to_string()),
        vkey: vkey.filter(|_| period.usage == KeyUse::Log).map(ToString::to_string),
        key_id: key_id.to_string(),
    }
}
