//! The memory store passes the conformance suite and the fault table; and both find broken stores.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_proof::Hash;
use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::fault_table::RowOutcome;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::conformance::{
    AppendFault, CASES, ChainBuilder, FaultHarness, FaultyStore, MemoryHarness, PlannedFault,
    run_fault_table,
};
use ledgerstone_store::memory::{Commit, MemoryStore};

ledgerstone_store::conformance_suite!(MemoryHarness::new);

#[test]
fn the_table_of_cases_names_each_case_once() {
    let mut names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    assert!(names.contains(&"a_crash_keeps_everything"));
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// Appends of a memory store fail; which fault stands for which column is the test's choice.
struct MemoryFaults {
    place: MemoryStore,
    not_applied: AppendFault,
    applied: AppendFault,
    /// Set when the opened store sees its fault.
    store: std::sync::Mutex<Option<Arc<FaultyStore<MemoryStore>>>>,
    fired: AtomicBool,
}

impl MemoryFaults {
    fn new(not_applied: AppendFault, applied: AppendFault) -> Self {
        Self {
            place: MemoryStore::new(),
            not_applied,
            applied,
            store: std::sync::Mutex::default(),
            fired: AtomicBool::new(false),
        }
    }

    fn open(&self, fault: Option<PlannedFault>) -> Arc<dyn LedgerStore> {
        let store = Arc::new(FaultyStore::new(self.place.reopen()));
        if let Some(fault) = fault {
            let kind = if fault.applied { self.applied } else { self.not_applied };
            store.fail_append(fault.index, kind);
        }
        *self.store.lock().unwrap() = Some(Arc::clone(&store));
        store
    }
}

impl FaultHarness for MemoryFaults {
    fn open_with_fault(&self, fault: PlannedFault) -> Result<Arc<dyn LedgerStore>, String> {
        Ok(self.open(Some(fault)))
    }

    fn fired(&self) -> bool {
        let now = self.store.lock().unwrap().as_ref().is_some_and(|store| store.fired() > 0);
        self.fired.fetch_or(now, Ordering::Relaxed) || now
    }

    fn stop(&self, store: Arc<dyn LedgerStore>) {
        drop(store);
    }

    fn crash_and_open(&self, store: Option<Arc<dyn LedgerStore>>) -> Arc<dyn LedgerStore> {
        self.fired();
        drop(store);
        self.open(None)
    }
}

fn outcomes(not_applied: AppendFault, applied: AppendFault) -> Vec<RowOutcome> {
    let rows = run_fault_table(|| MemoryFaults::new(not_applied, applied));
    // Eight appends, two columns: a table that ends early would prove nothing.
    assert_eq!(rows.len(), 16);
    rows.into_iter().map(|(_, outcome)| outcome).collect()
}

#[test]
fn every_append_may_end_unknown() {
    let rows = outcomes(AppendFault::UnknownNotApplied, AppendFault::UnknownApplied);
    assert!(rows.iter().all(|outcome| *outcome == RowOutcome::Unknown));
}

#[test]
fn every_append_may_be_refused() {
    let rows = outcomes(AppendFault::Unavailable, AppendFault::Conflict);
    assert!(rows.iter().all(|outcome| *outcome == RowOutcome::Unavailable));
}

#[test]
#[should_panic(expected = "the heads are not those that were acknowledged")]
fn the_table_finds_a_store_that_writes_what_it_refused() {
    outcomes(AppendFault::Unavailable, AppendFault::LyingUnavailable);
}

#[test]
#[should_panic(expected = "the heads are not those that were acknowledged")]
fn the_table_finds_a_store_that_loses_what_it_acknowledged() {
    outcomes(AppendFault::LyingOk, AppendFault::UnknownApplied);
}

/// A store of two batches, changed by hand, before the oracle.
fn judge_tampered(change: impl FnOnce(&mut Vec<Commit>)) {
    let (store, mut chain) = (MemoryStore::new(), ChainBuilder::new());
    for _ in 0..2 {
        store.append(&chain.batch().events(&tenant("acme"), 5).build()).unwrap();
    }
    store.tamper(change);
    assert_holds(&store, &chain);
}

#[test]
#[should_panic(expected = "another content")]
fn the_oracle_finds_a_dropped_content() {
    judge_tampered(|commits| commits[0].runs[0].records[3].content = None);
}

#[test]
#[should_panic(expected = "does not have its content hash")]
fn a_changed_content_is_not_read() {
    judge_tampered(|commits| commits[1].runs[0].records[3].content = Some(b"{}".to_vec()));
}

#[test]
#[should_panic(expected = "it is missing")]
fn a_record_that_was_taken_out_is_not_read() {
    judge_tampered(|commits| drop(commits[0].runs[0].records.pop()));
}

#[test]
#[should_panic(expected = "the claimed frontier")]
fn the_oracle_finds_a_changed_claim() {
    judge_tampered(|commits| commits[1].runs[0].range_before[0] = Hash::ZERO);
}

#[test]
#[should_panic(expected = "node 4 of level 1 of acme")]
fn the_oracle_finds_a_changed_leaf() {
    // The frontier of ten leaves ends with the subtree of the last two.
    judge_tampered(|commits| commits[1].runs[0].records[4].leaf_hash = Hash::ZERO);
}
