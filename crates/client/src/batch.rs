//! Many events, sent as NDJSON and sent again until each has its outcome.

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use crate::append::Append;
use crate::call::NDJSON;
use crate::client::Client;
use crate::error::ClientError;
use crate::event::{Event, IdempotencyKey};
use crate::outcome::Outcome;
use crate::problem::Problem;
use crate::stream::{AnswerLines, Line, StreamEnd};

impl Client {
    /// Sends up to 100,000 events, and sends them again under the same key while the server cannot be
    /// reached, cannot take them, or does not know what became of one. Outcomes are in the order of
    /// the events. An event has none where the error that ended it all came first; whether it was
    /// recorded is then not known, and sending it again with the same key adds nothing.
    ///
    /// An event that was recorded by an attempt whose answer was lost is told as a duplicate.
    pub async fn append_all(
        &self,
        events: &[Event],
        key: &IdempotencyKey,
        how: &Append,
    ) -> (Vec<Option<Outcome>>, Result<(), ClientError>) {
        let mut outcomes: Vec<Option<Outcome>> = events.iter().map(|_| None).collect();
        let body = lines(events);
        let how = how.clone().key(key.clone());
        let mut attempt = 1;
        loop {
            let ended = self.pass(&body, &how, &mut outcomes).await;
            let wait = match &ended {
                Ok(()) if outcomes.iter().all(|outcome| is_final(outcome.as_ref())) => {
                    return (outcomes, ended);
                }
                Ok(()) => None,
                Err(error) if is_transient(error) => error.problem().and_then(Problem::retry_after),
                Err(_) => return (outcomes, ended),
            };
            match self.retry.pause_after(attempt, wait) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return (outcomes, ended.map_err(|error| after(error, attempt))),
            }
            attempt += 1;
        }
    }

    /// Sends all of it once. What is known to be recorded stays as it was told first.
    async fn pass(
        &self,
        body: &Bytes,
        how: &Append,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<(), ClientError> {
        let call = how.call(self).header(CONTENT_TYPE, NDJSON);
        let response = self.open(&call, body.clone().into()).await?;
        let mut lines = AnswerLines::new(response, call.name());
        loop {
            match lines.next().await? {
                Line::Outcome(number, outcome) => {
                    let at = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
                    if let Some(known) = outcomes.get_mut(at)
                        && known.as_ref().is_none_or(|known| known.receipt().is_none())
                    {
                        *known = Some(outcome);
                    }
                }
                Line::End(StreamEnd::Complete { .. }) => return Ok(()),
                Line::End(StreamEnd::Stopped { problem, .. }) => {
                    return Err(ClientError::Refused(problem));
                }
            }
        }
    }
}

/// The events, one a line. Blank lines are not counted by servers, so there is none.
fn lines(events: &[Event]) -> Bytes {
    let mut body = Vec::with_capacity(events.iter().map(|event| event.text().len() + 1).sum());
    for event in events {
        if event.text().trim_ascii().is_empty() {
            body.extend_from_slice(b"null\n");
        } else {
            event.write_line(&mut body);
        }
    }
    body.into()
}

/// Whether sending the event again would tell nothing new.
fn is_final(outcome: Option<&Outcome>) -> bool {
    outcome.is_some_and(|outcome| !outcome.problem().is_some_and(Problem::is_transient))
}

fn is_transient(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(problem) => problem.retry_after().is_some() || problem.is_transient(),
        ClientError::Unreachable { .. } => true,
        ClientError::UnexpectedAnswer { .. } => false,
    }
}

fn after(error: ClientError, attempts: u32) -> ClientError {
    match error {
        ClientError::Unreachable { call, reason, .. } => {
            ClientError::Unreachable { call, attempts, reason }
        }
        other => other,
    }
}
