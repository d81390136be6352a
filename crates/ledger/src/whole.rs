//! Submissions that are taken as a whole or not at all.
//!
//! What would be refused on its own refuses all of it, so everything about ids is found out before
//! anything is sequenced: those that are recorded are compared, those of a commit that is still
//! running are waited for, those that the submission repeats itself are compared with each other.

use std::collections::HashMap;
use std::sync::Arc;

use ledgerstone_model::{ErrorCode, SealedEvent};

use crate::duplicates;
use crate::ledger::Ledger;
use crate::receipt::{Outcome, Refusal};
use crate::sequencer::{
    Commit, Patience, SubmitError, SubmitOptions, Submitted, UnknownTenants, Unsettled,
};
use crate::ticket::{Slot, Ticket};

/// What is known of a submission's ids before it is handed over.
#[derive(Default)]
struct Examined {
    /// What is wrong, by the event's place.
    refusals: HashMap<usize, Refusal>,
    /// Which of the events are recorded already.
    settled: Vec<bool>,
}

impl Ledger {
    /// Hands events over as a whole: either every one is recorded, or was before, or none is taken
    /// and each outcome says why. Answers `QUEUE_FULL` when too many events are waiting already.
    ///
    /// May read the store and wait for a commit that is running.
    pub fn try_submit_whole(&self, mut events: Vec<SealedEvent>) -> Result<Ticket, SubmitError> {
        self.refuse_suspended(&events)?;
        loop {
            let Examined { refusals, settled } = self.examine(&events)?;
            if !refusals.is_empty() {
                return Ok(self.refuse_whole(&events, refusals));
            }
            let options = SubmitOptions {
                patience: Patience::Refuse,
                unknown: UnknownTenants::Report,
                commit: Commit::Elsewhere,
                settled: Some(&settled),
            };
            match self.sequencer.submit(events, options)? {
                Submitted::Sequenced(ticket) => return Ok(ticket),
                Submitted::Unknown { events, .. } => return self.refuse_unknown(&events),
                Submitted::Unsettled { why, events: back } => {
                    if let Unsettled::Batch(batch) = why {
                        self.sequencer.drive(&batch);
                        batch.wait();
                    }
                    events = back;
                }
                Submitted::Outdated { events: back } => events = self.seal_again(back)?,
            }
        }
    }

    /// Looks every id up, and compares the events that are recorded under them.
    fn examine(&self, events: &[SealedEvent]) -> Result<Examined, SubmitError> {
        let mut examined = Examined::default();
        let mut first_with = HashMap::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let name = (event.tenant(), event.event_id());
            if let Some(first) = first_with.insert(name, event)
                && !duplicates::are_same(first, event)
            {
                let message =
                    format!("the batch holds another event under id {}", event.event_id());
                let refusal = Refusal::of(event, ErrorCode::IdConflict, message);
                examined.refusals.insert(index, refusal);
            }
            let read = |source| SubmitError::Read { tenant: event.tenant().clone(), source };
            let number = self.store.find(name.0, name.1).map_err(read)?;
            examined.settled.push(number.is_some());
            let stored =
                number.map(|number| duplicates::resolve_sent(&self.sequencer, number, event));
            if let Some(Outcome::Refused(refusal)) = stored {
                examined.refusals.insert(index, refusal);
            }
        }
        Ok(examined)
    }

    /// A ticket by which nothing was taken.
    fn refuse_whole(
        &self,
        events: &[SealedEvent],
        mut refusals: HashMap<usize, Refusal>,
    ) -> Ticket {
        let slot = |(index, event)| {
            let with_the_others = || {
                let message = "another event of the batch was refused".to_owned();
                Refusal::of(event, ErrorCode::BatchRefused, message)
            };
            Slot::Refused(refusals.remove(&index).unwrap_or_else(with_the_others))
        };
        let slots = events.iter().enumerate().map(slot).collect();
        Ticket::new(Arc::clone(&self.sequencer), Arc::default(), slots)
    }

    /// Names the tenants that do not exist; none is created for a submission as a whole.
    fn refuse_unknown(&self, events: &[SealedEvent]) -> Result<Ticket, SubmitError> {
        let mut refusals = HashMap::new();
        for (index, event) in events.iter().enumerate() {
            let read = |source| SubmitError::Read { tenant: event.tenant().clone(), source };
            if self.store.head(event.tenant()).map_err(read)?.is_none() {
                let message = format!("there is no tenant {}", event.tenant());
                refusals.insert(index, Refusal::of(event, ErrorCode::UnknownTenant, message));
            }
        }
        Ok(self.refuse_whole(events, refusals))
    }
}
