//! Dropping contents of a deployment in files: what waits until it is sealed, what a crash leaves beside,
//! and what is verified meanwhile.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledgerstone_ledger::check::{
    Finding, Level, Report, VerifyOptions, Watch, verify, verify_live,
};
use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::erasure::SurveyWatch;
use ledgerstone_ledger::{ContentDrop, Ledger, LedgerError, Order, RetentionReport};
use ledgerstone_model::system::{RetentionReason, TenantState};
use ledgerstone_model::{Actor, NumberSet};
use ledgerstone_proof::{Kind, SequenceNumber};
use ledgerstone_store::Check;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_testkit::TestDirectory;

use crate::rig::{Rig, lines, tenant};

/// A deployment in files, whose log files become segments after few records.
struct Place {
    rig: Rig,
    directory: TestDirectory,
}

struct Running {
    store: Arc<EmbeddedStore>,
    ledger: Ledger,
}

impl Running {
    fn expire(&self, numbers: NumberSet) -> RetentionReport {
        self.ledger.retention(&*self.store).drop_contents(&[expiry(numbers)]).unwrap()
    }

    fn append(&self, rig: &Rig, prefix: &str, count: usize) {
        for part in 0..count / 5 {
            self.ledger.append(rig.events("acme", &format!("{prefix}{part}-"), 5)).unwrap();
            self.ledger.append(rig.events("beta", &format!("{prefix}{part}-"), 5)).unwrap();
        }
        self.store.wait_until_sealed();
    }

    fn stop(self) {
        self.ledger.close().unwrap();
        self.store.close().unwrap();
    }
}

fn expiry(numbers: NumberSet) -> ContentDrop {
    ContentDrop {
        tenant: tenant("acme"),
        numbers,
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }
}

impl Place {
    fn new(name: &str) -> Self {
        Self { rig: Rig::new(), directory: TestDirectory::new(name) }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn options() -> Options {
        let head_interval = Duration::from_millis(10);
        let (log_bytes_first, log_bytes_max) = (16 << 10, 64 << 10);
        let limits =
            Options { segment_records: 64, log_bytes_first, log_bytes_max, ..Options::default() };
        Options { head_interval, ..limits }
    }

    /// Some sealed segments, and a log file that is being written.
    fn create(&self) -> Running {
        let (clock, entropy) =
            (Arc::clone(&self.rig.clock) as _, Arc::clone(&self.rig.entropy) as _);
        let store =
            EmbeddedStore::create(&self.data(), Self::options(), Files::new(), clock, entropy);
        let store = Arc::new(store.unwrap());
        let ledger = self.rig.create_on(Arc::clone(&store) as _, &["acme", "beta"]);
        let running = Running { store, ledger };
        running.append(&self.rig, "a", 90);
        running.append(&self.rig, "b", 10);
        running
    }

    fn open(&self, files: Files) -> Running {
        let store = Arc::new(self.store(Mode::Write, files));
        let ledger = self.rig.open_on(Arc::clone(&store) as _).unwrap();
        Running { store, ledger }
    }

    fn store(&self, mode: Mode, files: Files) -> EmbeddedStore {
        let (clock, entropy) =
            (Arc::clone(&self.rig.clock) as _, Arc::clone(&self.rig.entropy) as _);
        EmbeddedStore::open(&self.data(), mode, Self::options(), files, clock, entropy).unwrap()
    }

    fn verified(&self) -> Report {
        let store = self.store(Mode::Read, Files::new());
        verify(&store, &VerifyOptions::new(Level::Full, 2), &|_| {}).unwrap()
    }

    fn assert_sound(&self) {
        let report = self.verified();
        assert!(report.holds(), "{}", lines(&report));
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data().join("segments")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.extension().unwrap() == "seg").collect();
        paths.sort();
        paths
    }
}

#[test]
fn what_is_not_sealed_waits_and_goes_when_the_run_is_resumed() {
    let place = Place::new("retention-waits");
    let running = place.create();
    let size = running.ledger.reader().size(&tenant("acme")).unwrap();
    let report = running.expire(NumberSet::from(1..size));
    let [acme] = report.ledgers.as_slice() else { panic!("{report:?}") };
    assert!(acme.waiting > 0 && acme.waiting < 64, "{report:?}");
    assert_eq!(report.store.dropped + acme.waiting, acme.covered);
    assert_eq!(acme.done, None);
    let still = running.ledger.retention(&*running.store).resume().unwrap();
    assert_eq!((still.store.dropped, still.ledgers[0].done), (0, None), "{still:?}");
    // What waits is not dropped a second time.
    assert_eq!(running.expire(NumberSet::from(1..size)).ledgers, []);
    place.assert_sound();
    running.stop();
    place.assert_sound();

    let running = place.open(Files::new());
    running.append(&place.rig, "c", 100);
    let resumed = running.ledger.retention(&*running.store).resume().unwrap();
    assert_eq!(resumed.store.dropped, acme.waiting);
    assert!(resumed.ledgers[0].done.is_some(), "{resumed:?}");
    running.stop();
    place.assert_sound();
}

/// Lets so many changes to segments happen, and then none.
struct StopAt {
    left: std::sync::atomic::AtomicUsize,
}

impl FileFault for StopAt {
    fn before(&self, op: FileOp, path: &Path) -> std::io::Result<()> {
        let is_segment = path.parent().is_some_and(|parent| parent.ends_with("segments"));
        if !is_segment && op != FileOp::SyncDirectory {
            return Ok(());
        }
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left == 0 { Err(std::io::Error::other("stopped here")) } else { Ok(()) }
    }

    fn after(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_run_stopped_at_any_step_verifies_and_is_resumed() {
    let mut beside = 0;
    for step in (0..).step_by(2) {
        let place = Place::new("retention-stopped");
        place.create().stop();
        let fault = Arc::new(StopAt { left: usize::MAX.into() });
        let running = place.open(Files::with_fault(fault.clone()));
        fault.left.store(step, Ordering::SeqCst);
        let drops = [expiry(NumberSet::from(2..50))];
        let outcome = running.ledger.retention(&*running.store).drop_contents(&drops);
        fault.left.store(usize::MAX, Ordering::SeqCst);
        drop(running);
        place.assert_sound();
        let segments = place.segments();
        let firsts = segments.iter().map(|path| path.file_stem().unwrap().to_owned());
        let firsts: std::collections::BTreeSet<_> = firsts
            .map(|stem| stem.to_string_lossy().split('.').next().unwrap().to_owned())
            .collect();
        beside += segments.len() - firsts.len();
        if outcome.is_ok() {
            assert!(step > 10 && beside > 2, "{step} steps, {beside} generations beside");
            return;
        }
        let running = place.open(Files::new());
        let resumed = running.ledger.retention(&*running.store).resume().unwrap();
        assert!(resumed.ledgers[0].done.is_some(), "{step}: {resumed:?}");
        running.stop();
        place.assert_sound();
        assert_eq!(place.segments().len(), firsts.len(), "step {step}");
    }
}

#[test]
fn another_generation_that_no_run_explains_is_named() {
    let place = Place::new("retention-stray");
    let running = place.create();
    let first = place.segments()[0].clone();
    let old = std::fs::read(&first).unwrap();
    assert!(running.expire(NumberSet::from(1..20)).ledgers[0].done.is_some());
    running.stop();
    place.assert_sound();
    std::fs::write(&first, &old).unwrap();
    let report = place.verified();
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!(report.findings[0].check, Check::Section);
    assert!(first.ends_with(&report.findings[0].file), "{}", lines(&report));
}

#[test]
fn a_segment_written_anew_that_no_record_covers_is_named() {
    use ledgerstone_store::{DropPlan, RetentionStore as _};
    let place = Place::new("retention-uncovered");
    let running = place.create();
    // Somebody with the store key, and without a record.
    let plan = DropPlan::new().with(&tenant("acme"), &NumberSet::from(3..6));
    running.store.drop_contents(&plan).unwrap();
    running.stop();
    let report = place.verified();
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    let finding = &report.findings[0];
    assert_eq!((finding.check, finding.sequence_number), (Check::ContentHash, Some(3)));
    assert_eq!(finding.following, 2);
    assert!(finding.file.starts_with("segments/"), "{}", lines(&report));
}

/// Drops contents at the first word of the verifier, which has by then looked where the ledgers end.
struct Dropping<'a> {
    running: &'a Running,
    has_dropped: AtomicBool,
}

impl Watch for Dropping<'_> {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        if !self.has_dropped.swap(true, Ordering::Relaxed) {
            let report = self.running.expire(NumberSet::from(1..80));
            assert!(report.store.rewritten.len() > 1, "{report:?}");
        }
        ControlFlow::Continue(())
    }

    fn finding(&self, finding: &Finding) {
        panic!("{}", finding.to_line());
    }
}

#[test]
fn what_is_dropped_while_it_is_verified_is_no_finding() {
    let place = Place::new("retention-live");
    let running = place.create();
    let watch = Dropping { running: &running, has_dropped: AtomicBool::new(false) };
    let report = verify_live(&*running.store, &VerifyOptions::new(Level::Full, 1), &watch);
    let report = report.unwrap().unwrap();
    assert!(watch.has_dropped.load(Ordering::Relaxed));
    assert!(report.holds(), "{}", lines(&report));
    running.stop();
    place.assert_sound();
}

struct Unwatched;

impl SurveyWatch for Unwatched {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Running {
    /// Two people close `acme`.
    fn agree_on_closing(&self) {
        let wish = ClosingWish { reason: "the contract has ended", despite_duties: false };
        let acme = tenant("acme");
        let asked = self.ledger.ask_closing(&acme, wish, &Actor::operator("anna")).unwrap();
        let by = Actor::operator("berta");
        self.ledger.approve_closing(&acme, asked.recorded_as, &by).unwrap();
    }

    fn close_acme(&self) -> Result<Option<SequenceNumber>, LedgerError> {
        self.ledger.retention(&*self.store).close_tenant(&tenant("acme"), None, &Unwatched)
    }

    fn assert_acme_is_gone(&self) {
        let all = self.ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
        let all: Vec<_> = all.collect::<Result<_, _>>().unwrap();
        assert!(all.iter().all(|one| one.content.is_some() == (one.kind == Kind::System)));
        assert!(all.len() > 100);
        assert_eq!(self.ledger.tenant_state(&tenant("acme")), Some(TenantState::Closed));
        let theirs = self.ledger.reader().list(&tenant("beta"), Order::Sequence, None).unwrap();
        assert!(theirs.map(Result::unwrap).all(|one| one.content.is_some()));
    }
}

#[test]
fn a_closing_waits_for_nothing_that_is_being_written() {
    let place = Place::new("closing");
    let running = place.create();
    running.agree_on_closing();
    running.close_acme().unwrap().unwrap();
    running.assert_acme_is_gone();
    running.stop();
    place.assert_sound();
    let running = place.open(Files::new());
    running.assert_acme_is_gone();
    running.stop();
}

#[test]
fn a_closing_stopped_at_any_step_verifies_and_goes_on() {
    for step in (0..).step_by(3) {
        let place = Place::new("closing-stopped");
        place.create().stop();
        let fault = Arc::new(StopAt { left: usize::MAX.into() });
        let running = place.open(Files::with_fault(fault.clone()));
        running.agree_on_closing();
        // Sealing what is being written is tried again and again: only what comes after it is stopped.
        ledgerstone_store::RetentionStore::settle(&*running.store).unwrap();
        fault.left.store(step, Ordering::SeqCst);
        let outcome = running.close_acme();
        fault.left.store(usize::MAX, Ordering::SeqCst);
        drop(running);
        place.assert_sound();
        let running = place.open(Files::new());
        assert_eq!(running.ledger.unfinished_closings().len(), usize::from(outcome.is_err()));
        running.close_acme().unwrap().unwrap();
        running.assert_acme_is_gone();
        running.stop();
        place.assert_sound();
        if outcome.is_ok() {
            assert!(step > 10, "{step} steps");
            return;
        }
    }
}
