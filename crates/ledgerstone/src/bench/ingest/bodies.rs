//! What is sent: requests' bodies, made before the clock starts.

use bytes::Bytes;

use crate::bench::SEED;
use crate::workload::{ID_AT, Workload};

/// Distinct events that are made at most; when all were sent, they are sent again under other ids.
pub(super) const EVENTS: u64 = 65_536;

/// The bodies that are sent in turn.
pub(super) struct Bodies {
    workload: Workload,
    batch: u64,
    ready: Vec<Ready>,
    content_type: &'static str,
}

/// A body whose ids are still to be written.
struct Ready {
    text: Vec<u8>,
    /// Where its events begin.
    events: Vec<usize>,
}

/// The media type of bodies.
pub(super) const fn content_type(as_ndjson: bool) -> &'static str {
    if as_ndjson { "application/x-ndjson" } else { "application/json" }
}

impl Bodies {
    /// Makes so many distinct events, or a few more. Single ones are sent as one object, more as an
    /// array or as lines.
    pub(super) fn new(events: u64, batch: u64, as_ndjson: bool) -> Self {
        let workload = Workload::new(SEED, 1);
        let count = events.div_ceil(batch).max(1);
        let ready = (0..count).map(|number| make(&workload, number * batch, batch, as_ndjson));
        let ready = ready.collect();
        Self { workload, batch, ready, content_type: content_type(as_ndjson) }
    }

    pub(super) const fn batch(&self) -> u64 {
        self.batch
    }

    pub(super) const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The body of the events `first` to `first + batch`, under ids that no others have.
    pub(super) fn body(&self, first: u64) -> Bytes {
        let place = (first / self.batch) as usize % self.ready.len();
        let Some(ready) = self.ready.get(place) else { return Bytes::new() };
        let mut text = ready.text.clone();
        let mut id = Vec::with_capacity(ID_AT.len());
        for (number, at) in (first..).zip(&ready.events) {
            id.clear();
            self.workload.id(number, &mut id);
            if let Some(place) = text.get_mut(at + ID_AT.start..at + ID_AT.end) {
                place.copy_from_slice(&id);
            }
        }
        Bytes::from(text)
    }
}

fn make(workload: &Workload, first: u64, batch: u64, as_ndjson: bool) -> Ready {
    let is_array = batch > 1 && !as_ndjson;
    let (mut text, mut events) = (Vec::new(), Vec::new());
    if is_array {
        text.push(b'[');
    }
    for number in first..first + batch {
        if is_array && number > first {
            text.push(b',');
        }
        events.push(text.len());
        workload.event(number, &mut text);
        if as_ndjson {
            text.push(b'\n');
        }
    }
    if is_array {
        text.push(b']');
    }
    Ready { text, events }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::Bodies;

    fn ids(bodies: &Bodies, first: u64) -> Vec<String> {
        let body = bodies.body(first);
        let text = std::str::from_utf8(&body).unwrap();
        let events: Vec<Value> = match serde_json::from_str(text) {
            Ok(Value::Array(events)) => events,
            Ok(one) => vec![one],
            Err(_) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        };
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn no_id_is_sent_twice_however_long_it_goes_on() {
        for (batch, as_ndjson) in [(1, false), (1, true), (7, false), (7, true)] {
            let bodies = Bodies::new(100, batch, as_ndjson);
            let around = 100_u64.div_ceil(batch) * batch;
            let mut seen = HashSet::new();
            for first in [0, batch, around, around + batch, 5 * around] {
                let ids = ids(&bodies, first);
                assert_eq!(ids.len() as u64, batch);
                assert!(ids.into_iter().all(|id| seen.insert(id)), "{batch} {as_ndjson} {first}");
            }
        }
    }
}
