//! `GET /v1/events/{id}`: one record.

use axum::extract::{Path, State};
use axum::response::Response;
use ledgerstone_ledger::record_line::write_record;

use super::event_path::EventPath;
use super::problem::Problem;
use super::reply::RawJson;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Authorised;

/// One record: `{"event":{…},"hidden":[…],"record":{header fields,"record_hash","signature","key_id"}}`.
/// `hidden` lists what of the event is redacted, hidden, erased or cannot be opened now.
#[utoipa::path(get, path = "/v1/events/{id}", tag = "events", params(EventPath),
    responses((status = 200, body = serde_json::Value)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
) -> Result<Response, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let mut seen = Seen::by(authorised.caller().sight());
    let line = service.blocking(move |ledger| {
        let record = ledger.reader().get(&tenant, &id)?;
        let event = ledger.viewer(&tenant, seen.sight())?.view(record);
        let mut line = Vec::with_capacity(4096);
        write_record(&event, &mut line);
        seen.note(&event);
        Ok::<_, Problem>((line, seen))
    });
    let (line, seen) = line.await?;
    Ok(seen.in_answer(RawJson(line)))
}
