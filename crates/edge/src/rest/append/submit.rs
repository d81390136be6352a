//! Handing events to the ledger, and learning what became of them without holding up the thread that
//! serves requests.

use ledgerstone_ledger::{
    Ledger, NewDeadLetter, Outcome, Refusal, SubmitError, TenantCreation, Ticket,
};
use ledgerstone_model::{AdmittedEvent, ErrorCode, Rejection};
use ledgerstone_proof::EventId;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::prepare::{Prepared, Source, Unprepared};
use super::result::ItemResult;
use crate::metrics::{EventCounter, EventStatus};
use crate::rest::problem::Problem;
use crate::rest::service::Service;
use crate::trace;

/// Bytes of events that are prepared and handed over by the thread that serves the request: less
/// work than changing threads is worth.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// What becomes of the others when one event is refused, and of all when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Each event by itself; a full queue refuses all.
    Each,
    /// All or nothing; a full queue refuses all.
    Atomic,
    /// Each event by itself; a full queue is waited for.
    Patient,
}

/// An event of a request, after it was handed over or not.
enum Item {
    /// With what the taxonomy, in force as a warning, has against it.
    Taken(EventId, EventCounter, Option<Rejection>),
    Refused(Problem),
}

/// A request's events after they were handed over.
pub(super) struct Taken {
    items: Vec<Item>,
    /// Where in the request the first of them stood.
    first: usize,
    ticket: Option<Ticket>,
    /// When it was handed over.
    since: Instant,
    /// Refused events that are to be kept, by their place among the items.
    refused: Vec<(usize, NewDeadLetter)>,
}

/// A request's events whose sender does not wait.
pub(super) struct PutOff {
    pub(super) ticket: Option<Ticket>,
    pub(super) results: Vec<ItemResult>,
    /// Those that were handed over, in the order of the ticket's outcomes.
    pub(super) waiting: Vec<Waiting>,
}

/// An event whose outcome is not known yet.
pub(super) struct Waiting {
    /// Its place among the events handed over with it.
    pub(super) offset: usize,
    /// Its place in the request.
    pub(super) index: usize,
    pub(super) counter: EventCounter,
}

/// Prepares events and hands over what can be taken. `first` is the place of the first in the
/// request.
pub(super) fn take(
    ledger: &Ledger,
    source: &Source,
    (first, texts): (usize, &[&[u8]]),
    manner: Manner,
) -> Result<Taken, SubmitError> {
    let since = Instant::now();
    let _span = trace::part!("parse and seal", texts.len()).entered();
    let drawn = source.draw(texts.len());
    let mut items = Vec::with_capacity(texts.len());
    let mut events = Vec::with_capacity(texts.len());
    let mut refused = Vec::new();
    for (offset, (text, new_id)) in texts.iter().zip(drawn.random()).enumerate() {
        match source.prepare(text, first + offset, *new_id, drawn.at()) {
            Ok(Prepared { event, findings }) => {
                let valid = event.event();
                let counter = source.metrics().events_of(valid.event_type());
                items.push(Item::Taken(valid.id().clone(), counter, findings));
                events.push(event);
            }
            Err(unprepared) => {
                source.count_refused(text);
                if let Unprepared::Event(rejection) = &unprepared {
                    refused.push((offset, source.letter(text, first + offset, rejection)));
                }
                items.push(Item::Refused(unprepared.into()));
            }
        }
    }
    if events.is_empty() || (manner == Manner::Atomic && events.len() < items.len()) {
        if manner == Manner::Atomic {
            items.iter_mut().for_each(refuse_with_the_batch);
        }
        return Ok(Taken { items, first, ticket: None, since, refused });
    }
    let ticket = hand_over(ledger, events, manner)?;
    Ok(Taken { items, first, ticket: Some(ticket), since, refused })
}

fn hand_over(
    ledger: &Ledger,
    events: Vec<AdmittedEvent>,
    manner: Manner,
) -> Result<Ticket, SubmitError> {
    let events = ledger.seal(events)?;
    match manner {
        Manner::Each => ledger.try_submit(events),
        Manner::Atomic => ledger.try_submit_whole(events),
        Manner::Patient => ledger.submit(events),
    }
}

fn refuse_with_the_batch(item: &mut Item) {
    if let Item::Taken(_, counter, _) = item {
        counter.count(EventStatus::Rejected);
        let detail = "another event of the batch was refused";
        *item = Item::Refused(Problem::new(ErrorCode::BatchRefused, detail));
    }
}

impl Taken {
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// Tells of an event something else than what parsing found.
    pub(super) fn refuse(&mut self, offset: usize, problem: Problem) {
        if let Some(item @ Item::Refused(_)) = self.items.get_mut(offset) {
            *item = Item::Refused(problem);
            self.refused.retain(|(place, _)| *place != offset);
        }
    }

    pub(super) const fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Keeps what was refused as dead letters, and says so where the refusal is told. Waits for the
    /// disk.
    pub(super) fn keep_refused(&mut self, source: &Source) {
        let (places, letters): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.refused).into_iter().unzip();
        if letters.is_empty() {
            return;
        }
        for (place, note) in places.into_iter().zip(source.keep(letters)) {
            if let Some(Item::Refused(problem)) = self.items.get_mut(place) {
                *problem = problem.clone().with_dead_letter(note);
            }
        }
    }

    /// What can be said at once, and what is still to be learnt.
    pub(super) fn put_off(self) -> PutOff {
        let mut waiting = Vec::with_capacity(self.items.len());
        let result = |(offset, item)| match item {
            Item::Taken(id, counter, findings) => {
                counter.count(EventStatus::Queued);
                waiting.push(Waiting { offset, index: self.first + offset, counter });
                ItemResult::Queued(id, findings)
            }
            Item::Refused(problem) => ItemResult::Refused(problem),
        };
        let results = self.items.into_iter().enumerate().map(result).collect();
        PutOff { ticket: self.ticket, results, waiting }
    }

    /// Waits for the commit.
    pub(super) fn wait(mut self, source: &Source) -> Vec<ItemResult> {
        let waiting = trace::part!("wait for the commit", self.items.len()).entered();
        let outcomes = self.ticket.take().map(Ticket::wait).unwrap_or_default();
        drop(waiting);
        self.results(source, outcomes)
    }

    fn results(self, source: &Source, outcomes: Vec<Outcome>) -> Vec<ItemResult> {
        let mut outcomes = outcomes.into_iter();
        let result = |(offset, item)| match item {
            Item::Refused(problem) => ItemResult::Refused(problem),
            Item::Taken(_, counter, findings) => {
                let result = result_of(outcomes.next(), findings, source, self.first + offset);
                counter.count(result.event_status());
                result
            }
        };
        let results: Vec<ItemResult> = self.items.into_iter().enumerate().map(result).collect();
        let recorded = results.iter().filter(|one| one.event_status() == EventStatus::Created);
        source.metrics().count_recorded(recorded.count() as u64);
        source.metrics().observe_acknowledgement(self.since.elapsed());
        results
    }
}

pub(super) fn result_of(
    outcome: Option<Outcome>,
    findings: Option<Rejection>,
    source: &Source,
    index: usize,
) -> ItemResult {
    match outcome {
        Some(Outcome::Recorded(receipt)) => ItemResult::Recorded(Box::new(receipt), findings),
        Some(Outcome::Refused(refusal)) => ItemResult::Refused(problem(&refusal, source, index)),
        None => {
            let detail = "a submission ended without an outcome";
            ItemResult::Refused(Problem::new(ErrorCode::Internal, detail))
        }
    }
}

/// What a refusal says to the sender. An unknown outcome names the id to send the event under.
fn problem(refusal: &Refusal, source: &Source, index: usize) -> Problem {
    let is_repeated_key =
        refusal.code == ErrorCode::IdConflict && source.made_id(&refusal.id, index);
    let code = if is_repeated_key { ErrorCode::IdempotencyConflict } else { refusal.code };
    Problem::public(code, refusal.message.clone()).with_id(&refusal.id)
}

impl Service {
    /// Prepares and hands over, in a thread of its own where that takes long.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Ledger) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let is_quick = bytes <= INLINE_BYTES_MAX
            && self.ledger().settings().tenant_creation == TenantCreation::Explicit;
        if is_quick { work(self.ledger()) } else { self.blocking(work).await }
    }

    /// Waits until the outcome of every event is known.
    pub(super) async fn settle(
        &self,
        mut taken: Taken,
        source: &Source,
    ) -> Result<Vec<ItemResult>, Problem> {
        let Some(ticket) = taken.ticket.take() else {
            return Ok(taken.results(source, Vec::new()));
        };
        let (told, done) = oneshot::channel();
        ticket.on_done(move || {
            // Nobody listens where the client has gone; the events are recorded all the same.
            let _ = told.send(());
        });
        done.instrument(trace::part!("wait for the commit", taken.len()))
            .await
            .map_err(|_| Problem::new(ErrorCode::Internal, "a commit ended without an outcome"))?;
        let outcomes = if ticket.may_read() {
            self.blocking(move |_| Ok::<_, Problem>(ticket.wait())).await?
        } else {
            ticket.wait()
        };
        Ok(taken.results(source, outcomes))
    }
}
