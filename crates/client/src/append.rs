//! Sending events: one, or an array of them.

use ledgerstone_model::Numbers;
use reqwest::StatusCode;
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::call::{Call, JSON, Repeat};
use crate::client::Client;
use crate::error::ClientError;
use crate::event::{Event, IdempotencyKey};
use crate::outcome::{Item, Outcome};
use crate::receipt::Receipt;

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// When the server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// When the events are durable.
    #[default]
    Durable,
    /// At once; a crash of the server loses the events.
    Nothing,
    /// When a signed checkpoint covers the events; receipts then hold their proofs.
    Checkpoint,
}

/// How events are sent.
#[derive(Clone, Debug, Default)]
pub struct Append {
    pub(crate) wait: Wait,
    pub(crate) is_atomic: bool,
    pub(crate) format: Option<String>,
    pub(crate) numbers: Option<Numbers>,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Append {
    /// Each by itself, answered when durable.
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub const fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Takes all of an array or nothing.
    #[must_use]
    pub const fn atomic(mut self) -> Self {
        self.is_atomic = true;
        self
    }

    /// Each event is a record of this foreign format, e.g. `cloudtrail`, which the server maps.
    #[must_use]
    pub fn format(mut self, name: &str) -> Self {
        self.format = Some(name.to_owned());
        self
    }

    /// What becomes of numbers that canonical JSON cannot hold exactly; unless said, what the server
    /// is set to.
    #[must_use]
    pub const fn numbers(mut self, numbers: Numbers) -> Self {
        self.numbers = Some(numbers);
        self
    }

    /// Makes sending it again safe, also for events without an id.
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        match self.wait {
            Wait::Durable => {}
            Wait::Nothing => query.push(("wait", "none".to_owned())),
            Wait::Checkpoint => query.push(("wait", "checkpoint".to_owned())),
        }
        if self.is_atomic {
            query.push(("atomic", "true".to_owned()));
        }
        query.extend(self.format.clone().map(|name| ("format", name)));
        query.extend(self.numbers.map(|numbers| ("numbers", numbers.as_str().to_owned())));
        query
    }

    pub(crate) fn call(&self, client: &Client) -> Call {
        let call = Call::post(client.route("v1/events", &self.query()));
        match &self.key {
            Some(key) => call.header(IDEMPOTENCY_KEY, key.header().clone()),
            None => call,
        }
    }

    fn repeat<'e>(&self, mut events: impl Iterator<Item = &'e Event>) -> Repeat {
        let names_itself = self.format.is_none() && events.all(Event::has_id);
        if self.key.is_some() || names_itself { Repeat::Safe } else { Repeat::IfNotTaken }
    }
}

/// The answer to an array.
#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

impl Client {
    /// Sends one event. One that the server refuses is an error.
    pub async fn append(&self, event: &Event, how: &Append) -> Result<Outcome, ClientError> {
        let repeat = how.repeat(std::iter::once(event));
        let call = how.call(self).body(JSON, event.text().to_vec()).repeat(repeat);
        let answer = self.send(&call).await?;
        if answer.status() == StatusCode::ACCEPTED {
            return answer.json_with(Item::outcome);
        }
        answer.json_with(|receipt: Box<RawValue>| {
            Ok(Outcome::Recorded(Box::new(Receipt::parse(receipt)?)))
        })
    }

    /// Sends at most 1,000 events in one request; the outcomes are in their order. An error says
    /// that the request was refused as a whole.
    pub async fn append_batch(
        &self,
        events: &[Event],
        how: &Append,
    ) -> Result<Vec<Outcome>, ClientError> {
        let mut body = Vec::with_capacity(events.iter().map(|event| event.text().len() + 1).sum());
        for event in events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(event.text());
        }
        body.extend_from_slice(if events.is_empty() { b"[]" } else { b"]" });
        let call = how.call(self).body(JSON, body).repeat(how.repeat(events.iter()));
        self.send(&call).await?.json_with(|answer: Items| {
            let outcomes: Vec<Outcome> =
                answer.items.into_iter().map(Item::outcome).collect::<Result<_, _>>()?;
            if outcomes.len() != events.len() {
                return Err(format!(
                    "{} events were answered by {} items",
                    events.len(),
                    outcomes.len()
                ));
            }
            Ok(outcomes)
        })
    }
}
