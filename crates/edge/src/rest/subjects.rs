//! `/v1/subjects`: people, looked up by type and id, and named by an opaque id ever after: no value of
//! a person stands in a path.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::subjects::SubjectView;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::sealing::{Subject as Person, SubjectId};
use ledgerstone_model::subject_request::{ErasureBasis, SubjectRight};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::noting::LookedUp;
use super::problem::Problem;
use super::requests::{SubjectRequest, survey_of};
use super::service::Service;
use super::tenants::REASON_MAX;
use crate::auth::Authorised;

/// Whom to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectName {
    /// The type of the actor or target, as events say it, e.g. `customer`.
    #[serde(rename = "type")]
    kind: String,
    /// The id of the actor or target, as events say it.
    #[schema(min_length = 1)]
    id: String,
}

/// What is known of a person.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the glossary's word for the member")]
pub struct Subject {
    /// Opaque, and always the same for the same person of this tenant.
    subject_id: String,
    /// Ids of the keys that values of the person are sealed under.
    live_keys: Vec<String>,
    /// Ids of those that were destroyed: what they sealed cannot be opened any more.
    destroyed_keys: Vec<String>,
    /// The numbers of the `system.erasure` records that certify it, oldest first.
    certificates: Vec<u64>,
    /// Of a lookup: that the type is no person's by the policy `sealing`, and which are. Absent where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What a person asks.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubjectRequest {
    /// Why an erasure is due: `no_longer_necessary`, `consent_withdrawn`, `objection`,
    /// `unlawful_processing`, `legal_obligation` or `child_consent`. For erasures alone.
    basis: Option<String>,
    /// In words, for the `audit` record; at most 500 characters.
    reason: Option<String>,
    /// That somebody who was erased, of whom nothing is known to be left, is looked for again, as events may
    /// name them in clear since. For erasures alone.
    #[serde(default)]
    again: bool,
}

impl From<SubjectView> for Subject {
    fn from(view: SubjectView) -> Self {
        Self {
            subject_id: view.id.to_string(),
            live_keys: view.live_keys.iter().map(ToString::to_string).collect(),
            destroyed_keys: view.destroyed_keys.iter().map(ToString::to_string).collect(),
            certificates: view.certificates.iter().map(|number| number.value()).collect(),
            note: view.note,
        }
    }
}

/// Looks a person up. Whoever was never met has an id too, and no keys.
#[utoipa::path(post, path = "/v1/subjects/lookup", tag = "subjects", request_body = SubjectName,
    responses((status = 200, body = Subject)))]
pub async fn lookup(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let SubjectName { kind, id } = service.read_small(&headers, body).await?;
    if id.is_empty() {
        return Err(Problem::new(ErrorCode::InvalidArgument, "id: must not be empty"));
    }
    let tenant = authorised.tenant().clone();
    let looked_up = LookedUp { kind: kind.clone(), id: id.clone() };
    let view =
        service.blocking(move |ledger| ledger.subject(&tenant, &Person::Person { kind, id }));
    let mut response = Json(Subject::from(view.await?)).into_response();
    response.extensions_mut().insert(looked_up);
    Ok(response)
}

/// What is known of a person.
#[utoipa::path(get, path = "/v1/subjects/{subject_id}", tag = "subjects",
    params(("subject_id" = String, Path)), responses((status = 200, body = Subject)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Subject>, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), subject_id(&id)?);
    let view = service.blocking(move |ledger| ledger.subject_of_id(&tenant, &id)).await?;
    if view.live_keys.is_empty() && view.destroyed_keys.is_empty() {
        let detail = "nothing was ever sealed for this person, or the id is not this tenant's";
        return Err(Problem::new(ErrorCode::UnknownSubject, detail));
    }
    Ok(Json(view.into()))
}

/// Opens a request of a person in the register: `access`, `rectification`, `erasure` or
/// `restriction`. It is due in one month.
#[utoipa::path(post, path = "/v1/subjects/{subject_id}/{right}", tag = "subjects",
    params(("subject_id" = String, Path),
        ("right" = String, Path, description = "`access`, `rectification`, `erasure` or `restriction`")),
    request_body = Option<NewSubjectRequest>,
    responses((status = 201, body = SubjectRequest, headers(("Location" = String))),
        (status = 409, description = "The person was erased before, and has not acted since, or an erasure is open already")))]
pub async fn request(
    State(service): State<Service>,
    authorised: Authorised,
    Path((id, right)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, HeaderMap, Json<SubjectRequest>), Problem> {
    let right = SubjectRight::parse(&right).ok_or_else(|| {
        let known: Vec<_> = SubjectRight::ALL.iter().map(|right| right.as_str()).collect();
        let detail = format!(
            "a person asks for one of {}, and the path names none of them",
            known.join(", ")
        );
        Problem::new(ErrorCode::NotFound, detail)
    })?;
    let wanted: NewSubjectRequest = service.read_small(&headers, body).await?;
    let reason = short(wanted.reason)?;
    let basis = basis(wanted.basis.as_deref(), right)?;
    if wanted.again && right != SubjectRight::Erasure {
        return Err(Problem::new(ErrorCode::InvalidArgument, "again: is for erasures alone"));
    }
    let new = NewRequest { right, basis, subject: subject_id(&id)?, reason, again: wanted.again };
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let opened = service.blocking(move |ledger| {
        let by = by(ledger);
        ledger.open_request(&tenant, &new, &by)
    });
    let opened = opened.await?;
    let mut request = SubjectRequest::from(&*opened);
    if right == SubjectRight::Erasure {
        let survey = survey_of(&service, &authorised, opened.request.id()).await?;
        request = request.with_survey(survey);
    }
    let mut headers = HeaderMap::new();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/requests/{}", request.id())) {
        headers.insert(header::LOCATION, place);
    }
    Ok((StatusCode::CREATED, headers, Json(request)))
}

fn basis(name: Option<&str>, right: SubjectRight) -> Result<Option<ErasureBasis>, Problem> {
    let known = || ErasureBasis::ALL.iter().map(|basis| basis.as_str()).collect::<Vec<_>>();
    let refused = |detail: String| Problem::new(ErrorCode::InvalidArgument, detail);
    match (name, right) {
        (None, SubjectRight::Erasure) => {
            let detail = format!("basis: an erasure names why it is due: {}", known().join(", "));
            Err(refused(detail))
        }
        (None, _) => Ok(None),
        (Some(name), SubjectRight::Erasure) => match ErasureBasis::parse(name) {
            Some(basis) => Ok(Some(basis)),
            None => Err(refused(format!("basis: must be one of {}", known().join(", ")))),
        },
        (Some(_), _) => Err(refused("basis: is for erasures alone".to_owned())),
    }
}

pub(super) fn short(reason: Option<String>) -> Result<Option<String>, Problem> {
    match reason {
        Some(reason) if reason.chars().count() > REASON_MAX => {
            let detail = format!("reason: may have at most {REASON_MAX} characters");
            Err(Problem::new(ErrorCode::InvalidArgument, detail))
        }
        reason => Ok(reason),
    }
}

pub(super) fn subject_id(text: &str) -> Result<SubjectId, Problem> {
    SubjectId::parse(text).ok_or_else(|| {
        let detail = "subject_id: is no id as POST /v1/subjects/lookup gives it";
        Problem::new(ErrorCode::UnknownSubject, detail)
    })
}
