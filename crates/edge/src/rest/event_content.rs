//! `GET /v1/events/{id}/content`: the exact bytes that a content hash is over.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode};
use ledgerstone_model::ErrorCode;

use super::event_path::EventPath;
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;

/// RFC 9530 §3.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The canonical content of a record, byte for byte as it is hashed and sealed. `Repr-Digest` holds
/// its SHA-256, which is the record's `content_hash`.
#[utoipa::path(get, path = "/v1/events/{id}/content", tag = "events", params(EventPath),
    responses(
        (status = 200, body = serde_json::Value, headers(("Repr-Digest" = String))),
        (status = 410, description = "The content is no longer kept"),
    ))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
) -> Result<Response, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let get = move |ledger: &ledgerstone_ledger::Ledger| ledger.reader().get(&tenant, &id);
    let record = service.blocking(get).await?;
    let content = record.content.ok_or_else(|| {
        let detail = "the record is there, but its content is no longer kept";
        Problem::new(ErrorCode::EventNotFound, detail).with_status(StatusCode::GONE)
    })?;
    // The store has just compared the content with its hash.
    let digest = format!("sha-256=:{}:", STANDARD.encode(record.content_hash.as_bytes()));
    let mut response = RawJson(content).into_response();
    if let Ok(digest) = HeaderValue::try_from(digest) {
        response.headers_mut().insert(REPR_DIGEST, digest);
    }
    Ok(response)
}
