//! Whether an event under a known id is the one that was recorded, or another.

use ledgerstone_model::{ErrorCode, SealedEvent, as_sent};
use ledgerstone_proof::{EventId, SequenceNumber, TenantId, split_content};
use ledgerstone_store::{LedgerStore, StoredRecord};

use crate::receipt::{Outcome, Receipt, Refusal};

/// Compares a repeated event with the record that has its id.
pub(crate) fn resolve(
    store: &dyn LedgerStore,
    (tenant, event_id): (&TenantId, &EventId),
    number: SequenceNumber,
    sent: &[u8],
) -> Outcome {
    let refuse = |code, message| {
        let (tenant_id, id) = (tenant.clone(), event_id.clone());
        Outcome::Refused(Refusal { tenant_id, id, code, message })
    };
    let stored = match store.read(tenant, number, 1) {
        Ok(records) => records.into_iter().next(),
        Err(error) => return refuse(error.code(), error.to_string()),
    };
    let Some(stored) = stored.filter(|stored| stored.event_id == *event_id) else {
        let message =
            format!("record {number} of ledger {tenant}, found under id {event_id}, is another");
        return refuse(ErrorCode::RecordDamaged, message);
    };
    match is_same_event(&stored, sent) {
        Ok(true) => Outcome::Recorded(Receipt::of_stored(&stored)),
        Ok(false) => refuse(
            ErrorCode::IdConflict,
            format!("ledger {tenant} holds another event under id {event_id}, record {number}"),
        ),
        Err(message) => refuse(ErrorCode::RecordDamaged, message),
    }
}

/// Compares what was sent, without the salt and what the server wrote. A record whose content is
/// gone can no longer be compared; its id alone speaks for it.
fn is_same_event(stored: &StoredRecord, sent: &[u8]) -> Result<bool, String> {
    let Some(content) = &stored.content else {
        return Ok(true);
    };
    is_same_content(content, sent)
}

/// Whether two events that were not yet recorded are the same.
pub(crate) fn are_same(first: &SealedEvent, second: &SealedEvent) -> bool {
    is_same_content(first.content(), second.content()).unwrap_or(false)
}

fn is_same_content(first: &[u8], second: &[u8]) -> Result<bool, String> {
    let (first, _) = split_content(first).map_err(|error| error.to_string())?;
    let (second, _) = split_content(second).map_err(|error| error.to_string())?;
    if first == second {
        return Ok(true);
    }
    let first = as_sent(first).map_err(|error| error.to_string())?;
    let second = as_sent(second).map_err(|error| error.to_string())?;
    Ok(first == second)
}
