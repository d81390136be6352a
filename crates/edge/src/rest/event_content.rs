//! `GET /v1/events/{id}/content`: the exact bytes that a content hash is over.

use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use ledgerstone_ledger::{Dropped, Ledger};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::Sight;

use super::event_path::EventPath;
use super::problem::Problem;
use super::reply::RawJson;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Authorised;

/// RFC 9530 §3.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The canonical content of a record, byte for byte as it is hashed and sealed. `Repr-Digest` holds
/// its SHA-256, which is the record's `content_hash`.
#[utoipa::path(get, path = "/v1/events/{id}/content", tag = "events", params(EventPath),
    responses(
        (status = 200, body = serde_json::Value, headers(("Repr-Digest" = String))),
        (status = 410, description = "The content was dropped; the record says by which other one"),
    ))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
) -> Result<Response, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let sight = authorised.caller().sight();
    let get = move |ledger: &Ledger| {
        let record = ledger.reader().get_readable(&tenant, &id)?;
        if ledger.viewer(&tenant, sight)?.is_closed(&record) {
            return Err(restricted());
        }
        let dropped = ledger.reader().dropped(&record)?;
        Ok::<_, Problem>((record, dropped))
    };
    let (record, dropped) = service.blocking(get).await?;
    let content = record.content.ok_or_else(|| gone(dropped))?;
    // The store has just compared the content with its hash.
    let digest = format!("sha-256=:{}:", STANDARD.encode(record.content_hash.as_bytes()));
    let mut seen = Seen::by(Sight::NOTHING);
    seen.note_number(record.sequence_number);
    let mut response = seen.in_answer(RawJson(content));
    if let Ok(digest) = HeaderValue::try_from(digest) {
        response.headers_mut().insert(REPR_DIGEST, digest);
    }
    Ok(response)
}

/// Somebody whom it is about had the use of their data restricted.
fn restricted() -> Problem {
    let detail = "the record is about somebody whose data is restricted";
    Problem::new(ErrorCode::SubjectRestricted, detail)
}

/// The record is there and its content is not.
fn gone(dropped: Option<Dropped>) -> Problem {
    let by = dropped.map_or_else(String::new, |dropped| {
        format!(", as record {} says ({})", dropped.record, dropped.reason.as_str())
    });
    Problem::new(ErrorCode::ContentDropped, format!("the content was dropped{by}"))
}
