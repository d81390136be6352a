//! The fault table: every write × {not applied, applied but error returned} × restart.
//!
//! For each row a fixed sequence of batches is appended to a fresh place in which exactly one
//! write fails. Then the process dies, the place is opened again without faults, and the oracle
//! decides: every acknowledged batch is there whole, a batch that ended `Unknown` is there whole or
//! not at all, nothing else is there, and the ledgers can be continued.

use std::sync::Arc;

use ledgerstone_proof::TenantId;

use super::builder::{ChainBuilder, source, tenant};
use super::oracle::{assert_holds, heads_match};
use crate::batch::Batch;
use crate::contract::LedgerStore;
use crate::error::AppendError;

/// Batches in one row; the fixed sequence grows ledgers, positions and checkpoints.
const BATCHES: usize = 8;
/// A table longer than this means that faults are not counted, not that a store writes so much.
const MOST_WRITES: u64 = 10_000;

/// One row: which write fails, counted from the opening of the place, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    pub index: u64,
    /// Whether the effect of the write has happened although it reports an error.
    pub applied: bool,
}

/// One place whose writes can be made to fail; a fresh one for every row.
pub trait FaultHarness {
    /// Opens the place; the write that the fault names fails. `Err` when that made opening
    /// impossible.
    fn open_with_fault(&self, fault: PlannedFault) -> Result<Arc<dyn LedgerStore>, String>;

    /// Whether the planned fault has happened.
    fn fired(&self) -> bool;

    /// Stops the store cleanly; the fault may still happen here.
    fn stop(&self, store: Arc<dyn LedgerStore>);

    /// Lets go of the store as the death of its process would, and opens the place without faults.
    fn crash_and_open(&self, store: Option<Arc<dyn LedgerStore>>) -> Arc<dyn LedgerStore>;
}

/// How one row ended, for tables that are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// The fault made opening fail; nothing had been acknowledged.
    NotOpened,
    /// Every append succeeded: the store overcame the fault, or it happened at the stop.
    Overcome,
    /// An append answered that nothing was written.
    Unavailable,
    /// An append answered that the outcome is not known.
    Unknown,
}

/// Runs the whole table: row after row until a fault is planned behind the last write. Answers the
/// rows. Panics at the first row that breaks the contract.
pub fn run_fault_table<H: FaultHarness>(
    fresh_place: impl Fn() -> H,
) -> Vec<(PlannedFault, RowOutcome)> {
    let mut rows = Vec::new();
    for index in 0..MOST_WRITES {
        for applied in [false, true] {
            let fault = PlannedFault { index, applied };
            let place = fresh_place();
            let outcome = run_row(&place, fault);
            match outcome {
                Some(outcome) => rows.push((fault, outcome)),
                None => return rows,
            }
        }
    }
    panic!("more than {MOST_WRITES} writes: does the harness count from the opening?")
}

/// One row; `None` when the planned write was never made.
fn run_row(place: &dyn FaultHarness, fault: PlannedFault) -> Option<RowOutcome> {
    let mut chain = ChainBuilder::new();
    let Ok(store) = place.open_with_fault(fault) else {
        assert!(place.fired(), "{fault:?}: opening failed without the fault");
        let store = place.crash_and_open(None);
        assert_goes_on(place, store, &mut chain, fault);
        return Some(RowOutcome::NotOpened);
    };
    let work = append_all(place, &*store, &mut chain, fault);
    let store = if work.outcome == RowOutcome::Overcome && !place.fired() {
        // The fault lies in the stop, or behind the last write.
        place.stop(store);
        place.crash_and_open(None)
    } else {
        place.crash_and_open(Some(store))
    };
    if let Some(with_pending) = work.pending
        && heads_match(&*store, &with_pending)
    {
        chain = with_pending;
    }
    assert_goes_on(place, store, &mut chain, fault);
    place.fired().then_some(work.outcome)
}

/// What came of the batches of one row.
struct Work {
    outcome: RowOutcome,
    /// The chain with the batch whose outcome is not known.
    pending: Option<ChainBuilder>,
}

/// Appends the fixed sequence until a batch is refused for good; afterwards `chain` holds what was
/// acknowledged.
fn append_all(
    place: &dyn FaultHarness,
    store: &dyn LedgerStore,
    chain: &mut ChainBuilder,
    fault: PlannedFault,
) -> Work {
    let mut outcome = RowOutcome::Overcome;
    for number in 0..BATCHES {
        let mut next = chain.clone();
        let batch = numbered_batch(&mut next, number);
        let mut answer = store.append(&batch);
        if let Err(AppendError::Unavailable { .. } | AppendError::Conflict { .. }) = answer {
            assert!(
                place.fired(),
                "{fault:?}: batch {number} refused without the fault: {answer:?}"
            );
            assert!(
                heads_match(store, chain),
                "{fault:?}: after a refusal the heads are not those that were acknowledged"
            );
            outcome = RowOutcome::Unavailable;
            answer = store.append(&batch);
        }
        match answer {
            Ok(()) => *chain = next,
            // Refused twice: the store takes nothing until it is opened again.
            Err(AppendError::Unavailable { .. } | AppendError::Conflict { .. }) => break,
            Err(AppendError::Unknown { .. }) => {
                assert!(place.fired(), "{fault:?}: batch {number} unknown without the fault");
                assert_closed(store, chain, fault);
                return Work { outcome: RowOutcome::Unknown, pending: Some(next) };
            }
        }
    }
    Work { outcome, pending: None }
}

/// After `Unknown` a store takes nothing more, whether the next batch builds on the unknown one or
/// not.
fn assert_closed(store: &dyn LedgerStore, chain: &ChainBuilder, fault: PlannedFault) {
    let another: Batch = chain.clone().batch().event(&tenant("late")).build();
    let answer = store.append(&another);
    assert!(answer.is_err(), "{fault:?}: a store took a batch after an unknown outcome");
}

/// The place holds exactly what the chain says, takes more, and keeps that through a clean stop.
fn assert_goes_on(
    place: &dyn FaultHarness,
    store: Arc<dyn LedgerStore>,
    chain: &mut ChainBuilder,
    fault: PlannedFault,
) {
    eprintln!("{fault:?}: {} records acknowledged", chain.record_count());
    assert_holds(&*store, chain);
    for number in BATCHES..BATCHES + 2 {
        store.append(&numbered_batch(chain, number)).unwrap();
    }
    assert_holds(&*store, chain);
    place.stop(store);
    let store = place.crash_and_open(None);
    assert_holds(&*store, chain);
    place.stop(store);
}

/// The batch of that number in the fixed sequence.
fn numbered_batch(chain: &mut ChainBuilder, number: usize) -> Batch {
    let (acme, system) = (tenant("acme"), TenantId::system());
    let batch = chain.batch().events(&acme, 1 + number).event(&tenant(&format!("t{}", number % 3)));
    let batch = batch.position(&source("topic/0"), number as u64);
    let batch = match number % 4 {
        1 => batch.system(&system).checkpoint(&system, false),
        2 => batch.checkpoint(&acme, number == 2),
        3 => batch.event_saying(&tenant("large"), &"x".repeat(100_000)),
        _ => batch,
    };
    batch.build()
}
