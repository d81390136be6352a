//! Ids that were sequenced a short while ago: those whose batch is not yet durable, and those of the
//! last few batches, so that a lookup made before a commit need not be made again after it.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
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

    /// Takes an id for the record at that index of a batch, unless it was sequenced before: then
    /// answers the batch and index where it stands.
    pub(crate) fn claim(
        &mut self,
        tip: TipId,
        event_id: EventId,
        batch: u64,
        index: usize,
    ) -> Option<(Arc<Completion>, usize)> {
        let mut place = match self.places.entry((tip, event_id)) {
            Entry::Vacant(free) => {
                free.insert((batch, index));
                return None;
            }
            Entry::Occupied(place) => place,
        };
        let (number, before) = *place.get();
        let known = batch_of(&self.batches, number);
        if known.is_none() {
            place.insert((batch, index));
        }
        Some((Arc::clone(known?), before))
    }

    /// The batch under which an id was sequenced.
    pub(crate) fn batch(&self, tip: TipId, event_id: &EventId) -> Option<Arc<Completion>> {
        let (number, _) = self.places.get(&(tip, event_id.clone()))?;
        batch_of(&self.batches, *number).map(Arc::clone)
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

fn batch_of(batches: &VecDeque<(u64, Arc<Completion>)>, number: u64) -> Option<&Arc<Completion>> {
    let (first, _) = batches.front()?;
    let at = usize::try_from(number.checked_sub(*first)?).ok()?;
    batches.get(at).map(|(_, completion)| completion)
}

/// Removes an id unless a later batch has taken it up.
fn withdraw(ids: &mut HashMap<(TipId, EventId), (u64, usize)>, number: u64, placed: &Placed) {
    if let Entry::Occupied(place) = ids.entry((placed.tip, placed.event_id.clone()))
        && place.get().0 == number
    {
        place.remove();
    }
}
