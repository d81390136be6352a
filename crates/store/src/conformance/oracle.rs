//! The oracle: compares everything a store can be asked with what a [`ChainBuilder`] remembers.

use std::collections::{BTreeMap, BTreeSet};

use ledgerstone_proof::{NodeAddress, SequenceNumber, TenantId};

use super::builder::{ChainBuilder, next_number, stored_id};
use super::collector::Collector;
use crate::batch::AnchoredRound;
use crate::contract::{Changes, Cursor, LedgerStore, Wanted};
use crate::record::{Head, StoredCheckpoint, StoredRecord};

/// Panics unless the store holds exactly what the chain says.
pub fn assert_holds(store: &dyn LedgerStore, chain: &ChainBuilder) {
    assert_ledgers(store, chain);
    for tenant in chain.tenants() {
        assert_ledger(store, chain, tenant);
    }
    for (source, position) in chain.positions() {
        let found = store.position(source).unwrap();
        assert_eq!(found, Some(*position), "position of source {}", source.as_str());
    }
    assert_changes(store, chain);
    assert_parts(store, chain);
    let status = store.status();
    assert_eq!(status.records, chain.record_count(), "records in the status");
    assert_eq!(status.ledgers, chain.tenants().count() as u64, "ledgers in the status");
    assert_eq!(status.key_generation, chain.key_generation(), "key generation in the status");
}

/// Whether the store holds exactly what the chain says of heads, positions and checkpoints.
pub fn heads_match(store: &dyn LedgerStore, chain: &ChainBuilder) -> bool {
    let written: BTreeSet<TenantId> = store.ledgers().unwrap().into_iter().collect();
    written.iter().eq(chain.tenants())
        && chain.tenants().all(|tenant| {
            store.head(tenant).unwrap() == Some(chain.head(tenant))
                && store.checkpoints(tenant).unwrap() == chain.checkpoints(tenant)
        })
        && chain
            .positions()
            .iter()
            .all(|(source, position)| store.position(source).unwrap() == Some(*position))
}

fn assert_ledgers(store: &dyn LedgerStore, chain: &ChainBuilder) {
    let listed = store.ledgers().unwrap();
    let set: BTreeSet<&TenantId> = listed.iter().collect();
    assert_eq!(set.len(), listed.len(), "a ledger is listed twice");
    let expected: BTreeSet<&TenantId> = chain.tenants().collect();
    assert_eq!(set, expected, "listed ledgers");
}

fn assert_ledger(store: &dyn LedgerStore, chain: &ChainBuilder, tenant: &TenantId) {
    let records = chain.records(tenant);
    assert_eq!(store.head(tenant).unwrap(), Some(chain.head(tenant)), "head of {tenant}");
    assert_same(&read_all(store, tenant, 1_000), records, "records read");
    for record in records {
        let found = store.find(tenant, &record.event_id).unwrap();
        assert_eq!(found, Some(record.sequence_number), "id {} of {tenant}", record.event_id);
    }
    let absent = stored_id("an-id-that-no-test-uses");
    assert_eq!(store.find(tenant, &absent).unwrap(), None, "an id that was never appended");
    assert_eq!(store.checkpoints(tenant).unwrap(), chain.checkpoints(tenant), "checkpoints");
    assert_frontier(store, &chain.head(tenant), tenant);
}

/// The frontier's nodes, asked for one by one, are those of the head.
fn assert_frontier(store: &dyn LedgerStore, head: &Head, tenant: &TenantId) {
    let size = head.size();
    let levels = (0..64_u8).rev().filter(|level| size >> level & 1 == 1);
    for (level, hash) in levels.zip(head.range.hashes()) {
        let index = (size >> level) - 1;
        let found = store.node(tenant, NodeAddress { level, index }).unwrap();
        assert_eq!(found, *hash, "node {index} of level {level} of {tenant}");
    }
}

/// Reads a whole ledger in pages.
pub fn read_all(store: &dyn LedgerStore, tenant: &TenantId, page: usize) -> Vec<StoredRecord> {
    let mut records: Vec<StoredRecord> = Vec::new();
    let size = store.head(tenant).unwrap().map_or(0, |head| head.size());
    while (records.len() as u64) < size {
        let from = SequenceNumber::new(records.len() as u64).unwrap();
        let found = store.read(tenant, from, page).unwrap();
        assert!(!found.is_empty(), "{tenant}: nothing from {from} though the size is {size}");
        assert!(found.len() <= page, "{tenant}: more than {page} records in a page");
        records.extend(found);
    }
    let head = store.head(tenant).unwrap().unwrap_or_else(Head::empty);
    let beyond = store.read(tenant, next_number(&head), page).unwrap();
    assert!(beyond.is_empty(), "{tenant}: records beyond the end");
    records
}

/// Follows the changes from a cursor until nothing is new.
pub fn follow(store: &dyn LedgerStore, from: &Cursor, limit: usize) -> (Vec<StoredRecord>, Cursor) {
    follow_wanted(store, from, limit, Wanted::Everything)
}

/// The same, with what is wanted of them.
pub fn follow_wanted(
    store: &dyn LedgerStore,
    from: &Cursor,
    limit: usize,
    wanted: Wanted,
) -> (Vec<StoredRecord>, Cursor) {
    let mut cursor = from.clone();
    let mut seen = Vec::new();
    loop {
        let Changes { records, next } = store.changes(&cursor, limit, wanted).unwrap();
        seen.extend(records);
        if next == cursor {
            return (seen, cursor);
        }
        cursor = next;
    }
}

fn assert_changes(store: &dyn LedgerStore, chain: &ChainBuilder) {
    let (seen, end) = follow(store, &Cursor::default(), 1_000);
    assert_gapless(&seen, chain);
    let after = store.changes(&end, 1_000, Wanted::Everything).unwrap();
    assert!(after.records.is_empty(), "changes after the last");
    assert_eq!(after.next, end, "the cursor moves though nothing is new");
}

/// Panics unless these changes hold every record of every ledger once and in order.
pub fn assert_gapless(seen: &[StoredRecord], chain: &ChainBuilder) {
    let mut ledgers: BTreeMap<&TenantId, Vec<&StoredRecord>> = BTreeMap::new();
    for record in seen {
        ledgers.entry(&record.tenant).or_default().push(record);
    }
    assert!(ledgers.keys().copied().eq(chain.tenants()), "ledgers among the changes");
    for (tenant, changes) in ledgers {
        let records = chain.records(tenant);
        assert_eq!(changes.len(), records.len(), "number of changes of {tenant}");
        for (change, record) in changes.into_iter().zip(records) {
            assert_record(change, record, "a change");
        }
    }
}

fn assert_parts(store: &dyn LedgerStore, chain: &ChainBuilder) {
    let (parts, findings) = store.parts().unwrap();
    assert!(findings.is_empty(), "findings in a sound store: {findings:?}");
    let mut collector = Collector::new(chain);
    let mut checkpoints: Vec<StoredCheckpoint> = Vec::new();
    let mut anchored: Vec<AnchoredRound> = Vec::new();
    for part in &parts {
        assert_eq!(part.superseded, [], "what else holds the records of part {}", part.id);
        let before = collector.records_seen();
        collector.begin_part();
        store.inspect(part, &mut collector).unwrap();
        let shown = collector.records_seen() - before;
        assert_eq!(shown, part.records, "records in part {}", part.id);
        checkpoints.extend(part.contents.checkpoints.iter().cloned());
        anchored.extend(part.contents.anchored.iter().cloned());
    }
    collector.assert_complete();
    for tenant in chain.tenants() {
        for kept in chain.checkpoints(tenant) {
            let times = checkpoints.iter().filter(|shown| *shown == kept).count();
            assert_eq!(times, 1, "parts that hold the checkpoint {tenant} {}", kept.size);
        }
    }
    anchored.sort_by_key(|round| round.anchor);
    assert_eq!(anchored, chain.anchored(), "anchored rounds in the parts");
}

/// Panics unless both hold the same records; names the first that differs.
pub fn assert_same(found: &[StoredRecord], expected: &[StoredRecord], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of records");
    for (found, expected) in found.iter().zip(expected) {
        assert_record(found, expected, what);
    }
}

// Not `assert_eq!` on whole records: a difference in one of a mebibyte would fill the screen.
fn assert_record(found: &StoredRecord, expected: &StoredRecord, what: &str) {
    let place = format!("{what}: {} {}", expected.tenant, expected.sequence_number);
    let without = |record: &StoredRecord| StoredRecord { content: None, ..record.clone() };
    assert_eq!(without(found), without(expected), "{place}");
    assert!(found.content == expected.content, "{place}: another content");
}
