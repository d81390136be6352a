//! Whether an event under a known id is the one that was recorded, or another.

use std::error::Error;

use ledgerstone_model::as_sent::is_same_as_far_as_kept;
use ledgerstone_model::{AsSentError, ErrorCode, SealedEvent, as_sent};
use ledgerstone_proof::{EventId, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;

use crate::receipt::{Compared, Outcome, Receipt, Refusal};
use crate::sealing::reopen;
use crate::sealing_keys::KeyRing;
use crate::sequencer::Sequencer;

/// Compares a repeated event with the record that has its id.
pub(crate) fn resolve_sent(
    sequencer: &Sequencer,
    number: SequenceNumber,
    sent: &SealedEvent,
) -> Outcome {
    let name = (sent.tenant(), sent.event_id());
    match sent.sent_text() {
        Ok(text) => resolve(sequencer, name, number, text),
        Err(error) => refuse(name, ErrorCode::Internal, error.to_string()),
    }
}

/// The same for an event of which only the content is left.
pub(crate) fn resolve_content(
    sequencer: &Sequencer,
    name: (&TenantId, &EventId),
    number: SequenceNumber,
    content: &[u8],
) -> Outcome {
    let text = match split_content(content) {
        Ok((text, _)) => text,
        Err(error) => return refuse(name, ErrorCode::Internal, error.to_string()),
    };
    match reopen(sequencer.sealing_keys(), name, text) {
        Ok(opened) => resolve(sequencer, name, number, &opened.text),
        Err(error) => refuse(name, error.code(), error.to_string()),
    }
}

fn refuse((tenant, event_id): (&TenantId, &EventId), code: ErrorCode, message: String) -> Outcome {
    let (tenant_id, id) = (tenant.clone(), event_id.clone());
    Outcome::Refused(Refusal { tenant_id, id, code, message })
}

/// Compares a repeated event with the record that has its id. `sent` is the event before it was
/// sealed.
fn resolve(
    sequencer: &Sequencer,
    (tenant, event_id): (&TenantId, &EventId),
    number: SequenceNumber,
    sent: &[u8],
) -> Outcome {
    let store = sequencer.store();
    let refuse = |code, message| refuse((tenant, event_id), code, message);
    let stored = match store.read(tenant, number, 1) {
        Ok(records) => records.into_iter().next(),
        Err(error) => return refuse(error.code(), error.to_string()),
    };
    let Some(stored) = stored.filter(|stored| stored.event_id == *event_id) else {
        let message =
            format!("record {number} of ledger {tenant}, found under id {event_id}, is another");
        return refuse(ErrorCode::RecordDamaged, message);
    };
    match is_same_event(sequencer.sealing_keys(), &stored, sent) {
        Ok(Some(compared)) => Outcome::Recorded(Receipt::of_stored(&stored, compared)),
        Ok(None) => refuse(
            ErrorCode::IdConflict,
            format!("ledger {tenant} holds another event under id {event_id}, record {number}"),
        ),
        Err((code, message)) => refuse(code, message),
    }
}

/// Compares what was sent, without the salt and what the server wrote. A record whose content is
/// gone can no longer be compared; its id alone speaks for it. Values whose keys are destroyed are
/// left out. `None` for another event.
fn is_same_event(
    keys: Option<&KeyRing>,
    stored: &StoredRecord,
    sent: &[u8],
) -> Result<Option<Compared>, (ErrorCode, String)> {
    let Some(content) = &stored.content else {
        return Ok(Some(Compared::NotAtAll));
    };
    let damaged = |error: &dyn Error| (ErrorCode::RecordDamaged, error.to_string());
    let (text, _) = split_content(content).map_err(|error| damaged(&error))?;
    let stored = reopen(keys, (&stored.tenant, &stored.event_id), text)
        .map_err(|error| (error.code(), error.to_string()))?;
    let (is_same, compared) = if stored.is_partial {
        (is_same_as_far_as_kept(&stored.text, sent), Compared::Partly)
    } else {
        (is_same_text(&stored.text, sent), Compared::Wholly)
    };
    Ok(is_same.map_err(|error| damaged(&error))?.then_some(compared))
}

/// Whether two events that were not yet recorded are the same.
pub(crate) fn are_same(first: &SealedEvent, second: &SealedEvent) -> bool {
    match (first.sent_text(), second.sent_text()) {
        (Ok(first), Ok(second)) => is_same_text(first, second).unwrap_or(false),
        _ => false,
    }
}

fn is_same_text(first: &[u8], second: &[u8]) -> Result<bool, AsSentError> {
    Ok(first == second || as_sent(first)? == as_sent(second)?)
}
