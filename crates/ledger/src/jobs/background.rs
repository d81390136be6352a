//! Verifies everything over and over while the server runs, at a rate that leaves the disk to those
//! who write and ask.
//!
//! A pass reads every record of every ledger from the medium, as the command `verify` does, and
//! begins anew when it has ended. Damage of a container is told at once, everything else at the end of
//! the pass. Nothing that is found is silent: it stands in the status until a later pass finds it
//! mended, and in the log for good.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ledgerstone_proof::IngestedAt;

use crate::check::{Finding, Level, Report, VerifyOptions, Watch, verify_live};
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};

/// Findings that the status lists; the others are counted.
const FINDINGS_MAX: usize = 100;

/// The shortest rest that is worth it.
const SHORTEST_REST: Duration = Duration::from_millis(5);

/// How gently it verifies.
#[derive(Clone, Copy, Debug)]
pub struct BackgroundSettings {
    /// Records that are read a second, on average; at least 1.
    pub records_per_second: u32,
    /// Rest between one pass and the next.
    pub pause: Duration,
    pub level: Level,
}

impl Default for BackgroundSettings {
    fn default() -> Self {
        Self { records_per_second: 5_000, pause: Duration::from_mins(10), level: Level::Full }
    }
}

/// A pass over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    pub started_at: IngestedAt,
    pub ended_at: IngestedAt,
    pub records: u64,
    pub findings: u64,
}

/// Where the background verification stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackgroundStatus {
    /// Passes that were ended.
    pub passes: u64,
    pub last_pass: Option<Pass>,
    /// When the pass that runs began; `None` between two.
    pub started_at: Option<IngestedAt>,
    /// Records that this pass has read.
    pub position: u64,
    /// Records that it will have read.
    pub total: u64,
    /// What is known to be wrong: the findings of the last pass, and what this one has found so far.
    pub findings: Vec<Finding>,
    /// Findings beyond those listed.
    pub findings_left_out: u64,
    /// Findings since the process began, for counting.
    pub findings_total: u64,
    /// Why the last pass could not be done.
    pub problem: Option<String>,
}

/// The thread that verifies. Dropping it stops it.
pub struct BackgroundVerifier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    status: Mutex<BackgroundStatus>,
    is_stopping: Mutex<bool>,
    stop: Condvar,
}

impl BackgroundVerifier {
    /// Starts with the first pass.
    pub fn start(ledger: &Arc<Ledger>, settings: BackgroundSettings) -> Result<Self, LedgerError> {
        let shared = Arc::<Shared>::default();
        let (mine, ledger) = (Arc::clone(&shared), Arc::clone(ledger));
        let thread = std::thread::Builder::new()
            .name("verification".to_owned())
            .spawn(move || mine.run(&ledger, settings))
            .map_err(LedgerError::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub fn status(&self) -> BackgroundStatus {
        hold(&self.shared.status).clone()
    }

    /// Whether nothing is known to be wrong.
    pub fn holds(&self) -> bool {
        let status = hold(&self.shared.status);
        status.findings.is_empty() && status.findings_left_out == 0
    }
}

impl Drop for BackgroundVerifier {
    fn drop(&mut self) {
        *hold(&self.shared.is_stopping) = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.take() {
            // A pass that panicked has said so; there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, ledger: &Ledger, settings: BackgroundSettings) {
        loop {
            let started_at = ledger.clock.now();
            hold(&self.status).begin(started_at);
            let pacer = Pacer { shared: self, settings, pace: Mutex::new(Pace::new()) };
            let options = VerifyOptions::new(settings.level, 1);
            match verify_live(ledger.store(), &options, &pacer) {
                Ok(Some(report)) => self.conclude(&report, started_at, ledger.clock.now()),
                // Told to stop.
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "the ledgers could not be verified; it is tried again");
                    let mut status = hold(&self.status);
                    status.problem = Some(error.to_string());
                    status.started_at = None;
                }
            }
            if self.rest(settings.pause) {
                return;
            }
        }
    }

    fn conclude(&self, report: &Report, started_at: IngestedAt, ended_at: IngestedAt) {
        let mut status = hold(&self.status);
        for finding in &report.findings {
            if !status.findings.contains(finding) {
                tell_the_log(finding);
                status.findings_total += 1;
            }
        }
        let listed = report.findings.iter().take(FINDINGS_MAX).cloned().collect::<Vec<_>>();
        let found = report.findings.len() as u64 + report.findings_left_out;
        let records = report.records_checked;
        status.passes += 1;
        status.last_pass = Some(Pass { started_at, ended_at, records, findings: found });
        status.findings_left_out = found - listed.len() as u64;
        status.findings = listed;
        status.started_at = None;
        status.problem = None;
        tracing::info!(records, findings = found, "every record was verified");
    }

    fn note(&self, finding: &Finding) {
        let mut status = hold(&self.status);
        if status.findings.contains(finding) {
            return;
        }
        tell_the_log(finding);
        status.findings_total += 1;
        if status.findings.len() < FINDINGS_MAX {
            status.findings.push(finding.clone());
        } else {
            status.findings_left_out += 1;
        }
    }

    /// Rests, or answers `true` at once when it is time to stop.
    fn rest(&self, pause: Duration) -> bool {
        let guard = hold(&self.is_stopping);
        let (guard, _) = self
            .stop
            .wait_timeout_while(guard, pause, |stopping| !*stopping)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

fn tell_the_log(finding: &Finding) {
    tracing::error!(finding = finding.to_line(), "verification in the background found damage");
}

impl BackgroundStatus {
    fn begin(&mut self, at: IngestedAt) {
        self.started_at = Some(at);
        self.position = 0;
        self.total = 0;
    }
}

/// Keeps the verifier to its rate.
struct Pacer<'a> {
    shared: &'a Shared,
    settings: BackgroundSettings,
    pace: Mutex<Pace>,
}

/// Since when how many records were read. How long a rest lasts is no matter of what is recorded, so
/// the machine's own monotonic clock is good enough, and no test depends on it.
struct Pace {
    since: Instant,
    records: u64,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), records: 0 }
    }

    /// How long to rest after so many more records.
    fn take(&mut self, records: u64, per_second: u32) -> Duration {
        self.records += records;
        let due = Duration::from_nanos(
            u64::try_from(u128::from(self.records) * 1_000_000_000 / u128::from(per_second.max(1)))
                .unwrap_or(u64::MAX),
        );
        due.saturating_sub(self.since.elapsed())
    }
}

impl Watch for Pacer<'_> {
    fn records(&self, records: u64, total: u64) -> ControlFlow<()> {
        let mut status = hold(&self.shared.status);
        // Ids are read again where there are too many to be compared at a time.
        status.position = (status.position + records).min(total);
        status.total = total;
        drop(status);
        let rest = hold(&self.pace).take(records, self.settings.records_per_second);
        let pause = if rest < SHORTEST_REST { Duration::ZERO } else { rest };
        if self.shared.rest(pause) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finding(&self, finding: &Finding) {
        self.shared.note(finding);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn the_rest_is_what_the_rate_asks_for() {
        let mut pace = Pace::new();
        let rest = pace.take(100, 100);
        assert!(rest > Duration::from_millis(500) && rest <= Duration::from_secs(1), "{rest:?}");
        assert!(pace.take(100, 100) > rest);
        assert_eq!(Pace::new().take(0, 1), Duration::ZERO);
        assert!(Pace::new().take(1, 0) <= Duration::from_secs(1));
    }
}
