//! `GET /v1/subjects/{id}/access`: who saw a person.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_ledger::{Ledger, SubjectAccess, Viewer};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::View;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::subject_request::SubjectRight;
use ledgerstone_proof::TenantId;

use super::cursor::Walk;
use super::list_query::ListQuery;
use super::listing::walk_of;
use super::problem::Problem;
use super::reply::RawJson;
use super::seen::Seen;
use super::service::Service;
use super::subjects::subject_id;
use crate::auth::Authorised;

/// Records that one request looks at; the cursor goes on behind them.
const LOOKED_AT_MAX: u64 = 20_000;

/// Who saw a person: the records of the access log that name one of the person's keys, the newest first.
/// `view` says whether values of the person were `shown` or `redacted`. A page looks at 20,000 records of
/// the ledger at most, so that it may be short, or empty, and have a `next_cursor`. `right` is `access`.
#[utoipa::path(get, path = "/v1/subjects/{subject_id}/{right}", tag = "subjects",
    params(
        ("subject_id" = String, Path),
        ("right" = String, Path, description = "`access`"),
        ("order" = Option<String>, Query, pattern = "^(newest|sequence)$", description = "`newest` (default) or `sequence`"),
        ("from" = Option<String>, Query, format = DateTime, description = "First moment of ingestion that belongs to the range, RFC 3339"),
        ("to" = Option<String>, Query, format = DateTime, description = "First moment of ingestion after the range, RFC 3339"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Records of a page; 100 unless given"),
        ("cursor" = Option<String>, Query, description = "Where to go on: the `next_cursor` of the page before"),
    ),
    responses((status = 200, content_type = "application/json", body = serde_json::Value,
        description = "`{\"accesses\":[{\"event\":…,\"hidden\":[…],\"record\":…,\"view\":…},…],\"next_cursor\":…}`")))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path((id, right)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = ListQuery::of(&uri)?;
    if SubjectRight::parse(&right) != Some(SubjectRight::Access) {
        let detail = "of a person, this can be read: who saw them, at …/access";
        return Err(Problem::new(ErrorCode::NotFound, detail));
    }
    let id = subject_id(&id)?;
    let (tenant, limit) = (authorised.tenant().clone(), query.limit());
    let sight = authorised.caller().sight();
    let (walk, of) = (walk_of(query, &tenant, &service)?, tenant.clone());
    let page = service.blocking(move |ledger| {
        let subject = SubjectAccess::of(ledger, &of, &id)?.ok_or_else(|| {
            let detail = "nothing was ever sealed for this person, or the id is not this tenant's";
            Problem::new(ErrorCode::UnknownSubject, detail)
        })?;
        Accesses::read(walk(ledger)?, limit, &subject, (ledger, &of), ledger.viewer(&of, sight)?)
    });
    let page = page.await?;
    let is_last = page.rest.rest.is_empty();
    let next = (!is_last).then(|| page.rest.to_cursor(&tenant, service.cursor_key()));
    let mut json = Vec::with_capacity(page.lines.len() + 256);
    let mut object = ObjectWriter::open(&mut json);
    let accesses = object.key("accesses");
    accesses.push(b'[');
    accesses.extend_from_slice(&page.lines);
    accesses.push(b']');
    match &next {
        Some(cursor) => object.text("next_cursor", cursor),
        None => object.key("next_cursor").extend_from_slice(b"null"),
    }
    object.close();
    Ok(page.seen.in_answer(RawJson(json)))
}

/// What one page found, and what is left of the walk.
struct Accesses {
    lines: Vec<u8>,
    rest: Walk,
    seen: Seen,
}

impl Accesses {
    fn read(
        mut walk: Walk,
        limit: usize,
        subject: &SubjectAccess,
        (ledger, tenant): (&Ledger, &TenantId),
        mut viewer: Viewer<'_>,
    ) -> Result<Self, Problem> {
        let mut lines = Vec::with_capacity(4096);
        let mut seen = Seen::by(viewer.sight()).at_size(walk.size);
        let (mut looked_at, mut found) = (0, 0);
        for record in ledger.reader().walk(tenant, walk.order, walk.rest.clone()) {
            let record = record?;
            walk.skip(1);
            looked_at += 1;
            if let Some(view) = subject.view_in(&record) {
                found += 1;
                let event = viewer.view(record);
                if !lines.is_empty() {
                    lines.push(b',');
                }
                write_record(&event, &mut lines);
                add_view(view, &mut lines);
                seen.note(&event);
            }
            if found >= limit || looked_at >= LOOKED_AT_MAX {
                break;
            }
        }
        Ok(Self { lines, rest: walk, seen })
    }
}

/// Adds a last member to the object that was written last.
fn add_view(view: View, out: &mut Vec<u8>) {
    if out.pop_if(|last| *last == b'}').is_some() {
        out.extend_from_slice(format!(",\"view\":\"{}\"}}", view.as_str()).as_bytes());
    }
}
