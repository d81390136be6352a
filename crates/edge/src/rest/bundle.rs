//! `GET /v1/requests/{id}/bundle`: everything about one person, for the person, page by page.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, Uri, header};
use ledgerstone_ledger::bundle::{Bundle, BundledEvent, csv, json};
use ledgerstone_ledger::{Ledger, Order, SignedCheckpoint};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::system::{KeyUse, PublicKey};
use ledgerstone_proof::TenantId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::cursor::Walk;
use super::list_query::ListQuery;
use super::listing::{PAGE_BYTES_MAX, Page, walk_of, write_next};
use super::problem::Problem;
use super::query::parameters;
use super::reply::RawJson;
use super::requests::request_id;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Authorised;

/// The version of the document.
const BUNDLE_VERSION: u64 = 1;

/// Records that one request looks at; the cursor goes on behind them.
const LOOKED_AT_MAX: u64 = 20_000;

/// Where CSV, which has no member for it, says how to go on.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("ledgerstone-next-cursor");

/// In which form, and where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BundleQuery {
    /// `json`, with proofs, or `csv`, a line for each value.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Records of a page; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Json,
    Csv,
}

/// Everything about the person of an approved request for access, oldest first: every event by them, about
/// them, or with anything sealed for them. Their own values are whole, those of others redacted. A page looks at
/// 20,000 records of the ledger at most, so that it may be short, or empty, and have a `next_cursor`; all pages are
/// over one snapshot. Each page of JSON has a checkpoint of its own, and proves each of its records by it, which
/// `ledgerstone verify --bundle` checks without this server. `range` says which records of the ledger the page
/// looked at, `from` the end of the page before, `of` so many in all. `record_keys` are the public keys by which the
/// signatures of records are checked. `content` is null where others stand in it in clear. It is in the access log before it is answered.
#[utoipa::path(get, path = "/v1/requests/{id}/bundle", tag = "subjects",
    params(("id" = String, Path), BundleQuery),
    responses(
        (status = 200, description = "`{\"bundle\":1,\"certificates\":[…],\"checkpoint\":…,\"count\":…,\"erased\":…,\"next_cursor\":…,\"range\":{\"from\",\"of\",\"to\"},\"record_keys\":[{\"algorithm\",\"key_id\",\"public_key\"}],\"records\":[{\"content\":…,\"event\":…,\"hidden\":[…],\"proof\":{\"hashes\",\"header\",\"leaf_index\"},\"record\":…},…],\"request\":…,\"subject_id\":…,\"tree_size\":…,\"vkey\":…}`; CSV has the cursor in `Ledgerstone-Next-Cursor`",
            content((serde_json::Value = "application/json"), (String = "text/csv"))),
        (status = 409, description = "The request is none for access, or is not approved"),
        (status = 503, description = "Keys cannot be had, so that the bundle would not be whole")))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let BundleQuery { format, limit, cursor } = parameters(&uri)?;
    let id = request_id(&id)?;
    let is_first = cursor.is_none();
    let limit = limit.map(usize::from);
    let query = ListQuery { order: Some(Order::Sequence), limit, cursor, ..ListQuery::default() };
    let limit = query.limit();
    if !(1..=super::list_query::LIMIT_MAX).contains(&limit) {
        let detail = "limit is a whole number from 1 to 1000";
        return Err(Problem::new(ErrorCode::InvalidArgument, detail));
    }
    let tenant = authorised.tenant().clone();
    let walk = walk_of(query, &tenant, &service)?;
    let claim = service.claim_answer(&tenant, PAGE_BYTES_MAX).await?;
    let asked = service.clone();
    let page = service.blocking(move |ledger| {
        let mut bundle = ledger.bundle(&tenant, id)?;
        let walk = walk(ledger)?;
        let page = match format {
            Format::Json => json_page(&mut bundle, walk, limit, (ledger, &tenant), &asked)?,
            Format::Csv => csv_page(&mut bundle, walk, (limit, is_first), (ledger, &tenant))?,
        };
        let next = page.page.next_cursor(&tenant, &asked);
        Ok::<_, Problem>((page, next))
    });
    let (MadePage { mut body, page }, next) = page.await?;
    // It may wait long to be read.
    body.shrink_to_fit();
    let answer = match format {
        Format::Json => RawJson(body).into_response(),
        Format::Csv => {
            let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
            ([(header::CONTENT_TYPE, kind)], body).into_response()
        }
    };
    let mut response = claim.in_answer(page.seen.in_answer(answer));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(next) = next.and_then(|cursor| HeaderValue::try_from(cursor).ok()) {
        headers.insert(NEXT_CURSOR, next);
    }
    Ok(response)
}

/// A page, and what it is a page of.
struct MadePage {
    body: Vec<u8>,
    page: Page,
}

fn json_page(
    bundle: &mut Bundle<'_>,
    walk: Walk,
    limit: usize,
    (ledger, tenant): (&Ledger, &TenantId),
    service: &Service,
) -> Result<MadePage, Problem> {
    let SignedCheckpoint { size, note, .. } = bundle.checkpoint(walk.size)?;
    let mut body = Vec::with_capacity(4096);
    let mut object = ObjectWriter::open(&mut body);
    object.number("bundle", BUNDLE_VERSION);
    let subject = bundle.subject();
    object.array("certificates", &subject.certificates, |number, out| {
        out.extend_from_slice(number.value().to_string().as_bytes());
    });
    let subject = subject.id.to_string();
    object.text("checkpoint", &note);
    // Their number and the cursor stand before the records in the order of names, and are known behind them.
    let (from, mut count) = (walk.rest.start, 0);
    let mut records = vec![b'['];
    let page =
        gather(bundle, walk, limit, (ledger, tenant), &mut records, |bundle, event, out| {
            if out.len() > 1 {
                out.push(b',');
            }
            let proof = bundle.prove(event, size)?;
            json::write_bundled(event, &proof, out);
            count += 1;
            Ok(())
        })?;
    records.push(b']');
    object.number("count", count);
    object.boolean("erased", bundle.is_erased());
    write_next(page.next_cursor(tenant, service).as_deref(), &mut object);
    let mut range = ObjectWriter::open(object.key("range"));
    range.number("from", from);
    range.number("of", page.rest.size);
    range.number("to", page.rest.rest.start);
    range.close();
    object.array("record_keys", &record_keys(ledger), |key, out| {
        let mut object = ObjectWriter::open(out);
        object.text("algorithm", key.algorithm().as_str());
        object.text("key_id", key.key_id().as_str());
        object.text("public_key", &key.to_base64());
        object.close();
    });
    object.key("records").append(&mut records);
    object.text("request", &bundle.request().to_string());
    object.text("subject_id", &subject);
    object.number("tree_size", size.value());
    object.text("vkey", &ledger.verifier_key(tenant)?.to_string());
    object.close();
    Ok(MadePage { body, page })
}

/// Every key that ever signed records here, so that the signatures can be checked without this server.
fn record_keys(ledger: &Ledger) -> Vec<PublicKey> {
    let history = ledger.history();
    let signing = history.keys().iter().filter(|period| period.usage == KeyUse::Record);
    signing.map(|period| period.key.clone()).collect()
}

fn csv_page(
    bundle: &mut Bundle<'_>,
    walk: Walk,
    (limit, is_first): (usize, bool),
    place: (&Ledger, &TenantId),
) -> Result<MadePage, Problem> {
    let mut body = Vec::with_capacity(4096);
    if is_first {
        body.extend_from_slice(csv::HEADER.as_bytes());
    }
    let page = gather(bundle, walk, limit, place, &mut body, |_, event, out| {
        csv::write_bundled(event, out).map_err(|_| {
            let number = event.event().record().sequence_number;
            Problem::new(ErrorCode::RecordDamaged, format!("record {number} is not canonical"))
        })
    })?;
    Ok(MadePage { body, page })
}

/// Writes the records of a walk in which the person stands.
fn gather(
    bundle: &mut Bundle<'_>,
    mut walk: Walk,
    limit: usize,
    (ledger, tenant): (&Ledger, &TenantId),
    out: &mut Vec<u8>,
    mut write: impl FnMut(&Bundle<'_>, &BundledEvent, &mut Vec<u8>) -> Result<(), Problem>,
) -> Result<Page, Problem> {
    let mut seen = Seen::by(bundle.sight()).at_size(walk.size).before_answer();
    let (mut looked_at, mut found) = (0, 0);
    for record in ledger.reader().walk(tenant, walk.order, walk.rest.clone()) {
        let record = record?;
        walk.skip(1);
        looked_at += 1;
        if let Some(event) = bundle.view(record)? {
            found += 1;
            write(bundle, &event, out)?;
            seen.note(event.event());
        }
        if found >= limit || looked_at >= LOOKED_AT_MAX || out.len() >= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(Page { rest: walk, seen })
}
