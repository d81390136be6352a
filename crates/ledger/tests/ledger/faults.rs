//! Every way in which a store may fail to append, at every append of a busy life.

use std::sync::Arc;

use ledgerstone_ledger::{Ledger, Order, Outcome, ReceiptStatus};
use ledgerstone_model::ErrorCode;
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_store::memory::MemoryStore;

use crate::rig::{Rig, assert_sound, receipts, tenant};

/// Appends of the scenario that fail in turn.
const APPENDS: u64 = 14;

struct Scenario {
    rig: Rig,
    store: Arc<FaultyStore<MemoryStore>>,
    ledger: Ledger,
}

impl Scenario {
    fn new(retries: u32) -> Self {
        let mut rig = Rig::new();
        rig.settings.conflict_retries = retries;
        let store = Arc::new(FaultyStore::new(rig.store.reopen()));
        let ledger = rig.create_on(Arc::clone(&store) as _, &["acme", "beta"]);
        Self { rig, store, ledger }
    }

    /// Submits pairs of events for two tenants, several submissions at a time.
    fn submit_all(&self) -> Vec<(String, Outcome)> {
        let mut outcomes = Vec::new();
        for round in 0..6 {
            let tickets: Vec<_> = (0..3)
                .map(|part| {
                    let id = format!("r{round}-{part}");
                    let events = ["acme", "beta"].map(|name| self.rig.event(name, &id, "x"));
                    (id, self.ledger.submit(events.into()).unwrap())
                })
                .collect();
            for (id, ticket) in tickets {
                outcomes.extend(ticket.wait().into_iter().map(|outcome| (id.clone(), outcome)));
            }
            let _ = self.ledger.checkpoint(&tenant("acme"));
        }
        outcomes
    }
}

/// What was acknowledged is there, and what was refused with a certain code is not.
fn compare(ledger: &Ledger, outcomes: &[(String, Outcome)]) {
    for (id, outcome) in outcomes {
        match outcome {
            Outcome::Recorded(receipt) => {
                let stored = ledger.reader().get(&receipt.tenant_id, &receipt.id).unwrap();
                assert_eq!(stored.sequence_number, receipt.sequence_number, "{id}");
                assert_eq!(stored.content_hash, receipt.content_hash, "{id}");
            }
            Outcome::Refused(refusal) if refusal.code == ErrorCode::OutcomeUnknown => {
                assert_eq!(refusal.id.as_str(), id, "the id that is to be sent again");
            }
            Outcome::Refused(refusal) => {
                let found = ledger.store().find(&refusal.tenant_id, &refusal.id).unwrap();
                assert_eq!(found, None, "{id} was refused with {}", refusal.code);
            }
        }
    }
}

#[test]
fn every_fault_at_every_append_loses_and_doubles_nothing() {
    for fault in AppendFault::HONEST {
        for at in 0..APPENDS {
            let scenario = Scenario::new(0);
            scenario.store.fail_append(scenario.store.appends() + at, fault);
            let outcomes = scenario.submit_all();
            compare(&scenario.ledger, &outcomes);
            let Scenario { rig, ledger, .. } = scenario;
            drop(ledger);
            assert_sound(&*rig.store);
            // Everything is sent again after a restart: what was recorded is a duplicate.
            let ledger = rig.open();
            let again = ["acme", "beta"].map(|name| {
                let events = (0..6).flat_map(|round| (0..3).map(move |part| (round, part)));
                events
                    .map(|(round, part)| rig.event(name, &format!("r{round}-{part}"), "x"))
                    .collect::<Vec<_>>()
            });
            receipts(ledger.append(again.into_iter().flatten().collect()).unwrap());
            for name in ["acme", "beta"] {
                let size = ledger.reader().size(&tenant(name)).unwrap();
                assert_eq!(size, 1 + 18, "{name} after {fault:?} at {at}");
            }
            ledger.close().unwrap();
            assert_sound(&*rig.store);
        }
    }
}

#[test]
fn after_unavailable_the_ledger_goes_on() {
    let scenario = Scenario::new(0);
    scenario.store.fail_next(AppendFault::Unavailable);
    let first = scenario.ledger.append(scenario.rig.events("acme", "a", 2)).unwrap();
    assert_eq!(first[0].refused(), Some(ErrorCode::StorageFailed));
    assert_eq!(first[1].refused(), Some(ErrorCode::StorageFailed));
    let again = scenario.ledger.append(scenario.rig.events("acme", "a", 2)).unwrap();
    let again = receipts(again);
    assert_eq!(again[0].sequence_number.value(), 1, "the numbers were not used up");
    assert_eq!(again[0].status, ReceiptStatus::Created);
    scenario.rig.assert_sound();
}

#[test]
fn after_unknown_nothing_is_written_and_reading_goes_on() {
    let scenario = Scenario::new(0);
    receipts(scenario.ledger.append(scenario.rig.events("acme", "a", 2)).unwrap());
    scenario.store.fail_next(AppendFault::UnknownApplied);
    let lost = scenario.ledger.append(scenario.rig.events("acme", "b", 1)).unwrap();
    assert_eq!(lost[0].refused(), Some(ErrorCode::OutcomeUnknown));
    let later = scenario.ledger.append(scenario.rig.events("acme", "c", 1)).unwrap();
    assert_eq!(later[0].refused(), Some(ErrorCode::OutcomeUnknown));
    assert!(scenario.ledger.status().halted.is_some());
    let listed = scenario.ledger.reader().list(&tenant("acme"), Order::NewestFirst, None).unwrap();
    assert_eq!(listed.count(), 4, "genesis, two acknowledged, one of which nobody could tell");
    drop(scenario.ledger);
    let ledger = scenario.rig.open();
    let again = receipts(ledger.append(scenario.rig.events("acme", "b", 1)).unwrap()).remove(0);
    assert_eq!(again.status, ReceiptStatus::Duplicate);
    scenario.rig.assert_sound();
}

#[test]
fn a_conflict_is_sequenced_again_where_others_write_too() {
    let scenario = Scenario::new(3);
    for at in 0..4 {
        scenario.store.fail_append(scenario.store.appends() + 3 * at, AppendFault::Conflict);
    }
    let outcomes = scenario.submit_all();
    assert_eq!(scenario.store.fired(), 4);
    for (id, outcome) in &outcomes {
        assert!(outcome.receipt().is_some(), "{id}: {outcome:?}");
    }
    compare(&scenario.ledger, &outcomes);
    scenario.rig.assert_sound();
}

#[test]
fn another_writer_may_come_between() {
    let mut rig = Rig::new();
    rig.settings.conflict_retries = 8;
    let first = rig.create(&["acme"]);
    let second = rig.open();
    for round in 0..20 {
        let event = || vec![rig.event("acme", &format!("both-{round}"), "the same")];
        let mine = vec![rig.event("acme", &format!("first-{round}"), "mine")];
        receipts(first.append(mine).unwrap());
        let one = receipts(second.append(event()).unwrap()).remove(0);
        let two = receipts(first.append(event()).unwrap()).remove(0);
        assert_eq!(one.status, ReceiptStatus::Created);
        assert_eq!((two.status, two.record_hash), (ReceiptStatus::Duplicate, one.record_hash));
    }
    assert_eq!(first.reader().size(&tenant("acme")).unwrap(), 41);
    rig.assert_sound();
}

#[test]
fn two_writers_at_once_double_nothing() {
    let mut rig = Rig::new();
    rig.settings.conflict_retries = 50;
    let ledgers = [rig.create(&["acme"]), rig.open()];
    std::thread::scope(|scope| {
        for ledger in &ledgers {
            let rig = &rig;
            scope.spawn(move || {
                for round in 0..60 {
                    let event = rig.event("acme", &format!("e{round}"), "the same");
                    receipts(ledger.append(vec![event]).unwrap());
                }
            });
        }
    });
    assert_eq!(ledgers[0].reader().size(&tenant("acme")).unwrap(), 61);
    rig.assert_sound();
}
