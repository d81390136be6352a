//! The ledger on the embedded store: sealed segments, restarts, deaths, and flipped bytes.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::check::{Finding, Level, Report, TrustedKeys, VerifyOptions, verify};
use ledgerstone_ledger::{KeyFiles, Ledger, Outcome, Settings};
use ledgerstone_model::Actor;
use ledgerstone_model::system::{KeyAlgorithm, KeyChange, KeyUse, LogName};
use ledgerstone_model::{ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId, verify_record_proof};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_testkit::sealed_in_clear;
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory, TestEvent};

const TENANTS: [&str; 3] = ["acme", "beta", "gamma"];

struct Place {
    directory: TestDirectory,
    clock: Arc<MockClock>,
    entropy: Arc<SeededEntropy>,
}

/// A ledger and the store under it, which outlives it.
struct Running {
    ledger: Ledger,
    store: Arc<EmbeddedStore>,
}

impl Running {
    fn stop(self) {
        self.ledger.close().unwrap();
        drop(self.ledger);
        self.store.close().unwrap();
    }
}

impl Place {
    fn new(name: &str) -> Self {
        let step = Duration::from_micros(5);
        Self {
            directory: TestDirectory::new(name),
            clock: Arc::new(MockClock::stepping(MockClock::START_MICROS, step)),
            entropy: Arc::new(SeededEntropy::new(3)),
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn keys(&self) -> Arc<KeyFiles> {
        Arc::new(KeyFiles::in_directory(self.directory.join("keys")))
    }

    fn options() -> Options {
        Options {
            segment_records: 64,
            log_bytes_first: 16 << 10,
            log_bytes_max: 128 << 10,
            head_interval: Duration::from_millis(10),
            ..Options::default()
        }
    }

    fn store(&self, mode: Mode) -> Result<Arc<EmbeddedStore>, String> {
        let (clock, entropy) = (Arc::clone(&self.clock) as _, Arc::clone(&self.entropy) as _);
        let (files, data) = (Files::new(), self.data());
        let store = if data.join("FORMAT").exists() {
            EmbeddedStore::open(&data, mode, Self::options(), files, clock, entropy)
        } else {
            EmbeddedStore::create(&data, Self::options(), files, clock, entropy)
        };
        store.map(Arc::new).map_err(|error| error.to_string())
    }

    fn settings() -> Settings {
        Settings::new(LogName::parse("test.example").unwrap())
    }

    fn create(&self) -> Running {
        self.keys().create(KeyAlgorithm::Ed25519, &*self.entropy).unwrap();
        let store = self.store(Mode::Write).unwrap();
        let (clock, entropy) = (Arc::clone(&self.clock) as _, Arc::clone(&self.entropy) as _);
        let ledger =
            Ledger::create(Arc::clone(&store) as _, self.keys(), Self::settings(), clock, entropy);
        let ledger = ledger.unwrap();
        ledger.create_tenants(&TENANTS.map(tenant)).unwrap();
        Running { ledger, store }
    }

    fn open(&self) -> Running {
        let store = self.store(Mode::Write).unwrap();
        let (clock, entropy) = (Arc::clone(&self.clock) as _, Arc::clone(&self.entropy) as _);
        let keys = self.keys();
        let ledger = Ledger::open(Arc::clone(&store) as _, keys, Self::settings(), clock, entropy);
        Running { ledger: ledger.unwrap(), store }
    }

    fn verify(&self, options: &VerifyOptions) -> Result<Report, String> {
        let store = self.store(Mode::Read)?;
        verify(&*store, options, &|_| {}).map_err(|error| error.to_string())
    }

    fn assert_sound(&self) -> Report {
        let report = self.verify(&VerifyOptions::new(Level::Full, 2)).unwrap();
        assert!(report.holds(), "{}", lines(&report));
        let tree = self.verify(&VerifyOptions::new(Level::Tree, 1)).unwrap();
        assert_eq!(tree.records_checked, report.records_checked);
        assert!(tree.holds());
        report
    }

    fn event(name: &str, id: &str) -> SealedEvent {
        let tenant = tenant(name);
        let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
        let context = ParseContext::new(&tenant, at, [7; 16]);
        let json = TestEvent::full(id).json();
        let event =
            ValidEvent::parse(json.as_bytes(), &context, &mut Canonicalizer::new()).unwrap();
        sealed_in_clear(event, &Salt::from_bytes([5; 16]))
    }

    /// Appends events to every tenant, some alone and some together.
    fn fill(running: &Running, round: usize, count: usize) {
        for name in TENANTS {
            let one = |n: usize| Self::event(name, &format!("r{round}-{n}"));
            let outcomes = running.ledger.append((1..count).map(one).collect()).unwrap();
            assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Recorded(_))));
            running.ledger.append(vec![one(0)]).unwrap();
        }
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn lines(report: &Report) -> String {
    report.findings.iter().map(Finding::to_line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_life_over_many_segments_and_restarts_verifies() {
    let place = Place::new("life");
    place.create().stop();
    for round in 0..5 {
        let running = place.open();
        Place::fill(&running, round, 30);
        running.ledger.checkpoints(&TENANTS.map(tenant)).unwrap();
        if round == 2 {
            running
                .ledger
                .rotate_key(KeyUse::Record, KeyChange::Rotation, &Actor::operator("uid:0"))
                .unwrap();
            running
                .ledger
                .rotate_key(KeyUse::Log, KeyChange::Rotation, &Actor::operator("uid:0"))
                .unwrap();
        }
        running.stop();
        place.assert_sound();
    }
    let running = place.open();
    assert!(running.ledger.status().store.sealed_segments > 3);
    let acme = tenant("acme");
    for record in
        running.ledger.reader().list(&acme, ledgerstone_ledger::Order::Sequence, None).unwrap()
    {
        let record = record.unwrap();
        let proof = running.ledger.record_proof(&acme, &record.event_id).unwrap();
        let key = running.ledger.verifier_key(&acme).unwrap();
        verify_record_proof(&proof, &[key], record.content.as_deref()).unwrap();
    }
    let key = running.ledger.verifier_key(&TenantId::system()).unwrap();
    running.stop();
    let mut options = VerifyOptions::new(Level::Full, 2);
    options.keys = TrustedKeys::Given(vec![key]);
    let report = place.verify(&options).unwrap();
    assert!(report.holds(), "{}", lines(&report));
    assert!(report.ledgers.iter().all(|ledger| ledger.vouched == ledger.size));
}

#[test]
fn a_death_at_any_moment_loses_nothing_acknowledged() {
    let place = Place::new("death");
    let mut running = place.create();
    for round in 0..6 {
        Place::fill(&running, round, 12);
        // Nobody closes anything.
        let Running { ledger, store } = running;
        drop(ledger);
        drop(store);
        place.assert_sound();
        running = place.open();
        for name in TENANTS {
            let size = running.ledger.reader().size(&tenant(name)).unwrap();
            assert_eq!(size, 1 + 12 * (round as u64 + 1), "{name}");
        }
    }
    running.stop();
    place.assert_sound();
}

fn files_of(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn a_flipped_byte_in_any_segment_is_found() {
    let place = Place::new("flips");
    let running = place.create();
    for round in 0..2 {
        Place::fill(&running, round, 30);
    }
    running.stop();
    place.assert_sound();
    let segments = files_of(&place.data().join("segments"), "seg");
    assert!(!segments.is_empty());
    let mut flipped = 0;
    for segment in segments {
        let whole = fs::read(&segment).unwrap();
        let stride = if std::env::var_os("LEDGERSTONE_LONG").is_some() { 1 } else { 101 };
        for at in (0..whole.len()).step_by(stride) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            replace(&segment, &damaged);
            flipped += 1;
            // A directory that cannot be opened says so itself.
            if let Ok(report) = place.verify(&VerifyOptions::new(Level::Full, 1)) {
                assert!(!report.holds(), "byte {at} of {}", segment.display());
            }
        }
        replace(&segment, &whole);
    }
    assert!(flipped > 50, "{flipped}");
    place.assert_sound();
}

/// Sealed files are read-only; somebody with the disk does not mind.
fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}
