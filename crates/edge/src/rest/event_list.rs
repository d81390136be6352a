//! `GET /v1/events`: the records of the caller's ledger, page by page over one snapshot.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, Uri, header};
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_model::json_write::ObjectWriter;

use super::list_query::ListQuery;
use super::listing::{PAGE_BYTES_MAX, Page, walk_of, write_next};
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
    let walk = walk_of(query, &tenant, &service)?;
    let claim = service.claim_answer(&tenant, PAGE_BYTES_MAX).await?;
    let asked = service.clone();
    let page = service.blocking(move |ledger| {
        let mut viewer = ledger.viewer(&tenant, sight)?;
        let mut json = Vec::with_capacity(4096);
        let mut object = ObjectWriter::open(&mut json);
        let to = (write_record, object.key("events"));
        let page = Page::write(walk(ledger)?, limit, to, (ledger.reader(), &tenant), &mut viewer)?;
        let next = page.next_cursor(&tenant, &asked);
        write_next(next.as_deref(), &mut object);
        object.close();
        // It may wait long to be read.
        json.shrink_to_fit();
        Ok::<_, Problem>((json, next, page.seen))
    });
    let (json, next, seen) = page.await?;
    let mut response = claim.in_answer(seen.in_answer(RawJson(json)));
    let link =
        next.map(|cursor| format!("</v1/events?limit={limit}&cursor={cursor}>; rel=\"next\""));
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}
