//! What a sender holds between handing events over and learning that they are durable.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ledgerstone_model::SealedEvent;
use ledgerstone_proof::SequenceNumber;

use crate::duplicates;
use crate::ledger::hold;
use crate::next_batch::{Completed, Placed};
use crate::receipt::{Compared, Outcome, Receipt, ReceiptStatus, Refusal};
use crate::sequencer::Sequencer;

/// The end of one commit, which any number of threads may wait for.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    end: OnceLock<Completed>,
    /// Those who are to be told, because they do not wait.
    callers: Mutex<Vec<Arc<Callback>>>,
}

/// What is to be called once a number of commits have ended.
struct Callback {
    open: AtomicUsize,
    call: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Callback {
    /// One of the commits has ended.
    fn count_down(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(call) = hold(&self.call).take()
        {
            call();
        }
    }
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Completion {
    pub(crate) fn end(&self) -> Option<&Completed> {
        self.end.get()
    }

    /// Tells everybody. Only the first telling counts.
    pub(crate) fn complete(&self, end: Completed) {
        let _ = self.end.set(end);
        let callers = std::mem::take(&mut *hold(&self.callers));
        callers.iter().for_each(|caller| caller.count_down());
    }

    /// Counts the caller down once the commit has ended, which may be at once.
    fn tell(&self, caller: &Arc<Callback>) {
        let mut callers = hold(&self.callers);
        // Looked at under the lock: whoever ends the commit takes the list after setting the end.
        if self.end.get().is_some() {
            drop(callers);
            caller.count_down();
        } else {
            callers.push(Arc::clone(caller));
        }
    }

    pub(crate) fn wait(&self) -> &Completed {
        self.end.wait()
    }
}

/// One event of a submission.
#[derive(Debug)]
pub(crate) enum Slot {
    /// It stands in the ticket's batch.
    Sequenced {
        index: usize,
    },
    /// Its id is recorded; whether as the same event is still to be seen.
    Recorded {
        number: SequenceNumber,
        sent: Box<SealedEvent>,
    },
    /// Its id stands in a batch whose end is not yet known.
    InFlight {
        batch: Arc<Completion>,
        index: usize,
        sent: Box<SealedEvent>,
    },
    Refused(Refusal),
}

/// A claim to the outcomes of one submission, in the order in which the events were given.
#[derive(Debug)]
#[must_use = "the outcome of the events is learnt by waiting"]
pub struct Ticket {
    sequencer: Arc<Sequencer>,
    completion: Arc<Completion>,
    slots: Vec<Slot>,
}

impl Ticket {
    pub(crate) const fn new(
        sequencer: Arc<Sequencer>,
        completion: Arc<Completion>,
        slots: Vec<Slot>,
    ) -> Self {
        Self { sequencer, completion, slots }
    }

    /// Whether [`wait`](Self::wait) would answer without waiting for a commit.
    pub fn is_done(&self) -> bool {
        self.slots.iter().all(|slot| match slot {
            Slot::Sequenced { .. } => self.completion.end().is_some(),
            Slot::InFlight { batch, .. } => batch.end().is_some(),
            Slot::Recorded { .. } | Slot::Refused(_) => true,
        })
    }

    /// Whether [`wait`](Self::wait) may read the store, because an event was sent before.
    pub fn may_read(&self) -> bool {
        !self.slots.iter().all(|slot| matches!(slot, Slot::Sequenced { .. } | Slot::Refused(_)))
    }

    /// Calls `call` once the outcome of every event is known: at once where it is, otherwise from
    /// the thread that commits, which must not be held up.
    pub fn on_done(&self, call: impl FnOnce() + Send + 'static) {
        let mut awaited: Vec<&Arc<Completion>> = Vec::new();
        for slot in &self.slots {
            let batch = match slot {
                Slot::Sequenced { .. } => &self.completion,
                Slot::InFlight { batch, .. } => batch,
                Slot::Recorded { .. } | Slot::Refused(_) => continue,
            };
            if !awaited.iter().any(|known| Arc::ptr_eq(known, batch)) {
                awaited.push(batch);
            }
        }
        // One more, so that nothing is called before everybody has been asked.
        let open = AtomicUsize::new(awaited.len() + 1);
        let caller = Arc::new(Callback { open, call: Mutex::new(Some(Box::new(call))) });
        awaited.iter().for_each(|batch| batch.tell(&caller));
        caller.count_down();
    }

    /// Waits until the outcome of every event is known. If nobody is committing, this thread does.
    pub fn wait(self) -> Vec<Outcome> {
        let Self { sequencer, completion, slots } = self;
        let outcome = |slot| match slot {
            Slot::Sequenced { index } => {
                sequencer.drive(&completion);
                sequenced(&sequencer, completion.wait(), index)
            }
            Slot::InFlight { batch, index, sent } => {
                sequencer.drive(&batch);
                repeated(&sequencer, batch.wait(), index, &sent)
            }
            Slot::Recorded { number, sent } => duplicates::resolve_sent(&sequencer, number, &sent),
            Slot::Refused(refusal) => Outcome::Refused(refusal),
        };
        slots.into_iter().map(outcome).collect()
    }
}

fn sequenced(sequencer: &Sequencer, end: &Completed, index: usize) -> Outcome {
    let Some(placed) = end.get(index) else {
        return Outcome::Refused(Refusal::lost());
    };
    if let Err(failure) = end.verdict() {
        return Outcome::Refused(Refusal {
            tenant_id: placed.tenant.clone(),
            id: placed.event_id.clone(),
            code: failure.code,
            message: failure.message.clone(),
        });
    }
    if let Some((number, content)) = &placed.recorded_before {
        let name = (&placed.tenant, &placed.event_id);
        return duplicates::resolve_content(sequencer, name, *number, content);
    }
    Outcome::Recorded(receipt(end, placed))
}

/// The outcome of an event whose id another event of an earlier or the same batch has.
fn repeated(sequencer: &Sequencer, end: &Completed, index: usize, sent: &SealedEvent) -> Outcome {
    match sequenced(sequencer, end, index) {
        Outcome::Recorded(first) => {
            duplicates::resolve_sent(sequencer, first.sequence_number, sent)
        }
        refused @ Outcome::Refused(_) => refused,
    }
}

fn receipt(end: &Completed, placed: &Placed) -> Receipt {
    Receipt {
        id: placed.event_id.clone(),
        tenant_id: placed.tenant.clone(),
        sequence_number: placed.sequence_number,
        content_hash: placed.content_hash,
        previous_hash: placed.previous_hash,
        record_hash: placed.record_hash,
        signature: end.signature(placed).cloned(),
        ingested_at: placed.ingested_at,
        status: ReceiptStatus::Created,
        compared: Compared::Wholly,
    }
}
