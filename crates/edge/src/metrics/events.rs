//! Events by type and outcome, of which the types are limited.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Types that are told apart.
const TYPES_MAX: usize = 200;

/// Types that are told apart although only refused events have had them: of those a sender can make up any
/// number, and they must not take the places of the others.
const REFUSED_TYPES_MAX: usize = 50;

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
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    counters: HashMap<String, EventCounter>,
    /// How many of them were made for a refused event.
    refused: usize,
}

impl EventCounters {
    pub(super) fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    /// For an event that may be recorded.
    pub(super) fn of(&self, event_type: &str) -> EventCounter {
        if let Some(counter) = self.find(event_type) {
            return counter;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = known.counters.len() >= TYPES_MAX;
        self.named(if is_full { OTHER } else { event_type }, &mut known)
    }

    /// For an event that was refused before anything else could be known of it.
    pub(super) fn of_refused(&self, event_type: Option<&str>) -> EventCounter {
        let event_type = event_type.unwrap_or(UNREADABLE);
        if let Some(counter) = self.find(event_type) {
            return counter;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if event_type == UNREADABLE {
            return self.named(UNREADABLE, &mut known);
        }
        if known.refused >= REFUSED_TYPES_MAX || known.counters.len() >= TYPES_MAX {
            return self.named(OTHER, &mut known);
        }
        known.refused += 1;
        self.named(event_type, &mut known)
    }

    fn find(&self, event_type: &str) -> Option<EventCounter> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.counters.get(event_type).cloned()
    }

    fn named(&self, name: &str, known: &mut Known) -> EventCounter {
        let make = || {
            EventCounter(Arc::new(EventStatus::ALL.map(|status| {
                let labels = Labels { event_type: name.to_owned(), status: status.as_str() };
                self.family.get_or_create(&labels).clone()
            })))
        };
        known.counters.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{EventCounters, EventStatus, REFUSED_TYPES_MAX, TYPES_MAX};

    fn counted(counters: &EventCounters, name: &str) -> [u64; 4] {
        counters.find(name).unwrap().0.each_ref().map(super::Counter::get)
    }

    #[test]
    fn types_beyond_the_limit_count_as_one() {
        let counters = EventCounters::default();
        for number in 0..2 * TYPES_MAX {
            counters.of(&format!("type.{number}")).count(EventStatus::Created);
        }
        counters.of("type.0").count(EventStatus::Rejected);
        assert_eq!(counted(&counters, "type.0"), [1, 0, 0, 1]);
        assert_eq!(counted(&counters, "other"), [TYPES_MAX as u64, 0, 0, 0]);
        assert_eq!(counters.known.read().unwrap().counters.len(), TYPES_MAX + 1);
    }

    #[test]
    fn refused_events_do_not_take_all_places() {
        let counters = EventCounters::default();
        counters.of("user.login").count(EventStatus::Created);
        for number in 0..2 * TYPES_MAX {
            counters.of_refused(Some(&format!("made.up.{number}"))).count(EventStatus::Rejected);
        }
        counters.of_refused(None).count(EventStatus::Rejected);
        counters.of_refused(Some("user.login")).count(EventStatus::Rejected);
        assert_eq!(counted(&counters, "made.up.0"), [0, 0, 0, 1]);
        assert_eq!(counted(&counters, "unreadable"), [0, 0, 0, 1]);
        assert_eq!(counted(&counters, "user.login"), [1, 0, 0, 1]);
        let beyond = (2 * TYPES_MAX - REFUSED_TYPES_MAX) as u64;
        assert_eq!(counted(&counters, "other"), [0, 0, 0, beyond]);
        counters.of("user.logout").count(EventStatus::Created);
        assert_eq!(counted(&counters, "user.logout"), [1, 0, 0, 0]);
    }
}
