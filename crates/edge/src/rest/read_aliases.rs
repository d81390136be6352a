//! The routes under which clients of other services read records, in the flat shapes that they expect.
//!
//! They are [`event_list`](super::event_list) and [`event_get`](super::event_get) under other names;
//! `docs/shapes.md` says member by member what their answers hold.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use ledgerstone_ledger::VisibleEvent;
use ledgerstone_model::json_write::ObjectWriter;
use tokio::time::Instant;

use super::event_path::EventPath;
use super::list_query::invalid;
use super::listing::{PAGE_BYTES_MAX, Page, walk_of, write_next};
use super::problem::Problem;
use super::read_alias_query::{Paging, ReadAliasQuery, shape_alone};
use super::reply::RawJson;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Authorised;
use crate::shape::answer::sent_as;
use crate::shape::{Shape, find};

/// Records of a page where pages are counted, unless the request says otherwise.
const PAGE_SIZE_DEFAULT: usize = 50;

/// The shapes of `/api/v1/audit/events`; one that is in none of them is told in the first.
const EVENTS: &[&str] = &["agent", "entity"];
/// The shape of `/api/v1/audit`.
const AUDIT: &[&str] = &["user"];

/// Lists records, the newest first, each in the flat shape in which it was sent (`agent` or `entity`),
/// or in the one that `shape` names. Times are those of ingestion.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "aliases",
    params(
        ("start_time" = Option<String>, Query, format = DateTime, description = "First moment of the range; also `start_date`"),
        ("end_time" = Option<String>, Query, format = DateTime, description = "Last moment of the range; also `end_date`"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Records of a page; 100 unless given"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
        ("shape" = Option<String>, Query, pattern = "^(agent|entity|user)$", description = "`agent`, `entity` or `user`"),
    ),
    responses((status = 200, content_type = "application/json", body = serde_json::Value,
        description = "`{\"events\":[…],\"execution_time\":…,\"next_cursor\":…,\"total_count\":…}`")))]
pub async fn list_events(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let query = ReadAliasQuery::of(&uri, Paging::Cursor)?;
    let tenant = authorised.tenant().clone();
    let write = writer(EVENTS, query.shape);
    let (limit, sight) = (query.list.limit(), authorised.caller().sight());
    let walk = walk_of(query.list, &tenant, &service)?;
    let claim = service.claim_answer(&tenant, PAGE_BYTES_MAX).await?;
    let asked = service.clone();
    let page = service.blocking(move |ledger| {
        let walk = walk(ledger)?;
        let total = walk.total(ledger.reader(), &tenant)?;
        let mut viewer = ledger.viewer(&tenant, sight)?;
        let mut json = Vec::with_capacity(4096);
        let mut object = ObjectWriter::open(&mut json);
        let to = (write, object.key("events"));
        let page = Page::write(walk, limit, to, (ledger.reader(), &tenant), &mut viewer)?;
        object.text("execution_time", &format!("{:?}", begun.elapsed()));
        write_next(page.next_cursor(&tenant, &asked).as_deref(), &mut object);
        object.number("total_count", total);
        object.close();
        // It may wait long to be read.
        json.shrink_to_fit();
        Ok::<_, Problem>((json, page.seen))
    });
    let (json, seen) = page.await?;
    Ok(claim.in_answer(seen.in_answer(RawJson(json))))
}

/// Lists records, the newest first, in the flat shape `user` or in the one that `shape` names. Times are
/// those of ingestion. Pages are counted over the ledger as it is at each request.
#[utoipa::path(get, path = "/api/v1/audit", tag = "aliases",
    params(
        ("start_date" = Option<String>, Query, format = DateTime, description = "First moment of the range; also `start_time`"),
        ("end_date" = Option<String>, Query, format = DateTime, description = "Last moment of the range; also `end_time`"),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 9_007_199_254_740_991.0, description = "Which page, from 1 on"),
        ("page_size" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Records of a page; 50 unless given"),
        ("shape" = Option<String>, Query, pattern = "^(agent|entity|user)$", description = "`agent`, `entity` or `user`"),
    ),
    responses((status = 200, content_type = "application/json", body = serde_json::Value,
        description = "`{\"events\":[…],\"page\":…,\"page_size\":…,\"total\":…,\"total_pages\":…}`")))]
pub async fn list_audit(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = ReadAliasQuery::of(&uri, Paging::Number)?;
    let tenant = authorised.tenant().clone();
    let write = writer(AUDIT, query.shape);
    let page_size = query.list.limit.unwrap_or(PAGE_SIZE_DEFAULT);
    let (number, sight) = (query.page.unwrap_or(1), authorised.caller().sight());
    let walk = walk_of(query.list, &tenant, &service)?;
    let claim = service.claim_answer(&tenant, PAGE_BYTES_MAX).await?;
    let page = service.blocking(move |ledger| {
        let mut walk = walk(ledger)?;
        let total = walk.rest.end - walk.rest.start;
        walk.skip((number - 1).saturating_mul(page_size as u64));
        let expected = (walk.rest.end - walk.rest.start).min(page_size as u64);
        let left = walk.rest.end - walk.rest.start - expected;
        let mut viewer = ledger.viewer(&tenant, sight)?;
        let mut json = Vec::with_capacity(4096);
        let mut object = ObjectWriter::open(&mut json);
        let to = (write, object.key("events"));
        let page = Page::write(walk, page_size, to, (ledger.reader(), &tenant), &mut viewer)?;
        if page.rest.rest.end - page.rest.rest.start > left {
            return Err(invalid(
                "the page would have more than 8 MiB; ask for a smaller page_size",
            ));
        }
        object.number("page", number);
        object.number("page_size", page_size as u64);
        object.number("total", total);
        object.number("total_pages", total.div_ceil(page_size as u64));
        object.close();
        // It may wait long to be read.
        json.shrink_to_fit();
        Ok((json, page.seen))
    });
    let (json, seen) = page.await?;
    Ok(claim.in_answer(seen.in_answer(RawJson(json))))
}

/// One record in the flat shape in which it was sent (`agent` or `entity`), or in the one that `shape` names.
#[utoipa::path(get, path = "/api/v1/audit/events/{id}", tag = "aliases",
    params(EventPath, ("shape" = Option<String>, Query, pattern = "^(agent|entity|user)$", description = "`agent`, `entity` or `user`")),
    responses((status = 200, body = serde_json::Value)))]
pub async fn get_event(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
    uri: Uri,
) -> Result<Response, Problem> {
    get(&service, &authorised, &path, EVENTS, &uri).await
}

/// One record in the flat shape `user`, or in the one that `shape` names.
#[utoipa::path(get, path = "/api/v1/audit/{id}", tag = "aliases",
    params(EventPath, ("shape" = Option<String>, Query, pattern = "^(agent|entity|user)$", description = "`agent`, `entity` or `user`")),
    responses((status = 200, body = serde_json::Value)))]
pub async fn get_audit(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
    uri: Uri,
) -> Result<Response, Problem> {
    get(&service, &authorised, &path, AUDIT, &uri).await
}

async fn get(
    service: &Service,
    authorised: &Authorised,
    path: &EventPath,
    of_route: &'static [&'static str],
    uri: &Uri,
) -> Result<Response, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let write = writer(of_route, shape_alone(uri)?);
    let mut seen = Seen::by(authorised.caller().sight());
    let line = service.blocking(move |ledger| {
        let record = ledger.reader().get(&tenant, &id)?;
        let event = ledger.viewer(&tenant, seen.sight())?.view(record);
        let mut line = Vec::with_capacity(1024);
        write(&event, &mut line);
        seen.note(&event);
        Ok::<_, Problem>((line, seen))
    });
    let (line, seen) = line.await?;
    Ok(seen.in_answer(RawJson(line)))
}

/// What writes the records of a route.
fn writer(
    of_route: &'static [&'static str],
    asked: Option<&'static Shape>,
) -> impl Fn(&VisibleEvent, &mut Vec<u8>) + Send + use<> {
    let shapes: Vec<_> = match asked {
        Some(shape) => vec![shape],
        None => of_route.iter().filter_map(|name| find(name)).collect(),
    };
    move |event, out| {
        let shape = sent_as(event, &shapes).or(shapes.first().copied());
        if let Some(shape) = shape {
            shape.write(event, out);
        }
    }
}
