//! `/v1/requests`: the register of what people ask about their own data, and the steps of a request.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::HeaderMap;
use ledgerstone_ledger::jobs::{carried_out_by, erasure_job, erasure_survey_job};
use ledgerstone_ledger::subject_requests::RequestEntry;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::subject_request::{
    ErasureBasis, ErasureTerms, Rectification, RefusalGround, RequestStep, SubjectRequestId,
    SubjectRight,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::job_view::Job;
use super::problem::Problem;
use super::service::Service;
use super::subjects::short;
use crate::auth::Authorised;

/// How long an answer waits for a job to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The requests of a tenant, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectRequests {
    requests: Vec<SubjectRequest>,
}

/// A request as it stands. People are opaque ids; who they are, and what was written about it, stands
/// in the `audit` record.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectRequest {
    id: String,
    /// `access`, `rectification`, `erasure` or `restriction`.
    right: &'static str,
    subject_id: String,
    /// `received`, `identity_checked`, `approved`, `done`, `refused` or `withdrawn`.
    state: &'static str,
    received_at: String,
    /// Until when it must be answered.
    due_at: String,
    is_extended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ground: Option<&'static str>,
    opened_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_checked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_checked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    system_record: u64,
    audit_record: u64,
    /// Of an erasure that was approved: the newest job that carries it out, as long as the server remembers it.
    /// `error` says what the job met, and with which code; `waiting` what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Job>,
    /// Of a rectification that is done: the record that holds the corrections.
    #[serde(skip_serializing_if = "Option::is_none")]
    rectification: Option<RectificationDone>,
    /// Of an erasure that was opened just now: the job that finds what it would reach, and what
    /// stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    survey: Option<Job>,
}

/// What was corrected, and where.
#[derive(Debug, Serialize, ToSchema)]
pub struct RectificationDone {
    /// The id of the `audit.rectification` record.
    event_id: String,
    sequence_number: u64,
    /// The numbers of the records that it corrects.
    corrected: Vec<u64>,
}

impl From<&Rectification> for RectificationDone {
    fn from(done: &Rectification) -> Self {
        Self {
            event_id: done.event_id.as_str().to_owned(),
            sequence_number: done.sequence_number.value(),
            corrected: done.corrected.iter().map(|number| number.value()).collect(),
        }
    }
}

impl SubjectRequest {
    pub(super) fn with_survey(self, survey: Job) -> Self {
        Self { survey: Some(survey), ..self }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl From<&RequestEntry> for SubjectRequest {
    fn from(entry: &RequestEntry) -> Self {
        let request = &entry.request;
        Self {
            id: request.id().to_string(),
            right: request.right().as_str(),
            subject_id: request.subject().to_string(),
            state: request.state().as_str(),
            received_at: request.received_at().to_string(),
            due_at: request.due_at().to_string(),
            is_extended: request.is_extended(),
            basis: request.basis().map(ErasureBasis::as_str),
            ground: request.ground().map(RefusalGround::as_str),
            opened_by: request.opened_by().to_string(),
            identity_checked_at: request.identity_checked_at().map(|at| at.to_string()),
            identity_checked_by: request.identity_checked_by().map(ToString::to_string),
            decided_by: request.decided_by().map(ToString::to_string),
            system_record: entry.set_by.value(),
            audit_record: entry.audit_record.value(),
            job: None,
            rectification: request.rectification().map(RectificationDone::from),
            survey: None,
        }
    }
}

/// What goes with a step.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepBody {
    /// Why it is refused: `identity_not_established`, `manifestly_unfounded`, `excessive`,
    /// `legal_obligation`, `public_interest`, `legal_claims`, `freedom_of_expression` or `archiving`.
    /// For refusals alone.
    ground: Option<String>,
    /// In words, for the `audit` record; at most 500 characters.
    reason: Option<String>,
}

/// What goes with an approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalBody {
    /// In words, for the `audit` record; at most 500 characters.
    reason: Option<String>,
    /// That what is sealed becomes unreadable although the retention policy names a duty to keep it.
    #[serde(default)]
    despite_duties: bool,
    /// How many contents that hold the person in clear, or sealed for others, may be dropped whole, of an
    /// erasure: the `clear_contents` of its survey, less the `kept_contents`. None where it is left out.
    #[serde(default)]
    clear_contents: u64,
    /// That contents which hold the person sealed under keys of others alone stay, of an erasure, and count as
    /// still readable: the `sealed_for_others` of its survey, which its `clear_contents` has among them.
    #[serde(default)]
    keep_sealed_for_others: bool,
}

/// A request that was approved, and the job that carries it out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Approved {
    request: SubjectRequest,
    /// The certificate's number is its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Job>,
}

/// The register.
#[utoipa::path(get, path = "/v1/requests", tag = "subjects",
    responses((status = 200, body = SubjectRequests)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<SubjectRequests>, Problem> {
    let tenant = authorised.tenant().clone();
    let mut jobs = HashMap::new();
    for job in service.jobs().list(&tenant) {
        // The newest is the first.
        if let Some(id) = carried_out_by(&job.row) {
            jobs.entry(id).or_insert(job);
        }
    }
    let entries = service.blocking(move |ledger| ledger.requests(&tenant)).await?;
    let requests = entries.iter().map(|entry| {
        let job = jobs.remove(&entry.request.id());
        SubjectRequest { job: job.map(Job::brief), ..SubjectRequest::from(&**entry) }
    });
    Ok(Json(SubjectRequests { requests: requests.collect() }))
}

/// One request.
#[utoipa::path(get, path = "/v1/requests/{id}", tag = "subjects",
    params(("id" = String, Path)), responses((status = 200, body = SubjectRequest)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<SubjectRequest>, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), request_id(&id)?);
    let mut jobs = service.jobs().list(&tenant).into_iter();
    let job = jobs.find(|job| carried_out_by(&job.row) == Some(id));
    let entry = service.blocking(move |ledger| ledger.request(&tenant, id)).await?;
    Ok(Json(SubjectRequest { job: job.map(Job::brief), ..SubjectRequest::from(&*entry) }))
}

/// Takes a request a step further: `check-identity`, `extend`, `refuse`, `withdraw`, `lift` for a
/// restriction that is in force, or `deliver` for an access that the person was given.
#[utoipa::path(post, path = "/v1/requests/{id}/{step}", tag = "subjects",
    params(("id" = String, Path),
        ("step" = String, Path, description = "`check-identity`, `extend`, `refuse`, `withdraw`, `lift` or `deliver`")),
    request_body = Option<StepBody>,
    responses((status = 200, body = SubjectRequest),
        (status = 409, description = "The request is in a state from which this step does not go")))]
pub async fn step(
    State(service): State<Service>,
    authorised: Authorised,
    Path((id, step)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubjectRequest>, Problem> {
    let id = request_id(&id)?;
    let StepBody { ground, reason } = service.read_small(&headers, body).await?;
    let (step, reason) = (named_step(&step, ground.as_deref())?, short(reason)?);
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let entry = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.step_request(&tenant, id, step, reason.as_deref(), &by)
    });
    Ok(Json(SubjectRequest::from(&*entry.await?)))
}

/// Approves a request: another person than whoever opened it or checked the identity. An erasure
/// begins at once, as a job; approving it again begins the job again, should it have been lost or have met
/// something that stood against it. The job is `waiting` while contents lie in the part of the log that is being
/// written: it ends by itself.
#[utoipa::path(post, path = "/v1/requests/{id}/approve", tag = "subjects",
    params(("id" = String, Path)), request_body = Option<ApprovalBody>,
    responses((status = 200, body = Approved),
        (status = 403, description = "A second person is needed"),
        (status = 409, description = "A legal hold on the person stands, or the request is in another state")))]
pub async fn approve(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Approved>, Problem> {
    let id = request_id(&id)?;
    let ApprovalBody { reason, despite_duties, clear_contents, keep_sealed_for_others } =
        service.read_small(&headers, body).await?;
    let reason = short(reason)?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let terms = ErasureTerms { despite_duties, keep_sealed_for_others, clear_contents };
    let approved = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.approve_request(&tenant, id, terms, reason.as_deref(), &by)
    });
    let entry = approved.await?;
    let job = match entry.request.right() {
        SubjectRight::Erasure => {
            let created_by = authorised.caller().principal().as_str().to_owned();
            let new = erasure_job(authorised.tenant().clone(), id, terms, created_by);
            Some(Job::whole(service.run_job(new, PATIENCE).await?))
        }
        SubjectRight::Access | SubjectRight::Rectification | SubjectRight::Restriction => None,
    };
    Ok(Json(Approved { request: SubjectRequest::from(&*entry), job }))
}

/// Finds what an erasure would reach, and what stands against it, as things are now.
#[utoipa::path(post, path = "/v1/requests/{id}/survey", tag = "subjects",
    params(("id" = String, Path)), responses((status = 200, body = Job)))]
pub async fn survey(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Job>, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), request_id(&id)?);
    service.blocking(move |ledger| ledger.request(&tenant, id)).await?;
    Ok(Json(survey_of(&service, &authorised, id).await?))
}

pub(super) async fn survey_of(
    service: &Service,
    authorised: &Authorised,
    id: SubjectRequestId,
) -> Result<Job, Problem> {
    let created_by = authorised.caller().principal().as_str().to_owned();
    let job = erasure_survey_job(authorised.tenant().clone(), id, created_by);
    Ok(Job::whole(service.run_job(job, PATIENCE).await?))
}

fn named_step(name: &str, ground: Option<&str>) -> Result<RequestStep, Problem> {
    let refused = |detail: String| Problem::new(ErrorCode::InvalidArgument, detail);
    let step = match name {
        "check-identity" => RequestStep::CheckIdentity,
        "extend" => RequestStep::Extend,
        "withdraw" => RequestStep::Withdraw,
        "lift" => RequestStep::Lift,
        "deliver" => RequestStep::Deliver,
        "refuse" => {
            let ground = ground.and_then(RefusalGround::parse).ok_or_else(|| {
                let known: Vec<_> = RefusalGround::ALL.iter().map(|one| one.as_str()).collect();
                refused(format!("ground: a refusal names one of {}", known.join(", ")))
            })?;
            return Ok(RequestStep::Refuse(ground));
        }
        _ => {
            let detail = "a request has the steps check-identity, extend, approve, refuse, withdraw, lift, deliver";
            return Err(Problem::new(ErrorCode::NotFound, detail));
        }
    };
    match ground {
        Some(_) => Err(refused("ground: is for refusals alone".to_owned())),
        None => Ok(step),
    }
}

pub(super) fn request_id(text: &str) -> Result<SubjectRequestId, Problem> {
    SubjectRequestId::parse(text).ok_or_else(|| {
        Problem::new(ErrorCode::UnknownRequest, "id: is no id of a request, 32 hexadecimal digits")
    })
}
