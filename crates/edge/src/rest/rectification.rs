//! `POST /v1/requests/{id}/rectify`: what is right instead of what records say of a person.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use ledgerstone_ledger::rectification::NewCorrection;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::audit::Changes;
use ledgerstone_model::rejection::Rejection;
use ledgerstone_proof::{Canonicalizer, EventId};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::problem::Problem;
use super::requests::{SubjectRequest, request_id};
use super::service::Service;
use super::subjects::short;
use crate::auth::Authorised;

/// What is corrected.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RectificationBody {
    /// Each event once; at most 100.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    corrections: Vec<CorrectionBody>,
    /// In words, for the `audit` record; at most 500 characters.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What is right instead of what one event says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectionBody {
    /// The id of an event in which the person stands.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,128}$")]
    event_id: String,
    /// From JSON pointers into the event to new values, at most 100:
    /// `{"/data/after/name":"Ana Lima"}`. Every pointer leads to something that the event has.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    changes: Box<RawValue>,
}

/// Carries out an approved request for rectification. The corrected records stay as they are; the
/// corrections stand in an `audit.rectification` record, sealed under the person's key, and whoever reads a
/// corrected record sees in `corrected_by` which that is. All corrections are written, or none.
#[utoipa::path(post, path = "/v1/requests/{id}/rectify", tag = "subjects",
    params(("id" = String, Path)), request_body = RectificationBody,
    responses((status = 200, body = SubjectRequest),
        (status = 404, description = "There is no such request, or no such event"),
        (status = 409, description = "The request is none for rectification or is not approved, or the person was erased"),
        (status = 410, description = "The content of an event was dropped"),
        (status = 422, description = "The person does not stand in an event, or a pointer leads nowhere")))]
pub async fn rectify(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubjectRequest>, Problem> {
    let id = request_id(&id)?;
    let RectificationBody { corrections, reason } = service.read_small(&headers, body).await?;
    let reason = short(reason)?;
    let mut scratch = Canonicalizer::new();
    let corrections = corrections.iter().map(|one| correction(one, &mut scratch));
    let corrections = corrections.collect::<Result<Vec<_>, _>>()?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let done = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.rectify(&tenant, id, &corrections, reason.as_deref(), &by)
    });
    Ok(Json(SubjectRequest::from(&*done.await?)))
}

fn correction(
    body: &CorrectionBody,
    scratch: &mut Canonicalizer,
) -> Result<NewCorrection, Problem> {
    let event_id = EventId::parse_stored(&body.event_id).map_err(|error| {
        let detail = format!("event_id: no event has such an id: {error}");
        Problem::new(ErrorCode::InvalidId, detail).with_status(StatusCode::BAD_REQUEST)
    })?;
    let changes = Changes::parse(body.changes.get().as_bytes(), scratch)
        .map_err(|rejection| refused(&event_id, &rejection))?;
    Ok(NewCorrection { event_id, changes })
}

/// Names the event too, which pointers into it do not.
fn refused(event_id: &EventId, rejection: &Rejection) -> Problem {
    let faults = rejection.faults().iter().map(|fault| match fault.pointer() {
        "" => fault.reason().to_owned(),
        pointer => format!("{pointer}: {}", fault.reason()),
    });
    let faults = faults.collect::<Vec<_>>().join("; ");
    Problem::new(rejection.code(), format!("the correction of event {event_id}: {faults}"))
}
