//! Events by type and outcome, of which the types are limited.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Types that are told apart.
const TYPES_MAX: usize = 200;

/// Where the others are counted.
const OTHER: &str = "other";

/// Where submissions are counted that have no readable type.
const UNREADABLE: &str = "unreadable";

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStatus {
    Created,
    Duplicate,
    Queued,
    Rejected,
}

impl EventStatus {
    const ALL: [Self; 4] = [Self::Created, Self::Duplicate, Self::Queued, Self::Rejected];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Duplicate => "duplicate",
            Self::Queued => "queued",
            Self::Rejected => "rejected",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    event_type: String,
    status: &'static str,
}

/// Where the events of one type are counted. Found once for an event, so that counting its outcome
/// is one addition.
#[derive(Clone, Debug)]
pub struct EventCounter(Arc<[Counter; 4]>);

impl EventCounter {
    pub fn count(&self, status: EventStatus) {
        let [created, duplicate, queued, rejected] = &*self.0;
        match status {
            EventStatus::Created => created,
            EventStatus::Duplicate => duplicate,
            EventStatus::Queued => queued,
            EventStatus::Rejected => rejected,
        }
        .inc();
    }
}

/// The counters of all types.
#[derive(Debug, Default)]
pub(super) struct EventCounters {
    family: Family<Labels, Counter>,
    known: RwLock<HashMap<String, EventCounter>>,
}

impl EventCounters {
    pub(super) fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    pub(super) fn of(&self, event_type: &str) -> EventCounter {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = known.get(event_type) {
            return counter.clone();
        }
        let is_full = known.len() >= TYPES_MAX;
        drop(known);
        self.named(if is_full { OTHER } else { event_type })
    }

    pub(super) fn unreadable(&self) -> EventCounter {
        self.named(UNREADABLE)
    }

    fn named(&self, name: &str) -> EventCounter {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            EventCounter(Arc::new(EventStatus::ALL.map(|status| {
                let labels = Labels { event_type: name.to_owned(), status: status.as_str() };
                self.family.get_or_create(&labels).clone()
            })))
        };
        known.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{EventCounters, EventStatus, TYPES_MAX};

    #[test]
    fn types_beyond_the_limit_count_as_one() {
        let counters = EventCounters::default();
        for number in 0..2 * TYPES_MAX {
            counters.of(&format!("type.{number}")).count(EventStatus::Created);
        }
        counters.of("type.0").count(EventStatus::Rejected);
        let counted = |name: &str| counters.named(name).0.each_ref().map(super::Counter::get);
        assert_eq!(counted("type.0"), [1, 0, 0, 1]);
        assert_eq!(counted("other"), [TYPES_MAX as u64, 0, 0, 0]);
        assert_eq!(counters.known.read().unwrap().len(), TYPES_MAX + 1);
    }
}
