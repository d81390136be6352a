//! Cases: the parts of a store, as verification sees them.

use ledgerstone_proof::{SigningKey, TenantId};

use super::Harness;
use super::builder::{ChainBuilder, tenant};
use super::collector::Collector;
use super::oracle::assert_holds;

/// Parts show every record exactly once, with claims that are right, before and after a restart.
pub fn parts_cover_every_record_once(harness: &dyn Harness) {
    let mut chain = ChainBuilder::new().signing_with(SigningKey::from_seed([3; 32]));
    let store = harness.open();
    write_rounds(&*store, &mut chain);
    assert_holds(&*store, &chain);
    harness.crash(store);
    let store = harness.open();
    write_rounds(&*store, &mut chain);
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// An inspector that wants one ledger is shown all of it and nothing else.
pub fn an_inspector_sees_only_what_it_wants(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    write_rounds(&*store, &mut chain);
    for wanted in [tenant("a"), tenant("c"), TenantId::system()] {
        let mut collector = Collector::wanting(&chain, wanted);
        let (parts, _) = store.parts().unwrap();
        for part in &parts {
            collector.begin_part();
            store.inspect(part, &mut collector).unwrap();
        }
        collector.assert_complete();
    }
    harness.stop(store);
}

fn write_rounds(store: &dyn crate::contract::LedgerStore, chain: &mut ChainBuilder) {
    let tenants = [tenant("a"), tenant("b"), tenant("c")];
    for round in 0..30 {
        let batch = chain.batch().events(&tenants[round % 3], 1 + round % 4);
        let batch = if round % 5 == 0 { batch.system(&TenantId::system()) } else { batch };
        store.append(&batch.audit(&tenants[(round + 1) % 3]).build()).unwrap();
    }
}
