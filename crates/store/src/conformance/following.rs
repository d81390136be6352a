//! Cases: the stream of changes, from any cursor, beside writers.

use std::sync::Arc;
use std::thread;

use ledgerstone_proof::{Kind, TenantId};

use super::Harness;
use super::builder::{ChainBuilder, tenant};
use super::oracle::{assert_gapless, assert_holds, follow, follow_wanted};
use crate::contract::{Cursor, LedgerStore, Wanted};

/// Whatever the limit, the changes are every record once, per ledger in order.
pub fn changes_give_every_record_once(harness: &dyn Harness) {
    /// Records of the largest batch here: a store may end a page with a whole batch.
    const LARGEST: usize = 13;
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let tenants = [tenant("a"), tenant("b"), TenantId::system()];
    for round in 0..12 {
        let batch = chain.batch().events(&tenants[round % 3], 1 + round);
        store.append(&batch.event(&tenants[(round + 1) % 3]).build()).unwrap();
    }
    for limit in [1, 2, 5, 13, 1_000, usize::MAX] {
        let (seen, _) = follow(&*store, &Cursor::default(), limit);
        assert_gapless(&seen, &chain);
        let first =
            store.changes(&Cursor::default(), limit, Wanted::Everything).unwrap().records.len();
        assert!(
            first < limit.saturating_add(LARGEST),
            "{first} records though the limit is {limit}"
        );
    }
    harness.stop(store);
}

/// A follower that saves its cursor sees what came later, and only that.
pub fn a_saved_cursor_goes_on_where_it_stood(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    let mut cursor = Cursor::default();
    let mut seen = Vec::new();
    for count in [4, 1, 9, 2] {
        store.append(&chain.batch().events(&acme, count).build()).unwrap();
        let (records, next) = follow(&*store, &cursor, 3);
        assert_eq!(records.len(), count, "changes since the saved cursor");
        seen.extend(records);
        cursor = next;
    }
    assert_gapless(&seen, &chain);
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// Whatever a follower does not want is left out, and nothing else, at any limit.
pub fn changes_leave_out_what_is_not_wanted(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let tenants = [tenant("a"), tenant("b"), TenantId::system()];
    for round in 0..30 {
        let batch = chain.batch().events(&tenants[round % 2], 1 + round % 9);
        let batch = if round % 4 == 0 { batch.system(&tenants[round % 3]) } else { batch };
        let batch = if round % 5 == 0 { batch.audit(&tenants[1]) } else { batch };
        store.append(&batch.build()).unwrap();
    }
    let (all, end) = follow(&*store, &Cursor::default(), 1_000);
    for limit in [1, 7, 1_000] {
        let wishes = [Kind::Event, Kind::Audit, Kind::System].map(Wanted::Kind);
        for wanted in wishes.into_iter().chain([Wanted::Everything]) {
            let expected: Vec<_> = all.iter().filter(|one| wanted.has(one.kind)).cloned().collect();
            assert!(!expected.is_empty());
            let (seen, at) = follow_wanted(&*store, &Cursor::default(), limit, wanted);
            assert_eq!(seen, expected, "{wanted:?}, limit {limit}");
            assert_eq!(at, end, "{wanted:?} ends where everything ends");
        }
    }
    harness.stop(store);
}

/// Several writers and a reader at the same time: no gap, nothing twice.
pub fn a_tailing_reader_misses_nothing(harness: &dyn Harness) {
    const WRITERS: usize = 3;
    const ROUNDS: usize = 60;
    let store = harness.open();
    let chains = thread::scope(|scope| {
        let reader = scope.spawn({
            let store = Arc::clone(&store);
            move || tail(&*store, WRITERS * ROUNDS * 2)
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                scope.spawn(move || write_alone(&*store, writer, ROUNDS))
            })
            .collect();
        let chains: Vec<ChainBuilder> =
            writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        let seen = reader.join().unwrap();
        for chain in &chains {
            let own = |record: &&_| is_of(chain, record);
            let own: Vec<_> = seen.iter().filter(own).cloned().collect();
            assert_gapless(&own, chain);
        }
        assert_eq!(seen.len(), WRITERS * ROUNDS * 2, "changes of all writers");
        chains
    });
    let total: u64 = chains.iter().map(ChainBuilder::record_count).sum();
    assert_eq!(store.status().records, total);
    harness.stop(store);
}

fn is_of(chain: &ChainBuilder, record: &crate::record::StoredRecord) -> bool {
    chain.tenants().any(|tenant| *tenant == record.tenant)
}

/// Appends to two ledgers that nobody else writes to.
fn write_alone(store: &dyn LedgerStore, writer: usize, rounds: usize) -> ChainBuilder {
    let mut chain = ChainBuilder::new();
    let (left, right) = (tenant(&format!("w{writer}-l")), tenant(&format!("w{writer}-r")));
    for round in 0..rounds {
        let batch = chain.batch().event(&left).event(&right);
        let batch = if round % 7 == 0 { batch.checkpoint(&left, false) } else { batch };
        store.append(&batch.build()).unwrap();
    }
    chain
}

fn tail(store: &dyn LedgerStore, until: usize) -> Vec<crate::record::StoredRecord> {
    let mut cursor = Cursor::default();
    let mut seen = Vec::new();
    while seen.len() < until {
        let changes = store.changes(&cursor, 16, Wanted::Everything).unwrap();
        if changes.next == cursor {
            assert!(changes.records.is_empty(), "records though the cursor stands still");
            thread::yield_now();
        }
        seen.extend(changes.records);
        cursor = changes.next;
    }
    seen
}
