//! The embedded store passes the conformance suite, with segments so small that every case seals
//! several, and the fault table, in which every write of its file layer fails once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerstone_store::conformance::fault_table::RowOutcome;
use ledgerstone_store::conformance::{
    CountedFault, FaultHarness, Harness, PlannedFault, run_fault_table,
};
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_store::{LedgerStore, RetentionStore};
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory};

const NOW: i64 = 1_760_000_000_000_000;

fn options(segment_records: u64) -> Options {
    Options {
        segment_records,
        log_bytes_first: 16 << 10,
        log_bytes_max: 64 << 10,
        head_interval: Duration::from_millis(20),
        ..Options::default()
    }
}

/// A data directory, and the store that is open in it.
struct Place {
    directory: TestDirectory,
    options: Options,
    open: Mutex<Option<Arc<EmbeddedStore>>>,
}

impl Place {
    fn new(options: Options) -> Self {
        let directory = TestDirectory::new("embedded");
        Self { directory, options, open: Mutex::default() }
    }

    fn try_open(&self, files: Files) -> Result<Arc<dyn RetentionStore>, String> {
        let path = self.directory.join("data");
        let clock = Arc::new(MockClock::stepping(NOW, Duration::from_micros(10)));
        let entropy = Arc::new(SeededEntropy::new(7));
        let store = if path.join("FORMAT").exists() {
            EmbeddedStore::open(&path, Mode::Write, self.options, files, clock, entropy)
        } else {
            // A creation that failed half-way leaves no data directory: it is begun again.
            drop(std::fs::remove_dir_all(&path));
            EmbeddedStore::create(&path, self.options, files, clock, entropy)
        };
        let store = Arc::new(store.map_err(|error| error.to_string())?);
        *self.open.lock().unwrap() = Some(store.clone());
        Ok(store)
    }

    fn close(&self, store: Arc<dyn LedgerStore>) {
        drop(store);
        if let Some(store) = self.open.lock().unwrap().take() {
            // A fault planned for the stop may fail it; what is durable is asked afterwards.
            drop(store.close());
        }
    }

    fn let_go(&self, store: Option<Arc<dyn LedgerStore>>) {
        drop(store);
        drop(self.open.lock().unwrap().take());
    }
}

impl Harness for Place {
    fn open(&self) -> Arc<dyn RetentionStore> {
        self.try_open(Files::new()).unwrap()
    }

    fn stop(&self, store: Arc<dyn RetentionStore>) {
        self.close(store);
    }

    fn crash(&self, store: Arc<dyn RetentionStore>) {
        self.let_go(Some(store));
    }
}

mod small_segments {
    fn place() -> super::Place {
        super::Place::new(super::options(7))
    }

    ledgerstone_store::conformance_suite!(place);
}

mod one_log {
    fn place() -> super::Place {
        super::Place::new(super::options(65_536))
    }

    ledgerstone_store::conformance_suite!(place);
}

/// Makes the planned operation fail, and remembers what kind of operation it was.
struct Faulty {
    counted: CountedFault,
    failed: Arc<Mutex<HashSet<FileOp>>>,
}

impl Faulty {
    fn remember(&self, op: FileOp, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            self.failed.lock().unwrap().insert(op);
        }
        result
    }
}

impl FileFault for Faulty {
    fn before(&self, op: FileOp, _: &Path) -> io::Result<()> {
        self.remember(op, self.counted.before())
    }

    fn after(&self, op: FileOp, _: &Path) -> io::Result<()> {
        self.remember(op, self.counted.after())
    }
}

struct FaultyPlace {
    place: Place,
    fault: Mutex<Option<Arc<Faulty>>>,
    failed: Arc<Mutex<HashSet<FileOp>>>,
}

impl FaultHarness for FaultyPlace {
    fn open_with_fault(&self, planned: PlannedFault) -> Result<Arc<dyn LedgerStore>, String> {
        let failed = self.failed.clone();
        let fault = Arc::new(Faulty { counted: CountedFault::new(planned), failed });
        *self.fault.lock().unwrap() = Some(fault.clone());
        Ok(self.place.try_open(Files::with_fault(fault))?)
    }

    fn fired(&self) -> bool {
        self.fault.lock().unwrap().as_ref().is_some_and(|fault| fault.counted.fired())
    }

    fn stop(&self, store: Arc<dyn LedgerStore>) {
        self.place.close(store);
    }

    fn crash_and_open(&self, store: Option<Arc<dyn LedgerStore>>) -> Arc<dyn LedgerStore> {
        self.place.let_go(store);
        self.place.try_open(Files::new()).unwrap()
    }
}

#[test]
fn every_write_sync_rename_and_unlink_may_fail() {
    let failed = Arc::new(Mutex::new(HashSet::new()));
    let rows = run_fault_table(|| FaultyPlace {
        place: Place::new(options(7)),
        fault: Mutex::default(),
        failed: failed.clone(),
    });
    let count = |outcome| rows.iter().filter(|row| row.1 == outcome).count();
    eprintln!(
        "{} rows: {} not opened, {} overcome, {} unavailable, {} unknown",
        rows.len(),
        count(RowOutcome::NotOpened),
        count(RowOutcome::Overcome),
        count(RowOutcome::Unavailable),
        count(RowOutcome::Unknown),
    );
    assert!(rows.len() > 60, "{} rows: the table ended early", rows.len());
    assert!(count(RowOutcome::Unknown) > 4);
    // `Truncate` happens only after damage or another failure: a test of its own has it.
    let wanted = [
        FileOp::Create,
        FileOp::Write,
        FileOp::Sync,
        FileOp::SyncDirectory,
        FileOp::Rename,
        FileOp::Unlink,
    ];
    assert_eq!(*failed.lock().unwrap(), HashSet::from(wanted));
}
