//! Verifies everything over and over while the server runs, at a rate that leaves the disk to those
//! who write and ask.
//!
//! A pass reads every record of every ledger from the medium, as the command `verify` does, and
//! begins anew when it has ended. Damage of a container is told at once, everything else at the end of
//! the pass. Nothing that is found is silent: it stands in the status until a later pass finds it
//! mended, and in the log for good.
//!
//! What a pass has read of parts that never change is noted, so that it goes on after a restart where it was.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ledgerstone_proof::{Hash, IngestedAt};
use ledgerstone_store::PassNotes;

use super::pass::{Known, Pass, Running, part_line};
use crate::check::{
    Finding, Level, PartMemory, Report, VerifyOptions, Watch, verify_live_remembering,
};
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};

/// Findings that the status lists; the others are counted.
const FINDINGS_MAX: usize = 100;

/// Ids that are read again in the time of one record: without contents, hashes and signatures they cost
/// little.
const IDS_PER_RECORD: u64 = 20;

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
    /// Starts with the pass that the notes say was not ended, or else with the first.
    pub fn start(
        ledger: &Arc<Ledger>,
        settings: BackgroundSettings,
        notes: Arc<dyn PassNotes>,
    ) -> Result<Self, LedgerError> {
        let shared = Arc::<Shared>::default();
        let known = noted(Known::read(&*notes));
        hold(&shared.status).restore(known.last);
        let (mine, ledger) = (Arc::clone(&shared), Arc::clone(ledger));
        let thread = std::thread::Builder::new()
            .name("verification".to_owned())
            .spawn(move || mine.run(&ledger, settings, &*notes))
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
    fn run(&self, ledger: &Ledger, settings: BackgroundSettings, notes: &dyn PassNotes) {
        loop {
            let mut known = noted(Known::read(notes));
            let running = begun(known.running.take(), settings.level, ledger.clock.now());
            known.running = Some(running);
            noted(known.write(notes));
            let Some(running) = known.running else { return };
            let started_at = running.started_at;
            hold(&self.status).begin(started_at);
            let pacer = Pacer {
                shared: self,
                settings,
                pace: Mutex::new(Pace::new()),
                known: Mutex::new(running.parts),
                notes,
            };
            let options = VerifyOptions::new(settings.level, 1);
            match verify_live_remembering(ledger.store(), &options, &pacer, &pacer) {
                Ok(Some(report)) => {
                    let last = self.conclude(&report, started_at, ledger.clock.now());
                    noted(Known { last: Some(last), running: None }.write(notes));
                }
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

    fn conclude(
        &self,
        report: &Report,
        started_at: IngestedAt,
        ended_at: IngestedAt,
    ) -> (Pass, Vec<Finding>) {
        let mut status = hold(&self.status);
        for finding in &report.findings {
            if !status.findings.contains(finding) {
                tell_the_log(finding);
                status.findings_total += 1;
            }
        }
        let listed = report.findings.iter().take(FINDINGS_MAX).cloned().collect::<Vec<_>>();
        let findings = report.findings.len() as u64 + report.findings_left_out;
        let records = report.records_checked;
        let pass = Pass { started_at, ended_at, records, findings };
        status.passes += 1;
        status.restore(Some((pass, listed.clone())));
        status.started_at = None;
        status.problem = None;
        tracing::info!(records, findings, "every record was verified");
        (pass, listed)
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

/// The pass that goes on, where it is of the same level, or a new one.
fn begun(running: Option<Running>, level: Level, now: IngestedAt) -> Running {
    let Some(running) = running.filter(|running| running.level == level) else {
        return Running { started_at: now, level, parts: HashMap::new() };
    };
    let (parts, since) = (running.parts.len(), running.started_at);
    tracing::info!(parts, %since, "the verification in the background goes on where it was");
    running
}

/// What could not be noted is read again after a restart, and no more than that.
fn noted<T: Default>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        tracing::warn!(%error, "how far the verification is cannot be noted");
        T::default()
    })
}

impl BackgroundStatus {
    /// What is known from the last pass that ended.
    fn restore(&mut self, last: Option<(Pass, Vec<Finding>)>) {
        let Some((pass, listed)) = last else { return };
        self.findings_left_out = pass.findings.saturating_sub(listed.len() as u64);
        self.findings = listed;
        self.last_pass = Some(pass);
    }

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
    /// What is known of parts from before a restart.
    known: Mutex<HashMap<Hash, String>>,
    notes: &'a dyn PassNotes,
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

impl Pacer<'_> {
    fn rest_after(&self, records: u64) -> ControlFlow<()> {
        let rest = hold(&self.pace).take(records, self.settings.records_per_second);
        let pause = if rest < SHORTEST_REST { Duration::ZERO } else { rest };
        if self.shared.rest(pause) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Watch for Pacer<'_> {
    fn records(&self, records: u64, total: u64) -> ControlFlow<()> {
        let mut status = hold(&self.shared.status);
        status.position += records;
        status.total = total;
        drop(status);
        self.rest_after(records)
    }

    fn ids(&self, records: u64, total: u64) -> ControlFlow<()> {
        hold(&self.shared.status).total = total;
        self.rest_after(records.div_ceil(IDS_PER_RECORD))
    }

    fn finding(&self, finding: &Finding) {
        self.shared.note(finding);
    }
}

impl PartMemory for Pacer<'_> {
    fn recall(&self, fixed: &Hash) -> Option<String> {
        hold(&self.known).remove(fixed)
    }

    fn keep(&self, fixed: &Hash, text: &str) {
        noted(self.notes.note(&part_line(fixed, text)));
    }

    fn known(&self, records: u64) {
        hold(&self.shared.status).position += records;
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
