//! Tenants, for credentials of `_system`.

use ledgerstone_proof::TenantId;
use serde::Deserialize;
use serde_json::json;

use crate::call::{Call, Repeat};
use crate::client::Client;
use crate::error::ClientError;

/// A tenant. Nothing here comes from its records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TenantEntry {
    pub tenant_id: String,
    /// `active` or `suspended`.
    pub state: String,
    pub created_at: String,
    pub records: u64,
    /// The key that checkpoints of its ledger are verified with.
    pub vkey: String,
}

#[derive(Deserialize)]
struct Tenants {
    tenants: Vec<TenantEntry>,
}

impl Client {
    /// Every tenant, by name.
    pub async fn tenants(&self) -> Result<Vec<TenantEntry>, ClientError> {
        let answer = self.send(&Call::get(self.route("v1/tenants", &[]))).await?;
        Ok(answer.json::<Tenants>()?.tenants)
    }

    /// Creates a tenant, for ever.
    pub async fn create_tenant(&self, name: &TenantId) -> Result<TenantEntry, ClientError> {
        let call = Call::post(self.route("v1/tenants", &[]));
        self.send(&call.json(&json!({"tenant_id": name.as_str()}))).await?.json()
    }

    /// Lets a tenant write no more; its records can still be read.
    pub async fn suspend_tenant(
        &self,
        name: &TenantId,
        reason: Option<&str>,
    ) -> Result<TenantEntry, ClientError> {
        self.change_tenant(name, "suspend", reason).await
    }

    /// Lets a tenant write again.
    pub async fn resume_tenant(
        &self,
        name: &TenantId,
        reason: Option<&str>,
    ) -> Result<TenantEntry, ClientError> {
        self.change_tenant(name, "resume", reason).await
    }

    async fn change_tenant(
        &self,
        name: &TenantId,
        change: &str,
        reason: Option<&str>,
    ) -> Result<TenantEntry, ClientError> {
        let call = Call::post(self.route(&format!("v1/tenants/{name}/{change}"), &[]));
        let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
        self.send(&call.json(&body).repeat(Repeat::Safe)).await?.json()
    }
}
