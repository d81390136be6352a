//! `HEAD`: one bad block is named and healed, two make the store read-only, and an idle minute is
//! enough for it to cover everything.

use std::path::Path;
use std::time::Duration;

use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{Mode, Options};
use ledgerstone_store::{Check, LedgerStore};

use crate::observed::Observed;
use crate::place::{Place, options, wait_for};
use crate::torn::assert_writes_are_refused;

const BLOCK: usize = 4096;

#[test]
fn one_bad_block_is_named_and_healed() {
    for original in [Place::crashed("one-block"), Place::stopped("one-block-stopped")] {
        for block in 0..2 {
            for at in [0, 9, 60, 200, 511, 4095] {
                let mut place = original.copy("bad-block");
                place.change("HEAD", |bytes| bytes[block * BLOCK + at] ^= 4);
                let observed = Observed::of(&place);
                assert_eq!(observed.records, place.chain.record_count());
                let finding = observed.finding(Check::Head);
                assert_eq!(finding.location.file, Path::new("HEAD"));
                assert_eq!(finding.location.offset as usize / BLOCK, block);
                let store = place.open(Mode::Write).unwrap();
                assert_eq!(store.report().findings.len(), 1);
                assert_eq!(store.report().read_only, None);
                assert_eq!(store.parts().unwrap().1, [], "healed by opening");
                drop(store);
                assert!(Observed::of(&place).is_clean());
                place.assert_sound_and_goes_on();
            }
        }
    }
}

#[test]
fn two_bad_blocks_make_the_store_read_only() {
    let place = Place::stopped("two-blocks");
    place.change("HEAD", |bytes| {
        bytes[100] ^= 1;
        bytes[BLOCK + 100] ^= 1;
    });
    assert_read_only_for_head(&place);
    place.write_file("HEAD", &[]);
    assert_read_only_for_head(&place);
    std::fs::remove_file(place.path("HEAD")).unwrap();
    assert_read_only_for_head(&place);
}

fn assert_read_only_for_head(place: &Place) {
    let observed = Observed::of(place);
    assert_eq!(observed.findings.len(), 2);
    assert!(observed.findings.iter().all(|found| found.check == Check::Head));
    let store = place.open(Mode::Write).unwrap();
    assert!(store.report().read_only.as_ref().unwrap().contains("HEAD"));
    assert_writes_are_refused(&store, &place.chain);
    // What is there can be read: only its end is not vouched for.
    assert_eq!(store.status().records, place.chain.record_count());
}

#[test]
fn bytes_behind_the_blocks_are_named_and_removed() {
    let mut place = Place::stopped("longer-head");
    place.change("HEAD", |bytes| bytes.push(1));
    let observed = Observed::of(&place);
    let finding = observed.finding(Check::Head);
    assert_eq!(
        (finding.location.file.as_path(), finding.location.offset),
        (Path::new("HEAD"), 8192)
    );
    drop(place.open(Mode::Write).unwrap());
    assert!(Observed::of(&place).is_clean());
    place.assert_sound_and_goes_on();
}

/// Another store's `HEAD`, signed by another store's key.
#[test]
fn a_foreign_head_is_not_believed() {
    let place = Place::stopped("own-head");
    let mut foreign = Place::new("foreign-head", 8);
    let store = foreign.create();
    foreign.write(&store, 3);
    store.close().unwrap();
    place.write_file("HEAD", &foreign.read_file("HEAD"));
    assert_read_only_for_head(&place);
}

/// Whenever the newest block is lost, the other one must do: sealing writes both before the log
/// that a segment replaces goes away.
#[test]
fn the_older_block_always_serves() {
    for batches in 0..24 {
        let mut place = Place::new("older-block", 7);
        let store = place.create();
        place.write(&store, batches);
        store.wait_until_sealed();
        // The death of the process: the sealer ends what it has begun.
        drop(store);
        place.change("HEAD", |bytes| {
            let newest = usize::from(counter(&bytes[BLOCK..]) > counter(bytes));
            bytes[newest * BLOCK + 50] ^= 1;
        });
        let reader = place.open(Mode::Read).unwrap();
        assert_eq!(reader.report().read_only, None, "{batches} batches: {:?}", reader.report());
        drop(reader);
        place.assert_sound_and_goes_on();
    }
}

fn counter(block: &[u8]) -> u64 {
    u64::from_le_bytes(block[28..36].try_into().unwrap())
}

/// Nothing more arrives; `HEAD` comes to the end of the log by itself, so that a cut shows.
#[test]
fn after_an_idle_moment_head_is_at_the_end_of_the_log() {
    let mut place = Place::new("idle", 7);
    let options = Options { head_interval: Duration::from_millis(20), ..options() };
    let store = place.create_with(options, Files::new());
    place.fill(&store, 2);
    place.write(&store, 3);
    let (log, borders) = place.last_log();
    let [.., last, end] = borders[..] else { panic!("no frame") };
    wait_for("HEAD to rest at the end of the log", || {
        let head = place.read_file("HEAD");
        std::thread::sleep(Duration::from_millis(80));
        let newest = if counter(&head) > counter(&head[BLOCK..]) { 0 } else { BLOCK };
        let covered = u64::from_le_bytes(head[newest + 53..newest + 61].try_into().unwrap());
        covered == end as u64 && place.read_file("HEAD") == head
    });
    drop(store);
    assert_holds(&place.open(Mode::Read).unwrap(), &place.chain);
    // The last frame can now not be taken for a torn one, nor be cut unseen.
    place.change(&log, |bytes| bytes[last..end].fill(0));
    assert_eq!(Observed::of(&place).finding(Check::Truncated).location.file, log);
}
