//! Events on their way to a server: batch after batch in the order of the input, each sent again
//! under its own key until the server has said what became of it.

use std::pin::pin;
use std::time::Duration;

use ledgerstone_client::{Append, Event, IdempotencyKey, Outcome};
use ledgerstone_model::ErrorCode;

use super::destination::Recorded;
use super::queue::Queue;
use super::{Item, Reading, Sink, is_about_the_event};
use crate::failure::{Failure, InputPlace};
use crate::output::counted;
use crate::remote::Remote;
use crate::system::System;

/// Random bytes of a batch's key, of which nothing else must ever have the same.
const KEY_BYTES: usize = 16;

/// How long nothing is said while an answer is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Sends everything from the queue. Records of foreign formats are mapped by the server.
pub fn send(
    remote: &Remote,
    reading: Reading,
    queue: &Queue,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let outcome = send_batches(remote, reading, queue, sink);
    queue.stop();
    outcome
}

fn send_batches(
    remote: &Remote,
    reading: Reading,
    queue: &Queue,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let system = System::new();
    let how = Append::new().format(reading.importer.name()).numbers(reading.numbers);
    let client = remote.patient_client();
    while let Some((_, items)) = queue.take() {
        let (entries, events) = split(items);
        let (outcomes, ended) = if events.is_empty() {
            (Vec::new(), Ok(()))
        } else {
            answered(remote, sink, client.append_all(&events, &key(&system)?, &how))
        };
        let ended = ended.map_err(Failure::from);
        Teller { sink, end: None, unnamed: 0 }.tell(entries, outcomes, ended)?;
        queue.finished();
        sink.pause()?;
    }
    Ok(())
}

/// Waits for an answer, and says so once it has taken long.
fn answered<T>(remote: &Remote, sink: &mut dyn Sink, call: impl Future<Output = T>) -> T {
    remote.wait_for(async {
        let mut call = pin!(call);
        match tokio::time::timeout(SILENCE_MAX, call.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => {
                sink.waits();
                call.await
            }
        }
    })
}

/// A name that no other batch has.
fn key(system: &System) -> Result<IdempotencyKey, Failure> {
    let mut random = [0; KEY_BYTES];
    system.entropy.fill(&mut random);
    IdempotencyKey::new(&format!("{:032x}", u128::from_be_bytes(random)))
        .map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))
}

/// An item of a batch: sent, or refused before.
enum Entry {
    Sent(InputPlace),
    Refused(Failure),
}

fn split(items: Vec<Item>) -> (Vec<Entry>, Vec<Event>) {
    let (mut entries, mut events) = (Vec::with_capacity(items.len()), Vec::new());
    for Item { place, read } in items {
        match read {
            Ok(submission) => {
                events.push(Event::from_text(submission.into_text()));
                entries.push(Entry::Sent(place));
            }
            Err(failure) => entries.push(Entry::Refused(failure.at(place))),
        }
    }
    (entries, events)
}

/// Tells the sink what became of a batch.
struct Teller<'a> {
    sink: &'a mut dyn Sink,
    /// The failure after which nothing more is sent.
    end: Option<Failure>,
    /// Events that met the same and were not named.
    unnamed: u64,
}

impl Teller<'_> {
    fn tell(
        mut self,
        entries: Vec<Entry>,
        outcomes: Vec<Option<Outcome>>,
        ended: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut outcomes = outcomes.into_iter();
        for entry in entries {
            match entry {
                Entry::Refused(failure) => self.sink.refused(failure)?,
                Entry::Sent(place) => match outcomes.next().flatten() {
                    Some(outcome) => self.tell_outcome(place, &outcome)?,
                    None => self.unnamed += 1,
                },
            }
        }
        match (ended, self.end) {
            // It met all that were sent, of which it names none.
            (Err(failure), end) => {
                let all = self.unnamed + u64::from(end.is_some());
                Err(failure.and_more(all.saturating_sub(1)))
            }
            (Ok(()), Some(end)) => Err(end.and_more(self.unnamed)),
            (Ok(()), None) if self.unnamed > 0 => {
                let message =
                    format!("the server left {} without an answer", counted(self.unnamed, "event"));
                Err(Failure::new(ErrorCode::UnexpectedAnswer, message))
            }
            (Ok(()), None) => Ok(()),
        }
    }

    fn tell_outcome(&mut self, place: InputPlace, outcome: &Outcome) -> Result<(), Failure> {
        let failure = match outcome {
            Outcome::Recorded(receipt) => return self.sink.recorded(Recorded::ByServer(receipt)),
            Outcome::Refused(problem) => Failure::from(&**problem).at(place),
            Outcome::Queued(_) => {
                let message = "the server did not say whether an event is durable";
                Failure::new(ErrorCode::UnexpectedAnswer, message).at(place)
            }
        };
        if is_about_the_event(failure.code()) || (self.end.is_some() && failure.is_fatal()) {
            self.sink.refused(failure)
        } else if self.end.is_none() {
            self.end = Some(failure);
            Ok(())
        } else {
            self.unnamed += 1;
            Ok(())
        }
    }
}
