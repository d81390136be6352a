//! Counts the writes of a store and says when the planned one has come.
//!
//! A file layer asks before and after each write. Which thread began the planned write is
//! remembered, so that a write of another thread in between does not take its fault.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::fault_table::PlannedFault;

/// The counter of one place, with at most one fault planned.
#[derive(Debug)]
pub struct CountedFault {
    planned: Option<PlannedFault>,
    writes: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The thread within the planned write, whose effect is to happen before it fails.
    begun_by: Option<ThreadId>,
    fired: bool,
}

impl CountedFault {
    /// Counts, and fails the write of that index.
    pub fn new(planned: PlannedFault) -> Self {
        Self { planned: Some(planned), ..Self::counting() }
    }

    /// Counts and fails nothing.
    pub fn counting() -> Self {
        Self { planned: None, writes: AtomicU64::new(0), state: Mutex::default() }
    }

    /// Called before each write; an error keeps its effect from happening.
    pub fn before(&self) -> io::Result<()> {
        let index = self.writes.fetch_add(1, Ordering::Relaxed);
        match self.planned.filter(|planned| planned.index == index) {
            Some(PlannedFault { applied: false, .. }) => Err(self.fire(&mut self.state())),
            Some(PlannedFault { applied: true, .. }) => {
                self.state().begun_by = Some(thread::current().id());
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Called after the effect of each write; an error says that it did not happen.
    pub fn after(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.begun_by == Some(thread::current().id()) {
            state.begun_by = None;
            return Err(self.fire(&mut state));
        }
        Ok(())
    }

    /// Whether the planned fault has happened.
    pub fn fired(&self) -> bool {
        self.state().fired
    }

    /// Writes begun so far.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn fire(&self, state: &mut State) -> io::Error {
        state.fired = true;
        io::Error::other(format!("a planned fault: {:?}", self.planned))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{CountedFault, PlannedFault};
    use std::thread;

    #[test]
    fn only_the_planned_write_fails_and_on_the_planned_side() {
        for applied in [false, true] {
            let counted = CountedFault::new(PlannedFault { index: 2, applied });
            let mut failed = Vec::new();
            for write in 0..5 {
                let before = counted.before().is_err();
                let after = !before && counted.after().is_err();
                failed.push((write, before, after));
                assert_eq!(counted.fired(), write >= 2);
            }
            failed.retain(|(_, before, after)| *before || *after);
            assert_eq!(failed, [(2, !applied, applied)]);
            assert_eq!(counted.writes(), 5);
        }
    }

    #[test]
    fn a_write_of_another_thread_does_not_take_the_fault() {
        let counted = CountedFault::new(PlannedFault { index: 0, applied: true });
        counted.before().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                counted.before().unwrap();
                counted.after().unwrap();
            });
        });
        assert!(!counted.fired());
        assert!(counted.after().is_err());
        assert!(counted.fired());
    }
}
