//! `GET /v1/events`: the records of the caller's ledger, page by page over one snapshot.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};
use ledgerstone_ledger::record_line::{write_record, write_record_withheld};
use ledgerstone_ledger::{Order, Reader};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::Permission;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{IngestedAt, TenantId};

use super::cursor::Walk;
use super::list_query::ListQuery;
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;

/// Bytes after which a page ends, whatever its limit; its last record may go beyond them.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Lists records, the newest first. Times are those of ingestion, which never decrease within a
/// ledger. The cursor of a page leads to the next one over the same snapshot: records that come
/// meanwhile are not in it. Whoever may not read contents gets `"content_withheld": true` and no event.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("order" = Option<String>, Query, description = "`newest` (default) or `sequence`"),
        ("from" = Option<String>, Query, description = "First moment of ingestion that belongs to the range, RFC 3339"),
        ("to" = Option<String>, Query, description = "First moment of ingestion after the range, RFC 3339"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Records of a page; 100 unless given"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
    ),
    responses((status = 200, content_type = "application/json", body = serde_json::Value,
        description = "`{\"events\":[{\"event\":…,\"record\":…},…],\"next_cursor\":…}`; `next_cursor` is null on the last page, and `Link: <…>; rel=\"next\"` says the same")))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = ListQuery::of(&uri)?;
    let tenant = authorised.tenant().clone();
    let left = match &query.cursor {
        Some(cursor) => Some(going_on(cursor, &query, &tenant, &service)?),
        None => None,
    };
    let limit = query.limit();
    let shows_contents = authorised.caller().may(Permission::EventsRead);
    let of = tenant.clone();
    let page = service.blocking(move |ledger| {
        let walk = match left {
            Some(walk) => still_there(walk, ledger.reader(), &of)?,
            None => begin(&query, ledger.reader(), &of)?,
        };
        Page::read(walk, limit, shows_contents, ledger.reader(), &of)
    });
    Ok(page.await?.into_response(&tenant, limit, &service))
}

/// The walk of a cursor. Parameters that were given again must be those that it began with.
fn going_on(
    cursor: &str,
    query: &ListQuery,
    tenant: &TenantId,
    service: &Service,
) -> Result<Walk, Problem> {
    let walk = Walk::from_cursor(cursor, tenant, service.cursor_key())?;
    let is_same = query.order.is_none_or(|order| order == walk.order)
        && (query.from.is_none() || query.from == walk.from)
        && (query.to.is_none() || query.to == walk.to);
    if is_same {
        return Ok(walk);
    }
    let detail = "the cursor belongs to a listing with another order, from or to";
    Err(Problem::new(ErrorCode::InvalidCursor, detail))
}

fn still_there(walk: Walk, reader: &Reader, tenant: &TenantId) -> Result<Walk, Problem> {
    if walk.size > reader.size(tenant)? || walk.rest.end > walk.size {
        let detail = "the cursor is over more records than the ledger has";
        return Err(Problem::new(ErrorCode::InvalidCursor, detail));
    }
    Ok(walk)
}

/// A walk over the ledger as it is now.
fn begin(query: &ListQuery, reader: &Reader, tenant: &TenantId) -> Result<Walk, Problem> {
    let size = reader.size(tenant)?;
    let number_at = |micros: i64, none: u64| {
        let time = IngestedAt::from_micros(micros).ok();
        time.map_or(Ok(none), |time| reader.first_ingested_since(tenant, size, time))
    };
    let start = query.from.map_or(Ok(0), |micros| number_at(micros, size))?;
    let end = query.to.map_or(Ok(size), |micros| number_at(micros, size))?;
    let order = query.order.unwrap_or(Order::NewestFirst);
    Ok(Walk { order, from: query.from, to: query.to, rest: start..end.max(start), size })
}

/// Some records of a walk as JSON, and what is left of it.
struct Page {
    /// The members of the array.
    lines: Vec<u8>,
    rest: Walk,
}

impl Page {
    fn read(
        mut walk: Walk,
        limit: usize,
        shows_contents: bool,
        reader: &Reader,
        tenant: &TenantId,
    ) -> Result<Self, Problem> {
        let write = if shows_contents { write_record } else { write_record_withheld };
        let mut lines = Vec::with_capacity(4096);
        for record in reader.walk(tenant, walk.order, walk.rest.clone()).take(limit) {
            if !lines.is_empty() {
                lines.push(b',');
            }
            write(&record?, &mut lines);
            match walk.order {
                Order::NewestFirst => walk.rest.end -= 1,
                Order::Sequence => walk.rest.start += 1,
            }
            if lines.len() >= PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(Self { lines, rest: walk })
    }

    fn into_response(self, tenant: &TenantId, limit: usize, service: &Service) -> Response {
        let is_last = self.rest.rest.is_empty();
        let next = (!is_last).then(|| self.rest.to_cursor(tenant, service.cursor_key()));
        let mut json = Vec::with_capacity(self.lines.len() + 256);
        let mut object = ObjectWriter::open(&mut json);
        let events = object.key("events");
        events.push(b'[');
        events.extend_from_slice(&self.lines);
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
}
