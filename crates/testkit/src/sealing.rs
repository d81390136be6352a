//! Events on their way into a ledger without sealing keys.

use ledgerstone_model::sealing::{EnvelopeError, FieldPolicy, Preset};
use ledgerstone_model::{AdmittedEvent, PlannedEvent, SealedEvent, Taxonomy, ValidEvent};
use ledgerstone_proof::Salt;

/// The event as a tenant without taxonomy gets it in that seals nothing.
///
/// # Panics
/// Never for a valid event.
pub fn sealed_in_clear(event: ValidEvent, salt: &Salt) -> SealedEvent {
    let Ok(admitted) = Taxonomy::none().admit(event) else {
        panic!("a taxonomy that is none refused an event");
    };
    seal_in_clear(admitted, salt)
}

/// An admitted event as a tenant gets it in that seals nothing.
///
/// # Panics
/// Never for a valid event.
pub fn seal_in_clear(admitted: AdmittedEvent, salt: &Salt) -> SealedEvent {
    let policy = FieldPolicy::of_preset(Preset::None);
    let planned = PlannedEvent::new(admitted, &policy);
    let sealed = planned.map(|planned| {
        planned.seal::<EnvelopeError>(|_| Err(EnvelopeError::Refused), || None, salt)
    });
    match sealed {
        Ok(Ok(sealed)) => sealed,
        other => panic!("an event without sealed fields needed a key: {other:?}"),
    }
}
