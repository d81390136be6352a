//! A clock that jumps: the store takes the times that it is given and needs its own only for age.

use std::sync::Arc;
use std::time::Duration;

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode};
use ledgerstone_testkit::{MockClock, SeededEntropy};

use crate::place::{Place, options};

#[test]
fn a_day_back_and_forth_changes_nothing_that_is_recorded() {
    let mut place = Place::new("clock", 7);
    drop(place.create());
    // The records of these tests are from 2026, so this is neither before nor after all of them.
    let clock = Arc::new(MockClock::at(1_767_225_600_000_000));
    let entropy = Arc::new(SeededEntropy::new(7));
    let open = |place: &Place| {
        let files = Files::new();
        let data = place.data();
        EmbeddedStore::open(&data, Mode::Write, options(), files, clock.clone(), entropy.clone())
            .unwrap()
    };
    let day = Duration::from_hours(24);
    let store = open(&place);
    place.write(&store, 4);
    clock.jump_back(day);
    place.write(&store, 6);
    assert_holds(&store, &place.chain);
    drop(store);
    clock.jump_back(day);
    let store = open(&place);
    assert_holds(&store, &place.chain);
    place.write(&store, 6);
    assert!(!store.report().findings.iter().any(|_| true));
    store.close().unwrap();
    drop(store);
    clock.advance(day * 3);
    let store = open(&place);
    place.write(&store, 6);
    assert_holds(&store, &place.chain);
}

/// A log file is closed by age, but a clock that stands before its first record never closes it.
#[test]
fn only_time_that_has_passed_closes_a_log() {
    let mut place = Place::new("age", 7);
    drop(place.create());
    let clock = Arc::new(MockClock::at(1_767_225_600_000_000));
    let entropy = Arc::new(SeededEntropy::new(7));
    let data = place.data();
    let store =
        EmbeddedStore::open(&data, Mode::Write, options(), Files::new(), clock.clone(), entropy)
            .unwrap();
    place.write(&store, 1);
    clock.jump_back(Duration::from_hours(48));
    place.write(&store, 1);
    assert_eq!(store.status().sealed_segments + store.status().unsealed_logs, 1);
    clock.advance(Duration::from_hours(96));
    place.write(&store, 1);
    store.wait_until_sealed();
    assert_eq!(store.status().sealed_segments, 1);
    assert_holds(&store, &place.chain);
}

#[test]
fn a_restart_makes_a_log_no_younger() {
    let mut place = Place::new("age-restart", 7);
    drop(place.create());
    let clock = Arc::new(MockClock::at(1_767_225_600_000_000));
    let entropy = Arc::new(SeededEntropy::new(7));
    let open = |place: &Place| {
        let (files, clock, entropy) = (Files::new(), clock.clone(), entropy.clone());
        EmbeddedStore::open(&place.data(), Mode::Write, options(), files, clock, entropy).unwrap()
    };
    let store = open(&place);
    place.write(&store, 1);
    store.close().unwrap();
    drop(store);
    // After the last of the records, whenever in that year they were made.
    clock.advance(Duration::from_hours(24 * 366));
    let store = open(&place);
    place.write(&store, 1);
    store.wait_until_sealed();
    assert_eq!(store.status().sealed_segments, 1);
    assert_holds(&store, &place.chain);
}
