//! Followers see every record once, keep what they derive, and build it again when it is damaged.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerstone_ledger::driver::{catch_up, catch_up_all};
use ledgerstone_ledger::follower::tiles::{StoredTiles, TilesWriter};
use ledgerstone_ledger::{Driver, Follower, FollowerContext, FollowerError, Ledger, Reader};
use ledgerstone_proof::{NodeAddress, SequenceNumber, TenantId, TilePath, TreeSize, sha256};
use ledgerstone_store::{Changes, Cursor, LedgerStore, Wanted};
use ledgerstone_testkit::TestDirectory;

use crate::rig::{Rig, tenant};

fn context(rig: &Rig, directory: &TestDirectory) -> FollowerContext {
    FollowerContext { store: Arc::new(rig.store.reopen()), data: directory.path().to_owned() }
}

/// Lets a fresh follower catch up, as a new process would.
fn run(mut follower: impl Follower, rig: &Rig) {
    catch_up(&mut follower, &*rig.store, &mut None).unwrap();
}

fn origin_of(rig: &Rig, name: &str) -> String {
    Reader::new(Arc::new(rig.store.reopen())).genesis(&tenant(name)).unwrap().origin()
}

fn fill(ledger: &Ledger, rig: &Rig, upto: u64) {
    let acme = tenant("acme");
    loop {
        let size = ledger.reader().size(&acme).unwrap();
        if size >= upto {
            return;
        }
        let count = usize::try_from((upto - size).min(8_000)).unwrap();
        ledger.append(rig.events("acme", &format!("at{size}-"), count)).unwrap();
    }
}

/// A follower that remembers what it was told, and its cursor.
struct Listener {
    heard: Arc<Mutex<Vec<(TenantId, u64)>>>,
    kept: Arc<Mutex<Cursor>>,
    fails: bool,
}

impl Listener {
    fn new() -> Self {
        Self { heard: Arc::default(), kept: Arc::default(), fails: false }
    }

    /// As a new process would find it.
    fn again(&self) -> Self {
        Self { heard: Arc::clone(&self.heard), kept: Arc::clone(&self.kept), fails: false }
    }

    /// It has heard every record once, per ledger in order.
    fn assert_complete(&self, rig: &Rig) {
        let heard = self.heard.lock().unwrap();
        for tenant in rig.store.ledgers().unwrap() {
            let numbers =
                heard.iter().filter(|(name, _)| *name == tenant).map(|(_, number)| *number);
            let size = rig.store.head(&tenant).unwrap().unwrap().size();
            assert_eq!(numbers.collect::<Vec<_>>(), (0..size).collect::<Vec<_>>(), "{tenant}");
        }
    }
}

impl Follower for Listener {
    fn name(&self) -> &'static str {
        "listener"
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn wants(&self) -> Wanted {
        Wanted::Everything
    }

    fn load(&mut self) -> Result<Cursor, FollowerError> {
        Ok(self.kept.lock().unwrap().clone())
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), FollowerError> {
        if self.fails {
            let what = "a planned failure".to_owned();
            return Err(FollowerError::Io { what, source: std::io::ErrorKind::Other.into() });
        }
        let heard = changes.records.iter();
        let heard = heard.map(|record| (record.tenant.clone(), record.sequence_number.value()));
        self.heard.lock().unwrap().extend(heard);
        Ok(())
    }

    fn save(&mut self, next: &Cursor) -> Result<(), FollowerError> {
        *self.kept.lock().unwrap() = next.clone();
        Ok(())
    }
}

#[test]
fn a_follower_goes_on_where_it_stood() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let listener = Listener::new();
    for (name, count) in [("acme", 13), ("beta", 4), ("acme", 2)] {
        ledger.append(rig.events(name, &format!("{count}-"), count)).unwrap();
        run(listener.again(), &rig);
        listener.assert_complete(&rig);
    }
    rig.assert_sound();
}

#[test]
fn the_driver_runs_followers_and_anchors() {
    let mut rig = Rig::new();
    rig.settings.anchor_interval = Duration::from_millis(5);
    let ledger = Arc::new(rig.create(&["acme"]));
    let listener = Listener::new();
    let driver = Driver::start(&ledger, vec![Box::new(listener.again())]).unwrap();
    ledger.append(rig.events("acme", "e", 5)).unwrap();
    let system = TenantId::system();
    let begun = ledger.reader().size(&system).unwrap();
    while ledger.reader().size(&system).unwrap() == begun {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(driver.problems().len(), 0);
    ledger.close().unwrap();
    driver.stop();
    listener.assert_complete(&rig);
    rig.assert_sound();
}

#[test]
fn a_follower_that_fails_says_so_and_goes_on_later() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 2)).unwrap();
    let mut listener = Listener { fails: true, ..Listener::new() };
    let mut cursor = None;
    assert!(catch_up(&mut listener, &*rig.store, &mut cursor).is_err());
    listener.fails = false;
    catch_up(&mut listener, &*rig.store, &mut cursor).unwrap();
    listener.assert_complete(&rig);
    rig.assert_sound();
}

/// A deployment whose ledger `acme` has one full tile of level 1.
fn with_a_tile(seed: u64) -> (Rig, Ledger) {
    let mut rig = Rig::seeded(seed);
    rig.settings.signing = ledgerstone_model::system::SigningMode::Checkpoint;
    let ledger = rig.create(&["acme"]);
    fill(&ledger, &rig, 65_600);
    (rig, ledger)
}

#[test]
fn full_tiles_are_kept_mended_and_used() {
    let (rig, ledger) = with_a_tile(1);
    let directory = TestDirectory::new("tiles");
    let (acme, path) = (tenant("acme"), TilePath::parse("tile/1/000").unwrap());
    let (tiles, origin) = (StoredTiles::of(directory.path()), origin_of(&rig, "acme"));
    let stored = || tiles.tile(&acme, &origin, &path).unwrap();
    assert_eq!(stored(), None);
    let computed = ledger.reader().tile(&acme, TreeSize::new(65_600), &path).unwrap();
    assert!(catch_up_all(&context(&rig, &directory)).is_empty());
    assert_eq!(stored().as_ref(), Some(&computed));
    let node = NodeAddress { level: 11, index: 5 };
    let subtree = tiles.node(&acme, &origin, node).unwrap();
    assert_eq!(subtree, Some(rig.store.node(&acme, node).unwrap()), "eight nodes of the tile");

    let file = tiles.file(&acme, &path);
    let whole = fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    bytes[1_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(stored(), None, "not believed");
    assert!(catch_up_all(&context(&rig, &directory)).is_empty());
    assert_eq!(fs::read(&file).unwrap(), whole, "mended");
    rig.assert_sound();
}

/// A tile that somebody forged, its hash repaired, leads to no wrong proof; one from another ledger is
/// as good as none.
#[test]
fn tiles_are_never_believed() {
    let (rig, ledger) = with_a_tile(1);
    let directory = TestDirectory::new("tiles-forged");
    let (acme, path) = (tenant("acme"), TilePath::parse("tile/1/000").unwrap());
    let (tiles, origin) = (StoredTiles::of(directory.path()), origin_of(&rig, "acme"));
    let size = TreeSize::new(65_600);
    let plain = Reader::new(Arc::new(rig.store.reopen()));
    let number = SequenceNumber::new(20_000).unwrap();
    let inclusion = plain.inclusion_proof(&acme, number, size).unwrap();
    let consistency = plain.consistency_proof(&acme, TreeSize::new(20_000), size).unwrap();
    let reader = plain.clone().with_tiles(tiles.clone());
    let assert_proofs = |what: &str| {
        assert_eq!(reader.inclusion_proof(&acme, number, size).unwrap(), inclusion, "{what}");
        let grown = reader.consistency_proof(&acme, TreeSize::new(20_000), size).unwrap();
        assert_eq!(grown, consistency, "{what}");
    };
    assert_proofs("without tiles");
    run(TilesWriter::new(&context(&rig, &directory)), &rig);
    assert_proofs("with tiles");

    let file = tiles.file(&acme, &path);
    let whole = fs::read(&file).unwrap();
    let mut forged = whole[..8_192].to_vec();
    forged.iter_mut().for_each(|byte| *byte ^= 1);
    let belongs = format!("{origin}\n{path}\n");
    let hash = sha256(&[belongs.as_bytes(), &forged].concat());
    fs::write(&file, [&forged[..], hash.as_bytes()].concat()).unwrap();
    assert!(tiles.tile(&acme, &origin, &path).unwrap().is_some(), "it looks right");
    assert_proofs("with a forged tile");

    let (other, _) = with_a_tile(2);
    let elsewhere = TestDirectory::new("tiles-elsewhere");
    run(TilesWriter::new(&context(&other, &elsewhere)), &other);
    let foreign = StoredTiles::of(elsewhere.path()).file(&acme, &path);
    fs::copy(&foreign, &file).unwrap();
    fs::copy(elsewhere.join("tiles/cursor"), directory.join("tiles/cursor")).unwrap();
    assert_eq!(tiles.tile(&acme, &origin, &path).unwrap(), None, "another store's tile");
    let computed = ledger.reader().tile(&acme, size, &path).unwrap();
    assert_eq!(reader.tile(&acme, size, &path).unwrap(), computed);
    assert_eq!(TilesWriter::new(&context(&rig, &directory)).load().unwrap(), Cursor::default());
    assert_eq!(fs::read(&file).unwrap(), whole, "made again");
    rig.assert_sound();
}
