//! Legal holds of the caller's tenant, and the dropping of what expired.

use ledgerstone_model::hold::HoldId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::call::{Call, Repeat};
use crate::client::Client;
use crate::error::ClientError;
use crate::jobs::{Job, JobMembers};

/// A legal hold.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    pub id: String,
    /// `standing`, `release_asked` (it still stands) or `released`.
    pub state: String,
    pub subject_id: Option<String>,
    pub filter: Option<Box<RawValue>>,
    /// What it covers, by the time at which it came in.
    pub from: Option<String>,
    pub until: Option<String>,
    /// What people wrote, as long as that is kept.
    pub owner: Option<String>,
    pub reason: Option<String>,
    /// When somebody is to look whether it is still needed.
    pub review_at: String,
    pub set_at: String,
    /// Opaque ids of who did what.
    pub set_by: String,
    pub release_asked_by: Option<String>,
    pub released_by: Option<String>,
    pub system_record: u64,
    pub audit_record: u64,
}

/// A hold to be set: on everything that fits all that is given, and on all of the tenant's contents where
/// nothing is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewHold<'a> {
    pub owner: &'a str,
    pub reason: &'a str,
    /// RFC 3339, like the other times.
    pub review_at: &'a str,
    pub subject_id: Option<&'a str>,
    /// The JSON of a filter.
    pub filter: Option<&'a Value>,
    pub from: Option<&'a str>,
    pub until: Option<&'a str>,
}

/// How the dropping of contents stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RetentionState {
    /// Whether the policy in force ever lets anything go.
    pub lets_anything_go: bool,
    pub policy_version: u64,
    /// Holds that stand.
    pub holds: u64,
    /// Runs that are recorded and not done.
    pub open_runs: Vec<OpenRun>,
}

/// A run that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct OpenRun {
    pub run: String,
    /// Contents of the tenant that it covers.
    pub contents: u64,
}

#[derive(Deserialize)]
struct Holds {
    holds: Vec<Hold>,
}

#[derive(Deserialize)]
struct Set {
    hold: Hold,
    job: JobMembers,
}

impl Client {
    /// Every hold there ever was, the oldest first.
    pub async fn holds(&self) -> Result<Vec<Hold>, ClientError> {
        Ok(self.send(&Call::get(self.route("v1/holds", &[]))).await?.json::<Holds>()?.holds)
    }

    /// One hold.
    pub async fn hold(&self, id: HoldId) -> Result<Hold, ClientError> {
        self.send(&Call::get(self.route(&format!("v1/holds/{id}"), &[]))).await?.json()
    }

    /// Sets a hold, and gives the job that counts what it covers now.
    pub async fn set_hold(&self, new: &NewHold<'_>) -> Result<(Hold, Job), ClientError> {
        let call = Call::post(self.route("v1/holds", &[])).json(&new.to_json());
        let answer = self.send(&call).await?;
        answer.json_with(|Set { hold, job }| Ok((hold, Job::parse(job)?)))
    }

    /// Asks for the end of a hold, or, where another person has asked before, ends it: `state` says
    /// which.
    pub async fn release_hold(&self, id: HoldId, reason: &str) -> Result<Hold, ClientError> {
        let call = Call::post(self.route(&format!("v1/holds/{id}/release"), &[]));
        self.send(&call.json(&json!({"reason": reason}))).await?.json()
    }

    /// How the dropping of contents stands.
    pub async fn retention(&self) -> Result<RetentionState, ClientError> {
        self.send(&Call::get(self.route("v1/retention", &[]))).await?.json()
    }

    /// Drops what expired, or only looks what that is: the job that does it. Once more does what is left.
    pub async fn run_retention(&self, is_dry_run: bool) -> Result<Job, ClientError> {
        let call = Call::post(self.route("v1/retention", &[]));
        let call = call.json(&json!({"dry_run": is_dry_run})).repeat(Repeat::Safe);
        self.send(&call).await?.json_with(Job::parse)
    }
}

impl NewHold<'_> {
    fn to_json(self) -> Value {
        let mut members = Map::new();
        for (name, text) in [
            ("owner", Some(self.owner)),
            ("reason", Some(self.reason)),
            ("review_at", Some(self.review_at)),
            ("subject_id", self.subject_id),
            ("from", self.from),
            ("until", self.until),
        ] {
            members.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        }
        members.extend(self.filter.map(|filter| ("filter".to_owned(), filter.clone())));
        Value::Object(members)
    }
}
