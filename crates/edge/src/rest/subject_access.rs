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
use super::listing::{PAGE_BYTES_MAX, Page, walk_of, write_next};
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
    let walk = walk_of(query, &tenant, &service)?;
    let claim = service.claim_answer(&tenant, PAGE_BYTES_MAX).await?;
    let asked = service.clone();
    let page = service.blocking(move |ledger| {
        let subject = SubjectAccess::of(ledger, &tenant, &id)?.ok_or_else(|| {
            let detail = "nothing was ever sealed for this person, or the id is not this tenant's";
            Problem::new(ErrorCode::UnknownSubject, detail)
        })?;
        let viewer = ledger.viewer(&tenant, sight)?;
        let mut json = Vec::with_capacity(4096);
        let mut object = ObjectWriter::open(&mut json);
        let to = (limit, object.key("accesses"));
        let page = write(walk(ledger)?, to, &subject, (ledger, &tenant), viewer)?;
        write_next(page.next_cursor(&tenant, &asked).as_deref(), &mut object);
        object.close();
        Ok::<_, Problem>((json, page.seen))
    });
    let (json, seen) = page.await?;
    Ok(claim.in_answer(seen.in_answer(RawJson(json))))
}

/// Writes the records of a walk that tell of the person, as an array.
fn write(
    mut walk: Walk,
    (limit, out): (usize, &mut Vec<u8>),
    subject: &SubjectAccess,
    (ledger, tenant): (&Ledger, &TenantId),
    mut viewer: Viewer<'_>,
) -> Result<Page, Problem> {
    out.push(b'[');
    let begin = out.len();
    let mut seen = Seen::by(viewer.sight()).at_size(walk.size);
    let (mut looked_at, mut found) = (0, 0);
    for record in ledger.reader().walk(tenant, walk.order, walk.rest.clone()) {
        let record = viewer.readable(record?);
        walk.skip(1);
        looked_at += 1;
        if let Some(view) = subject.view_in(&record) {
            found += 1;
            let event = viewer.view(record);
            if out.len() > begin {
                out.push(b',');
            }
            write_record(&event, out);
            add_view(view, out);
            seen.note(&event);
        }
        if found >= limit || looked_at >= LOOKED_AT_MAX || out.len() - begin >= PAGE_BYTES_MAX {
            break;
        }
    }
    out.push(b']');
    Ok(Page { rest: walk, seen })
}

/// Adds a last member to the object that was written last.
fn add_view(view: View, out: &mut Vec<u8>) {
    if out.pop_if(|last| *last == b'}').is_some() {
        out.extend_from_slice(format!(",\"view\":\"{}\"}}", view.as_str()).as_bytes());
    }
}
