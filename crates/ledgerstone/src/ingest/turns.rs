//! Brings batches that were prepared side by side back into the order of the input.

use std::sync::{Condvar, Mutex, PoisonError};

/// Whose turn it is. Every number that was given out must come, or those behind it wait for ever:
/// hence a turn ends by being dropped.
#[derive(Debug, Default)]
pub struct Turns {
    next: Mutex<u64>,
    passed: Condvar,
}

/// The right to go before all later ones.
#[derive(Debug)]
pub struct Turn<'t> {
    turns: &'t Turns,
}

impl Turns {
    /// Waits until all earlier turns have ended.
    pub fn wait(&self, number: u64) -> Turn<'_> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        while *next < number {
            next = self.passed.wait(next).unwrap_or_else(PoisonError::into_inner);
        }
        Turn { turns: self }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.turns.next.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.turns.passed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::Turns;

    #[test]
    fn turns_come_in_order() {
        let (turns, order) = (Turns::default(), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in (0..20).rev() {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.wait(number);
                    order.lock().unwrap().push(number);
                });
            }
        });
        assert_eq!(order.into_inner().unwrap(), (0..20).collect::<Vec<_>>());
    }
}
