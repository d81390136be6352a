//! Cases: contents are dropped, and nothing else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ledgerstone_model::NumberSet;
use ledgerstone_proof::{SequenceNumber, SigningKey, TenantId};

use super::Harness;
use super::builder::{ChainBuilder, source, tenant};
use super::oracle::assert_holds;
use crate::contract::LedgerStore;
use crate::retention::{DropPlan, DropReport, RetentionStore};

/// Named contents go, of kinds that may lose them; everything else is as it was, now and after restarts of
/// both kinds.
pub fn dropped_contents_are_gone_and_nothing_else(harness: &dyn Harness) {
    let mut chain = ChainBuilder::new().signing_with(SigningKey::from_seed([4; 32]));
    let store = harness.open();
    fill(&*store, &mut chain);
    let a = tenant("a");
    let before = chain.clone();
    let some: NumberSet = (0..chain.head(&a).size()).filter(|number| number % 3 != 1).collect();
    let plan = DropPlan::new().with(&a, &some).with(&TenantId::system(), &NumberSet::from(0..9));
    let report = dropped(&*store, &mut chain, &plan);
    assert_holds(&*store, &chain);
    assert_eq!(report.dropped, contents_of(&before) - contents_of(&chain));
    let again = dropped(&*store, &mut chain, &plan);
    assert_eq!((again.dropped, again.rewritten.len()), (0, 0), "nothing is left to drop");
    harness.crash(store);
    let store = harness.open();
    assert_holds(&*store, &chain);
    fill(&*store, &mut chain);
    dropped(&*store, &mut chain, &plan);
    assert_holds(&*store, &chain);
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// Drops of the same records for several reasons, one after the other, add up.
pub fn later_drops_take_what_earlier_ones_left(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    fill(&*store, &mut chain);
    let (a, b) = (tenant("a"), tenant("b"));
    for plan in [
        DropPlan::new().with(&a, &NumberSet::from(0..5)),
        DropPlan::new().with(&a, &NumberSet::from(3..30)).with(&b, &NumberSet::from(0..1)),
        DropPlan::new().with(&a, &NumberSet::from(0..u64::MAX)).with(&b, &NumberSet::from(7..40)),
    ] {
        dropped(&*store, &mut chain, &plan);
        assert_holds(&*store, &chain);
    }
    harness.crash(store);
    assert_holds(&*harness.open(), &chain);
}

/// What waits at first goes once it can; nothing is forgotten in between.
pub fn what_waits_goes_later(harness: &dyn Harness) {
    let (store, mut chain, a) = (harness.open(), ChainBuilder::new(), tenant("a"));
    let plan = DropPlan::new().with(&a, &NumberSet::from(0..60));
    for _ in 0..4 {
        fill(&*store, &mut chain);
        let report = dropped(&*store, &mut chain, &plan);
        assert!(report.waiting.keys().all(|waiting| *waiting == a), "{report:?}");
        assert_holds(&*store, &chain);
    }
    harness.stop(store);
    assert_holds(&*harness.open(), &chain);
}

/// A plan about nothing, about unknown ledgers and about numbers that no record has changes nothing.
pub fn a_plan_about_nothing_changes_nothing(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    let (a, nobody) = (tenant("a"), tenant("nobody"));
    let all = NumberSet::from(0..u64::MAX);
    let nothing = DropReport::default();
    assert_eq!(store.drop_contents(&DropPlan::new()).unwrap(), nothing);
    fill(&*store, &mut chain);
    let end = chain.head(&a).size();
    for plan in [
        DropPlan::new(),
        DropPlan::new().with(&nobody, &all).with(&a, &NumberSet::new()),
        DropPlan::new().with(&a, &NumberSet::from(end..end + 9)),
    ] {
        assert_eq!(store.drop_contents(&plan).unwrap(), nothing);
        assert_holds(&*store, &chain);
    }
    harness.stop(store);
}

/// Beside a drop, records are appended and read; each read gives the content or none.
pub fn appending_and_reading_go_on_beside_a_drop(harness: &dyn Harness) {
    let (store, mut chain) = (harness.open(), ChainBuilder::new());
    fill(&*store, &mut chain);
    let a = tenant("a");
    let expected = chain.records(&a).to_vec();
    let done = Arc::new(AtomicBool::new(false));
    let reading = thread::spawn({
        let (store, done, a) = (Arc::clone(&store), Arc::clone(&done), a.clone());
        move || {
            let mut gone = 0;
            while !done.load(Ordering::Relaxed) || gone == 0 {
                for record in &expected {
                    let read = store.read(&a, record.sequence_number, 1).unwrap();
                    let mut read = read.into_iter().next().unwrap();
                    gone += usize::from(read.content.is_none());
                    read.content = read.content.or_else(|| record.content.clone());
                    assert!(read == *record, "record {}", record.sequence_number);
                }
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    });
    let even: NumberSet = (0..chain.head(&a).size()).filter(|number| number % 2 == 0).collect();
    let plan = DropPlan::new().with(&a, &even);
    let dropping = thread::spawn({
        let (store, plan) = (Arc::clone(&store), plan.clone());
        move || store.drop_contents(&plan).unwrap()
    });
    for _ in 0..20 {
        let batch = chain.batch().events(&a, 2).checkpoint(&a, false);
        store.append(&batch.build()).unwrap();
    }
    dropping.join().unwrap();
    done.store(true, Ordering::Relaxed);
    reading.join().unwrap();
    dropped(&*store, &mut chain, &plan);
    assert_holds(&*store, &chain);
    harness.stop(store);
}

/// Drops contents, and lets the chain forget what is reported to be gone.
fn dropped(store: &dyn RetentionStore, chain: &mut ChainBuilder, plan: &DropPlan) -> DropReport {
    // Whatever can be sealed is, so that only the last container waits.
    let begun = Instant::now();
    while store.status().unsealed_logs > 1 {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for sealing");
        thread::sleep(Duration::from_millis(2));
    }
    let report = store.drop_contents(plan).unwrap();
    for (tenant, numbers) in plan.iter() {
        let mut gone = numbers.clone();
        if let Some(waiting) = report.waiting.get(tenant) {
            gone.remove(waiting);
        }
        chain.forget_contents(tenant, &gone);
        let waits = |number| report.waiting.get(tenant).is_some_and(|set| set.contains(number));
        for number in numbers.within(0..chain.head(tenant).size()).ranges().flatten() {
            let number = SequenceNumber::new(number).unwrap();
            let read = store.read(tenant, number, 1).unwrap();
            let is_system = read[0].kind == ledgerstone_proof::Kind::System;
            let is_there = waits(number.value()) || is_system;
            assert_eq!(read[0].content.is_some(), is_there, "{tenant} {number}");
        }
    }
    report
}

fn contents_of(chain: &ChainBuilder) -> u64 {
    let records = chain.tenants().flat_map(|tenant| chain.records(tenant));
    records.filter(|record| record.content.is_some()).count() as u64
}

/// Three ledgers with records of all kinds, contents of many lengths, positions and checkpoints.
fn fill(store: &dyn LedgerStore, chain: &mut ChainBuilder) {
    let tenants = [tenant("a"), tenant("b"), tenant("c")];
    for round in 0..24 {
        let batch = chain.batch().events(&tenants[round % 3], 1 + round % 4);
        let batch = match round % 4 {
            0 => batch.system(&TenantId::system()).system(&tenants[0]),
            1 => batch.event_saying(&tenants[0], &format!("{round}").repeat(1_500)),
            2 => batch.audit(&tenants[1]).checkpoint(&tenants[0], round % 8 == 2),
            _ => batch.audit(&tenants[0]),
        };
        store.append(&batch.position(&source("topic/0"), round as u64).build()).unwrap();
    }
}
