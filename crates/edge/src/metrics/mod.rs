//! What is counted and measured for Prometheus, in the `OpenMetrics` text format.
//!
//! Names without a prefix are those that dashboards of earlier services know; our own begin with
//! `ledgerstone_`. No label ever holds a value that a sender can make up without limit.

mod access_log;
mod classic;
mod events;
mod key_service;
mod spans;
mod verification;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

use ledgerstone_ledger::{AccessLogCounts, ReceiptStatus};
use ledgerstone_model::{DeadLetterId, ErrorCode};
use ledgerstone_store::DeadLetterCounts;

use access_log::AccessLogGauges;
use events::EventCounters;
pub use events::{EventCounter, EventStatus};
use key_service::KeyServiceGauges;
pub use key_service::KeyServiceMoment;
pub use spans::SpanCounters;
use verification::VerificationGauges;
pub use verification::VerificationMoment;

/// Upper ends of the buckets for the time until an answer, in seconds.
const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// A request by its route's pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

/// Whether a refused event was kept: `kept`, or the code of why not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeadLetterOutcome {
    outcome: &'static str,
}

/// Everything that is counted and measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: EventCounters,
    processed: Counter,
    durations: Histogram,
    requests: Family<Request, Counter>,
    dead_letters: Family<DeadLetterOutcome, Counter>,
    gauges: Gauges,
    spans: SpanCounters,
}

/// What is looked up when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nothing is known to be wrong with the ledgers.
    pub is_sound: bool,
    /// Events that wait for the next commit.
    pub waiting: usize,
    pub records: u64,
    pub unsealed_logs: u64,
    pub sealed_segments: u64,
    pub dead_letters: DeadLetterCounts,
    pub verification: VerificationMoment,
    pub access_log: AccessLogCounts,
    pub key_service: KeyServiceMoment,
}

#[derive(Debug, Default)]
struct Gauges {
    integrity: Gauge,
    waiting: Gauge,
    records: Gauge,
    unsealed_logs: Gauge,
    sealed_segments: Gauge,
    open_dead_letters: Gauge,
    dead_letter_bytes: Gauge,
    verification: VerificationGauges,
    access_log: AccessLogGauges,
    key_service: KeyServiceGauges,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let (processed, requests) = (Counter::default(), Family::default());
        let durations = Histogram::new(SECONDS);
        let gauges = Gauges::default();
        let events = EventCounters::default();
        registry.register(
            "events_processed",
            "Events recorded since the process began",
            processed.clone(),
        );
        registry.register(
            "audit_events",
            "Events by type and outcome; types beyond the first 200 count as other",
            events.family(),
        );
        registry.register(
            "audit_event_duration_seconds",
            "Time from a submission to its acknowledgement",
            durations.clone(),
        );
        registry.register(
            "chain_integrity_status",
            "1 while nothing is known to be wrong with the ledgers",
            gauges.integrity.clone(),
        );
        registry.register(
            "audit_buffer_size",
            "Events in memory that wait for the next commit",
            gauges.waiting.clone(),
        );
        registry.register("ledgerstone_records", "Records in all ledgers", gauges.records.clone());
        registry.register(
            "ledgerstone_unsealed_logs",
            "Log files that wait to be sealed",
            gauges.unsealed_logs.clone(),
        );
        let sealed = gauges.sealed_segments.clone();
        registry.register("ledgerstone_sealed_segments", "Sealed segments", sealed);
        gauges.verification.register(&mut registry);
        gauges.access_log.register(&mut registry);
        gauges.key_service.register(&mut registry);
        registry.register(
            "ledgerstone_http_requests",
            "Requests by method, route and status",
            requests.clone(),
        );
        let spans = SpanCounters::default();
        registry.register(
            "ledgerstone_trace_spans",
            "Spans by whether the collector of traces took them",
            spans.0.clone(),
        );
        let dead_letters = Family::default();
        registry.register(
            "ledgerstone_dead_letters",
            "Refused events by whether they were kept",
            dead_letters.clone(),
        );
        registry.register(
            "ledgerstone_open_dead_letters",
            "Refused events that are kept and were not recorded later",
            gauges.open_dead_letters.clone(),
        );
        registry.register(
            "ledgerstone_dead_letter_bytes",
            "Bytes of the files of dead letters",
            gauges.dead_letter_bytes.clone(),
        );
        Self { registry, events, processed, durations, requests, dead_letters, gauges, spans }
    }
}

impl Metrics {
    /// Where events of a type are counted.
    pub fn events_of(&self, event_type: &str) -> EventCounter {
        self.events.of(event_type)
    }

    /// Where events of a type are counted that were refused for what they are; without one where it
    /// could not be read.
    pub fn refused_events_of(&self, event_type: Option<&str>) -> EventCounter {
        self.events.of_refused(event_type)
    }

    pub fn count_dead_letters(&self, notes: &[Result<DeadLetterId, ErrorCode>]) {
        for note in notes {
            let outcome = note.map_or_else(ErrorCode::as_str, |_| "kept");
            self.dead_letters.get_or_create(&DeadLetterOutcome { outcome }).inc();
        }
    }

    pub fn count_recorded(&self, events: u64) {
        self.processed.inc_by(events);
    }

    /// Counts an event that was sent by itself, by its receipt.
    pub fn count_receipt(&self, counter: &EventCounter, status: ReceiptStatus) {
        match status {
            ReceiptStatus::Created => {
                counter.count(EventStatus::Created);
                self.count_recorded(1);
            }
            ReceiptStatus::Duplicate => counter.count(EventStatus::Duplicate),
        }
    }

    pub fn observe_acknowledgement(&self, time: Duration) {
        self.durations.observe(time.as_secs_f64());
    }

    pub fn count_request(&self, method: &str, route: &str, status: u16) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&Request { method, route, status }).inc();
    }

    /// Where spans for a collector of traces are counted.
    pub fn spans(&self) -> SpanCounters {
        self.spans.clone()
    }

    /// The text that Prometheus reads, in the older of its two formats.
    pub fn to_classic_text(&self, moment: Moment) -> String {
        classic::from_open_metrics(&self.to_text(moment))
    }

    /// The text that Prometheus reads, as `OpenMetrics`.
    pub fn to_text(&self, moment: Moment) -> String {
        let Gauges {
            integrity,
            waiting,
            records,
            unsealed_logs,
            sealed_segments,
            open_dead_letters,
            dead_letter_bytes,
            verification,
            access_log,
            key_service,
        } = &self.gauges;
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        integrity.set(i64::from(moment.is_sound));
        waiting.set(number(moment.waiting as u64));
        records.set(number(moment.records));
        unsealed_logs.set(number(moment.unsealed_logs));
        sealed_segments.set(number(moment.sealed_segments));
        open_dead_letters.set(number(moment.dead_letters.open));
        dead_letter_bytes.set(number(moment.dead_letters.bytes));
        verification.set(moment.verification);
        access_log.set(moment.access_log);
        key_service.set(moment.key_service);
        let mut text = String::with_capacity(8 * 1024);
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
