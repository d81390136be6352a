//! Dropping contents on a real disk: a fault at any write, a process that dies, and a power failure leave
//! each content there or gone and everything else as it was; and what is gone is nowhere.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ledgerstone_model::NumberSet;
use ledgerstone_proof::{Kind, SequenceNumber, TenantId};
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::{assert_holds, read_all};
use ledgerstone_store::conformance::{ChainBuilder, CountedFault, PlannedFault};
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_store::{Check, DropError, DropPlan, DropReport, LedgerStore, RetentionStore};
use ledgerstone_testkit::TestDirectory;

use crate::observed::Observed;
use crate::place::{Place, options};
use crate::volatile_disk::{Image, VolatileDisk};

/// All but the first contents of one ledger, and every other one of another.
fn plan(chain: &ChainBuilder) -> DropPlan {
    let (acme, other) = (tenant("acme"), tenant("other"));
    let even = (0..chain.head(&other).size()).filter(|number| number % 2 == 0).collect();
    DropPlan::new().with(&acme, &NumberSet::from(4..u64::MAX)).with(&other, &even)
}

/// The plan without what waits.
fn gone(plan: &DropPlan, report: &DropReport) -> Vec<(TenantId, NumberSet)> {
    let without = |(tenant, numbers): (&TenantId, &NumberSet)| {
        let mut numbers = numbers.clone();
        report.waiting.get(tenant).into_iter().for_each(|waiting| numbers.remove(waiting));
        (tenant.clone(), numbers)
    };
    plan.iter().map(without).collect()
}

/// Drops everything that can be, and holds the store against what it reported.
fn drop_all(store: &EmbeddedStore, chain: &mut ChainBuilder, plan: &DropPlan) -> DropReport {
    let report = store.drop_contents(plan).unwrap();
    for (tenant, numbers) in gone(plan, &report) {
        chain.forget_contents(&tenant, &numbers);
    }
    assert_holds(store, chain);
    report
}

/// What a store holds after a drop that did not end: as appended, but for contents that the plan names
/// and that are there or not. Answers the chain as it is held.
fn assert_between(store: &EmbeddedStore, chain: &ChainBuilder, plan: &DropPlan) -> ChainBuilder {
    let mut held = chain.clone();
    for tenant in chain.tenants() {
        let mut missing = NumberSet::new();
        for record in read_all(store, tenant, 100) {
            if record.content.is_none() {
                missing.insert(record.sequence_number.value());
            }
        }
        let mut foreign = missing.clone();
        plan.numbers(tenant).into_iter().for_each(|numbers| foreign.remove(numbers));
        assert!(foreign.is_empty(), "{tenant}: contents that nobody asked to drop: {foreign:?}");
        held.forget_contents(tenant, &missing);
    }
    held
}

/// Fails the planned operation, and remembers which kinds have failed.
struct Faulty {
    counted: CountedFault,
    failed: Arc<Mutex<BTreeSet<String>>>,
}

impl Faulty {
    fn remember(&self, op: FileOp, path: &Path, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() {
            let what = path.extension().map_or_else(|| path.file_name(), Some);
            let what = what.unwrap_or_default().to_string_lossy();
            self.failed.lock().unwrap().insert(format!("{op:?} {what}"));
        }
        result
    }
}

impl FileFault for Faulty {
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.remember(op, path, self.counted.before())
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.remember(op, path, self.counted.after())
    }
}

/// A fault is planned only once the store is open, so that it lies in the drop.
#[derive(Default)]
struct Later(Mutex<Option<Arc<Faulty>>>);

impl Later {
    fn now(&self) -> Option<Arc<Faulty>> {
        self.0.lock().unwrap().clone()
    }
}

impl FileFault for Later {
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.now().map_or(Ok(()), |fault| fault.before(op, path))
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.now().map_or(Ok(()), |fault| fault.after(op, path))
    }
}

/// Nine segments, so that their ids are merged, in a directory that was stopped in order.
fn original(name: &str) -> Place {
    let mut place = Place::new(name, 7);
    let store = place.create();
    place.fill(&store, 9);
    place.write(&store, 2);
    store.close().unwrap();
    place
}

/// A plan about records of the first two segments alone.
fn small_plan() -> DropPlan {
    let (acme, other) = (tenant("acme"), tenant("other"));
    DropPlan::new().with(&acme, &NumberSet::from(4..16)).with(&other, &NumberSet::from(1..2))
}

/// One row; `None` when the planned operation was never made.
fn run_row(
    original: &Place,
    planned: PlannedFault,
    failed: &Arc<Mutex<BTreeSet<String>>>,
) -> Option<()> {
    let mut place = original.copy("row");
    let later = Arc::new(Later::default());
    let store = place.open_with(Mode::Write, options(), Files::with_fault(later.clone())).unwrap();
    let plan = small_plan();
    let fault = Arc::new(Faulty { counted: CountedFault::new(planned), failed: failed.clone() });
    *later.0.lock().unwrap() = Some(fault.clone());
    let outcome = store.drop_contents(&plan);
    *later.0.lock().unwrap() = None;
    if !fault.counted.fired() {
        return None;
    }
    let held = assert_between(&store, &place.chain, &plan);
    let mut dropped = outcome.as_ref().map_or(0, |report| report.dropped);
    if !matches!(outcome, Err(DropError::Unknown { .. })) && planned.index.is_multiple_of(2) {
        // The same process goes on.
        place.chain = held;
        dropped += drop_all(&store, &mut place.chain, &plan).dropped;
        drop(store);
    } else {
        drop(store);
        // What a crash left: sound for a reader, with generations beside that no part names.
        let told = Observed::of(&place);
        assert!(told.is_clean(), "{planned:?}: {told:?}");
        let store = place.open(Mode::Write).unwrap();
        assert_eq!(store.report().read_only, None, "{planned:?}");
        place.chain = assert_between(&store, &place.chain, &plan);
        dropped += drop_all(&store, &mut place.chain, &plan).dropped;
        drop(store);
    }
    assert!(dropped > 0 || outcome.is_err(), "{planned:?}");
    place.assert_sound_and_goes_on();
    Some(())
}

#[test]
fn every_operation_of_a_drop_may_fail() {
    let original = original("drop-faults");
    let failed = Arc::new(Mutex::new(BTreeSet::new()));
    let mut rows = 0;
    'rows: for index in 0..10_000 {
        for applied in [false, true] {
            if run_row(&original, PlannedFault { index, applied }, &failed).is_none() {
                break 'rows;
            }
            rows += 1;
        }
    }
    let failed = failed.lock().unwrap();
    eprintln!("{rows} rows: {failed:?}");
    for wanted in [
        "Create tmp",
        "Write tmp",
        "Sync tmp",
        "Rename seg",
        "Rename idx",
        "SyncDirectory segments",
        "Write HEAD",
        "Sync HEAD",
        "Unlink seg",
        "Unlink idx",
        "Write run",
        "Sync run",
    ] {
        assert!(failed.contains(wanted), "{wanted} never failed: {failed:?}");
    }
    assert!(rows > 60, "{rows} rows: the table ended early");
}

/// Opens an image of a disk whose power failed within a drop, and does the rest of it.
fn judge(image: &Image, chain: &ChainBuilder, plan: &DropPlan) {
    let directory = TestDirectory::new("image");
    for (path, bytes) in &image.files {
        directory.write(&format!("data/{}", path.display()), bytes);
    }
    let mut place = Place::of_copy(directory, chain.clone());
    let told = format!("power lost before {}", image.before);
    let store = place.open(Mode::Write).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(store.report().read_only, None, "{told}");
    place.chain = assert_between(&store, chain, plan);
    drop_all(&store, &mut place.chain, plan);
    place.write(&store, 1);
    assert_holds(&store, &place.chain);
}

#[test]
fn a_drop_survives_power_loss() {
    let place = original("drop-power");
    let disk = Arc::new(VolatileDisk::watch(&place.data(), 5));
    let files = Files::with_fault(disk.clone());
    let store = place.open_with(Mode::Write, options(), files).unwrap();
    let plan = small_plan();
    disk.take_images();
    store.drop_contents(&plan).unwrap();
    drop(store);
    let images = disk.take_images();
    eprintln!("{} images", images.len());
    assert!(images.len() > 60, "only {} images", images.len());
    images.iter().for_each(|image| judge(image, &place.chain, &plan));
}

/// Larger contents, each with words of its own, so that a dictionary is made.
fn with_words(name: &str) -> (Place, EmbeddedStore) {
    let options = Options {
        segment_records: 1_000,
        log_bytes_first: 4 << 20,
        log_bytes_max: 4 << 20,
        ..options()
    };
    let mut place = Place::new(name, 3);
    let store = place.create_with(options, Files::new());
    let acme = tenant("acme");
    for round in 0..110 {
        let mut batch = place.chain.batch();
        for number in 0..20 {
            let text = words(round * 20 + number);
            batch = batch.event_saying(&acme, &text);
        }
        store.append(&batch.build()).unwrap();
    }
    store.wait_until_sealed();
    (place, store)
}

/// A text that compresses badly and begins with a word that no other has.
fn words(number: u64) -> String {
    let hash = |at: u64| ledgerstone_proof::sha256(format!("{number} {at}").as_bytes()).to_hex();
    format!("secret{number:06}{}", (0..14).map(hash).collect::<String>())
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn bytes_below(path: &Path) -> u64 {
    files_below(path).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

/// Numbers whose words stand anywhere under a directory in plain: a dictionary is such a place.
fn plain_words(path: &Path) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for file in files_below(path) {
        let bytes = std::fs::read(file).unwrap();
        let places = bytes.windows(6).enumerate().filter(|(_, window)| *window == b"secret");
        for (at, _) in places {
            let digits = bytes.get(at + 6..at + 12).map(String::from_utf8_lossy);
            found.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
        }
    }
    found
}

#[test]
fn what_is_dropped_is_nowhere_and_its_room_is_free() {
    let (mut place, store) = with_words("drop-bytes");
    let segments = place.path("segments");
    let before = (bytes_below(&segments), plain_words(&segments));
    assert!(before.1.len() > 20, "the dictionaries hold samples: {:?}", before.1);
    // Two of three contents go, of the sealed records.
    let acme = tenant("acme");
    let sealed = place.chain.head(&acme).size() - 100;
    let numbers: NumberSet = (0..sealed).filter(|number| number % 3 != 0).collect();
    let plan = DropPlan::new().with(&acme, &numbers);
    let report = drop_all(&store, &mut place.chain, &plan);
    assert!(report.dropped > 1_000, "{report:?}");
    let after = (bytes_below(&segments), plain_words(&segments));
    let waits = |number: &u64| report.waiting.get(&acme).is_some_and(|set| set.contains(*number));
    let left: Vec<_> = after.1.iter().filter(|at| numbers.contains(**at) && !waits(at)).collect();
    assert_eq!(left, Vec::<&u64>::new(), "words of dropped contents");
    assert!(!after.1.is_empty(), "what stays is sampled");
    assert!(after.0 * 10 < before.0 * 6, "{} of {} bytes are left", after.0, before.0);
    assert!(report.freed_bytes > (before.0 - after.0) * 9 / 10, "{report:?}");
    let once: BTreeSet<u64> = report.rewritten.iter().map(|one| one.first).collect();
    assert_eq!(once.len(), report.rewritten.len(), "each segment is written anew once");
    store.close().unwrap();
    drop(store);
    place.assert_sound_and_goes_on();
}

#[test]
fn a_reader_with_the_old_generation_open_goes_on() {
    let mut place = original("drop-beside-reader");
    let store = place.open(Mode::Write).unwrap();
    let reader = place.open(Mode::Read).unwrap();
    let before = place.chain.clone();
    let plan = plan(&place.chain);
    let report = drop_all(&store, &mut place.chain, &plan);
    assert!(report.rewritten.len() > 5, "{report:?}");
    assert_holds(&reader, &before);
    assert!(Observed::of_store(&reader).is_clean(), "{:?}", Observed::of_store(&reader));
    drop(reader);
    let reader = place.open(Mode::Read).unwrap();
    assert_holds(&reader, &place.chain);
}

#[test]
fn derived_files_are_those_of_the_new_generation() {
    let mut place = original("drop-derived");
    let store = place.open(Mode::Write).unwrap();
    let plan = plan(&place.chain);
    drop_all(&store, &mut place.chain, &plan);
    store.close().unwrap();
    drop(store);
    let indexes = place.files("segments", "idx");
    let named: Vec<PathBuf> =
        place.files("segments", "seg").iter().map(|path| path.with_extension("idx")).collect();
    assert_eq!(indexes, named);
    let runs = place.files("ids", "run");
    assert!(!runs.is_empty());
    // One whose signature was changed is named only where everything before it fits the segments.
    for run in &runs {
        place.change(run, |bytes| bytes[160] ^= 1);
    }
    let observed = Observed::of(&place);
    assert!(runs.iter().all(|run| observed.names(run)), "{observed:?}");
    assert!(observed.findings.iter().all(|finding| finding.check == Check::Section));
}

#[test]
fn another_generation_beside_the_stores_own_is_told_with_its_part() {
    let mut place = original("drop-leftover");
    let first = place.files("segments", "seg")[0].clone();
    let old = place.read_file(&first);
    let store = place.open(Mode::Write).unwrap();
    let plan = plan(&place.chain);
    drop_all(&store, &mut place.chain, &plan);
    store.close().unwrap();
    drop(store);
    place.write_file(&first, &old);
    let store = place.open(Mode::Write).unwrap();
    assert_eq!(store.report().read_only, None);
    let (parts, findings) = store.parts().unwrap();
    assert_eq!(findings, []);
    let beside: Vec<_> = parts.iter().flat_map(|part| &part.superseded).collect();
    assert_eq!(beside.len(), 1);
    assert_eq!(beside[0].file, first);
    assert_eq!(parts[0].superseded.len(), 1);
    // It is not read, and the next drop of records of that segment removes it.
    let number = SequenceNumber::new(4).unwrap();
    assert_eq!(store.read(&tenant("acme"), number, 1).unwrap()[0].content, None);
    drop_all(&store, &mut place.chain, &plan);
    assert!(!place.path(&first).exists());
}

#[test]
fn a_damaged_segment_keeps_its_contents_and_the_others_lose_theirs() {
    let place = original("drop-damaged");
    let damaged = place.files("segments", "seg")[3].clone();
    // The last byte of the last section with anything in it belongs to no content.
    place.change(&damaged, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let store = place.open(Mode::Write).unwrap();
    let plan = plan(&place.chain);
    let error = store.drop_contents(&plan).unwrap_err();
    let told = error.to_string();
    assert!(told.contains(&*damaged.to_string_lossy()), "{told}");
    assert_eq!(error.code(), ledgerstone_model::ErrorCode::RecordDamaged);
    assert!(place.path(&damaged).exists());
    let acme = tenant("acme");
    let records = read_all_that_can_be(&store, &acme, &place.chain);
    let kept = records.iter().skip(4).filter(|record| record.kind != Kind::System);
    let kept = kept.filter(|record| record.content.is_some()).count();
    assert!(kept > 0 && kept < 30, "{kept} contents are left");
}

fn read_all_that_can_be(
    store: &EmbeddedStore,
    tenant: &TenantId,
    chain: &ChainBuilder,
) -> Vec<ledgerstone_store::StoredRecord> {
    let read = |number| store.read(tenant, SequenceNumber::new(number).unwrap(), 1);
    (0..chain.head(tenant).size()).filter_map(|number| read(number).ok()).flatten().collect()
}

#[test]
fn a_store_that_is_open_for_reading_drops_nothing() {
    let place = original("drop-reader");
    let reader = place.open(Mode::Read).unwrap();
    let error = reader.drop_contents(&plan(&place.chain)).unwrap_err();
    assert_eq!(error.code(), ledgerstone_model::ErrorCode::ReadOnlyStorage);
    assert_holds(&reader, &place.chain);
}
