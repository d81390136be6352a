//! The same event twice is one record; another event under its id is a conflict.

use std::sync::{Arc, Barrier};

use ledgerstone_ledger::ReceiptStatus;
use ledgerstone_ledger::check::{Level, Scope, VerifyOptions};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::EventId;
use ledgerstone_store::conformance::FaultyStore;
use ledgerstone_store::{Check, LedgerStore};

use crate::rig::{Rig, assert_sound, lines, receipts, report_of, tenant};

#[test]
fn a_repeated_event_gets_the_first_receipt() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "other"]);
    let first = receipts(ledger.append(vec![rig.event("acme", "e1", "a")]).unwrap()).remove(0);
    // Sealed again, so under another salt.
    let again = receipts(ledger.append(vec![rig.event("acme", "e1", "a")]).unwrap()).remove(0);
    assert_eq!(again.status, ReceiptStatus::Duplicate);
    let as_first = ledgerstone_ledger::Receipt { status: ReceiptStatus::Created, ..again };
    assert_eq!(as_first, first);
    let elsewhere = receipts(ledger.append(vec![rig.event("other", "e1", "b")]).unwrap()).remove(0);
    assert_eq!(elsewhere.status, ReceiptStatus::Created, "ids are unique within a ledger");
    drop(ledger);
    let ledger = rig.open();
    let later = receipts(ledger.append(vec![rig.event("acme", "e1", "a")]).unwrap()).remove(0);
    assert_eq!((later.status, later.record_hash), (ReceiptStatus::Duplicate, first.record_hash));
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 2);
    rig.assert_sound();
}

#[test]
fn another_event_under_a_known_id_is_a_conflict() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(vec![rig.event("acme", "e1", "a")]).unwrap();
    let outcomes = ledger.append(vec![rig.event("acme", "e1", "b")]).unwrap();
    assert_eq!(outcomes[0].refused(), Some(ErrorCode::IdConflict));
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 2);
    rig.assert_sound();
}

#[test]
fn repetition_within_one_submission_is_seen() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let events = ["a", "a", "b"].map(|text| rig.event("acme", "e1", text));
    let outcomes = ledger.append(events.into()).unwrap();
    assert_eq!(outcomes[0].receipt().unwrap().status, ReceiptStatus::Created);
    assert_eq!(outcomes[1].receipt().unwrap().status, ReceiptStatus::Duplicate);
    assert_eq!(outcomes[2].refused(), Some(ErrorCode::IdConflict));
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 2);
    rig.assert_sound();
}

#[test]
fn a_time_that_the_server_filled_in_does_not_make_another_event() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let json = r#"{"event_type":"user.login","id":"e1","favourite_colour":"green"}"#;
    let first = receipts(ledger.append(vec![rig.sealed("acme", json)]).unwrap()).remove(0);
    let again = r#"{"favourite_colour":"green", "id":"e1", "event_type":"user.login"}"#;
    let again = receipts(ledger.append(vec![rig.sealed("acme", again)]).unwrap()).remove(0);
    assert_eq!((again.status, again.record_hash), (ReceiptStatus::Duplicate, first.record_hash));
    rig.assert_sound();
}

#[test]
fn of_many_senders_of_one_event_one_creates_it() {
    let rig = Rig::new();
    let ledger = Arc::new(rig.create(&["acme"]));
    let rounds = 40;
    let senders = 8;
    let barrier = Barrier::new(senders);
    let created: usize = std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..senders)
            .map(|_| {
                let (ledger, rig, barrier) = (Arc::clone(&ledger), &rig, &barrier);
                scope.spawn(move || {
                    let mut created = 0;
                    for round in 0..rounds {
                        barrier.wait();
                        let event = rig.event("acme", &format!("round-{round}"), "the same");
                        let receipt = receipts(ledger.append(vec![event]).unwrap()).remove(0);
                        created += usize::from(receipt.status == ReceiptStatus::Created);
                    }
                    created
                })
            })
            .collect();
        spawned.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(created, rounds);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), rounds as u64 + 1);
    rig.assert_sound();
}

/// A store that has forgotten an id lets it in again: every hash, signature and checkpoint is genuine,
/// and only the comparison of all ids with one another tells.
#[test]
fn an_id_that_stands_twice_is_found() {
    let rig = Rig::new();
    let store = Arc::new(FaultyStore::new(rig.store.reopen()));
    let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &["acme", "beta"]);
    for round in 0..4 {
        for name in ["acme", "beta"] {
            ledger.append(rig.events(name, &format!("r{round}-"), 20)).unwrap();
        }
    }
    ledger.close().unwrap();
    assert_sound(&*rig.store);
    store.gate().forget(&EventId::parse("r1-4").unwrap());
    for _ in 0..2 {
        // The sequencer remembers for a while what it has written itself.
        let ledger = rig.open_on(Arc::clone(&store) as Arc<dyn LedgerStore>).unwrap();
        let again = receipts(ledger.append(vec![rig.event("acme", "r1-4", "b")]).unwrap());
        assert_eq!(again[0].status, ReceiptStatus::Created);
        ledger.close().unwrap();
    }
    for (threads, ids_at_once) in [(1, 1 << 20), (2, 100), (3, 7)] {
        let mut options = VerifyOptions::new(Level::Tree, threads);
        options.ids_at_once = ids_at_once;
        for scope in [Scope::All, Scope::Tenant(tenant("acme"))] {
            options.scope = scope;
            let report = report_of(&*rig.store, &options);
            let found = lines(&report);
            assert_eq!(report.findings.len(), 1, "{found}");
            let finding = &report.findings[0];
            assert_eq!((finding.check, finding.sequence_number), (Check::EventId, Some(81)));
            assert_eq!(finding.tenant, Some(tenant("acme")));
            assert!(found.contains("r1-4, as in record 25"), "{found}");
        }
        options.scope = Scope::Tenant(tenant("beta"));
        assert!(report_of(&*rig.store, &options).holds(), "the same ids in another ledger");
    }
}
