//! Contents are dropped: recorded first, gone afterwards, and everything about them still proves.

use std::ops::ControlFlow;
use std::sync::Arc;

use ledgerstone_ledger::check::{Level, Scope, VerifiedHead, VerifyOptions};
use ledgerstone_ledger::erasure::SurveyWatch;
use ledgerstone_ledger::{
    ContentDrop, Dropped, Ledger, LedgerError, NewHold, Order, Outcome, ReceiptStatus,
};
use ledgerstone_model::access::Sight;
use ledgerstone_model::system::{RetentionReason, SystemRecord};
use ledgerstone_model::{Actor, Clock as _, ErrorCode, Filter, NumberSet};
use ledgerstone_proof::{
    Canonicalizer, EventId, SequenceNumber, split_content, verify_record_proof,
};
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_store::memory::MemoryStore;
use ledgerstone_store::{LedgerStore, RetentionStore, StoredRecord};

use crate::rig::{Rig, assert_sound, lines, report_of, tenant};

/// Two tenants with twenty events each: numbers 1 to 20.
fn deployment() -> (Rig, Ledger) {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    for name in ["acme", "beta"] {
        ledger.append(rig.events(name, "e", 20)).unwrap();
    }
    (rig, ledger)
}

fn expiry(name: &str, numbers: NumberSet) -> ContentDrop {
    ContentDrop {
        tenant: tenant(name),
        numbers,
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }
}

fn number(value: u64) -> SequenceNumber {
    SequenceNumber::new(value).unwrap()
}

fn record(ledger: &Ledger, name: &str, at: u64) -> StoredRecord {
    ledger.reader().record(&tenant(name), number(at)).unwrap()
}

fn said(record: &StoredRecord) -> SystemRecord {
    let (event, _) = split_content(record.content.as_deref().unwrap()).unwrap();
    SystemRecord::parse(event).unwrap().0
}

#[test]
fn what_is_dropped_is_recorded_before_and_proves_afterwards() {
    let (rig, ledger) = deployment();
    let before: Vec<StoredRecord> = (0..21).map(|at| record(&ledger, "acme", at)).collect();
    let numbers: NumberSet = (3..9).chain([15]).collect();
    let drops = [
        ContentDrop {
            reason: RetentionReason::Erasure,
            policy_record: Some(number(0)),
            audit_record: Some(number(2)),
            ..expiry("acme", numbers.clone())
        },
        expiry("beta", NumberSet::from(1..3)),
    ];
    let report = ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    assert_eq!(report.store.dropped, 9);
    let [acme, beta] = report.ledgers.as_slice() else { panic!("{report:?}") };
    assert_eq!((acme.tenant.as_str(), acme.covered, acme.waiting), ("acme", 7, 0));
    assert_eq!((acme.done, beta.done), (Some(number(22)), Some(number(22))));
    assert_eq!(acme.run, beta.run);

    let SystemRecord::RetentionStarted(started) = said(&record(&ledger, "acme", 21)) else {
        panic!("record 21 begins the run")
    };
    assert_eq!((started.run(), started.numbers()), (acme.run, &numbers));
    assert_eq!(started.reason(), RetentionReason::Erasure);
    assert_eq!(
        (started.policy_record(), started.audit_record()),
        (Some(number(0)), Some(number(2)))
    );
    let SystemRecord::RetentionDone(done) = said(&record(&ledger, "acme", 22)) else {
        panic!("record 22 ends the run")
    };
    assert_eq!((done.run(), done.contents()), (acme.run, 7));
    // A checkpoint covers what begins the run.
    let kept = ledger.reader().newest_checkpoint(&tenant("acme")).unwrap().unwrap();
    assert_eq!(kept.size, 22);

    for (before, at) in before.iter().zip(0..) {
        let now = record(&ledger, "acme", at);
        let is_gone = numbers.contains(at);
        let content = before.content.clone().filter(|_| !is_gone);
        assert_eq!(now, StoredRecord { content, ..before.clone() });
        let reason = RetentionReason::Erasure;
        let dropped = is_gone.then_some(Dropped { record: number(21), reason });
        assert_eq!(ledger.reader().dropped(&now).unwrap(), dropped);
        let mut viewer = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap();
        let hidden = dropped.map(Dropped::hidden_part);
        assert_eq!(viewer.view(now).hidden(), hidden.as_slice());
    }
    let listed = ledger.reader().list(&tenant("acme"), Order::NewestFirst, None).unwrap();
    assert_eq!(listed.filter(|record| record.as_ref().unwrap().content.is_none()).count(), 7);
    rig.assert_sound();
    let reopened = rig.open();
    assert_eq!(reopened.retention(&*rig.store).resume().unwrap().ledgers, []);
}

#[test]
fn a_record_without_its_content_is_proved_by_its_header() {
    let (rig, ledger) = deployment();
    let id = EventId::parse("e4").unwrap();
    let content = record(&ledger, "acme", 5).content.unwrap();
    ledger.checkpoint(&tenant("acme")).unwrap();
    let earlier = ledger.reader().record_proof(&tenant("acme"), &id).unwrap();
    let drops = [expiry("acme", NumberSet::from(1..21))];
    ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    let keys = ledger.reader().log_keys(&tenant("acme"), &ledger.history()).unwrap();
    // Whoever kept the content can still prove it, by a proof from before and by one from now.
    let now = ledger.record_proof(&tenant("acme"), &id).unwrap();
    for proof in [&earlier, &now] {
        assert!(verify_record_proof(proof, &keys, Some(&content)).is_ok());
        assert!(verify_record_proof(proof, &keys, None).is_ok());
        assert!(verify_record_proof(proof, &keys, Some(b"{}")).is_err());
    }
    rig.assert_sound();
}

#[test]
fn what_never_goes_is_refused_and_nothing_is_recorded() {
    let (rig, ledger) = deployment();
    let before = ledger.reader().size(&tenant("acme")).unwrap();
    let beta = expiry("beta", NumberSet::from(1..5));
    for (drop, code) in [
        (expiry("acme", NumberSet::from(0..3)), ErrorCode::InvalidArgument),
        (expiry("acme", NumberSet::from(20..22)), ErrorCode::EventNotFound),
        (expiry("nobody", NumberSet::from(0..1)), ErrorCode::UnknownTenant),
    ] {
        let refused = ledger.retention(&*rig.store).drop_contents(&[beta.clone(), drop]);
        assert_eq!(refused.unwrap_err().code(), code);
    }
    let refused =
        ledger.retention(&*rig.store).drop_contents(&[expiry("acme", NumberSet::from(0..1))]);
    assert!(matches!(
        refused,
        Err(LedgerError::NeverDropped { number: SequenceNumber::GENESIS, .. })
    ));
    for name in ["acme", "beta"] {
        assert_eq!(ledger.reader().size(&tenant(name)).unwrap(), before);
        assert!(record(&ledger, name, 1).content.is_some());
    }
    rig.assert_sound();
}

#[test]
fn what_is_gone_already_is_passed_over() {
    let (rig, ledger) = deployment();
    let retention = ledger.retention(&*rig.store);
    retention.drop_contents(&[expiry("acme", NumberSet::from(1..6))]).unwrap();
    let more = retention.drop_contents(&[expiry("acme", NumberSet::from(3..9))]).unwrap();
    assert_eq!((more.store.dropped, more.ledgers[0].covered), (3, 3));
    let size = ledger.reader().size(&tenant("acme")).unwrap();
    for numbers in [NumberSet::from(1..9), NumberSet::new()] {
        let nothing = retention.drop_contents(&[expiry("acme", numbers)]).unwrap();
        assert_eq!(nothing, ledgerstone_ledger::RetentionReport::default());
    }
    assert_eq!(ledger.reader().size(&tenant("acme")).unwrap(), size);
    // Each is covered by the record that it went by.
    let dropped = |at| ledger.reader().dropped(&record(&ledger, "acme", at)).unwrap().unwrap();
    assert_eq!(dropped(5).record, number(21));
    assert_eq!(dropped(6).record, number(23));
    rig.assert_sound();
}

#[test]
fn an_event_that_comes_again_has_its_first_receipt_though_its_content_is_gone() {
    let (rig, ledger) = deployment();
    let first = record(&ledger, "acme", 4);
    let drops = [expiry("acme", NumberSet::from(1..21))];
    ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    for text in ["an event", "another one"] {
        let outcomes = ledger.append(vec![rig.event("acme", "e3", text)]).unwrap();
        let Outcome::Recorded(receipt) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(receipt.status, ReceiptStatus::Duplicate);
        assert_eq!(
            (receipt.sequence_number, receipt.content_hash),
            (number(4), first.content_hash)
        );
    }
    rig.assert_sound();
}

#[test]
fn a_run_that_a_fault_cut_short_is_resumed() {
    let mut open_runs = 0;
    for fault in AppendFault::HONEST {
        for at in 0..8 {
            let mut rig = Rig::new();
            rig.settings.conflict_retries = 0;
            let store = Arc::new(FaultyStore::new(rig.store.reopen()));
            let ledger = rig.create_on(Arc::clone(&store) as _, &["acme", "beta"]);
            for name in ["acme", "beta"] {
                ledger.append(rig.events(name, "e", 20)).unwrap();
            }
            store.fail_append(store.appends() + at, fault);
            let numbers = NumberSet::from(2..8);
            let drops = [expiry("acme", numbers.clone()), expiry("beta", numbers)];
            let outcome = ledger.retention(&*store).drop_contents(&drops);
            // Two that begin the run, checkpoints, two that end it.
            assert_eq!(outcome.is_ok(), at >= 5, "{fault:?} {at}: {outcome:?}");
            drop(ledger);
            assert_sound(&*rig.store);
            let ledger = rig.open();
            let resumed = ledger.retention(&*rig.store).resume().unwrap();
            assert!(resumed.ledgers.iter().all(|one| one.covered == 6 && one.done.is_some()));
            open_runs += resumed.ledgers.len();
            assert_sound(&*rig.store);
            let again = ledger.retention(&*rig.store).resume().unwrap();
            assert_eq!(again.ledgers, [], "{fault:?} {at}");
            // What the run did not get to be recorded for is still to be asked for.
            let drops = drops.map(|drop| ContentDrop { numbers: NumberSet::from(2..8), ..drop });
            ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
            for name in ["acme", "beta"] {
                assert!((2..8).all(|at| record(&ledger, name, at).content.is_none()));
            }
            assert_sound(&*rig.store);
        }
    }
    assert!(open_runs > 8, "{open_runs}");
}

/// Everything verifies, in every part that can be asked for.
#[test]
fn parts_of_a_ledger_verify_without_the_records_that_explain_them() {
    let (rig, ledger) = deployment();
    let size = ledger.reader().size(&tenant("acme")).unwrap();
    let root =
        ledger.reader().root(&tenant("acme"), ledgerstone_proof::TreeSize::new(size)).unwrap();
    ledger.retention(&*rig.store).drop_contents(&[expiry("acme", NumberSet::from(2..19))]).unwrap();
    ledger.close().unwrap();
    let options = VerifyOptions::new(Level::Full, 2);
    let since = VerifiedHead { tenant: tenant("acme"), size, root };
    for options in [
        VerifyOptions {
            scope: Scope::Range { tenant: tenant("acme"), from: 4, to: 12 },
            ..options.clone()
        },
        VerifyOptions {
            scope: Scope::Range { tenant: tenant("acme"), from: 21, to: 23 },
            ..options.clone()
        },
        VerifyOptions { scope: Scope::Tenant(tenant("acme")), ..options.clone() },
        VerifyOptions { since: vec![since], ..options },
    ] {
        let report = report_of(&*rig.store, &options);
        assert!(report.holds(), "{options:?}: {}", lines(&report));
    }
}

/// A run that has only begun says nothing wrong; what it covers is there or gone.
#[test]
fn an_open_run_verifies_whatever_is_left() {
    let (rig, ledger) = deployment();
    let closed = FaultyStore::new(MemoryStore::new());
    closed.fail_next(AppendFault::UnknownNotApplied);
    assert!(closed.append(&ledgerstone_store::Batch::default()).is_err());
    let drops = [expiry("acme", NumberSet::from(2..9))];
    let error = ledger.retention(&closed).drop_contents(&drops).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutcomeUnknown);
    rig.assert_sound();
    let plan = ledgerstone_store::DropPlan::new().with(&tenant("acme"), &NumberSet::from(2..5));
    rig.store.drop_contents(&plan).unwrap();
    rig.assert_sound();
    ledger.retention(&*rig.store).resume().unwrap();
    rig.assert_sound();
    assert!((2..9).all(|at| record(&ledger, "acme", at).content.is_none()));
}

#[test]
fn no_run_drops_what_a_hold_covers_or_what_says_why_it_stands() {
    let (rig, ledger) = deployment();
    let acme = tenant("acme");
    let filter = br#"{"field":"id","in":["e1","e2"]}"#;
    let new = NewHold {
        subject: None,
        filter: Filter::parse(filter, &mut Canonicalizer::new()).ok(),
        from: None,
        until: None,
        review_at: rig.clock.now(),
        owner: "legal".to_owned(),
        reason: "case 17".to_owned(),
    };
    let hold = ledger.set_hold(&acme, &new, &Actor::operator("anna")).unwrap();
    let said_by = hold.set.audit_record.value();
    let wanted: NumberSet = (1..21).chain([said_by]).collect();
    let drops = [ContentDrop { reason: RetentionReason::Erasure, ..expiry("acme", wanted) }];
    let report = ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    let kept: Vec<u64> = report.held[&acme].ranges().flatten().collect();
    assert_eq!((report.store.dropped, kept), (18, vec![2, 3, said_by]));
    for at in [2, 3, said_by] {
        assert!(record(&ledger, "acme", at).content.is_some(), "{at}");
    }
    // After a restart it stands all the same, and two people release it.
    let ledger = rig.open();
    let release = |who| ledger.release_hold(&acme, hold.set.hold, "settled", &Actor::operator(who));
    release("anna").unwrap();
    assert_eq!(release("anna").unwrap_err().code(), ErrorCode::SecondPersonNeeded);
    assert_eq!(ledger.find_expired(&acme, &Unwatched).unwrap().unwrap().held.len(), 1);
    assert!(!release("berta").unwrap().stands());
    let words = ledger.hold_words(&acme, &hold).unwrap();
    assert_eq!((words.owner.as_deref(), words.filter), (Some("legal"), new.filter));
    let report = ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    assert_eq!((report.store.dropped, report.held.len()), (3, 0));
    rig.assert_sound();
}

struct Unwatched;

impl SurveyWatch for Unwatched {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
