//! What becomes of events whose senders did not wait: it is counted once it is known, and a refusal, of
//! which nobody is told, becomes a dead letter and a line of the log.

use ledgerstone_ledger::{NewDeadLetter, Outcome, Ticket};
use ledgerstone_model::{Fault, Rejection};
use ledgerstone_proof::EventId;
use tokio::sync::{oneshot, watch};

use super::array::split;
use super::prepare::Source;
use super::result::ItemResult;
use super::submit::{PutOff, Taken, Waiting, result_of};
use crate::metrics::EventStatus;
use crate::rest::body::HeldBody;
use crate::rest::problem::Problem;

/// Submissions that are followed, for whoever stops the server.
#[derive(Debug)]
pub(in crate::rest) struct Followed(watch::Sender<usize>);

impl Default for Followed {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Followed {
    /// Waits until the outcome of each is known and told.
    pub(in crate::rest) async fn none_left(&self) {
        // It cannot end: the sender is here.
        let _ = self.0.subscribe().wait_for(|open| *open == 0).await;
    }
}

/// One of them, until it is dropped.
struct Open(Source);

impl Open {
    fn new(source: Source) -> Self {
        source.service().followed().0.send_modify(|open| *open += 1);
        Self(source)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.service().followed().0.send_modify(|open| *open = open.saturating_sub(1));
    }
}

/// The texts of a request, kept until it is known whether they are recorded.
pub(super) enum Texts {
    One(HeldBody),
    Array(HeldBody),
    Lines(Vec<Vec<u8>>),
}

impl Texts {
    /// The events, in the order of the request.
    fn all(&self) -> Vec<&[u8]> {
        match self {
            Self::One(text) => vec![text],
            Self::Array(text) => split(text).unwrap_or_default(),
            Self::Lines(lines) => lines.iter().map(Vec::as_slice).collect(),
        }
    }
}

impl Taken {
    /// What can be said at once: what was refused, and what waits in memory. What becomes of that is
    /// followed.
    pub(super) fn queued(self, source: &Source, texts: Texts) -> Vec<ItemResult> {
        let PutOff { ticket, results, waiting } = self.put_off();
        if let Some(ticket) = ticket {
            tokio::spawn(follow(Open::new(source.clone()), ticket, waiting, texts));
        }
        results
    }
}

async fn follow(open: Open, ticket: Ticket, waiting: Vec<Waiting>, texts: Texts) {
    let (told, done) = oneshot::channel();
    ticket.on_done(move || {
        let _ = told.send(());
    });
    if done.await.is_err() {
        tracing::error!("a commit of queued events ended without an outcome");
        return;
    }
    let service = open.0.service().clone();
    let told = service.blocking(move |_| {
        tell(&open.0, ticket.wait(), waiting, &texts);
        Ok::<_, Problem>(())
    });
    if let Err(problem) = told.await {
        tracing::error!(code = %problem.code(), "what became of queued events was not looked at");
    }
}

/// Counts what became of queued events, and keeps those that were refused.
fn tell(source: &Source, outcomes: Vec<Outcome>, waiting: Vec<Waiting>, texts: &Texts) {
    let mut refused = Vec::new();
    let mut recorded = 0;
    for (outcome, waiting) in outcomes.into_iter().zip(waiting) {
        let id = match &outcome {
            Outcome::Refused(refusal) => Some(refusal.id.clone()),
            Outcome::Recorded(_) => None,
        };
        let result = result_of(Some(outcome), None, source, waiting.index);
        waiting.counter.count(result.event_status());
        recorded += u64::from(result.event_status() == EventStatus::Created);
        if let (Some(id), ItemResult::Refused(problem)) = (id, result) {
            refused.push(Refused { id, problem, waiting });
        }
    }
    source.metrics().count_recorded(recorded);
    if !refused.is_empty() {
        keep(source, &refused, &texts.all());
    }
}

/// An event whose sender was told that it is queued, and which was refused.
struct Refused {
    id: EventId,
    problem: Problem,
    waiting: Waiting,
}

fn keep(source: &Source, refused: &[Refused], texts: &[&[u8]]) {
    let letter = |one: &Refused| {
        let text = texts.get(one.waiting.offset).copied().unwrap_or_default();
        let (code, detail) = (one.problem.code(), one.problem.detail().to_owned());
        let rejection = Rejection::of(Fault::new(String::new(), code, detail));
        // One without an id was given one, and is to be sent again under that.
        let default_id = Some(one.id.clone());
        NewDeadLetter { default_id, ..source.letter(text, one.waiting.index, &rejection) }
    };
    let notes = source.keep(refused.iter().map(letter).collect());
    let tenant = source.tenant();
    for (Refused { id, problem, .. }, note) in refused.iter().zip(notes) {
        let code = problem.code();
        match note {
            Ok(letter) => {
                tracing::warn!(%tenant, %code, dead_letter = %letter, "a queued event was refused");
            }
            Err(reason) => tracing::error!(
                %tenant, %code, event_id = %id, %reason,
                "a queued event was refused, and could not be kept as a dead letter"
            ),
        }
    }
}
