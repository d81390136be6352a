//! One at a time: whoever sends a letter again sees what the one before made of it.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ledgerstone_model::DeadLetterId;
use ledgerstone_proof::TenantId;

/// Letters that are being sent again.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<(TenantId, DeadLetterId)>>,
    freed: Condvar,
}

/// A letter's turn; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when it is dropped"]
pub struct LetterTurn<'a> {
    turns: &'a Turns,
    letter: (TenantId, DeadLetterId),
}

impl Turns {
    /// Waits until nobody else has the letter.
    pub(super) fn take(&self, tenant: &TenantId, id: DeadLetterId) -> LetterTurn<'_> {
        let letter = (tenant.clone(), id);
        let mut taken = self.lock();
        while !taken.insert(letter.clone()) {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        LetterTurn { turns: self, letter }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(TenantId, DeadLetterId)>> {
        // Nothing is left half done under this lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LetterTurn<'_> {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.letter);
        self.turns.freed.notify_all();
    }
}
