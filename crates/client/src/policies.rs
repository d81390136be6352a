//! The policies of the caller's tenant: what is sealed, how values are shown, and whatever else it
//! decides about its own records.

use ledgerstone_model::policy::PolicyKind;
use ledgerstone_proof::SequenceNumber;
use reqwest::header::{HeaderValue, IF_MATCH};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::call::{Call, JSON};
use crate::client::Client;
use crate::error::ClientError;

/// A policy in force, or as it was.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// What it is about, e.g. `sealing`.
    pub policy: String,
    /// How many documents of its kind there were, this one counted; 0 where the tenant has none and
    /// the deployment's default counts.
    pub version: u64,
    /// The JSON document that [`Client::set_policy`] takes.
    pub document: Box<RawValue>,
    pub set_by: Option<PolicySetBy>,
    /// What waits for a second person.
    pub proposed: Option<ProposedPolicy>,
}

/// A policy that somebody put forward, and that another person is to approve.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct ProposedPolicy {
    /// The version that it will have.
    pub version: u64,
    pub document: Box<RawValue>,
    /// The opaque id of whoever put it forward.
    pub proposed_by: String,
    pub proposed_at: String,
    /// The record that holds it; whoever approves names it.
    pub system_record: u64,
    pub audit_record: u64,
}

/// The records that set a policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicySetBy {
    pub system_record: u64,
    pub set_at: String,
    /// Says who set it; none where the server set its default.
    pub audit_record: Option<u64>,
}

/// A version that a policy had, without its document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct PolicyVersion {
    pub version: u64,
    pub set_by: PolicySetBy,
}

/// The policies of a tenant.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Policies {
    /// One of each kind.
    pub policies: Vec<Policy>,
    pub contents_in_clear: ContentsInClear,
}

/// How many contents of events lie in clear, as far as the server has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ContentsInClear {
    pub contents: u64,
    /// Records that were looked at; where they are fewer than there are, the next call goes on.
    pub looked_at: u64,
    /// Records of the ledger.
    pub records: u64,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<PolicyVersion>,
}

impl Client {
    /// The policies in force, and how many contents lie in clear.
    pub async fn policies(&self) -> Result<Policies, ClientError> {
        self.send(&Call::get(self.route("v1/policies", &[]))).await?.json()
    }

    /// The policy of one kind.
    pub async fn policy(&self, kind: PolicyKind) -> Result<Policy, ClientError> {
        let path = format!("v1/policies/{}", kind.as_str());
        self.send(&Call::get(self.route(&path, &[]))).await?.json()
    }

    /// Sets a policy, whole, or puts it forward where it needs a second person: then the answer is the one in
    /// force, with the new one under `proposed`. With `based_on` it is refused where another version is in
    /// force.
    pub async fn set_policy(
        &self,
        kind: PolicyKind,
        document: &[u8],
        based_on: Option<u64>,
    ) -> Result<Policy, ClientError> {
        let url = self.route(&format!("v1/policies/{}", kind.as_str()), &[]);
        let mut call = Call::put(url).body(JSON, document.to_vec());
        if let Some(tag) =
            based_on.and_then(|version| HeaderValue::try_from(format!("\"{version}\"")).ok())
        {
            call = call.header(IF_MATCH, tag);
        }
        self.send(&call).await?.json()
    }

    /// Puts in force what another person put forward in that record.
    pub async fn approve_policy(
        &self,
        kind: PolicyKind,
        proposed_in: SequenceNumber,
    ) -> Result<Policy, ClientError> {
        let path = format!("v1/policies/{}/approve", kind.as_str());
        let call = Call::post(self.route(&path, &[]));
        self.send(&call.json(&json!({"system_record": proposed_in.value()}))).await?.json()
    }

    /// Every version that a policy ever had, the oldest first.
    pub async fn policy_versions(
        &self,
        kind: PolicyKind,
    ) -> Result<Vec<PolicyVersion>, ClientError> {
        let path = format!("v1/policies/{}/versions", kind.as_str());
        Ok(self.send(&Call::get(self.route(&path, &[]))).await?.json::<Versions>()?.versions)
    }

    /// A policy as it was in one version.
    pub async fn policy_at(&self, kind: PolicyKind, version: u64) -> Result<Policy, ClientError> {
        let path = format!("v1/policies/{}/versions/{version}", kind.as_str());
        self.send(&Call::get(self.route(&path, &[]))).await?.json()
    }
}
