//! `/v1/taxonomy`: the event types that the caller's tenant knows, and what becomes of others.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use ledgerstone_ledger::TaxonomyInForce;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{ErrorCode, TaxonomyDraft};

use super::if_match::if_match;
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;

/// Bytes of a taxonomy as it is sent, which may have white space in it.
const BODY_MAX: usize = 1024 * 1024;

/// The taxonomy in force. Of a tenant that never set one it has version 0, mode `off` and no types.
#[utoipa::path(get, path = "/v1/taxonomy", tag = "taxonomy",
    responses((status = 200, body = serde_json::Value, description = "`{\"event_types\":{…},\"mode\":…,\"version\":…}` and the records that set it; `ETag` is the version")))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Response, Problem> {
    let tenant = authorised.tenant().clone();
    let in_force = service.blocking(move |ledger| ledger.taxonomy(&tenant)).await?;
    Ok(answer(&in_force))
}

/// Sets the taxonomy, whole. With `If-Match`, or `version` in the document, only if that version is
/// still in force.
#[utoipa::path(put, path = "/v1/taxonomy", tag = "taxonomy",
    params(("If-Match" = Option<String>, Header, pattern = "^\"[0-9]{1,16}\"$", description = "The `ETag` of the taxonomy that was changed")),
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 200, body = serde_json::Value, description = "The taxonomy as it is in force now"),
        (status = 412, description = "Another version is in force"),
        (status = 422, description = "The document has faults, or a schema that cannot be used")))]
pub async fn put(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let expected = if_match(&parts.headers)?;
    let text = service.read_json(&parts.headers, body, BODY_MAX).await?;
    let (tenant, by) = (authorised.tenant().clone(), service.actor(&authorised));
    let in_force = service.blocking(move |ledger| {
        let draft = TaxonomyDraft::parse(&text)
            .map_err(|rejection| Problem::of_rejection("taxonomy", &rejection))?;
        let draft = draft.based_on_also(expected).map_err(|given| {
            let detail = format!(
                "If-Match and `version` name different versions, {} and {given}",
                expected.unwrap_or_default()
            );
            Problem::new(ErrorCode::InvalidArgument, detail)
        })?;
        ledger.set_taxonomy(&tenant, draft, &by(ledger)).map_err(Problem::from)
    });
    Ok(answer(&*in_force.await?))
}

fn answer(in_force: &TaxonomyInForce) -> Response {
    let document = in_force.taxonomy().document();
    let mut json = document.to_json();
    if let Some(set_by) = in_force.set_by() {
        json.pop();
        let mut records = Vec::with_capacity(128);
        let mut object = ObjectWriter::open(&mut records);
        object.number("audit_record", set_by.audit_record.value());
        object.text("set_at", &set_by.at.to_string());
        object.number("system_record", set_by.record.value());
        object.close();
        json.extend_from_slice(b",\"set_by\":");
        json.append(&mut records);
        json.push(b'}');
    }
    let mut response = RawJson(json).into_response();
    if let Ok(version) = HeaderValue::from_str(&format!("\"{}\"", document.version())) {
        response.headers_mut().insert(header::ETAG, version);
    }
    response
}
