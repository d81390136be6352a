//! Cases: what a restart finds, after a clean stop and after a crash.

use super::Harness;
use super::builder::{ChainBuilder, source, tenant};
use super::oracle::{assert_gapless, assert_holds, follow};
use crate::contract::Cursor;
use crate::record::KeyGeneration;

/// A store that was stopped holds what it held.
pub fn a_clean_stop_keeps_everything(harness: &dyn Harness) {
    let mut chain = ChainBuilder::new();
    let store = harness.open();
    fill(&*store, &mut chain);
    harness.stop(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// A store whose process died holds every acknowledged batch.
pub fn a_crash_keeps_everything(harness: &dyn Harness) {
    let mut chain = ChainBuilder::new();
    let store = harness.open();
    fill(&*store, &mut chain);
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}

/// Chains go on across restarts of both kinds, also across an open that wrote nothing.
pub fn appending_goes_on_after_many_restarts(harness: &dyn Harness) {
    let (mut chain, acme) = (ChainBuilder::new(), tenant("acme"));
    for round in 0..12 {
        let store = harness.open();
        assert_holds(&*store, &chain);
        if round % 4 != 3 {
            let batch =
                chain.batch().events(&acme, 1 + round % 3).event(&tenant(&format!("t{round}")));
            store.append(&batch.position(&source("topic/0"), round as u64).build()).unwrap();
        }
        if round % 2 == 0 {
            harness.crash(store);
        } else {
            harness.stop(store);
        }
    }
    assert_holds(&*harness.open(), &chain);
}

/// A follower's cursor, saved by one process, is good in the next.
pub fn a_cursor_outlives_the_process(harness: &dyn Harness) {
    let (mut chain, acme) = (ChainBuilder::new(), tenant("acme"));
    let mut cursor = Cursor::default();
    let mut seen = Vec::new();
    for round in 0..6 {
        let store = harness.open();
        store.append(&chain.batch().events(&acme, 3).build()).unwrap();
        let (records, next) = follow(&*store, &cursor, 2);
        seen.extend(records);
        cursor = next;
        store.append(&chain.batch().event(&acme).event(&tenant("other")).build()).unwrap();
        if round % 2 == 0 {
            harness.crash(store);
        } else {
            harness.stop(store);
        }
    }
    let store = harness.open();
    seen.extend(follow(&*store, &cursor, 100).0);
    assert_gapless(&seen, &chain);
    harness.stop(store);
}

/// The newest key generation that any batch relied on is known again after a restart.
pub fn the_key_generation_is_kept(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&chain.batch().event(&acme).build()).unwrap();
    assert_holds(&*store, &chain);
    for generation in [1, 2, 9] {
        let batch = chain.batch().event(&acme).key_generation(KeyGeneration(generation));
        store.append(&batch.build()).unwrap();
        assert_eq!(store.status().key_generation, KeyGeneration(generation));
    }
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

fn fill(store: &dyn crate::contract::LedgerStore, chain: &mut ChainBuilder) {
    for round in 0..40 {
        let batch = chain.batch().events(&tenant("acme"), 1 + round % 5);
        let batch = batch.event(&tenant(&format!("t{}", round % 6)));
        let batch =
            if round % 8 == 1 { batch.checkpoint(&tenant("acme"), round % 16 == 1) } else { batch };
        store.append(&batch.position(&source("topic/0"), round as u64).build()).unwrap();
    }
}
