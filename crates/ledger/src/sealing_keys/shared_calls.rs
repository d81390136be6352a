//! One call for all who want the same answer at the same moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};

use crate::ledger::hold;

/// Calls that are under way, by what they ask. A call that fails has failed for all who waited.
#[derive(Debug)]
pub(super) struct SharedCalls<Q, A> {
    under_way: Mutex<HashMap<Q, Arc<OnceLock<A>>>>,
}

impl<Q: Eq + Hash + Clone, A: Clone> SharedCalls<Q, A> {
    pub(super) fn new() -> Self {
        Self { under_way: Mutex::new(HashMap::new()) }
    }

    /// The answer of the call that is under way for this question, or of `call`. Who asks after it
    /// has ended asks anew.
    pub(super) fn ask(&self, question: &Q, call: impl FnOnce() -> A) -> A {
        let place = Arc::clone(hold(&self.under_way).entry(question.clone()).or_default());
        let answer = place.get_or_init(call).clone();
        let mut under_way = hold(&self.under_way);
        if under_way.get(question).is_some_and(|now| Arc::ptr_eq(now, &place)) {
            under_way.remove(question);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::SharedCalls;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn those_who_ask_at_once_share_a_call_and_later_ones_do_not() {
        let calls = SharedCalls::new();
        let made = AtomicUsize::new(0);
        let waiting = AtomicUsize::new(0);
        let answers: Vec<usize> = std::thread::scope(|scope| {
            let ask = || {
                waiting.fetch_add(1, Ordering::SeqCst);
                calls.ask(&"acme", || {
                    while waiting.load(Ordering::SeqCst) < 8 {
                        std::thread::yield_now();
                    }
                    // The others are about to look; one that comes later would count another call.
                    std::thread::sleep(std::time::Duration::from_millis(200));
                    made.fetch_add(1, Ordering::SeqCst)
                })
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers, [0; 8]);
        assert_eq!(calls.ask(&"acme", || made.fetch_add(1, Ordering::SeqCst)), 1);
        assert!(calls.under_way.lock().unwrap().is_empty());
    }
}
