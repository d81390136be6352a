//! How the log of accesses is doing, for alerts on what it could not write or tell apart.

use std::sync::Mutex;

use ledgerstone_ledger::AccessLogCounts;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Default)]
pub(super) struct AccessLogGauges {
    pending: Gauge,
    written: Counter,
    overflowed: Counter,
    /// What the counters show: one who asks sets them at a time.
    shown: Mutex<AccessLogCounts>,
}

impl AccessLogGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ledgerstone_access_log_pending",
            "Records of accesses and denials that wait for their minute to end",
            self.pending.clone(),
        );
        registry.register(
            "ledgerstone_access_log_written",
            "Records of accesses and denials written since the process began",
            self.written.clone(),
        );
        registry.register(
            "ledgerstone_access_log_overflowed",
            "Requests that found no room to be told apart and are counted together",
            self.overflowed.clone(),
        );
    }

    pub(super) fn set(&self, counts: AccessLogCounts) {
        let mut shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.pending.set(i64::try_from(counts.pending).unwrap_or(i64::MAX));
        self.written.inc_by(counts.written.saturating_sub(shown.written));
        self.overflowed.inc_by(counts.overflowed.saturating_sub(shown.overflowed));
        shown.written = shown.written.max(counts.written);
        shown.overflowed = shown.overflowed.max(counts.overflowed);
    }
}
