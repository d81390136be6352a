//! `POST /v1/dead-letters/{id}/resend`: a refused event is sent again, as it was or corrected.
//!
//! The event goes the way of every other. One that brings no id gets that which its first request
//! would have given it, or one that follows from the letter's, so that sending a letter again and
//! again, also after a crash half-way, records it once. One that is recorded and closed is answered
//! with its receipt, whatever is sent in its place.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use ledgerstone_ledger::{Ledger, Outcome, Receipt, ReceiptStatus, SubmitError};
use ledgerstone_model::{Actor, DeadLetter, DeadLetterId, ErrorCode, LetterState, Rejection};

use super::append::{Prepared, RANDOM_BYTES, Reading, Source, write_receipt};
use super::body::HeldBody;
use super::dead_letters::{letter_id, no_such_letter};
use super::encoding::Encoding;
use super::limits::LINE_BYTES_MAX;
use super::media_type::MediaType;
use super::problem::Problem;
use super::reply::RawJson;
use super::service::Service;
use crate::auth::Authorised;
use crate::metrics::EventStatus;

/// Sends a refused event again: as it was where the body is empty, and otherwise the body in its
/// place. Once it is recorded the letter is closed, and stays until it expires or is deleted; to be
/// sent again then gives the first receipt.
#[utoipa::path(post, path = "/v1/dead-letters/{id}/resend", tag = "dead letters",
    params(("id" = String, Path, description = "The letter's id")),
    request_body(content((serde_json::Value = "application/json"))),
    responses(
        (status = 200, description = "The receipt: it was recorded before"),
        (status = 201, description = "The receipt: it is recorded"),
        (status = 422, description = "It is refused again")))]
pub async fn resend(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let id = letter_id(&id)?;
    let corrected = read_body(&service, request).await?;
    let mut random = [0; RANDOM_BYTES];
    service.entropy().fill(&mut random);
    let (asked, by) = (service.clone(), service.actor(&authorised));
    let sent = service.blocking(move |ledger| {
        let tenant = authorised.tenant();
        let _turn = asked.dead_letters().turn(tenant, id);
        let letter = asked.dead_letters().get(tenant, id)?.ok_or_else(no_such_letter)?;
        if let LetterState::Closed { event_id, .. } = &letter.state {
            return Ok((ledger.reader().receipt(tenant, event_id)?, None));
        }
        let source = source_of(&asked, &authorised, id, &letter)?;
        let text = corrected.as_deref().unwrap_or(&letter.text);
        let prepared = source.prepare(text, 0, random, asked.clock().now());
        let prepared = prepared.map_err(|refused| {
            source.count_refused(text);
            Problem::from(refused).with_dead_letter(Ok(id))
        })?;
        let findings = prepared.findings.clone();
        let counter = asked.metrics().events_of(prepared.event.event().event_type());
        let receipt =
            append(ledger, prepared).inspect_err(|_| counter.count(EventStatus::Rejected))?;
        asked.metrics().count_receipt(&counter, receipt.status);
        close(&asked, id, &receipt, &by(ledger))?;
        Ok::<_, Problem>((receipt, findings))
    });
    let (receipt, findings) = sent.await?;
    Ok(answer(&receipt, findings.as_ref()))
}

async fn read_body(service: &Service, request: Request) -> Result<Option<HeldBody>, Problem> {
    let (parts, body) = request.into_parts();
    let encoding = Encoding::of(&parts.headers)?;
    let text = service.read_body(&parts.headers, body, encoding, LINE_BYTES_MAX).await?;
    if text.is_empty() {
        return Ok(None);
    }
    if MediaType::of(&parts.headers)? != MediaType::Json {
        let detail = "this route reads application/json: the corrected event, or nothing";
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    }
    Ok(Some(text))
}

fn source_of(
    service: &Service,
    authorised: &Authorised,
    id: DeadLetterId,
    letter: &DeadLetter,
) -> Result<Source, Problem> {
    let reading = Reading::named(letter.reading.as_deref()).ok_or_else(|| {
        let detail = "the letter was sent in a shape that this version does not know";
        Problem::new(ErrorCode::NotSupportedYet, detail)
    })?;
    let default_id = match &letter.default_id {
        Some(id) => id.clone(),
        None => id
            .event_id(authorised.tenant())
            .map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?,
    };
    Ok(Source::by_hand(service, authorised, (reading, letter.numbers), Some(default_id)))
}

fn append(ledger: &Ledger, prepared: Prepared) -> Result<Receipt, Problem> {
    let sealed = ledger.seal(vec![prepared.event]).map_err(SubmitError::from)?;
    match ledger.append(sealed)?.into_iter().next() {
        Some(Outcome::Recorded(receipt)) => Ok(receipt),
        Some(Outcome::Refused(refusal)) => {
            Err(Problem::public(refusal.code, refusal.message).with_id(&refusal.id))
        }
        None => Err(Problem::new(ErrorCode::Internal, "an event ended without an outcome")),
    }
}

/// The event is recorded; what is left is to say who sent it again, and to close the letter. Where
/// that fails the letter stays open, and sending it again finds the event and closes it.
fn close(
    service: &Service,
    id: DeadLetterId,
    receipt: &Receipt,
    actor: &Actor,
) -> Result<(), Problem> {
    service.ledger().record_dead_letter_act("resend", &receipt.tenant_id, id, actor)?;
    let (event_id, number) = (receipt.id.clone(), receipt.sequence_number);
    service.dead_letters().close(&receipt.tenant_id, id, event_id, number)?;
    Ok(())
}

fn answer(receipt: &Receipt, findings: Option<&Rejection>) -> Response {
    let mut json = Vec::with_capacity(640);
    write_receipt(receipt, None, findings, &mut json);
    let status = match receipt.status {
        ReceiptStatus::Created => StatusCode::CREATED,
        ReceiptStatus::Duplicate => StatusCode::OK,
    };
    (status, RawJson(json)).into_response()
}
