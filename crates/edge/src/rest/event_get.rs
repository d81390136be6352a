//! `GET /v1/events/{id}`: one record.

use axum::extract::{Path, State};
use ledgerstone_ledger::record_line::{write_record, write_record_withheld};
use ledgerstone_model::access::Permission;

use super::event_path::EventPath;
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;

/// One record: `{"event":{…},"record":{header fields,"record_hash","signature","key_id"}}`. Whoever
/// may not read contents gets `"content_withheld": true` and no event.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", params(EventPath),
    responses((status = 200, body = serde_json::Value)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
) -> Result<RawJson, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let shows_content = authorised.caller().may(Permission::EventsRead);
    let write = if shows_content { write_record } else { write_record_withheld };
    let line = service.blocking(move |ledger| {
        let mut line = Vec::with_capacity(4096);
        write(&ledger.reader().get(&tenant, &id)?, &mut line);
        Ok::<_, Problem>(line)
    });
    Ok(RawJson(line.await?))
}
