//! The road in: numbers without gaps, times that never fall, limits that answer.

use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::{Order, ReceiptStatus, SubmitError};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::{Hash, Header, Kind, SequenceNumber, TenantId, record_hash};

use crate::rig::{Rig, receipts, tenant};

#[test]
fn a_receipt_says_what_was_recorded() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let event = rig.event("acme", "e1", "hello");
    let content_hash = *event.content_hash();
    let receipt = receipts(ledger.append(vec![event]).unwrap()).remove(0);
    assert_eq!(receipt.status, ReceiptStatus::Created);
    assert_eq!(receipt.sequence_number.value(), 1, "number 0 is the genesis");
    assert_eq!(receipt.content_hash, content_hash);
    let stored = ledger.reader().get(&tenant("acme"), &receipt.id).unwrap();
    let header = stored.header_bytes();
    assert_eq!(receipt.record_hash, record_hash(&header));
    assert_eq!(receipt.previous_hash, stored.previous_hash);
    assert_ne!(receipt.previous_hash, Hash::ZERO);
    let signed = receipt.signature.clone().unwrap();
    let genesis = ledger.reader().genesis(&tenant("acme")).unwrap();
    assert!(genesis.record_key().verifies(&header, &signed.bytes));
    let json: String = receipt.to_json();
    let start = r#"{"id":"e1","tenant_id":"acme","sequence_number":1,"content_hash":""#;
    assert!(json.starts_with(start) && json.ends_with(r#""status":"created"}"#), "{json}");
    assert_eq!(Header::parse(&header).unwrap().kind(), Kind::Event);
    drop(ledger);
    rig.assert_sound();
}

#[test]
fn without_record_signatures_a_receipt_has_none() {
    let mut rig = Rig::new();
    rig.settings.signing = SigningMode::Checkpoint;
    let ledger = rig.create(&["acme"]);
    let receipt = receipts(ledger.append(rig.events("acme", "e", 1)).unwrap()).remove(0);
    assert_eq!(receipt.signature, None);
    assert!(receipt.to_json().contains(r#""signature":null,"key_id":null,"#));
    rig.assert_sound();
}

#[test]
fn a_hundred_writers_leave_no_gap() {
    let rig = Rig::new();
    let names = ["t0", "t1", "t2", "t3", "t4"];
    let ledger = Arc::new(rig.create(&names));
    std::thread::scope(|scope| {
        for writer in 0..100 {
            let (ledger, rig) = (Arc::clone(&ledger), &rig);
            scope.spawn(move || {
                for round in 0..5 {
                    let events = (0..3).map(|n| {
                        let name = names[(writer + n) % names.len()];
                        rig.event(name, &format!("w{writer}-{round}-{n}"), "concurrent")
                    });
                    let outcomes = if (writer + round) % 2 == 0 {
                        ledger.append(events.collect()).unwrap()
                    } else {
                        ledger.submit(events.collect()).unwrap().wait()
                    };
                    assert_eq!(receipts(outcomes).len(), 3);
                }
            });
        }
    });
    let mut total = 0;
    for name in names {
        let records = ledger.reader().list(&tenant(name), Order::Sequence, None).unwrap();
        let numbers: Vec<u64> =
            records.map(|record| record.unwrap().sequence_number.value()).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "{name}");
        total += numbers.len();
    }
    assert_eq!(total, 100 * 5 * 3 + names.len());
    ledger.close().unwrap();
    rig.assert_sound();
}

#[test]
fn a_ticket_that_nobody_waits_for_is_written_all_the_same() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let ticket = ledger.submit(rig.events("acme", "e", 2)).unwrap();
    while !ticket.is_done() {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(ticket);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 3);
    let _ = ledger.submit(rig.events("acme", "f", 2)).unwrap();
    drop(ledger);
    assert_eq!(rig.open().reader().size(&tenant("acme")).unwrap(), 5, "a stop writes what waits");
    rig.assert_sound();
}

#[test]
fn times_never_fall_when_the_clock_does() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let before = receipts(ledger.append(rig.events("acme", "a", 1)).unwrap()).remove(0);
    assert_eq!(ledger.status().clock_behind, None);
    rig.clock.jump_back(Duration::from_hours(24));
    let after = receipts(ledger.append(rig.events("acme", "b", 1)).unwrap()).remove(0);
    assert_eq!(after.ingested_at, before.ingested_at);
    let behind = ledger.status().clock_behind.unwrap();
    assert!(behind > Duration::from_hours(23), "{behind:?}");
    drop(ledger);
    let ledger = rig.open();
    let later = receipts(ledger.append(rig.events("acme", "c", 1)).unwrap()).remove(0);
    assert_eq!(later.ingested_at, before.ingested_at, "not after a restart either");
    rig.clock.advance(Duration::from_hours(25));
    ledger.append(rig.events("acme", "d", 1)).unwrap();
    assert_eq!(ledger.status().clock_behind, None);
    rig.assert_sound();
}

#[test]
fn a_full_queue_answers_those_who_do_not_wait() {
    let mut rig = Rig::new();
    rig.settings.open_records = 2;
    let ledger = rig.create(&["acme"]);
    // However fast the committer is, one of many small submissions meets a full queue or none does;
    // what counts is that nothing is lost and nothing is taken twice.
    let mut taken = 0;
    let mut refused = 0;
    for n in 0..200 {
        match ledger.try_submit(rig.events("acme", &format!("n{n}-"), 2)) {
            Ok(_ticket) => taken += 2,
            Err(error @ SubmitError::QueueFull { .. }) => {
                assert_eq!(error.code(), ErrorCode::QueueFull);
                refused += 2;
            }
            Err(error) => panic!("{error}"),
        }
    }
    ledger.close().unwrap();
    assert_eq!(taken + refused, 400);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), taken + 1);
    let late = ledger.append(rig.events("acme", "late", 1));
    let late = late.unwrap_err();
    assert!(matches!(late, SubmitError::Closed));
    assert_eq!(late.code(), ErrorCode::ShuttingDown, "there is room, but nothing is taken");
    rig.assert_sound();
}

#[test]
fn what_is_too_large_for_one_commit_is_refused() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let one = rig.event("acme", "one", "same");
    let too_many = vec![one; ledgerstone_ledger::settings::OPEN_RECORDS_MAX + 1];
    let error = ledger.append(too_many).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InputTooLarge);
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), 1);
    rig.assert_sound();
}

#[test]
fn only_the_server_writes_to_its_own_ledger() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let system = TenantId::system();
    let event = rig.event("_system", "e1", "from outside");
    let outcomes = ledger.append(vec![event, rig.event("acme", "e1", "fine")]).unwrap();
    assert_eq!(outcomes[0].refused(), Some(ErrorCode::ReservedName));
    assert!(outcomes[1].receipt().is_some(), "the other event of the submission is taken");
    assert_eq!(ledger.reader().size(&system).unwrap(), 2);
    rig.assert_sound();
}

#[test]
fn lists_go_both_ways() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 1_300)).unwrap();
    let acme = tenant("acme");
    let numbers = |order, from: Option<u64>, limit| -> Vec<u64> {
        let from = from.map(|from| SequenceNumber::new(from).unwrap());
        let listing = ledger.reader().list(&acme, order, from).unwrap();
        listing.take(limit).map(|record| record.unwrap().sequence_number.value()).collect()
    };
    assert_eq!(numbers(Order::NewestFirst, None, 3), [1_300, 1_299, 1_298]);
    assert_eq!(numbers(Order::Sequence, Some(1_299), 9), [1_299, 1_300]);
    assert_eq!(numbers(Order::NewestFirst, Some(1), 9), [1, 0]);
    let all: Vec<u64> = (0..=1_300).collect();
    assert_eq!(numbers(Order::Sequence, None, usize::MAX), all);
    let backwards: Vec<u64> = all.into_iter().rev().collect();
    assert_eq!(numbers(Order::NewestFirst, None, usize::MAX), backwards);
    rig.assert_sound();
}
