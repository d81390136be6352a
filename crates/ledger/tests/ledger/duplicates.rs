//! The same event twice is one record; another event under its id is a conflict.

use std::sync::{Arc, Barrier};

use ledgerstone_ledger::ReceiptStatus;
use ledgerstone_model::ErrorCode;

use crate::rig::{Rig, receipts, tenant};

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
