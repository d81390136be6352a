//! Followers see every record once, keep what they derive, and build it again when it is damaged.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::driver::catch_up;
use ledgerstone_ledger::follower::heads::{HeadsSnapshot, HeadsWriter};
use ledgerstone_ledger::follower::tiles::{TilesWriter, stored_tile, tile_file};
use ledgerstone_ledger::{Driver, FOLLOWERS, Follower, FollowerContext, Ledger};
use ledgerstone_proof::{TenantId, TilePath, TreeSize};
use ledgerstone_store::{LedgerStore, Wanted};
use ledgerstone_testkit::TestDirectory;

use crate::rig::{Rig, tenant};

fn context(rig: &Rig, directory: &TestDirectory) -> FollowerContext {
    FollowerContext { store: Arc::new(rig.store.reopen()), data: directory.path().to_owned() }
}

/// Lets a fresh follower catch up, as a new process would.
fn run(mut follower: impl Follower, rig: &Rig) {
    catch_up(&mut follower, &*rig.store, &mut None).unwrap();
}

fn assert_heads(rig: &Rig, directory: &TestDirectory) {
    let snapshot = HeadsSnapshot::load(directory.path()).unwrap().unwrap();
    assert_eq!(snapshot.heads.len(), rig.store.ledgers().unwrap().len());
    for (tenant, head) in &snapshot.heads {
        assert_eq!(Some(head), rig.store.head(tenant).unwrap().as_ref(), "{tenant}");
    }
    let rest = rig.store.changes(&snapshot.cursor, 10, Wanted::Headers).unwrap();
    assert!(rest.records.is_empty(), "the cursor is at the end");
}

#[test]
fn the_heads_file_says_what_the_store_says() {
    let rig = Rig::new();
    let directory = TestDirectory::new("heads");
    let ledger = rig.create(&["acme", "beta"]);
    ledger.append(rig.events("acme", "e", 13)).unwrap();
    run(HeadsWriter::new(&context(&rig, &directory)), &rig);
    assert_heads(&rig, &directory);
    ledger.append(rig.events("beta", "e", 4)).unwrap();
    run(HeadsWriter::new(&context(&rig, &directory)), &rig);
    assert_heads(&rig, &directory);
    rig.assert_sound();
}

#[test]
fn a_damaged_heads_file_is_never_believed() {
    let rig = Rig::new();
    let directory = TestDirectory::new("heads-damaged");
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 5)).unwrap();
    run(HeadsWriter::new(&context(&rig, &directory)), &rig);
    let path = HeadsSnapshot::path(directory.path());
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        assert_eq!(HeadsSnapshot::load(directory.path()).unwrap(), None, "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert_eq!(HeadsSnapshot::load(directory.path()).unwrap(), None, "cut at {at}");
    }
    run(HeadsWriter::new(&context(&rig, &directory)), &rig);
    assert_heads(&rig, &directory);
    fs::remove_dir_all(directory.join("heads")).unwrap();
    run(HeadsWriter::new(&context(&rig, &directory)), &rig);
    assert_heads(&rig, &directory);
    rig.assert_sound();
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

#[test]
fn full_tiles_are_kept_and_mended() {
    let mut rig = Rig::new();
    rig.settings.signing = ledgerstone_model::system::SigningMode::Checkpoint;
    let directory = TestDirectory::new("tiles");
    let ledger = rig.create(&["acme"]);
    let acme = tenant("acme");
    fill(&ledger, &rig, 65_535);
    run(TilesWriter::new(&context(&rig, &directory)), &rig);
    let path = TilePath::parse("tile/1/000").unwrap();
    assert_eq!(stored_tile(directory.path(), &acme, &path).unwrap(), None);
    fill(&ledger, &rig, 65_600);
    let computed = ledger.reader().tile(&acme, TreeSize::new(65_600), &path).unwrap();
    let mut follower = TilesWriter::new(&context(&rig, &directory));
    let mut cursor = None;
    catch_up(&mut follower, &*rig.store, &mut cursor).unwrap();
    assert_eq!(stored_tile(directory.path(), &acme, &path).unwrap(), Some(computed.clone()));
    let file = tile_file(directory.path(), &acme, &path);
    let mut bytes = fs::read(&file).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(stored_tile(directory.path(), &acme, &path).unwrap(), None, "not believed");
    run(TilesWriter::new(&context(&rig, &directory)), &rig);
    assert_eq!(stored_tile(directory.path(), &acme, &path).unwrap(), Some(computed), "mended");
    rig.assert_sound();
}

#[test]
fn the_driver_runs_followers_and_anchors() {
    let mut rig = Rig::new();
    rig.settings.anchor_interval = Duration::from_millis(5);
    let directory = TestDirectory::new("driver");
    let ledger = Arc::new(rig.create(&["acme"]));
    let followers = FOLLOWERS.iter().map(|entry| (entry.make)(&context(&rig, &directory)));
    let driver = Driver::start(&ledger, followers.collect()).unwrap();
    ledger.append(rig.events("acme", "e", 5)).unwrap();
    let system = TenantId::system();
    let begun = ledger.reader().size(&system).unwrap();
    while ledger.reader().size(&system).unwrap() == begun {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(driver.problems().len(), 0);
    ledger.close().unwrap();
    driver.stop();
    assert_heads(&rig, &directory);
    rig.assert_sound();
}

#[test]
fn a_follower_that_cannot_write_says_so_and_goes_on_later() {
    let rig = Rig::new();
    let directory = TestDirectory::new("stuck");
    fs::write(directory.join("heads"), "a file where the directory should be").unwrap();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 2)).unwrap();
    let mut follower = HeadsWriter::new(&context(&rig, &directory));
    let mut cursor = None;
    assert!(catch_up(&mut follower, &*rig.store, &mut cursor).is_err());
    fs::remove_file(directory.join("heads")).unwrap();
    catch_up(&mut follower, &*rig.store, &mut cursor).unwrap();
    assert_heads(&rig, &directory);
    rig.assert_sound();
}
