//! Cases: which checkpoints and anchored rounds are kept.

use ledgerstone_proof::TenantId;

use super::Harness;
use super::builder::{ChainBuilder, tenant};
use super::oracle::assert_holds;

/// A checkpoint over records of earlier batches comes alone.
pub fn a_batch_may_hold_only_a_checkpoint(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&chain.batch().events(&acme, 3).build()).unwrap();
    assert!(store.checkpoints(&acme).unwrap().is_empty());
    store.append(&chain.batch().checkpoint(&acme, false).build()).unwrap();
    assert_holds(&*store, &chain);
    assert_eq!(store.checkpoints(&acme).unwrap().len(), 1);
    assert_eq!(store.checkpoints(&acme).unwrap()[0].size, 3);
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}

/// Of those not kept for good the newest stays, per ledger.
pub fn newer_checkpoints_replace_older_ones(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let (acme, other) = (tenant("acme"), tenant("other"));
    let both = chain.batch().event(&acme).event(&other);
    store.append(&both.checkpoint(&other, false).build()).unwrap();
    for size in 2..=20 {
        store.append(&chain.batch().event(&acme).checkpoint(&acme, false).build()).unwrap();
        let sizes: Vec<u64> = sizes(&*store, &acme);
        assert_eq!(sizes, [size], "sizes of the checkpoints kept");
    }
    assert_eq!(sizes(&*store, &other), [1], "another ledger's checkpoint");
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// One kept for good stays beside the newest, through restarts.
pub fn checkpoints_kept_for_good_stay(harness: &dyn Harness) {
    let (mut store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    for (size, kept_for_good) in
        [(1, false), (2, true), (3, false), (4, false), (5, true), (6, false)]
    {
        let batch = chain.batch().event(&acme).checkpoint(&acme, kept_for_good);
        store.append(&batch.build()).unwrap();
        assert_holds(&*store, &chain);
        if size % 2 == 0 {
            harness.crash(store);
        } else {
            harness.stop(store);
        }
        store = harness.open();
    }
    assert_eq!(sizes(&*store, &acme), [2, 5, 6]);
    let kept = store.checkpoints(&acme).unwrap();
    assert!(kept.iter().map(|checkpoint| checkpoint.kept_for_good).eq([true, true, false]));
    harness.stop(store);
}

/// The pairs behind an anchor record lie in exactly one part.
pub fn anchored_rounds_are_kept_once(harness: &dyn Harness) {
    let (store, mut chain, system) = (harness.open(), ChainBuilder::new(), TenantId::system());
    for round in 0..5 {
        let batch = chain.batch().events(&tenant("acme"), 2).event(&tenant(&format!("t{round}")));
        let batch = batch.anchored(round).system(&system).checkpoint(&system, false);
        store.append(&batch.build()).unwrap();
    }
    assert_holds(&*store, &chain);
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

fn sizes(store: &dyn crate::contract::LedgerStore, tenant: &TenantId) -> Vec<u64> {
    store.checkpoints(tenant).unwrap().iter().map(|checkpoint| checkpoint.size).collect()
}
