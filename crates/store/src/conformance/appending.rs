//! Cases: what is appended is what is read, whole batches only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ledgerstone_proof::{NodeAddress, SequenceNumber, SigningKey, TenantId};

use super::Harness;
use super::builder::{ChainBuilder, source, stored_id, tenant};
use super::oracle::{assert_holds, assert_same, read_all};
use crate::batch::Batch;
use crate::contract::{Cursor, LedgerStore, Wanted};
use crate::error::AppendError;

/// One ledger, some batches: every read gives what was appended.
pub fn appended_records_are_read_back(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    for count in [1, 2, 7, 1, 50] {
        store.append(&chain.batch().events(&acme, count).build()).unwrap();
        assert_eq!(store.head(&acme).unwrap(), Some(chain.head(&acme)));
    }
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// Pages of every size, from every start, end where the next begins.
pub fn every_page_size_gives_the_same_records(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    for count in [3, 1, 12, 4] {
        store.append(&chain.batch().events(&acme, count).build()).unwrap();
    }
    let records = chain.records(&acme);
    for page in [1, 2, 3, 5, 19, 20, 21, usize::MAX] {
        assert_same(&read_all(&*store, &acme, page), records, "a page");
    }
    for (at, record) in records.iter().enumerate() {
        let found = store.read(&acme, record.sequence_number, 2).unwrap();
        assert!(!found.is_empty(), "nothing from {}", record.sequence_number);
        assert_same(&found, &records[at..at + found.len()], "a page that begins anywhere");
    }
    assert!(store.read(&acme, SequenceNumber::MAX, 9).unwrap().is_empty(), "beyond the end");
    harness.stop(store);
}

/// Kinds, the server's own ids and signatures of two keys come back as they were.
pub fn kinds_and_signatures_come_back(harness: &dyn Harness) {
    let (store, acme) = (harness.open(), tenant("acme"));
    let system = TenantId::system();
    let mut chain = ChainBuilder::new();
    store.append(&chain.batch().system(&system).system(&acme).audit(&acme).build()).unwrap();
    for seed in [1, 2] {
        chain = chain.signing_with(SigningKey::from_seed([seed; 32]));
        let batch = chain.batch().events(&acme, 3).audit(&acme).system(&system).system(&acme);
        store.append(&batch.build()).unwrap();
    }
    assert_holds(&*store, &chain);
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}

/// Many ledgers gain records in one batch, old and new ones, interleaved.
pub fn a_batch_over_many_ledgers_is_written_whole(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let tenants: Vec<TenantId> = (0..40).map(|n| tenant(&format!("t{n}"))).collect();
    for round in 1..=5 {
        let mut batch = chain.batch();
        for (at, name) in tenants.iter().enumerate().take(round * 8) {
            batch = batch.events(name, 1 + (at + round) % 3);
        }
        for name in tenants.iter().take(round) {
            batch = batch.event(name);
        }
        store.append(&batch.position(&source("topic/0"), round as u64).build()).unwrap();
    }
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// A batch without anything in it is fine and leaves everything as it was.
pub fn an_empty_batch_changes_nothing(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&Batch::default()).unwrap();
    assert_holds(&*store, &chain);
    store.append(&chain.batch().events(&acme, 2).build()).unwrap();
    store.append(&Batch::default()).unwrap();
    assert_holds(&*store, &chain);
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}

/// Asking for what does not exist is answered, not refused.
pub fn a_ledger_nobody_wrote_to_is_empty(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let nobody = tenant("nobody");
    for round in 0..2 {
        assert_eq!(store.head(&nobody).unwrap(), None);
        assert_eq!(store.find(&nobody, &stored_id("e1")).unwrap(), None);
        assert!(store.read(&nobody, SequenceNumber::GENESIS, 10).unwrap().is_empty());
        assert!(store.checkpoints(&nobody).unwrap().is_empty());
        assert_eq!(store.position(&source("nowhere")).unwrap(), None);
        assert!(store.node(&nobody, NodeAddress { level: 0, index: 0 }).is_err());
        assert_holds(&*store, &chain);
        store.append(&chain.batch().events(&tenant("acme"), 1 + round).build()).unwrap();
    }
    let fresh = store.changes(&Cursor::default(), 1, Wanted::Everything).unwrap();
    assert!(!fresh.records.is_empty(), "changes after the first record");
    harness.stop(store);
}

/// Two ledgers that gain one record each in every batch are never seen apart, and a reader that
/// knows a head can read up to it.
pub fn readers_never_see_half_a_batch(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let (left, right) = (tenant("left"), tenant("right"));
    store.append(&chain.batch().event(&left).event(&right).build()).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for (first, second) in [(&left, &right), (&right, &left)] {
            let (store, done) = (Arc::clone(&store), &done);
            scope.spawn(move || watch_pair(&*store, first, second, done));
        }
        for _ in 0..200 {
            store.append(&chain.batch().event(&left).event(&right).build()).unwrap();
        }
        done.store(true, Ordering::Release);
    });
    assert_holds(&*store, &chain);
    harness.stop(store);
}

fn watch_pair(store: &dyn LedgerStore, first: &TenantId, second: &TenantId, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        let seen = store.head(first).unwrap().unwrap().size();
        let other = store.head(second).unwrap().unwrap().size();
        assert!(other >= seen, "{first} had {seen} records while {second} had {other}");
        let last = SequenceNumber::new(seen - 1).unwrap();
        let records = store.read(first, last, 1).unwrap();
        assert_eq!(records.len(), 1, "the record behind the head of {first}");
        assert_eq!(records[0].sequence_number, last);
    }
}

/// A batch that names a ledger twice, or whose head does not fit its records, is refused whole.
pub fn a_malformed_batch_is_refused(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&chain.batch().events(&acme, 3).build()).unwrap();
    let good = chain.clone().batch().events(&acme, 2).build();
    let mut twice = good.clone();
    twice.ledgers.extend(good.ledgers.clone());
    let mut short = good;
    short.ledgers[0].records.pop();
    for batch in [twice, short] {
        let answer = store.append(&batch);
        assert!(matches!(answer, Err(AppendError::Unavailable { .. })), "{answer:?}");
    }
    assert_holds(&*store, &chain);
    harness.stop(store);
}
