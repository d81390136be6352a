//! Cases: compare-and-swap of heads and positions.

use std::sync::Arc;
use std::thread;

use ledgerstone_proof::Hash;

use super::Harness;
use super::builder::{ChainBuilder, source, tenant};
use super::oracle::{assert_holds, follow};
use crate::batch::{Batch, ExpectedHead, PositionMove, SourcePosition};
use crate::contract::{Cursor, LedgerStore};
use crate::error::{AppendError, Moved};

/// A head that is too old, too new, of another history, or missing is a conflict that names it.
pub fn a_stale_head_is_a_conflict(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&chain.batch().events(&acme, 3).build()).unwrap();
    let stale = chain.clone().batch().event(&acme).build();
    store.append(&chain.batch().event(&acme).build()).unwrap();
    let ahead = {
        let mut ahead = chain.clone();
        drop(ahead.batch().event(&acme).build());
        ahead.batch().event(&acme).build()
    };
    let another_history = {
        let mut batch = chain.clone().batch().event(&acme).build();
        let expected = ExpectedHead { size: 4, record_hash: Hash::from_bytes([7; 32]) };
        batch.ledgers[0].expected = expected;
        batch
    };
    let fresh = ChainBuilder::new().batch().event(&acme).build();
    let unknown = {
        let mut other = ChainBuilder::new();
        drop(other.batch().event(&tenant("nobody")).build());
        other.batch().event(&tenant("nobody")).build()
    };
    for batch in [stale, ahead, another_history, fresh] {
        assert_eq!(conflict(&*store, &batch), Moved::Head(acme.clone()));
    }
    assert_eq!(conflict(&*store, &unknown), Moved::Head(tenant("nobody")));
    assert_holds(&*store, &chain);
    store.append(&chain.batch().event(&acme).build()).unwrap();
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// One stale head among many ledgers, or one stale position, and nothing of the batch is there,
/// nor after a restart.
pub fn a_conflict_writes_nothing(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let (acme, other, fresh) = (tenant("acme"), tenant("other"), tenant("fresh"));
    let topic = source("topic/0");
    let first = chain.batch().events(&acme, 2).events(&other, 2).position(&topic, 10);
    store.append(&first.build()).unwrap();
    let mut behind = chain.clone();
    store.append(&chain.batch().event(&other).position(&topic, 20).build()).unwrap();

    let mut also_behind = behind.clone();
    let stale_head = also_behind.batch().event(&fresh).event(&acme).event(&other);
    let stale_head = stale_head.checkpoint(&acme, true).position(&source("new"), 5).build();
    let stale_position = behind.batch().event(&fresh).event(&acme).checkpoint(&acme, true);
    let stale_position = stale_position.position(&topic, 15).build();
    assert_eq!(conflict(&*store, &stale_head), Moved::Head(other.clone()));
    assert_eq!(conflict(&*store, &stale_position), Moved::Position(topic));

    assert_eq!(store.position(&source("new")).unwrap(), None);
    assert_eq!(store.head(&fresh).unwrap(), None);
    assert_holds(&*store, &chain);
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    store.append(&chain.batch().event(&fresh).event(&other).build()).unwrap();
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// Positions move in the commit of their records, and alone when a page held nothing new.
pub fn a_position_moves_with_its_records(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    let (zero, one) = (source("topic/0"), source("topic/1"));
    store.append(&chain.batch().event(&acme).position(&zero, 1).build()).unwrap();
    store.append(&chain.batch().position(&zero, 2).position(&one, 7).build()).unwrap();
    assert_holds(&*store, &chain);
    store.append(&chain.batch().event(&acme).position(&one, u64::MAX).build()).unwrap();
    // A counter that only its source understands may go down, if the source says so.
    store.append(&chain.batch().position(&zero, 0).build()).unwrap();
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    assert_eq!(store.position(&zero).unwrap(), Some(SourcePosition(0)));
    harness.stop(store);
}

/// A consumer that was declared dead comes back with the position it remembers.
pub fn a_zombie_cannot_move_a_position_back(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    let topic = source("topic/0");
    let first_claim = chain.clone().batch().position(&topic, 3).build();
    store.append(&chain.batch().event(&acme).position(&topic, 5).build()).unwrap();
    assert_eq!(conflict(&*store, &first_claim), Moved::Position(topic.clone()));

    let mut zombie = chain.clone();
    store.append(&chain.batch().event(&acme).position(&topic, 9).build()).unwrap();
    let back = zombie.batch().event(&tenant("zombie")).position(&topic, 6).build();
    assert_eq!(conflict(&*store, &back), Moved::Position(topic.clone()));
    let never_seen = PositionMove {
        source: source("topic/1"),
        expected: Some(SourcePosition(4)),
        next: SourcePosition(5),
    };
    let never_seen = Batch { positions: vec![never_seen], ..Batch::default() };
    assert_eq!(conflict(&*store, &never_seen), Moved::Position(source("topic/1")));
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// Writers that race for one ledger: each append that succeeds is there, in its place, once.
pub fn of_many_writers_one_wins_each_time(harness: &dyn Harness) {
    const WRITERS: usize = 4;
    const EACH: usize = 25;
    let store = harness.open();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = Arc::clone(&store);
            scope.spawn(move || append_in_a_race(&*store, writer, EACH));
        }
    });
    let head = store.head(&tenant("race")).unwrap().unwrap();
    assert_eq!(head.size(), (WRITERS * EACH) as u64);
    let (changes, _) = follow(&*store, &Cursor::default(), 10);
    for (number, record) in changes.iter().enumerate() {
        assert_eq!(record.sequence_number.value(), number as u64);
    }
    for pair in changes.windows(2) {
        let hash = ledgerstone_proof::record_hash(&pair[0].header_bytes());
        assert_eq!(pair[1].previous_hash, hash, "the chain at {}", pair[1].sequence_number);
    }
    harness.stop(store);
}

fn append_in_a_race(store: &dyn LedgerStore, writer: usize, times: usize) {
    let race = tenant("race");
    for round in 0..times {
        let id = super::builder::stored_id(&format!("w{writer}-{round}"));
        loop {
            let mut chain = ChainBuilder::continuing(store, &race);
            match store.append(&chain.batch().event_with_id(&race, &id).build()) {
                Ok(()) => break,
                Err(AppendError::Conflict { .. }) => thread::yield_now(),
                Err(error) => panic!("writer {writer}: {error}"),
            }
        }
        assert!(store.find(&race, &id).unwrap().is_some(), "{id} is not there after its append");
    }
}

/// Appends a batch that must conflict, and says what had moved.
fn conflict(store: &dyn LedgerStore, batch: &Batch) -> Moved {
    match store.append(batch) {
        Err(AppendError::Conflict { what }) => what,
        other => panic!("not a conflict: {other:?}"),
    }
}
