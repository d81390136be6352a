//! One event: its receipt, or what was wrong with it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use ledgerstone_ledger::{Receipt, ReceiptStatus};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;

use super::following::Texts;
use super::options::{Options, Wait};
use super::prepare::{Source, not_empty};
use super::result::{ItemResult, write_receipt};
use super::submit::{Manner, take};
use crate::rest::body::HeldBody;
use crate::rest::problem::Problem;
use crate::rest::reply::RawJson;
use crate::rest::service::Service;

pub(super) async fn append(
    service: &Service,
    source: Source,
    options: &Options,
    text: HeldBody,
) -> Result<Response, Problem> {
    not_empty(&text)?;
    let (sender, bytes, body) = (source.clone(), text.len(), text.clone());
    let work = move |ledger: &_| Ok(take(ledger, &sender, (0, &[&text]), Manner::Each)?);
    let taken = service.take(bytes, work).await?;
    let taken = service.keep_refused(taken, &source).await?;
    let results = match options.wait {
        Wait::None => taken.queued(&source, Texts::One(body)),
        Wait::Durable | Wait::Checkpoint => service.settle(taken, &source).await?,
    };
    match results.into_iter().next() {
        Some(ItemResult::Recorded(receipt, findings)) => {
            let proven = match options.wait {
                Wait::Checkpoint => {
                    Some(service.prove(source.tenant(), &[receipt.sequence_number]).await?)
                }
                Wait::Durable | Wait::None => None,
            };
            let mut json = Vec::with_capacity(640);
            write_receipt(&receipt, proven.as_ref(), findings.as_ref(), &mut json);
            Ok(recorded(&receipt, json))
        }
        Some(queued @ ItemResult::Queued(..)) => {
            let mut json = Vec::with_capacity(128);
            let mut object = ObjectWriter::open(&mut json);
            queued.write_members(None, &mut object);
            object.close();
            Ok((StatusCode::ACCEPTED, RawJson(json)).into_response())
        }
        Some(ItemResult::Refused(problem)) => Err(problem),
        None => Err(Problem::new(ErrorCode::Internal, "a submission ended without an outcome")),
    }
}

/// 201 with the place of the new event, or 200 where it was recorded before.
fn recorded(receipt: &Receipt, json: Vec<u8>) -> Response {
    if receipt.status == ReceiptStatus::Duplicate {
        return RawJson(json).into_response();
    }
    let mut response = (StatusCode::CREATED, RawJson(json)).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/events/{}", receipt.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
