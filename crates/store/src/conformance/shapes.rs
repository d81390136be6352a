//! Cases: large, many, long and oddly named.

use ledgerstone_proof::TenantId;

use super::Harness;
use super::builder::{ChainBuilder, source, stored_id, tenant};
use super::oracle::assert_holds;
use super::random::Random;

const MEBIBYTE: usize = 1 << 20;

/// Contents of a mebibyte, that compress well and not at all, one and several in a batch.
pub fn a_content_of_one_mebibyte(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    let mut random = Random::new(1);
    let hard = random.text(MEBIBYTE);
    let easy = "a".repeat(MEBIBYTE);
    store.append(&chain.batch().event_saying(&acme, &hard).build()).unwrap();
    let batch = chain.batch().event(&acme).event_saying(&acme, &easy);
    let batch = batch.event_saying(&tenant("other"), &hard).event_saying(&acme, &hard);
    store.append(&batch.event(&tenant("other")).build()).unwrap();
    assert_holds(&*store, &chain);
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// Ten thousand ledgers with one record each, in a few batches.
pub fn ten_thousand_ledgers_of_one_record(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    for thousand in 0..10 {
        let mut batch = chain.batch();
        for n in 0..1_000 {
            batch = batch.event(&tenant(&format!("t{}", thousand * 1_000 + n)));
        }
        store.append(&batch.build()).unwrap();
    }
    assert_eq!(store.ledgers().unwrap().len(), 10_000);
    assert_holds(&*store, &chain);
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// A ledger of some thousand records, most of them far from the store's end when it is read.
pub fn a_long_ledger_among_short_ones(harness: &dyn Harness) {
    let (store, mut chain, long) = (harness.open(), ChainBuilder::new(), tenant("long"));
    for round in 0..60 {
        let batch = chain.batch().events(&long, 100).event(&tenant(&format!("short{round}")));
        store.append(&batch.build()).unwrap();
    }
    assert_holds(&*store, &chain);
    harness.stop(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// The longest and shortest names, names that differ in one character, and the server's own.
pub fn odd_names(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let longest = "z".repeat(63);
    let tenants = ["0", "-x-_", "a", "a-", "a_", "aa", "con", &longest];
    let tenants = tenants.iter().filter_map(|name| TenantId::parse(name).ok());
    let long_id = ":".repeat(128);
    let longer_by_one = format!("{}.", ":".repeat(127));
    let ids =
        ["0", "-", ".", "..", ":", "a", "A", "a.", "_7", "_0", "_a", "1e400", "null", "e-1_2:3.4"];
    for name in tenants.chain([TenantId::system()]) {
        let mut batch = chain.batch();
        for id in ids.iter().copied().chain([long_id.as_str(), &longer_by_one]) {
            batch = batch.event_with_id(&name, &stored_id(id));
        }
        store.append(&batch.build()).unwrap();
        assert_eq!(store.find(&name, &stored_id("b")).unwrap(), None);
        assert_eq!(store.find(&name, &stored_id(&":".repeat(127))).unwrap(), None);
    }
    let names =
        chain.batch().position(&source(&"s".repeat(255)), 1).position(&source("\u{e9}/0"), 2);
    store.append(&names.position(&source("s"), 3).build()).unwrap();
    assert_holds(&*store, &chain);
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}
