//! `/v1/holds`: legal holds. One person sets a hold; two release it.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::jobs::hold_survey_job;
use ledgerstone_ledger::{HoldEntry, HoldWords, Ledger, LedgerError, NewHold};
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::{ErrorCode, EventTime, Filter};
use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body_schemas::words;
use super::job_view::Job;
use super::problem::Problem;
use super::service::Service;
use super::subjects::subject_id;
use super::tenants::checked_reason;
use crate::auth::Authorised;

/// How long the setting of a hold waits for what it covers to be counted.
const PATIENCE: Duration = Duration::from_secs(2);

/// The holds of a tenant, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Holds {
    holds: Vec<Hold>,
}

/// A legal hold.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hold {
    id: String,
    /// `standing`, `release_asked` (it still stands) or `released`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    /// The first moment of what it covers, by `ingested_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The moment after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// When somebody is to look whether it is still needed.
    review_at: String,
    set_at: String,
    set_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release_asked_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released_by: Option<String>,
    /// The newest `system` record about it.
    system_record: u64,
    audit_record: u64,
}

/// A hold that was set, and the job that counts what it covers now.
#[derive(Debug, Serialize, ToSchema)]
pub struct HoldSet {
    hold: Hold,
    /// `contents` of its result is how many; none is no fault, as what comes in later counts too.
    job: Job,
}

/// What is to be held: everything that fits all that is given; all of the tenant's contents where
/// nothing is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHoldBody {
    /// A person, as `POST /v1/subjects/lookup` names them.
    subject_id: Option<String>,
    /// Which records, as `docs/filters.md` describes.
    filter: Option<Value>,
    /// What came in at this moment or later.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// What came in before this moment.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Who answers for it; at most 500 characters.
    #[schema(schema_with = words)]
    owner: String,
    /// Why; at most 500 characters.
    #[schema(schema_with = words)]
    reason: String,
    /// When somebody is to look whether it is still needed. It stands until it is released.
    #[schema(format = DateTime)]
    review_at: String,
}

/// Why a hold is to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    /// At most 500 characters.
    #[schema(schema_with = words)]
    reason: String,
}

impl Hold {
    fn of(entry: &HoldEntry, words: HoldWords) -> Self {
        let scope = &entry.set.scope;
        let asked = entry.release_asked.as_ref();
        let released = entry.released.as_ref();
        let time = |at: Option<IngestedAt>| at.map(|at| at.to_string());
        let json = |filter: Filter| serde_json::from_slice(&filter.to_json()).ok();
        let record: SequenceNumber = released
            .map(|(_, number)| *number)
            .or(asked.map(|(_, number)| *number))
            .unwrap_or(entry.set_as.0);
        Self {
            id: entry.set.hold.to_string(),
            state: match (asked, released) {
                (_, Some(_)) => "released",
                (Some(_), None) => "release_asked",
                (None, None) => "standing",
            },
            subject_id: scope.subject.map(|subject| subject.to_string()),
            filter: words.filter.and_then(json),
            from: time(scope.from),
            until: time(scope.until),
            owner: words.owner,
            reason: words.reason,
            review_at: entry.set.review_at.to_string(),
            set_at: entry.set_as.1.to_string(),
            set_by: entry.set.set_by.to_string(),
            release_asked_by: asked.map(|(asked, _)| asked.asked_by.to_string()),
            released_by: released.map(|(released, _)| released.released_by.to_string()),
            system_record: record.value(),
            audit_record: entry.set.audit_record.value(),
        }
    }
}

/// Every hold there ever was.
#[utoipa::path(get, path = "/v1/holds", tag = "retention", responses((status = 200, body = Holds)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<Holds>, Problem> {
    let tenant = authorised.tenant().clone();
    let holds = service.blocking(move |ledger| {
        let all = ledger.holds(&tenant)?.into_iter();
        all.map(|entry| shown(ledger, &tenant, &entry)).collect::<Result<Vec<_>, LedgerError>>()
    });
    Ok(Json(Holds { holds: holds.await? }))
}

/// One hold, and whether it stands.
#[utoipa::path(get, path = "/v1/holds/{id}", tag = "retention",
    params(("id" = String, Path)), responses((status = 200, body = Hold)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Hold>, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), hold_id(&id)?);
    let hold = service.blocking(move |ledger| {
        let entry = ledger.hold(&tenant, id)?;
        shown(ledger, &tenant, &entry)
    });
    Ok(Json(hold.await?))
}

/// Sets a hold: nothing that it covers goes while it stands.
#[utoipa::path(post, path = "/v1/holds", tag = "retention", request_body = NewHoldBody,
    responses((status = 201, body = HoldSet, headers(("Location" = String)))))]
pub async fn set(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, HeaderMap, Json<HoldSet>), Problem> {
    let new = new_hold(service.read_small(&headers, body).await?)?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let set = service.blocking(move |ledger| {
        let by = by(ledger);
        let entry = ledger.set_hold(&tenant, &new, &by)?;
        Ok::<_, LedgerError>((entry.set.hold, shown(ledger, &tenant, &entry)?))
    });
    let (id, hold) = set.await?;
    let created_by = authorised.caller().principal().as_str().to_owned();
    let job = hold_survey_job(authorised.tenant().clone(), id, created_by);
    let job = Job::whole(service.run_job(job, PATIENCE).await?);
    let mut headers = HeaderMap::new();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/holds/{id}")) {
        headers.insert(header::LOCATION, place);
    }
    Ok((StatusCode::CREATED, headers, Json(HoldSet { hold, job })))
}

/// Asks for the end of a hold; called by another person afterwards, ends it.
#[utoipa::path(post, path = "/v1/holds/{id}/release", tag = "retention",
    params(("id" = String, Path)), request_body = ReleaseBody,
    responses((status = 200, body = Hold, description = "Its `state` says which of the two"),
        (status = 403, description = "A second person is needed"),
        (status = 409, description = "It was released before")))]
pub async fn release(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Hold>, Problem> {
    let id = hold_id(&id)?;
    let ReleaseBody { reason } = service.read_small(&headers, body).await?;
    let reason = checked_reason(&reason)?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let hold = service.blocking(move |ledger| {
        let by = by(ledger);
        let entry = ledger.release_hold(&tenant, id, &reason, &by)?;
        shown(ledger, &tenant, &entry)
    });
    Ok(Json(hold.await?))
}

fn shown(ledger: &Ledger, tenant: &TenantId, entry: &HoldEntry) -> Result<Hold, LedgerError> {
    Ok(Hold::of(entry, ledger.hold_words(tenant, entry)?))
}

fn new_hold(body: NewHoldBody) -> Result<NewHold, Problem> {
    let refused = |detail: &str| Problem::new(ErrorCode::InvalidArgument, detail);
    let (from, until) = (time("from", body.from)?, time("until", body.until)?);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        return Err(refused("until: must be later than from"));
    }
    let review_at = time("review_at", Some(body.review_at))?;
    let filter = body.filter.map(|filter| {
        Filter::parse(filter.to_string().as_bytes(), &mut Canonicalizer::new())
            .map_err(|rejection| Problem::of_rejection("filter", &rejection))
    });
    let owner = checked_reason(&body.owner).map_err(|_| {
        refused("owner: it is empty, longer than 500 characters, or has control characters")
    })?;
    Ok(NewHold {
        subject: body.subject_id.as_deref().map(subject_id).transpose()?,
        filter: filter.transpose()?,
        from,
        until,
        review_at: review_at.ok_or_else(|| refused("review_at: is missing"))?,
        owner,
        reason: checked_reason(&body.reason)?,
    })
}

fn time(name: &str, text: Option<String>) -> Result<Option<IngestedAt>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let at =
        EventTime::parse(&text).ok().and_then(|time| IngestedAt::from_micros(time.micros()).ok());
    let wrong = || {
        let detail =
            format!("{name}: must be an RFC 3339 date and time, like 2027-01-31T00:00:00Z");
        Problem::new(ErrorCode::InvalidArgument, detail)
    };
    at.map(Some).ok_or_else(wrong)
}

fn hold_id(text: &str) -> Result<HoldId, Problem> {
    HoldId::parse(text).ok_or_else(|| {
        Problem::new(ErrorCode::UnknownHold, "id: is no id of a hold, 32 hexadecimal digits")
    })
}
