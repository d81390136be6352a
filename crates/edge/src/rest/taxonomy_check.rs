//! `POST /v1/taxonomy/check`: what would become of events, with nothing written.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use ledgerstone_ledger::{Ledger, TaxonomyInForce};
use ledgerstone_model::{ErrorCode, Rejection, TaxonomyMode};
use ledgerstone_proof::IngestedAt;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::append::{ITEM_BYTES, Reading, Source, Unprepared, items_at_most, not_empty, split};
use super::encoding::Encoding;
use super::limits::BODY_BYTES_MAX;
use super::media_type::MediaType;
use super::problem::{Fault, Problem};
use super::service::Service;
use crate::auth::Authorised;

/// What would become of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// `off`, `warn` or `enforce`.
    mode: &'static str,
    version: u64,
    /// One for each event, in their order.
    events: Vec<CheckedEvent>,
}

/// What would become of one event.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedEvent {
    /// `accepted`, `flagged` or `refused`.
    outcome: &'static str,
    /// What is wrong with it; where the mode is `off`, what the taxonomy would have against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

/// Says of an event, or of each of an array of them, what would become of it if it were sent now.
#[utoipa::path(post, path = "/v1/taxonomy/check", tag = "taxonomy",
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 200, body = Checked)))]
pub async fn check(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if MediaType::of(&parts.headers)? != MediaType::Json {
        let detail = "this route reads application/json: one event, or an array of events";
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    }
    let encoding = Encoding::of(&parts.headers)?;
    let text = service.read_body(&parts.headers, body, encoding, BODY_BYTES_MAX).await?;
    not_empty(&text)?;
    let claim =
        service.claim_answer(authorised.tenant(), ITEM_BYTES * items_at_most(&text)).await?;
    let reading = (Reading::Native, service.numbers(authorised.caller()));
    let source = Source::by_hand(&service, &authorised, reading, None);
    let tenant = authorised.tenant().clone();
    let now = service.clock().now();
    let checked = service.blocking(move |ledger: &Ledger| {
        let in_force = ledger.taxonomy(&tenant)?;
        let is_array = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let texts = if is_array { split(&text)? } else { vec![&text[..]] };
        let events = texts.into_iter().map(|text| checked(&in_force, &source, text, now));
        let document = in_force.taxonomy().document();
        Ok::<_, Problem>(Checked {
            mode: document.mode().as_str(),
            version: document.version(),
            events: events.collect::<Result<_, _>>()?,
        })
    });
    Ok(claim.in_answer(Json(checked.await?)))
}

fn is_no_json(rejection: &Rejection) -> bool {
    matches!(rejection.code(), ErrorCode::NotJson | ErrorCode::NotUtf8)
}

fn checked(
    in_force: &TaxonomyInForce,
    source: &Source,
    text: &[u8],
    now: IngestedAt,
) -> Result<CheckedEvent, Problem> {
    let taxonomy = in_force.taxonomy();
    let (outcome, found) = match source.parse(text, 0, [0; 16], now) {
        Err(Unprepared::Other(problem)) => return Err(problem),
        // A body that is no JSON asks about nothing.
        Err(Unprepared::Event(rejection)) if is_no_json(&rejection) => {
            return Err(Problem::from(&rejection));
        }
        Err(Unprepared::Event(rejection)) => ("refused", Some(rejection)),
        Ok(event) => {
            let found = taxonomy.findings(&event).map_err(|error| Problem::from(&error))?;
            let outcome = match (taxonomy.document().mode(), &found) {
                (_, None) | (TaxonomyMode::Off, _) => "accepted",
                (TaxonomyMode::Warn, Some(_)) => "flagged",
                (TaxonomyMode::Enforce, Some(_)) => "refused",
            };
            (outcome, found)
        }
    };
    let faults = found.iter().flat_map(Rejection::faults);
    let errors = faults.map(|fault| Fault::from(fault).to_json()).collect();
    Ok(CheckedEvent { outcome, errors })
}
