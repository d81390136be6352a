//! The gate of a store under test: appends and look-ups that wait until the test lets them go, so
//! that a test decides what gathers meanwhile.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ledgerstone_proof::{EventId, SequenceNumber};

/// Holds appends back while it is shut, and chosen look-ups.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_shut: bool,
    waiting: usize,
    /// The next lookup of this id waits after it has looked.
    held_id: Option<EventId>,
    is_held: bool,
    /// Look-ups of this id find nothing.
    forgotten: Option<EventId>,
}

impl Gate {
    /// From now on appends wait.
    pub fn shut(&self) {
        self.state().is_shut = true;
    }

    /// Waits until an append waits.
    pub fn wait_for_append(&self) {
        self.wait_while(|state| state.waiting == 0);
    }

    /// Lets appends go.
    pub fn open(&self) {
        self.state().is_shut = false;
        self.moved.notify_all();
    }

    /// Holds back the answer to the next lookup of an id.
    pub fn hold_lookup(&self, id: &EventId) {
        self.state().held_id = Some(id.clone());
    }

    /// Waits until a lookup is held back.
    pub fn wait_for_lookup(&self) {
        self.wait_while(|state| !state.is_held);
    }

    /// Lets the lookup answer what it saw.
    pub fn release_lookup(&self) {
        self.state().is_held = false;
        self.moved.notify_all();
    }

    /// From now on look-ups of an id find nothing: a broken store, for tests of what finds that.
    pub fn forget(&self, id: &EventId) {
        self.state().forgotten = Some(id.clone());
    }

    /// Where an append passes.
    pub(super) fn pass(&self) {
        self.state().waiting += 1;
        self.moved.notify_all();
        self.wait_while(|state| state.is_shut);
        self.state().waiting -= 1;
    }

    /// Where the answer to a lookup passes.
    pub(super) fn answer(
        &self,
        id: &EventId,
        found: Option<SequenceNumber>,
    ) -> Option<SequenceNumber> {
        let mut state = self.state();
        if state.held_id.as_ref() == Some(id) {
            state.held_id = None;
            state.is_held = true;
            drop(state);
            self.moved.notify_all();
            self.wait_while(|state| state.is_held);
            state = self.state();
        }
        found.filter(|_| state.forgotten.as_ref() != Some(id))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, waits: impl FnMut(&mut State) -> bool) {
        drop(self.moved.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner));
    }
}
