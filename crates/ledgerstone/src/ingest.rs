//! Many events on their way into a ledger: read, prepared on several threads, handed over in the
//! order of the input, and told about in that order as they become durable. On their way to a server
//! they are sent as they are read.
//!
//! Preparing the next events overlaps with the writing of the last ones. As in the ledger itself
//! nobody waits for company: an event goes on at once when nothing is being written, and events
//! gather only while something is. All that waits is bounded.

mod destination;
mod prepare;
mod queue;
mod sending;
mod turns;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use ledgerstone_edge::importer::{Importer, Submission};
use ledgerstone_ledger::{Ledger, Outcome, SubmitError, Ticket};
use ledgerstone_model::{ErrorCode, Numbers};
use ledgerstone_proof::{Canonicalizer, TenantId};

use crate::failure::{Ending, Failure, InputPlace};
use crate::interruption;
use crate::output::Console;
use crate::system::System;

pub use destination::{Destination, Recorded, with_destination};
pub use prepare::TenantChoice;
use prepare::{Prepared, Preparer};
pub use queue::Queue;
use turns::Turns;

/// Submissions that may wait to become durable.
const TICKETS_IN_FLIGHT: usize = 32;

/// Threads that prepare events, at most.
const PREPARING_THREADS_MAX: usize = 8;

/// One thing read from an input.
#[derive(Debug)]
pub struct Item {
    pub place: InputPlace,
    pub read: Result<Submission, Failure>,
}

/// Receives what became of the items, in the order of the input. An error ends everything.
pub trait Sink {
    fn recorded(&mut self, receipt: Recorded<'_>) -> Result<(), Failure>;

    fn refused(&mut self, failure: Failure) -> Result<(), Failure>;

    /// Nothing more is known for a while.
    fn pause(&mut self) -> Result<(), Failure>;

    /// The server has not answered for a while, and is asked again: [`NO_ANSWER`].
    fn waits(&mut self);
}

/// What is said while a server is waited for.
pub const NO_ANSWER: &str =
    "the server has not answered yet; what was sent is sent again for about a minute";

/// Submitted events, with the items among them that were refused before.
struct Submitted {
    entries: Vec<Prepared>,
    ticket: Result<Ticket, Failure>,
}

/// A queue that takes nothing more once a signal has asked for the end. Until the process ends, a
/// second signal kills it.
pub fn interruptible_queue() -> Result<Arc<Queue>, Failure> {
    let queue = Arc::new(Queue::default());
    let stopped = Arc::clone(&queue);
    interruption::watch(move |signal| stopped.interrupt(signal))?;
    Ok(queue)
}

/// How a command ends that moved everything it was given, or was asked to end before.
pub fn ending(queue: &Queue, any_refused: bool, console: &mut Console) -> Ending {
    let Some(signal) = queue.interruption() else { return Ending::findings_if(any_refused) };
    console.note(format!(
        "stopped by {}: what was acknowledged is recorded, and nothing else was taken; sending all \
         of it again adds only what is missing",
        signal.name()
    ));
    Ending::Interrupted(signal)
}

/// How the texts of the input become events.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub importer: &'static dyn Importer,
    pub numbers: Numbers,
}

/// Moves everything from the queue, read in this way, to where it shall go. Whoever fills the
/// queue runs on a thread of its own that is not waited for: it may be waiting for input that never
/// comes.
pub fn ingest(
    destination: &Destination<'_>,
    reading: Reading,
    queue: &Arc<Queue>,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    match destination {
        Destination::Server(remote) => sending::send(remote, reading, queue, sink),
        Destination::Ledgers { ledger, tenants } => {
            into_ledgers(ledger, (tenants, reading), queue, sink)
        }
    }
}

/// Moves everything into the ledgers, and signs a checkpoint of every one that grew, so that its
/// proofs need no private key afterwards.
fn into_ledgers(
    ledger: &Ledger,
    (tenants, reading): (&TenantChoice, Reading),
    queue: &Arc<Queue>,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let system = System::new();
    let turns = Turns::default();
    let (sender, told) = sync_channel(TICKETS_IN_FLIGHT);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(PREPARING_THREADS_MAX) {
            let sender = sender.clone();
            let preparer = Preparer::new(&system, ledger, tenants, reading);
            let turns = &turns;
            scope.spawn(move || work(ledger, &preparer, queue, turns, &sender));
        }
        drop(sender);
        let mut teller = Teller { queue, sink, grown: BTreeSet::new(), end: None, unnamed: 0 };
        let outcome = teller.tell(&told);
        queue.stop();
        // Without a receiver, threads that are about to hand over give up.
        drop(told);
        outcome?;
        let grown: Vec<TenantId> = teller.grown.into_iter().collect();
        ledger.checkpoints(&grown)?;
        Ok(())
    })
}

fn work(
    ledger: &Ledger,
    preparer: &Preparer<'_>,
    queue: &Queue,
    turns: &Turns,
    sender: &SyncSender<Submitted>,
) {
    let mut scratch = Canonicalizer::new();
    while let Some((number, items)) = queue.take() {
        let (entries, events) = preparer.prepare(items, &mut scratch);
        let events = ledger.seal(events).map_err(SubmitError::from);
        let _turn = turns.wait(number);
        let ticket = events.and_then(|events| ledger.submit(events)).map_err(Failure::from);
        if sender.send(Submitted { entries, ticket }).is_err() {
            return;
        }
    }
}

/// Tells the sink what became of the items.
struct Teller<'a> {
    queue: &'a Queue,
    sink: &'a mut dyn Sink,
    grown: BTreeSet<TenantId>,
    /// The failure after which nothing more is taken.
    end: Option<Failure>,
    /// Events that met the same and were not named.
    unnamed: u64,
}

impl Teller<'_> {
    /// Goes on until nothing more comes, or nothing more can be written.
    fn tell(&mut self, receiver: &Receiver<Submitted>) -> Result<(), Failure> {
        loop {
            let submitted = match receiver.try_recv() {
                Ok(submitted) => submitted,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.sink.pause()?;
                    let Ok(submitted) = receiver.recv() else { break };
                    submitted
                }
            };
            let ticket = match submitted.ticket {
                Ok(ticket) => ticket,
                Err(failure) => return Err(self.end.take().unwrap_or(failure)),
            };
            if !ticket.is_done() {
                self.sink.pause()?;
            }
            let outcomes = ticket.wait();
            self.queue.finished();
            self.tell_batch(submitted.entries, outcomes)?;
            if self.end.is_some() {
                self.queue.stop();
            }
        }
        self.sink.pause()?;
        self.end.take().map_or(Ok(()), |end| Err(end.and_more(self.unnamed)))
    }

    fn tell_batch(
        &mut self,
        entries: Vec<Prepared>,
        outcomes: Vec<Outcome>,
    ) -> Result<(), Failure> {
        let mut outcomes = outcomes.into_iter();
        for entry in entries {
            match entry {
                Prepared::Refused(failure) => self.sink.refused(failure)?,
                Prepared::Submitted(place) => {
                    let Some(outcome) = outcomes.next() else {
                        let message = "an event got no outcome";
                        return Err(Failure::new(ErrorCode::Internal, message).at(place));
                    };
                    self.tell_outcome(place, outcome)?;
                }
            }
        }
        Ok(())
    }

    fn tell_outcome(&mut self, place: InputPlace, outcome: Outcome) -> Result<(), Failure> {
        let refusal = match outcome {
            Outcome::Recorded(receipt) => {
                if !self.grown.contains(&receipt.tenant_id) {
                    self.grown.insert(receipt.tenant_id.clone());
                }
                return self.sink.recorded(Recorded::Here(&receipt));
            }
            Outcome::Refused(refusal) => refusal,
        };
        let failure = Failure::from(refusal).at(place);
        if is_about_the_event(failure.code()) {
            self.sink.refused(failure)
        } else if self.end.is_none() {
            self.end = Some(failure);
            Ok(())
        } else if failure.is_fatal() {
            // Its id is what the sender needs to send it again.
            self.sink.refused(failure)
        } else {
            self.unnamed += 1;
            Ok(())
        }
    }
}

/// Whether a refusal says something about this event, and not that nothing can be written.
fn is_about_the_event(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::OutcomeUnknown
            | ErrorCode::StoreDamaged
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnlyStorage
            | ErrorCode::StorageFailed
            | ErrorCode::LedgerRolledBack
            | ErrorCode::QueueFull
            | ErrorCode::Conflict
            | ErrorCode::Internal
    )
}
