//! The API keys of the credential's own tenant.

use std::fmt;

use ledgerstone_model::access::{ApiKeyId, RoleSet};
use ledgerstone_proof::IngestedAt;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewApiKey<'a> {
    /// What people call it.
    pub label: &'a str,
    pub roles: RoleSet,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<IngestedAt>,
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ApiKeyEntry {
    pub key_id: String,
    pub tenant_id: String,
    /// Absent once the content of its grant is gone.
    pub label: Option<String>,
    pub roles: Vec<String>,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    pub granted_at: String,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
}

/// A key that was just made. Its text is in the answer that made it and nowhere else.
pub struct IssuedApiKey {
    text: Zeroizing<String>,
    entry: ApiKeyEntry,
}

impl IssuedApiKey {
    /// The whole key.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub const fn entry(&self) -> &ApiKeyEntry {
        &self.entry
    }
}

impl fmt::Debug for IssuedApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedApiKey").field("entry", &self.entry).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Listed {
    api_keys: Vec<ApiKeyEntry>,
}

#[derive(Deserialize)]
pub(crate) struct Issued {
    api_key: String,
    #[serde(flatten)]
    entry: ApiKeyEntry,
}

impl From<Issued> for IssuedApiKey {
    fn from(Issued { api_key, entry }: Issued) -> Self {
        Self { text: Zeroizing::new(api_key), entry }
    }
}

impl Client {
    /// The tenant's keys, the oldest first, whatever their state.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyEntry>, ClientError> {
        let answer = self.send(&Call::get(self.route("v1/api-keys", &[]))).await?;
        Ok(answer.json::<Listed>()?.api_keys)
    }

    /// Makes a key, which may nothing that the credential may not.
    pub async fn create_api_key(&self, new: &NewApiKey<'_>) -> Result<IssuedApiKey, ClientError> {
        let body = json!({
            "label": new.label,
            "roles": new.roles.names(),
            "expires_at": new.expires_at.map(|time| time.to_string()),
        });
        let call = Call::post(self.route("v1/api-keys", &[])).json(&body);
        Ok(self.send(&call).await?.json::<Issued>()?.into())
    }

    /// Revokes a key, at once and for ever.
    pub async fn revoke_api_key(
        &self,
        id: &ApiKeyId,
        reason: Option<&str>,
    ) -> Result<ApiKeyEntry, ClientError> {
        let call = Call::post(self.route(&format!("v1/api-keys/{}/revoke", id.as_str()), &[]));
        let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
        self.send(&call.json(&body)).await?.json()
    }
}
