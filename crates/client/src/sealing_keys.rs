//! The keys that fields are sealed under: of the credential's tenant, or of all for one of `_system`.

use ledgerstone_proof::TenantId;
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// The keys of one tenant; never a key itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SealingKeyEntry {
    pub tenant_id: String,
    /// Names the tenant's key, by which the keys of its people are wrapped.
    pub key_id: String,
    /// The root key service that wrapped the tenant's key.
    pub root_service: String,
    /// Which root key wrapped it, where that can be told.
    pub root_key_id: Option<String>,
    /// Keys of people that open something.
    pub live_keys: u64,
    /// Keys of people that erasures have destroyed.
    pub erased_keys: u64,
    /// Older keys of the tenant, where a rotation did not end.
    pub outdated_keys: u64,
}

/// The sealing keys that a credential may be told of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SealingKeys {
    pub sealing_keys: Vec<SealingKeyEntry>,
    /// For credentials of `_system`.
    pub deployment: Option<SealingKeyFiles>,
}

/// The key files of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SealingKeyFiles {
    /// How often the keys were changed.
    pub generation: u64,
    pub destroyed_keys: u64,
    /// Slots that are damaged in both files.
    pub lost_slots: u64,
}

/// What a rotation of a tenant's sealing key did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SealingKeyRotation {
    pub tenant_id: String,
    /// Names the tenant's new key.
    pub key_id: String,
    /// Keys of people that it wraps now.
    pub rewrapped_keys: u64,
}

impl Client {
    /// The sealing keys there are.
    pub async fn sealing_keys(&self) -> Result<SealingKeys, ClientError> {
        self.send(&Call::get(self.route("v1/sealing-keys", &[]))).await?.json()
    }

    /// Gives a tenant a new key and wraps the keys of its people by it. Only credentials of `_system`
    /// name another tenant than their own.
    pub async fn rotate_sealing_key(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<SealingKeyRotation, ClientError> {
        let body = tenant.map_or_else(|| json!({}), |name| json!({"tenant_id": name.as_str()}));
        let call = Call::post(self.route("v1/sealing-keys/rotate", &[])).json(&body);
        self.send(&call).await?.json()
    }
}
