//! The register of what people ask about their own data, and the steps that a request takes.

use ledgerstone_model::subject_request::{RefusalGround, SubjectRequestId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::call::{Call, JSON, Repeat};
use crate::client::Client;
use crate::error::ClientError;
use crate::jobs::{Job, JobError, JobMembers, JobWaiting};

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SubjectRequest {
    pub id: String,
    /// `access`, `rectification`, `erasure` or `restriction`.
    pub right: String,
    pub subject_id: String,
    /// `received`, `identity_checked`, `approved`, `done`, `refused` or `withdrawn`.
    pub state: String,
    pub received_at: String,
    /// Until when it must be answered.
    pub due_at: String,
    pub is_extended: bool,
    /// Why an erasure is due.
    pub basis: Option<String>,
    /// Why it was refused.
    pub ground: Option<String>,
    /// Opaque ids of who took the steps.
    pub opened_by: String,
    pub identity_checked_at: Option<String>,
    pub identity_checked_by: Option<String>,
    pub decided_by: Option<String>,
    /// The record of the newest step, and the one that says who took it and why.
    pub system_record: u64,
    pub audit_record: u64,
    /// What a rectification corrected, once it did.
    pub rectification: Option<Rectification>,
    /// The job that carries an erasure out, where the server remembers it.
    pub job: Option<RequestJob>,
    /// The job that finds what an erasure would reach, where one was opened just now.
    pub survey: Option<RequestJob>,
}

/// A job of a request, and how it stood; [`Client::job`] says how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct RequestJob {
    pub id: String,
    /// `queued`, `running`, `waiting`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Why it could not be done.
    pub error: Option<JobError>,
    /// What it waits for, while it does.
    pub waiting: Option<JobWaiting>,
}

/// What goes with an approval; all but the reason concern erasures alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approval<'a> {
    pub reason: Option<&'a str>,
    /// That what is sealed becomes unreadable although the retention policy names a duty to keep it.
    pub despite_duties: bool,
    /// How many contents that hold the person in clear, or sealed for others, may be dropped whole.
    pub clear_contents: u64,
    /// That contents which hold the person sealed for others alone stay.
    pub keep_sealed_for_others: bool,
}

impl Approval<'_> {
    fn body(self) -> Value {
        let mut members = Map::new();
        members.insert("clear_contents".to_owned(), self.clear_contents.into());
        members.insert("despite_duties".to_owned(), self.despite_duties.into());
        let keeps = self.keep_sealed_for_others;
        members.insert("keep_sealed_for_others".to_owned(), keeps.into());
        members.extend(self.reason.map(|reason| ("reason".to_owned(), reason.into())));
        Value::Object(members)
    }
}

/// The record that holds corrections, and the records that they are about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Rectification {
    pub event_id: String,
    pub sequence_number: u64,
    /// Sequence numbers.
    pub corrected: Vec<u64>,
}

/// A step of a request, but for its approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestAct {
    CheckIdentity,
    /// Two more months, once.
    Extend,
    Refuse(RefusalGround),
    Withdraw,
    /// A restriction ends.
    Lift,
    /// The person was given what they asked to see.
    Deliver,
}

impl RequestAct {
    /// The name in paths, and the ground of a refusal.
    const fn parts(self) -> (&'static str, Option<RefusalGround>) {
        match self {
            Self::CheckIdentity => ("check-identity", None),
            Self::Extend => ("extend", None),
            Self::Refuse(ground) => ("refuse", Some(ground)),
            Self::Withdraw => ("withdraw", None),
            Self::Lift => ("lift", None),
            Self::Deliver => ("deliver", None),
        }
    }
}

/// In which form a person is given what is held about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BundleFormat {
    /// With the canonical contents and a proof of each record.
    #[default]
    Json,
    /// A line for each value.
    Csv,
}

impl BundleFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }
}

/// A page of a bundle, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlePage {
    pub body: Vec<u8>,
    /// Where to go on; `None` at the end.
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    requests: Vec<SubjectRequest>,
}

#[derive(Deserialize)]
struct Approved {
    request: SubjectRequest,
    job: Option<JobMembers>,
}

impl Client {
    /// Every request of the tenant, the oldest first.
    pub async fn subject_requests(&self) -> Result<Vec<SubjectRequest>, ClientError> {
        let answer = self.send(&Call::get(self.route("v1/requests", &[]))).await?;
        Ok(answer.json::<Listed>()?.requests)
    }

    /// One request.
    pub async fn subject_request(
        &self,
        id: SubjectRequestId,
    ) -> Result<SubjectRequest, ClientError> {
        self.send(&Call::get(self.route(&format!("v1/requests/{id}"), &[]))).await?.json()
    }

    /// Takes a request a step further.
    pub async fn step_subject_request(
        &self,
        id: SubjectRequestId,
        act: RequestAct,
        reason: Option<&str>,
    ) -> Result<SubjectRequest, ClientError> {
        let (step, ground) = act.parts();
        let call = Call::post(self.route(&format!("v1/requests/{id}/{step}"), &[]));
        self.send(&call.json(&body(ground, reason))).await?.json()
    }

    /// One page of everything about the person of an approved request for access; `cursor` is that of
    /// the page before.
    pub async fn bundle(
        &self,
        id: SubjectRequestId,
        format: BundleFormat,
        cursor: Option<&str>,
    ) -> Result<BundlePage, ClientError> {
        let mut parameters = vec![("format", format.as_str().to_owned())];
        parameters.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let call = Call::get(self.route(&format!("v1/requests/{id}/bundle"), &parameters));
        let answer = self.send(&call).await?;
        let next_cursor = answer.next_cursor().map(ToOwned::to_owned);
        Ok(BundlePage { body: answer.into_bytes().into(), next_cursor })
    }

    /// Carries out an approved request for rectification. `document` is JSON:
    /// `{"corrections":[{"event_id","changes":{pointer: value}}],"reason"}`.
    pub async fn rectify(
        &self,
        id: SubjectRequestId,
        document: &[u8],
    ) -> Result<SubjectRequest, ClientError> {
        let call = Call::post(self.route(&format!("v1/requests/{id}/rectify"), &[]));
        self.send(&call.body(JSON, document.to_vec())).await?.json()
    }

    /// Finds what an erasure would reach, and what stands against it, as things are now.
    pub async fn survey(&self, id: SubjectRequestId) -> Result<Job, ClientError> {
        let call = Call::post(self.route(&format!("v1/requests/{id}/survey"), &[]));
        self.send(&call.repeat(Repeat::Safe)).await?.json_with(Job::parse)
    }

    /// Approves a request, and gives the job that carries it out where there is work to do. Approving
    /// again begins the job again, should it have been lost or have met something that stood against it.
    pub async fn approve_subject_request(
        &self,
        id: SubjectRequestId,
        approval: Approval<'_>,
    ) -> Result<(SubjectRequest, Option<Job>), ClientError> {
        let call = Call::post(self.route(&format!("v1/requests/{id}/approve"), &[]));
        let call = call.json(&approval.body()).repeat(Repeat::Safe);
        self.send(&call)
            .await?
            .json_with(|Approved { request, job }| Ok((request, job.map(Job::parse).transpose()?)))
    }
}

fn body(ground: Option<RefusalGround>, reason: Option<&str>) -> Value {
    let mut members = Map::new();
    members.extend(ground.map(|ground| ("ground".to_owned(), Value::from(ground.as_str()))));
    members.extend(reason.map(|reason| ("reason".to_owned(), Value::from(reason))));
    Value::Object(members)
}
