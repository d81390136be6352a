//! An array of events: one item of the answer for each, in their order.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use serde_json::value::RawValue;

use super::following::Texts;
use super::options::{Options, Wait};
use super::prepare::Source;
use super::proven::Proven;
use super::result::{ItemResult, Tally};
use super::submit::{Manner, Taken, take};
use crate::rest::body::HeldBody;
use crate::rest::limits::ARRAY_ITEMS_MAX;
use crate::rest::problem::Problem;
use crate::rest::reply::RawJson;
use crate::rest::service::Service;

/// Bytes of an answer for each event, so that it is not moved while it grows.
pub(in crate::rest) const ITEM_BYTES: usize = 640;

pub(super) async fn append(
    service: &Service,
    source: Source,
    options: &Options,
    text: HeldBody,
) -> Result<Response, Problem> {
    // Claimed while it can still be said that nothing was taken.
    let claim = service.claim_answer(source.tenant(), ITEM_BYTES * items_at_most(&text)).await?;
    let (sender, bytes) = (source.clone(), text.len());
    let manner = if options.atomic { Manner::Atomic } else { Manner::Each };
    let body = text.clone();
    let work = move |ledger: &_| -> Result<Result<Taken, Problem>, Problem> {
        match split(&text) {
            Ok(texts) => Ok(Ok(take(ledger, &sender, (0, &texts), manner)?)),
            Err(problem) => Ok(Err(problem)),
        }
    };
    let taken = match service.take(bytes, work).await? {
        Ok(taken) => service.keep_refused(taken, &source).await?,
        Err(problem) => return Err(service.keep_body(body, &source, problem).await),
    };
    let results = match options.wait {
        Wait::None => taken.queued(&source, Texts::Array(body)),
        Wait::Durable | Wait::Checkpoint => service.settle(taken, &source).await?,
    };
    let proven = match options.wait {
        Wait::Checkpoint => Some(service.prove(source.tenant(), &numbers(&results)).await?),
        Wait::Durable | Wait::None => None,
    };
    Ok(claim.in_answer(answer(&results, proven.as_ref(), options.wait)))
}

/// More items than these are not in the array, or not taken.
pub(in crate::rest) fn items_at_most(text: &[u8]) -> usize {
    memchr::memchr_iter(b',', text).take(ARRAY_ITEMS_MAX).count() + 1
}

/// The texts of the events. The array itself must be JSON; what is wrong within one event is told of
/// that event alone, except where it is no JSON at all.
pub(in crate::rest) fn split(text: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let detail = format!("the body is not utf-8 at byte {}", error.valid_up_to());
        Problem::new(ErrorCode::NotUtf8, detail)
    })?;
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        Problem::new(ErrorCode::NotJson, format!("the body is not a json array: {error}"))
    })?;
    if items.is_empty() {
        return Err(Problem::new(ErrorCode::EmptyInput, "the array holds no event"));
    }
    if items.len() > ARRAY_ITEMS_MAX {
        let detail = format!(
            "the array holds {} events; at most {ARRAY_ITEMS_MAX} are taken at once, or 100,000 lines of NDJSON",
            items.len()
        );
        return Err(Problem::new(ErrorCode::TooManyItems, detail));
    }
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

fn numbers(results: &[ItemResult]) -> Vec<ledgerstone_proof::SequenceNumber> {
    let recorded = results.iter().filter_map(|result| match result {
        ItemResult::Recorded(receipt, _) => Some(receipt.sequence_number),
        _ => None,
    });
    recorded.collect()
}

fn answer(results: &[ItemResult], proven: Option<&Proven>, wait: Wait) -> Response {
    let tally = Tally::of(results);
    let taken = tally.accepted + tally.duplicates;
    let status = match (tally.rejected, taken) {
        (0, _) if wait == Wait::None => StatusCode::ACCEPTED,
        (0, _) => StatusCode::OK,
        (_, 0) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::MULTI_STATUS,
    };
    let mut json = Vec::with_capacity(128 + ITEM_BYTES * results.len());
    let mut object = ObjectWriter::open(&mut json);
    tally.write_members(&mut object);
    object.array("items", results, |result, out| {
        let mut item = ObjectWriter::open(out);
        result.write_members(proven, &mut item);
        item.close();
    });
    object.number("rejected", tally.rejected);
    object.close();
    (status, RawJson(json)).into_response()
}
