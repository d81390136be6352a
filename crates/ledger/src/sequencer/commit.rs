//! One commit: sign, append, and tell everybody; and what follows when the append fails.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::{AppendError, Batch, Head, ReadError};

use super::Sequencer;
use super::state::State;
use crate::next_batch::{ClosedBatch, Failure, OpenBatch, Tip};
use crate::ticket::Completion;

/// A batch whose append may be tried again.
enum Attempt {
    Ended(ClosedBatch, Result<(), Failure>),
    Again(ClosedBatch),
}

impl Sequencer {
    /// Writes a closed batch and tells everybody who waits for it. The caller has taken the turn.
    pub(super) fn commit(&self, mut closed: ClosedBatch, completion: &Completion) {
        let mut retries = self.conflict_retries;
        loop {
            let signed = closed.sign();
            let batch = closed.take_batch(self.key_generation());
            let result = signed.and_then(|()| self.append(&batch));
            let again = (retries > 0 && closed.can_be_placed_again()).then_some(batch);
            match self.finish(closed, result, again) {
                Attempt::Ended(closed, verdict) => {
                    completion.complete(closed.into_completed(verdict));
                    return;
                }
                Attempt::Again(again) => {
                    retries -= 1;
                    closed = again;
                }
            }
        }
    }

    /// A store that panics leaves it open whether it wrote.
    fn append(&self, batch: &Batch) -> Result<(), AppendError> {
        catch_unwind(AssertUnwindSafe(|| self.store.append(batch))).unwrap_or_else(|_| {
            Err(AppendError::Unknown { reason: "the store panicked while writing".to_owned() })
        })
    }

    fn finish(
        &self,
        closed: ClosedBatch,
        result: Result<(), AppendError>,
        batch: Option<Batch>,
    ) -> Attempt {
        let mut state = self.lock();
        let attempt = match (result, batch) {
            (Ok(()), _) => Attempt::Ended(closed, Ok(())),
            (Err(AppendError::Conflict { .. }), Some(batch)) => {
                self.place_both_again(&mut state, closed.reopen(batch))
            }
            (Err(AppendError::Unknown { reason }), _) => {
                let failure = self.halt(&mut state, &reason);
                Attempt::Ended(closed, Err(failure))
            }
            (Err(error), _) => {
                let failure = Failure { code: error.code(), message: error.to_string() };
                state.in_flight.withdraw(closed.number(), closed.placed());
                self.place_open_again(&mut state);
                Attempt::Ended(closed, Err(failure))
            }
        };
        if matches!(attempt, Attempt::Ended(..)) {
            self.end_turn(&mut state);
        }
        attempt
    }

    fn end_turn(&self, state: &mut State) {
        state.committing = false;
        let forgotten = state.in_flight.forget_old();
        if forgotten > 0 {
            self.forgotten.fetch_add(forgotten, Ordering::Release);
        }
        if !state.open.is_empty() || state.administrators > 0 || state.closed {
            self.turn.notify_all();
        }
    }

    /// Nothing can be known of the store until it is opened again: whatever waits, and whatever
    /// comes, is told so.
    fn halt(&self, state: &mut State, reason: &str) -> Failure {
        state.halted = Some(reason.to_owned());
        let failure = Failure { code: ErrorCode::OutcomeUnknown, message: reason.to_owned() };
        if !state.open.is_empty() {
            self.fail_open(state, failure.clone());
        }
        self.room.notify_all();
        failure
    }

    /// The batch before was not written, so the open one stands on nothing: it is placed again on
    /// the heads that hold.
    fn place_open_again(&self, state: &mut State) {
        state.tips.drop_all();
        let names = tenants_of(&state.open);
        if let Err(error) = self.load_again(state, names) {
            let failure = Failure { code: error.code(), message: error.to_string() };
            state.tips.drop_all();
            self.fail_open(state, failure);
            return;
        }
        let State { open, tips, signing, .. } = state;
        open.place_again(tips, |tip| signing.signer(tip).cloned(), |_| None);
    }

    /// Another writer came between: both batches are placed again, the first one first.
    fn place_both_again(&self, state: &mut State, mut first: OpenBatch) -> Attempt {
        state.tips.drop_all();
        let mut names = tenants_of(&first);
        names.extend(tenants_of(&state.open));
        let found = self
            .load_again(state, names)
            .and_then(|()| Ok((self.recorded_since(&first)?, self.recorded_since(&state.open)?)));
        let (in_first, in_open) = match found {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure { code: error.code(), message: error.to_string() };
                let first = first.close(&state.tips);
                state.tips.drop_all();
                state.in_flight.withdraw(first.number(), first.placed());
                self.fail_open(state, failure.clone());
                return Attempt::Ended(first, Err(failure));
            }
        };
        let State { open, tips, signing, .. } = state;
        let signer = |tip: &Tip| signing.signer(tip).cloned();
        first.place_again(tips, signer, |index| in_first.get(&index).copied());
        // Closed before the open batch is placed upon it, so that its heads are its own.
        let first = first.close(tips);
        open.place_again(tips, signer, |index| in_open.get(&index).copied());
        Attempt::Again(first)
    }

    /// The records of a batch, by index, whose ids another writer has recorded by now.
    fn recorded_since(
        &self,
        batch: &OpenBatch,
    ) -> Result<HashMap<usize, SequenceNumber>, ReadError> {
        let mut recorded = HashMap::new();
        for (index, placed) in batch.placed().iter().enumerate() {
            if let Some(number) = self.store.find(&placed.tenant, &placed.event_id)? {
                recorded.insert(index, number);
            }
        }
        Ok(recorded)
    }

    fn load_again(&self, state: &mut State, names: Vec<TenantId>) -> Result<(), ReadError> {
        for tenant in names {
            let head = self.store.head(&tenant)?.unwrap_or_else(Head::empty);
            let announced = state.signing.has_announced(&tenant);
            state.tips.insert(Tip::new(tenant, head, announced));
        }
        Ok(())
    }

    /// Fails the open batch and opens another.
    fn fail_open(&self, state: &mut State, failure: Failure) {
        let completion = Arc::clone(&state.open_completion);
        let closed = self.begin_commit(state);
        state.in_flight.withdraw(closed.number(), closed.placed());
        completion.complete(closed.into_completed(Err(failure)));
    }
}

fn tenants_of(batch: &OpenBatch) -> Vec<TenantId> {
    batch.tenants().cloned().collect()
}
