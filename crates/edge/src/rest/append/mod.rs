//! `POST /v1/events`: one event, an array of them, or one a line.

mod array;
mod following;
mod idempotency;
mod letters;
mod lines;
mod ndjson;
mod options;
mod prepare;
mod proven;
mod refused_type;
mod result;
mod results;
mod single;
mod submit;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

use super::encoding::Encoding;
use super::limits::BODY_BYTES_MAX;
use super::media_type::MediaType;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;
pub(super) use array::{ITEM_BYTES, items_at_most, split};
pub(super) use following::Followed;
pub(super) use letters::DeadLetterNote;
pub(super) use options::Options;
pub(super) use prepare::{Prepared, RANDOM_BYTES, Reading, Source, Unprepared, not_empty};
pub(super) use result::write_receipt;

/// Takes events. One object is answered with its receipt, an array with one item for each event in
/// their order, NDJSON with one line for each line.
#[utoipa::path(post, path = "/v1/events", tag = "events",
    params(
        Options,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!#-\\[\\]-~]+$", description = "Gives events that bring no `id` one that follows from tenant, principal, this key and their place in the request, so that a request can be sent again; 1 to 255 visible characters of ASCII, none a quote or a backslash"),
        ("Content-Encoding" = Option<String>, Header, pattern = "^(identity|gzip|x-gzip|zstd)$", description = "How the body is packed: `gzip` or `zstd`"),
    ),
    request_body(content(
        (serde_json::Value = "application/json"), (String = "application/x-ndjson")
    )),
    responses(
        (status = 200, description = "Every event of the array is recorded, or was before", content((serde_json::Value = "application/json"), (String = "application/x-ndjson"))),
        (status = 201, description = "The event is recorded", content((serde_json::Value = "application/json"))),
        (status = 202, description = "Asked for with wait=none: the events are in memory and not yet durable", content((serde_json::Value = "application/json"))),
        (status = 207, description = "Some events of the array were refused", content((serde_json::Value = "application/json"))),
        (status = 422, description = "The event, or every event of the array, was refused", content(
            (serde_json::Value = "application/json"), (serde_json::Value = "application/problem+json")
        )),
    ))]
pub async fn append(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    take_request(&service, &authorised, Reading::Native, request).await
}

/// What every route that takes events does; `reading` is what it takes without being asked otherwise.
pub(super) async fn take_request(
    service: &Service,
    authorised: &Authorised,
    reading: Reading,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let options = Options::of(&parts)?;
    let reading = options.reading(reading)?;
    let encoding = Encoding::of(&parts.headers)?;
    let numbers = options.numbers(service.numbers(authorised.caller()))?;
    let source = Source::new(service, authorised, (reading, numbers), &parts.headers)?;
    match MediaType::of(&parts.headers)? {
        MediaType::Ndjson => {
            let packed = (&parts.headers, encoding);
            ndjson::append(service, authorised.caller(), source, &options, packed, body)
        }
        MediaType::Json => json(service, source, &options, encoding, &parts.headers, body).await,
    }
}

async fn json(
    service: &Service,
    source: Source,
    options: &Options,
    encoding: Encoding,
    headers: &http::HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let text = service.read_body(headers, body, encoding, BODY_BYTES_MAX).await?;
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_array = first == Some(&b'[');
    if is_array {
        array::append(service, source, options, text).await
    } else {
        single::append(service, source, options, text).await
    }
}
