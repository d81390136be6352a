//! Spans for the collector of traces: those it took and those that were given up.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    outcome: &'static str,
}

/// Where spans are counted. Nothing is shown while no collector is configured.
#[derive(Clone, Debug, Default)]
pub struct SpanCounters(pub(super) Family<Outcome, Counter>);

impl SpanCounters {
    pub fn count_sent(&self, spans: u64) {
        self.count("sent", spans);
    }

    /// Spans that found no room or that the collector did not take.
    pub fn count_dropped(&self, spans: u64) {
        self.count("dropped", spans);
    }

    fn count(&self, outcome: &'static str, spans: u64) {
        self.0.get_or_create(&Outcome { outcome }).inc_by(spans);
    }
}
