//! Answers that never change: a strong entity tag, a year in every cache, and 304 for those who have it.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::sha256;
use serde::Serialize;

use super::problem::Problem;

/// Kept by the caller's own cache only, for as long as caches keep anything (RFC 9111, RFC 8246).
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// The same path is another answer for another tenant.
const CREDENTIALS: HeaderValue = HeaderValue::from_static("authorization, x-api-key");

/// An answer whose bytes will be the same for ever, or 304 where the caller has them already
/// (RFC 9110 §13.1.2).
pub fn unchanging(request: &HeaderMap, content_type: &'static str, body: Vec<u8>) -> Response {
    let tag = format!("\"sha256-{}\"", sha256(&body).to_hex());
    let holds_it = request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|candidate| {
            candidate.trim().trim_start_matches("W/") == tag || candidate.trim() == "*"
        });
    let mut response = if holds_it {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
    response.headers_mut().insert(header::VARY, CREDENTIALS);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The same for JSON.
pub fn unchanging_json(request: &HeaderMap, answer: &impl Serialize) -> Result<Response, Problem> {
    let internal = |_| Problem::new(ErrorCode::Internal, "the answer could not be written");
    let body = serde_json::to_vec(answer).map_err(internal)?;
    Ok(unchanging(request, "application/json", body))
}
