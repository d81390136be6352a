//! `/v1/tenants/{tenant_id}/close`: a tenant is closed for good, by two people.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::jobs::closing_job;
use ledgerstone_ledger::{ClosingAsked as Asked, LedgerError, SignedCheckpoint};
use ledgerstone_model::{ErrorCode, JobState};
use ledgerstone_proof::SequenceNumber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body_schemas::words;
use super::job_view::Job;
use super::problem::Problem;
use super::service::Service;
use super::tenants::{Tenant, checked_reason, existing, shown};
use crate::auth::Authorised;

/// How long the answer waits for the job to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Somebody's wish that a tenant be closed, which waits for another person.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClosingAsked {
    asked_at: String,
    /// Opaque id of who asked, and cannot approve it.
    asked_by: String,
    /// Names of the retention rules whose legal minimum is set aside.
    despite_duties: Vec<String>,
    /// The record of `_system` that says so; whoever approves names it.
    system_record: u64,
    /// The record of `_system` that says who and why.
    audit_record: u64,
}

/// Why a tenant is to be closed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosingBody {
    /// For the `audit` record; at most 500 characters, not all blank, none of them control characters.
    #[schema(schema_with = words)]
    reason: String,
    /// Lets contents go that a legal minimum of the tenant's retention policy still keeps.
    #[serde(default)]
    despite_duties: bool,
}

/// What is approved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedClosing {
    /// The record of `_system` in which somebody asked for it.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    system_record: u64,
}

/// What is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawnClosing {
    /// The record of `_system` in which somebody asked for it.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    system_record: u64,
    /// For the `audit` record; at most 500 characters, not all blank, none of them control characters.
    #[serde(default)]
    #[schema(schema_with = words)]
    reason: Option<String>,
}

/// A tenant that is being closed, and the job that does it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantClosing {
    tenant: Tenant,
    /// `closed_record` of its result is the last record of the ledger.
    job: Job,
}

/// A checkpoint of a tenant's ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantCheckpoint {
    tenant_id: String,
    size: u64,
    /// The signed note.
    checkpoint: String,
}

impl ClosingAsked {
    pub(super) fn of(asked: &Asked) -> Self {
        Self {
            asked_at: asked.asked_at.to_string(),
            asked_by: asked.record.asked_by.to_string(),
            despite_duties: asked.record.despite_duties.clone(),
            system_record: asked.recorded_as.value(),
            audit_record: asked.record.audit_record.value(),
        }
    }
}

/// Asks that a tenant be closed: nothing happens before another person approves.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/close", tag = "tenants",
    params(("tenant_id" = String, Path)), request_body = ClosingBody,
    responses((status = 200, body = Tenant, description = "With `closing_asked`"),
        (status = 409, description = "Holds that stand, or duties to keep contents, are named"),
        (status = 410, description = "It is being closed, or is closed")),
    security(("api_key" = []), ("token" = [])))]
pub async fn ask(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tenant>, Problem> {
    let name = existing(&name)?;
    let ClosingBody { reason, despite_duties } = service.read_small(&headers, body).await?;
    let reason = checked_reason(&reason)?;
    let by = service.actor(&authorised);
    let asked = service.blocking(move |ledger| {
        let wish = ClosingWish { reason: &reason, despite_duties };
        let by = by(ledger);
        ledger.ask_closing(&name, wish, &by)?;
        shown(ledger, &name)
    });
    asked.await.map(Json)
}

/// Approves what another person asked for: the tenant takes nothing from here on, for ever, and its
/// contents go.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/close/approve", tag = "tenants",
    params(("tenant_id" = String, Path)), request_body = ApprovedClosing,
    responses((status = 200, body = TenantClosing, description = "It is closed"),
        (status = 202, body = TenantClosing, headers(("Location" = String))),
        (status = 403, description = "A second person is needed"),
        (status = 409, description = "Holds that stand, or duties to keep contents, are named"),
        (status = 410, description = "It is being closed, or is closed")),
    security(("api_key" = []), ("token" = [])))]
pub async fn approve(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let name = existing(&name)?;
    let ApprovedClosing { system_record } = service.read_small(&headers, body).await?;
    let asked_in = record_number(system_record)?;
    let by = service.actor(&authorised);
    let closed = name.clone();
    let begun = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.approve_closing(&closed, asked_in, &by).map(drop)
    });
    begun.await?;
    let created_by = authorised.caller().principal().as_str().to_owned();
    let view = service.run_job(closing_job(&name, created_by), PATIENCE).await?;
    let is_over = view.row.state == JobState::Done;
    let place = HeaderValue::try_from(format!("/v1/jobs/{}", view.row.id));
    let tenant = service.blocking(move |ledger| shown(ledger, &name)).await?;
    let answer = Json(TenantClosing { tenant, job: Job::whole(view) });
    if is_over {
        return Ok(answer.into_response());
    }
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Takes back that a tenant be closed, before it was approved: whoever asked for it, or anybody else who may close
/// tenants. It goes on as it was.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/close/withdraw", tag = "tenants",
    params(("tenant_id" = String, Path)), request_body = WithdrawnClosing,
    responses((status = 200, body = Tenant, description = "Without `closing_asked`"),
        (status = 404, description = "Nobody has asked for it"),
        (status = 410, description = "It is being closed, or is closed"),
        (status = 412, description = "Another wish took its place")),
    security(("api_key" = []), ("token" = [])))]
pub async fn withdraw(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tenant>, Problem> {
    let name = existing(&name)?;
    let WithdrawnClosing { system_record, reason } = service.read_small(&headers, body).await?;
    let asked_in = record_number(system_record)?;
    let reason = reason.as_deref().map(checked_reason).transpose()?;
    let by = service.actor(&authorised);
    let withdrawn = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.withdraw_closing(&name, asked_in, reason.as_deref(), &by)?;
        shown(ledger, &name)
    });
    withdrawn.await.map(Json)
}

fn record_number(number: u64) -> Result<SequenceNumber, Problem> {
    SequenceNumber::new(number).map_err(|_| {
        Problem::new(ErrorCode::InvalidArgument, "system_record: is no number of a record")
    })
}

/// A checkpoint of a tenant's ledger; of a closed one the last, for ever. It tells how many records there
/// are and nothing of them.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/checkpoint", tag = "tenants",
    params(("tenant_id" = String, Path)),
    responses((status = 200, body = TenantCheckpoint)), security(("api_key" = []), ("token" = [])))]
pub async fn checkpoint(
    State(service): State<Service>,
    _: Authorised,
    Path(name): Path<String>,
) -> Result<Json<TenantCheckpoint>, Problem> {
    let name = existing(&name)?;
    let found = service.blocking(move |ledger| {
        shown(ledger, &name)?;
        let SignedCheckpoint { size, note, .. } = ledger.recent_checkpoint(&name)?;
        let tenant_id = name.to_string();
        Ok::<_, LedgerError>(TenantCheckpoint { tenant_id, size: size.value(), checkpoint: note })
    });
    found.await.map(Json)
}
