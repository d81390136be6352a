//! A verification that goes on from what another has read comes to the same, and the background does so
//! after a restart.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ledgerstone_ledger::check::{
    Finding, Level, PartMemory, Report, VerifyOptions, Watch, verify_live, verify_live_remembering,
};
use ledgerstone_ledger::jobs::{BackgroundSettings, BackgroundStatus, BackgroundVerifier};
use ledgerstone_ledger::{ContentDrop, Ledger};
use ledgerstone_model::system::{KeyChange, KeyUse, RetentionReason};
use ledgerstone_model::{Actor, NumberSet};
use ledgerstone_proof::{EventId, Hash};
use ledgerstone_store::conformance::FaultyStore;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Options};
use ledgerstone_store::{Check, FileNotes, LedgerStore, PassNotes};
use ledgerstone_testkit::TestDirectory;

use crate::rig::{Rig, lines, receipts, tenant};

const PATIENCE: Duration = Duration::from_mins(1);

/// A deployment in files, whose log files become segments after few records.
struct Place {
    rig: Rig,
    directory: TestDirectory,
    store: Arc<FaultyStore<EmbeddedStore>>,
    ledger: Arc<Ledger>,
}

impl Place {
    fn new(name: &str) -> Self {
        let (rig, directory) = (Rig::new(), TestDirectory::new(name));
        let options = Options { segment_records: 64, ..Options::default() };
        let (clock, entropy) = (Arc::clone(&rig.clock) as _, Arc::clone(&rig.entropy) as _);
        let path = directory.join("data");
        let store = EmbeddedStore::create(&path, options, Files::new(), clock, entropy).unwrap();
        let store = Arc::new(FaultyStore::new(store));
        let on = Arc::clone(&store) as Arc<dyn LedgerStore>;
        let ledger = Arc::new(rig.create_on(on, &["acme", "beta"]));
        let place = Self { rig, directory, store, ledger };
        place.ledger.anchor().unwrap();
        // Its size stands in no checkpoint and no anchor until the next.
        place.ledger.create_tenants(&[tenant("idle")]).unwrap();
        place.append("first", 20);
        place
    }

    /// So many rounds of five events for each of two tenants.
    fn append(&self, prefix: &str, rounds: usize) {
        for round in 0..rounds {
            for name in ["acme", "beta"] {
                let events = self.rig.events(name, &format!("{prefix}-{round}-"), 5);
                self.ledger.append(events).unwrap();
            }
        }
        self.store.inner().wait_until_sealed();
    }

    fn notes(&self) -> Arc<dyn PassNotes> {
        Arc::new(FileNotes::new(&self.directory.join("notes"), Files::new()))
    }

    fn background(&self, records_per_second: u32) -> BackgroundVerifier {
        let pause = Duration::from_hours(1);
        let settings = BackgroundSettings { records_per_second, pause, level: Level::Full };
        BackgroundVerifier::start(&self.ledger, settings, self.notes()).unwrap()
    }

    fn verify(&self, memory: Option<&Memory>) -> Report {
        let (options, watch) = (VerifyOptions::new(Level::Full, 1), Silent);
        let report = match memory {
            None => verify_live(&*self.store, &options, &watch),
            Some(memory) => verify_live_remembering(&*self.store, &options, &watch, memory),
        };
        report.unwrap().unwrap()
    }

    /// Flips a bit of the first segment.
    fn damage(&self) {
        let path = self.directory.join("data/segments/0000000000000000.1.seg");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
}

struct Silent;

impl Watch for Silent {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn finding(&self, _: &Finding) {}
}

/// Remembers everything, and counts what was known.
#[derive(Default)]
struct Memory {
    kept: Mutex<HashMap<Hash, String>>,
    known: AtomicU64,
}

impl PartMemory for Memory {
    fn recall(&self, fixed: &Hash) -> Option<String> {
        self.kept.lock().unwrap().get(fixed).cloned()
    }

    fn keep(&self, fixed: &Hash, text: &str) {
        self.kept.lock().unwrap().insert(*fixed, text.to_owned());
    }

    fn known(&self, records: u64) {
        self.known.fetch_add(records, Ordering::Relaxed);
    }
}

#[test]
fn what_is_remembered_leads_to_the_same_report() {
    let (place, memory) = (Place::new("remembering"), Memory::default());
    let first = place.verify(Some(&memory));
    assert!(first.holds(), "{}", lines(&first));
    assert_eq!(memory.known.load(Ordering::Relaxed), 0);
    let steps: [(&str, &dyn Fn()); 5] = [
        ("nothing happened", &|| {}),
        ("a size is asked for that was not before", &|| drop(place.ledger.anchor().unwrap())),
        ("more records", &|| place.append("second", 10)),
        ("another key", &|| {
            place
                .ledger
                .rotate_key(KeyUse::Record, KeyChange::Rotation, &Actor::operator("uid:0"))
                .unwrap();
            place.append("third", 10);
        }),
        ("contents that went", &|| {
            let mut numbers = NumberSet::new();
            numbers.insert_range(3..9);
            let drop = ContentDrop {
                tenant: tenant("acme"),
                numbers,
                reason: RetentionReason::Expired,
                policy_record: None,
                audit_record: None,
            };
            place.ledger.retention(place.store.inner()).drop_contents(&[drop]).unwrap();
        }),
    ];
    for (what, happens) in steps {
        happens();
        let known = memory.known.swap(0, Ordering::Relaxed);
        let remembering = place.verify(Some(&memory));
        assert_eq!(remembering, place.verify(None), "{what}");
        assert!(remembering.holds(), "{what}:\n{}", lines(&remembering));
        let known = memory.known.load(Ordering::Relaxed).max(known);
        assert!(known > 60, "{what}: {known} records were known");
    }
}

/// A store that has forgotten an id lets it in again.
#[test]
fn an_id_that_stands_in_a_remembered_part_is_found_again() {
    let (place, memory) = (Place::new("ids-again"), Memory::default());
    assert!(place.verify(Some(&memory)).holds());
    place.ledger.close().unwrap();
    place.store.gate().forget(&EventId::parse("first-9-2").unwrap());
    // It stands in the second segment; the first one is read again for the size of `idle`. The sequencer
    // remembers for a while what it has written itself.
    let on = Arc::clone(&place.store) as Arc<dyn LedgerStore>;
    let ledger = place.rig.open_on(on).unwrap();
    receipts(ledger.append(vec![place.rig.event("acme", "first-9-2", "again")]).unwrap());
    ledger.close().unwrap();
    let report = place.verify(Some(&memory));
    assert!(memory.known.load(Ordering::Relaxed) > 60);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert_eq!(report.findings[0].check, Check::EventId);
    assert_eq!(report, place.verify(None));
}

#[test]
fn what_is_damaged_or_not_understood_is_read_again() {
    let (place, memory) = (Place::new("read-again"), Memory::default());
    let first = place.verify(Some(&memory));
    for text in memory.kept.lock().unwrap().values_mut() {
        *text = text.replace("\"tree\":\"0 ", "\"tree\":\"1 ");
    }
    assert_eq!(place.verify(Some(&memory)), first);
    assert_eq!(memory.known.load(Ordering::Relaxed), 0);
    place.damage();
    let damaged = Memory::default();
    assert!(!place.verify(Some(&damaged)).holds());
    assert_eq!(place.verify(Some(&damaged)), place.verify(None), "it is found every time");
}

fn wait_until(background: &BackgroundVerifier, what: impl Fn(&BackgroundStatus) -> bool) {
    let began = Instant::now();
    while !what(&background.status()) {
        assert!(began.elapsed() < PATIENCE, "{:?}", background.status());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_background_goes_on_after_a_restart() {
    let place = Place::new("restart");
    let first = place.background(100);
    wait_until(&first, |status| status.position > 64);
    let before = first.status();
    drop(first);
    assert!(before.position < before.total, "{before:?}");

    // At this rate, nothing that is seen soon can have been read by this process.
    let second = place.background(1);
    wait_until(&second, |status| status.position >= 64);
    let after = second.status();
    assert_eq!((after.started_at, after.passes), (before.started_at, 0));
    drop(second);

    // What was read and found sound is not read again in this pass, and is in the next.
    place.damage();
    let third = place.background(1_000_000);
    wait_until(&third, |status| status.passes == 1);
    assert!(third.holds(), "{:?}", third.status());
    assert_eq!(third.status().last_pass.unwrap().started_at, before.started_at.unwrap());
    drop(third);
    let fourth = place.background(1_000_000);
    wait_until(&fourth, |status| status.passes == 1);
    let found = fourth.status();
    assert!(!found.findings.is_empty() && !fourth.holds());
    drop(fourth);

    // What the last pass found stands until another has ended.
    let fifth = place.background(1);
    let restored = fifth.status();
    assert_eq!((restored.last_pass, restored.findings), (found.last_pass, found.findings));
    assert!(!fifth.holds());
}
