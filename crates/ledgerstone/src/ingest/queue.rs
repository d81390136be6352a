//! What was read and is not yet prepared: bounded in number and bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Item;
use crate::interruption::Interruption;

/// Items that may wait.
const ITEMS_MAX: usize = 8_192;

/// Bytes of text that may wait, beside one item however large.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Items that are prepared at a time.
const BATCH_ITEMS: usize = 1_024;

/// Bytes of text that are prepared at a time, beside one item however large.
const BATCH_BYTES: usize = 1024 * 1024;

/// So many items do not wait for what is being written.
const ENOUGH_ITEMS: usize = 64;

/// A queue between one reader and several preparing threads.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    has_room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// Number of the next batch.
    next: u64,
    /// Batches that are taken and not finished.
    in_flight: u64,
    /// Nothing more comes.
    is_closed: bool,
    /// Nothing more is wanted.
    is_stopped: bool,
    /// The signal that asked for the end.
    interruption: Option<Interruption>,
}

impl Queue {
    /// Puts an item at the end; waits for room. Answers whether more is wanted.
    pub fn push(&self, item: Item) -> bool {
        let mut state = self.lock();
        while !state.is_stopped && (state.items.len() >= ITEMS_MAX || state.bytes >= BYTES_MAX) {
            state = self.has_room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_stopped {
            return false;
        }
        state.bytes += bytes_of(&item);
        state.items.push_back(item);
        let wake = state.is_ready();
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        true
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is wanted.
    pub fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
        self.has_room.notify_all();
    }

    /// Somebody asked for the end: what is taken is finished, and nothing more is taken.
    pub fn interrupt(&self, interruption: Interruption) {
        self.lock().interruption.get_or_insert(interruption);
        self.stop();
    }

    /// What asked for the end, where something did.
    pub fn interruption(&self) -> Option<Interruption> {
        self.lock().interruption
    }

    /// The next batch and its number, counted from 0; none at the end.
    pub fn take(&self) -> Option<(u64, Vec<Item>)> {
        let mut state = self.lock();
        while !state.is_ready() {
            if state.is_stopped || state.is_closed && state.items.is_empty() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let batch = state.take_batch();
        drop(state);
        self.has_room.notify_one();
        Some(batch)
    }

    /// What became of a batch is known.
    pub fn finished(&self) {
        self.lock().in_flight -= 1;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the first items are to be prepared now and not gathered further.
    fn is_ready(&self) -> bool {
        let enough = self.items.len() >= ENOUGH_ITEMS || self.bytes >= BATCH_BYTES;
        let now = enough || self.in_flight == 0 || self.is_closed;
        !self.is_stopped && !self.items.is_empty() && now
    }

    fn take_batch(&mut self) -> (u64, Vec<Item>) {
        let mut batch = Vec::with_capacity(self.items.len().min(BATCH_ITEMS));
        let mut bytes = 0;
        while batch.len() < BATCH_ITEMS && bytes < BATCH_BYTES {
            let Some(item) = self.items.pop_front() else { break };
            bytes += bytes_of(&item);
            batch.push(item);
        }
        self.bytes -= bytes;
        let number = self.next;
        self.next += 1;
        self.in_flight += 1;
        (number, batch)
    }
}

fn bytes_of(item: &Item) -> usize {
    item.read.as_ref().map_or(0, |submission| submission.text().len())
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::{BATCH_ITEMS, ENOUGH_ITEMS, Item, Queue};
    use crate::failure::{Failure, InputPlace};
    use crate::interruption::Interruption;

    fn item(name: usize) -> Item {
        let place = InputPlace { input: name.to_string(), position: None };
        Item { place, read: Err(Failure::new(ErrorCode::NotJson, "x")) }
    }

    fn names(items: &[Item]) -> Vec<String> {
        items.iter().map(|item| item.place.input.clone()).collect()
    }

    #[test]
    fn an_item_goes_at_once_when_nothing_is_written_and_gathers_otherwise() {
        let queue = Queue::default();
        assert!(queue.push(item(0)));
        let (number, first) = queue.take().unwrap();
        assert_eq!((number, names(&first)), (0, vec!["0".to_owned()]));
        assert!(queue.push(item(1)) && queue.push(item(2)));
        assert!(!queue.lock().is_ready());
        queue.finished();
        let (number, second) = queue.take().unwrap();
        assert_eq!((number, names(&second)), (1, vec!["1".to_owned(), "2".to_owned()]));
    }

    #[test]
    fn many_items_do_not_wait_and_come_in_bounded_batches() {
        let queue = Queue::default();
        assert!(queue.push(item(0)));
        queue.take().unwrap();
        (0..ENOUGH_ITEMS + BATCH_ITEMS).for_each(|name| assert!(queue.push(item(name))));
        assert_eq!(queue.take().unwrap().1.len(), BATCH_ITEMS);
        assert_eq!(queue.take().unwrap().1.len(), ENOUGH_ITEMS);
    }

    #[test]
    fn the_end_is_the_end() {
        let queue = Queue::default();
        assert!(queue.push(item(0)));
        queue.close();
        assert!(queue.take().is_some() && queue.take().is_none());
        queue.stop();
        assert!(!queue.push(item(1)));
        assert_eq!(queue.interruption(), None);
    }

    #[test]
    fn an_interruption_ends_the_taking_and_is_remembered() {
        let queue = Queue::default();
        assert!(queue.push(item(0)) && queue.push(item(1)));
        let [first, second] = [Interruption::Interrupt, Interruption::Terminate];
        queue.interrupt(first);
        queue.interrupt(second);
        assert!(queue.take().is_none() && !queue.push(item(2)));
        assert_eq!(queue.interruption(), Some(first));
    }
}
