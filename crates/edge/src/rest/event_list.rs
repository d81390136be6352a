//! `GET /v1/events`: the records of the caller's ledger, page by page over one snapshot.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::TenantId;

use super::list_query::ListQuery;
use super::listing::{Page, walk_of};
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;

/// Lists records, the newest first. Times are those of ingestion, which never decrease within a
/// ledger. The cursor of a page leads to the next one over the same snapshot: records that come
/// meanwhile are not in it. Beside each event, `hidden` lists what of it is redacted, hidden, erased or cannot
/// be opened now.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("order" = Option<String>, Query, pattern = "^(newest|sequence)$", description = "`newest` (default) or `sequence`"),
        ("from" = Option<String>, Query, format = DateTime, description = "First moment of ingestion that belongs to the range, RFC 3339"),
        ("to" = Option<String>, Query, format = DateTime, description = "First moment of ingestion after the range, RFC 3339"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Records of a page; 100 unless given"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
    ),
    responses((status = 200, content_type = "application/json", body = serde_json::Value,
        description = "`{\"events\":[{\"event\":…,\"hidden\":[…],\"record\":…},…],\"next_cursor\":…}`; `next_cursor` is null on the last page, and `Link: <…>; rel=\"next\"` says the same")))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = ListQuery::of(&uri)?;
    let tenant = authorised.tenant().clone();
    let limit = query.limit();
    let sight = authorised.caller().sight();
    let (walk, of) = (walk_of(query, &tenant, &service)?, tenant.clone());
    let page = service.blocking(move |ledger| {
        let mut viewer = ledger.viewer(&of, sight)?;
        Page::read(walk(ledger)?, limit, write_record, (ledger.reader(), &of), &mut viewer)
    });
    let page = page.await?;
    let response = into_response(&page, &tenant, limit, &service);
    Ok(page.seen.in_answer(response))
}

fn into_response(page: &Page, tenant: &TenantId, limit: usize, service: &Service) -> Response {
    let is_last = page.rest.rest.is_empty();
    let next = (!is_last).then(|| page.rest.to_cursor(tenant, service.cursor_key()));
    let mut json = Vec::with_capacity(page.lines.len() + 256);
    let mut object = ObjectWriter::open(&mut json);
    let events = object.key("events");
    events.push(b'[');
    events.extend_from_slice(&page.lines);
    events.push(b']');
    match &next {
        Some(cursor) => object.text("next_cursor", cursor),
        None => object.key("next_cursor").extend_from_slice(b"null"),
    }
    object.close();
    let mut response = RawJson(json).into_response();
    let link =
        next.map(|cursor| format!("</v1/events?limit={limit}&cursor={cursor}>; rel=\"next\""));
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
