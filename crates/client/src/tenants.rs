//! Tenants, for credentials of `_system`.

use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use serde::Deserialize;
use serde_json::json;

use crate::api_keys::{Issued, IssuedApiKey};
use crate::call::{Call, Repeat};
use crate::client::Client;
use crate::error::ClientError;
use crate::jobs::{Job, JobMembers};

/// A tenant. Nothing here comes from its records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TenantEntry {
    pub tenant_id: String,
    /// `active`, `suspended`, `closing` or `closed`.
    pub state: String,
    pub created_at: String,
    pub records: u64,
    /// The key that checkpoints of its ledger are verified with.
    pub vkey: String,
    /// Where somebody asked that it be closed, and nobody has approved that yet.
    pub closing_asked: Option<ClosingAsked>,
}

/// Somebody's wish that a tenant be closed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ClosingAsked {
    pub asked_at: String,
    /// Opaque id of who asked, and cannot approve it.
    pub asked_by: String,
    /// Names of the retention rules whose legal minimum is set aside.
    pub despite_duties: Vec<String>,
    /// The record of `_system` that says so; whoever approves names it.
    pub system_record: u64,
    /// The record of `_system` that says who and why.
    pub audit_record: u64,
}

#[derive(Deserialize)]
struct Closing {
    tenant: TenantEntry,
    job: JobMembers,
}

/// The key with which a tenant begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstAdminKey<'a> {
    /// What people call it; the server has a word of its own.
    pub label: Option<&'a str>,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<IngestedAt>,
}

#[derive(Deserialize)]
struct Created {
    #[serde(flatten)]
    tenant: TenantEntry,
    first_admin_key: Issued,
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

    /// Creates a tenant, for ever, with a key that administers it. Nothing else ever shows the key:
    /// where the answer is lost, one is made on the server's machine.
    pub async fn create_tenant_with_key(
        &self,
        name: &TenantId,
        first: &FirstAdminKey<'_>,
    ) -> Result<(TenantEntry, IssuedApiKey), ClientError> {
        let call = Call::post(self.route("v1/tenants", &[]));
        let mut key = serde_json::Map::new();
        key.extend(first.label.map(|label| ("label".to_owned(), json!(label))));
        let expires_at = first.expires_at.map(|time| json!(time.to_string()));
        key.extend(expires_at.map(|time| ("expires_at".to_owned(), time)));
        let body = json!({"tenant_id": name.as_str(), "first_admin_key": key});
        let created: Created = self.send(&call.json(&body)).await?.json()?;
        Ok((created.tenant, created.first_admin_key.into()))
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

    /// Asks that a tenant be closed, for ever, which another person has to approve. `despite_duties` lets
    /// contents go that the law still keeps.
    pub async fn ask_to_close_tenant(
        &self,
        name: &TenantId,
        reason: &str,
        despite_duties: bool,
    ) -> Result<TenantEntry, ClientError> {
        let call = Call::post(self.route(&format!("v1/tenants/{name}/close"), &[]));
        let body = json!({"reason": reason, "despite_duties": despite_duties});
        self.send(&call.json(&body)).await?.json()
    }

    /// Approves what another person asked for in that record of `_system`: from here on the tenant takes
    /// nothing, and the job brings its ledger to the end.
    pub async fn approve_closing_of_tenant(
        &self,
        name: &TenantId,
        asked_in: SequenceNumber,
    ) -> Result<(TenantEntry, Job), ClientError> {
        let call = Call::post(self.route(&format!("v1/tenants/{name}/close/approve"), &[]));
        let call = call.json(&json!({"system_record": asked_in.value()}));
        let answer = self.send(&call).await?;
        answer.json_with(|Closing { tenant, job }| Ok((tenant, Job::parse(job)?)))
    }

    /// Takes back what was asked for in that record of `_system`, before somebody approved it.
    pub async fn withdraw_closing_of_tenant(
        &self,
        name: &TenantId,
        asked_in: SequenceNumber,
        reason: Option<&str>,
    ) -> Result<TenantEntry, ClientError> {
        let call = Call::post(self.route(&format!("v1/tenants/{name}/close/withdraw"), &[]));
        let mut body = json!({"system_record": asked_in.value()});
        if let Some(reason) = reason {
            body["reason"] = reason.into();
        }
        self.send(&call.json(&body)).await?.json()
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
