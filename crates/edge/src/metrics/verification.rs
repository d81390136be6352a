//! Where the background verification stands, for alerts on a verification that stands still.

use ledgerstone_ledger::jobs::BackgroundStatus;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The state of the background verification at one moment; all 0 where nothing verifies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerificationMoment {
    /// When the newest pass ended, in seconds since 1970; 0 before the first.
    pub last_pass_seconds: i64,
    /// Records that the pass has checked, of `records`.
    pub records_checked: u64,
    pub records: u64,
    /// What is known to be wrong.
    pub findings: u64,
}

impl From<Option<&BackgroundStatus>> for VerificationMoment {
    fn from(status: Option<&BackgroundStatus>) -> Self {
        let Some(status) = status else { return Self::default() };
        let last = status.last_pass;
        Self {
            last_pass_seconds: last.map_or(0, |pass| pass.ended_at.micros() / 1_000_000),
            records_checked: status.position,
            records: status.total,
            findings: status.findings.len() as u64 + status.findings_left_out,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct VerificationGauges {
    last_pass: Gauge,
    records_checked: Gauge,
    records: Gauge,
    findings: Gauge,
}

impl VerificationGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "ledgerstone_verification_last_pass_seconds",
                "Unix time at which the newest pass over all ledgers ended; 0 before the first",
                &self.last_pass,
            ),
            (
                "ledgerstone_verification_records_checked",
                "Records that the pass over all ledgers has checked",
                &self.records_checked,
            ),
            (
                "ledgerstone_verification_records",
                "Records that the pass over all ledgers checks in all",
                &self.records,
            ),
            (
                "ledgerstone_verification_findings",
                "What the background verification knows to be wrong",
                &self.findings,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    pub(super) fn set(&self, moment: VerificationMoment) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.last_pass.set(moment.last_pass_seconds);
        self.records_checked.set(number(moment.records_checked));
        self.records.set(number(moment.records));
        self.findings.set(number(moment.findings));
    }
}
