//! `/v1/dead-letters`: what was refused of the caller's tenant: listed, shown and deleted.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use ledgerstone_ledger::DeadLetters;
use ledgerstone_model::access::{Sight, View};
use ledgerstone_model::sealing::FieldClass;
use ledgerstone_model::{DeadLetter, DeadLetterId, ErrorCode, LetterState};
use ledgerstone_proof::TenantId;
use ledgerstone_store::DeadLetterError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::cursor::{cursor_behind, letter_before};
use super::problem::{Fault, Problem};
use super::query::parameters;
use super::service::Service;
use crate::auth::Authorised;

/// Letters of a page unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Letters of a page at most.
const LIMIT_MAX: usize = 1_000;

/// Letters whose texts are in memory at once while a page is made.
const READ_AT_ONCE: usize = 16;

/// Some of the letters, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Letters {
    dead_letters: Vec<Letter>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// A refused event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Letter {
    id: String,
    /// `open`, or `closed` once it was sent again and recorded.
    state: &'static str,
    received_at: String,
    /// Opaque id of who sent it.
    sent_by: String,
    /// Why it was refused.
    code: &'static str,
    detail: String,
    /// Bytes of its text.
    bytes: usize,
    /// The flat shape that it was to be read in; `any` for whichever it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<String>,
    /// What was to become of numbers that are not exact.
    numbers: &'static str,
    /// The record that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<RecordedLetter>,
    /// Everything that was wrong with it; lists leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Value>>,
    /// That the text is not shown, as the caller does not see personal and sensitive values whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_withheld: Option<bool>,
    /// The text as it came; lists leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The same in base64, where it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    text_base64: Option<String>,
}

/// The record that a letter became.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedLetter {
    id: String,
    sequence_number: u64,
    recorded_at: String,
}

/// A letter that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeletedLetter {
    id: String,
    /// Always `deleted`.
    state: &'static str,
}

/// The parameters of a listing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LetterQuery {
    /// Letters of a page; 100 unless given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Letter {
    fn brief(id: DeadLetterId, letter: &DeadLetter) -> Self {
        let (state, recorded) = match &letter.state {
            LetterState::Open => ("open", None),
            LetterState::Closed { at, event_id, sequence_number } => {
                let recorded = RecordedLetter {
                    id: event_id.as_str().to_owned(),
                    sequence_number: sequence_number.value(),
                    recorded_at: at.to_string(),
                };
                ("closed", Some(recorded))
            }
        };
        Self {
            id: id.to_string(),
            state,
            received_at: letter.received_at.to_string(),
            sent_by: letter.principal.clone(),
            code: letter.code.as_str(),
            detail: letter.detail.clone(),
            bytes: letter.text.len(),
            shape: letter.reading.clone(),
            numbers: letter.numbers.as_str(),
            recorded,
            errors: None,
            text_withheld: None,
            text: None,
            text_base64: None,
        }
    }

    /// With the text, for those who see whatever may stand in it: nothing of it is sealed or has a class.
    fn whole(id: DeadLetterId, letter: DeadLetter, sight: Sight) -> Self {
        let brief = Self::brief(id, &letter);
        let errors = letter.faults.iter().map(|fault| Fault::from(fault).to_json()).collect();
        let classes = [FieldClass::Personal, FieldClass::Sensitive];
        if classes.iter().any(|class| sight.view(*class) != View::Shown) {
            return Self { errors: Some(errors), text_withheld: Some(true), ..brief };
        }
        let (text, text_base64) = match String::from_utf8(letter.text) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        Self { errors: Some(errors), text, text_base64, ..brief }
    }
}

/// The refused events that are kept, the newest first, without their texts.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "dead letters", params(LetterQuery),
    responses((status = 200, body = Letters)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
) -> Result<Json<Letters>, Problem> {
    let LetterQuery { limit, cursor } = parameters(&uri)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is a whole number from 1 to {LIMIT_MAX}");
        return Err(Problem::new(ErrorCode::InvalidArgument, detail));
    }
    let (tenant, key) = (authorised.tenant(), service.cursor_key());
    let before = cursor.map(|cursor| letter_before(&cursor, tenant, key)).transpose()?;
    let (of, letters) = (tenant.clone(), service.dead_letters().clone());
    // One more tells whether there is a next page.
    let read = move |_: &_| brief(&letters, &of, before, limit + 1);
    let mut found = service.blocking(read).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|(id, _)| cursor_behind(*id, tenant, key));
    let dead_letters = found.into_iter().map(|(_, letter)| letter).collect();
    Ok(Json(Letters { dead_letters, next_cursor }))
}

/// Letters without their texts, of which only some are in memory at once.
fn brief(
    letters: &DeadLetters,
    tenant: &TenantId,
    mut before: Option<DeadLetterId>,
    limit: usize,
) -> Result<Vec<(DeadLetterId, Letter)>, DeadLetterError> {
    let mut found = Vec::new();
    while found.len() < limit {
        let some = letters.list(tenant, before, READ_AT_ONCE.min(limit - found.len()))?;
        let Some((last, _)) = some.last() else { break };
        before = Some(*last);
        found.extend(some.iter().map(|(id, letter)| (*id, Letter::brief(*id, letter))));
    }
    Ok(found)
}

/// One refused event: everything that was wrong with it, and its text as it came for those who see personal
/// and sensitive values whole.
#[utoipa::path(get, path = "/v1/dead-letters/{id}", tag = "dead letters",
    params(("id" = String, Path, description = "The letter's id")),
    responses((status = 200, body = Letter)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<Letter>, Problem> {
    let id = letter_id(&id)?;
    let (tenant, letters) = (authorised.tenant().clone(), service.dead_letters().clone());
    let found = service.blocking(move |_| letters.get(&tenant, id)).await?;
    let sight = authorised.caller().sight();
    Ok(Json(Letter::whole(id, found.ok_or_else(no_such_letter)?, sight)))
}

/// Deletes a refused event for ever. An `audit` record says who did.
#[utoipa::path(delete, path = "/v1/dead-letters/{id}", tag = "dead letters",
    params(("id" = String, Path, description = "The letter's id")),
    responses((status = 200, body = DeletedLetter)))]
pub async fn delete(
    State(service): State<Service>,
    authorised: Authorised,
    Path(id): Path<String>,
) -> Result<Json<DeletedLetter>, Problem> {
    let id = letter_id(&id)?;
    let (tenant, by) = (authorised.tenant().clone(), service.actor(&authorised));
    let letters = service.dead_letters().clone();
    let deleted = service.blocking(move |ledger| {
        letters.get(&tenant, id)?.ok_or_else(no_such_letter)?;
        // Who deletes it is recorded first: a letter never goes without a trace.
        ledger.record_dead_letter_act("delete", &tenant, id, &by(ledger))?;
        letters.remove(&tenant, id)?;
        Ok::<_, Problem>(DeletedLetter { id: id.to_string(), state: "deleted" })
    });
    Ok(Json(deleted.await?))
}

/// A text that is no id is the id of no letter.
pub(super) fn letter_id(text: &str) -> Result<DeadLetterId, Problem> {
    DeadLetterId::parse(text).ok_or_else(no_such_letter)
}

pub(super) fn no_such_letter() -> Problem {
    Problem::new(
        ErrorCode::NotFound,
        "there is no such dead letter; it may have expired or been deleted",
    )
}
