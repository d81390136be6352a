//! Ids that were sequenced a short while ago: those whose batch is not yet durable, and those of the
//! last few batches, so that a lookup made before a commit need not be made again after it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ledgerstone_proof::EventId;

use crate::next_batch::{Placed, TipId};
use crate::ticket::Completion;

/// Finished batches whose ids are kept.
const FINISHED_KEPT: usize = 8;

/// The ids of recent batches. Batches are numbered without gaps.
#[derive(Debug)]
pub(crate) struct InFlight {
    places: HashMap<(TipId, EventId), (u64, usize)>,
    batches: VecDeque<(u64, Arc<Completion>)>,
}

impl InFlight {
    /// Begins with the first open batch.
    pub(crate) fn new(number: u64, completion: Arc<Completion>) -> Self {
        Self { places: HashMap::new(), batches: VecDeque::from([(number, completion)]) }
    }

    /// A new batch takes records from now on.
    pub(crate) fn begin(&mut self, number: u64, completion: Arc<Completion>) {
        self.batches.push_back((number, completion));
    }

    pub(crate) fn insert(&mut self, tip: TipId, event_id: EventId, batch: u64, index: usize) {
        self.places.insert((tip, event_id), (batch, index));
    }

    /// The batch and index under which an id was sequenced.
    pub(crate) fn find(&self, tip: TipId, event_id: &EventId) -> Option<(Arc<Completion>, usize)> {
        let (number, index) = *self.places.get(&(tip, event_id.clone()))?;
        let (first, _) = self.batches.front()?;
        let at = usize::try_from(number.checked_sub(*first)?).ok()?;
        let (_, completion) = self.batches.get(at)?;
        Some((Arc::clone(completion), index))
    }

    /// Lets go of the oldest finished batches and answers how many. Their ids are durable, or were
    /// withdrawn, so that the store knows everything about them.
    pub(crate) fn forget_old(&mut self) -> u64 {
        let mut forgotten = 0;
        while self.batches.len() > FINISHED_KEPT + 2 {
            let Some((number, completion)) = self.batches.front() else {
                break;
            };
            let Some(end) = completion.end() else { break };
            for placed in end.placed() {
                withdraw(&mut self.places, *number, placed);
            }
            self.batches.pop_front();
            forgotten += 1;
        }
        forgotten
    }

    /// A batch was not written: its ids are free again.
    pub(crate) fn withdraw(&mut self, number: u64, placed: &[Placed]) {
        for place in placed {
            withdraw(&mut self.places, number, place);
        }
    }
}

/// Removes an id unless a later batch has taken it up.
fn withdraw(ids: &mut HashMap<(TipId, EventId), (u64, usize)>, number: u64, placed: &Placed) {
    let key = (placed.tip, placed.event_id.clone());
    if ids.get(&key).is_some_and(|(batch, _)| *batch == number) {
        ids.remove(&key);
    }
}
