//! How the credential's ledger and the server are doing.

use ledgerstone_proof::TenantId;
use serde::Deserialize;

use crate::answer::unexpected;
use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// The state of the credential's ledger, and of the deployment for those who may see that.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Status {
    pub version: String,
    pub ledger: LedgerStatus,
    pub deployment: Option<Deployment>,
}

/// The state of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LedgerStatus {
    pub tenant_id: String,
    /// Origin of the ledger's checkpoints.
    pub origin: String,
    /// `active` or `suspended`; absent for `_system`.
    pub state: Option<String>,
    pub records: u64,
    /// Records under the newest checkpoint that is kept.
    pub checkpoint_size: Option<u64>,
}

/// The state of the whole deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Deployment {
    pub log_name: String,
    pub tenants: u64,
    pub records: u64,
    pub is_stopping: bool,
    pub components: Vec<ComponentStatus>,
}

/// How a component is doing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ComponentStatus {
    pub name: String,
    /// `healthy`, `degraded` or `unhealthy`.
    pub status: String,
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// How a server is doing, as far as anybody may know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AuditHealth {
    /// The worst of the components' states: `healthy`, `degraded` or `unhealthy`.
    pub status: String,
    pub components: Vec<ComponentHealth>,
    /// How full the buffer is of events that wait for the next commit.
    pub buffer: BufferHealth,
    /// Events that wait for the next commit; 0 from a server that does not tell.
    #[serde(default)]
    pub buffer_size: u64,
    /// How many may wait.
    #[serde(default)]
    pub buffer_max_size: u64,
}

/// How a component is doing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ComponentHealth {
    pub name: String,
    pub status: String,
}

/// How full a buffer is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct BufferHealth {
    pub status: String,
    /// In hundredths of what fits.
    pub used_percent: u64,
}

impl Client {
    /// The state of the ledger, and of the deployment where the credential may see that.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.send(&Call::get(self.route("v1/status", &[]))).await?.json()
    }

    /// Whose the credential is, whatever may be done with it.
    pub async fn tenant(&self) -> Result<TenantId, ClientError> {
        // What every role may ask; that it may not be asked tells the same.
        let call = Call::get(self.route("v1/taxonomy", &[]));
        let told = match self.send(&call).await {
            Ok(answer) => answer.tenant().cloned(),
            Err(ClientError::Refused(problem)) if problem.tenant().is_some() => {
                problem.tenant().cloned()
            }
            Err(error) => return Err(error),
        };
        let reason = "it does not say whose the credential is".to_owned();
        told.ok_or_else(|| unexpected(call.name(), reason))
    }

    /// How the server is doing. Needs no credential.
    pub async fn health(&self) -> Result<AuditHealth, ClientError> {
        self.send(&Call::get(self.route("health/audit", &[]))).await?.json()
    }

    /// Whether the server answers at all. Needs no credential.
    pub async fn is_alive(&self) -> Result<(), ClientError> {
        self.send(&Call::get(self.route("health/live", &[]))).await.map(drop)
    }
}
