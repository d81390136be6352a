//! What gathers while a batch is being written, and what becomes of it when that fails.

use std::sync::Arc;

use ledgerstone_ledger::ReceiptStatus::{self, Created, Duplicate};
use ledgerstone_ledger::{Ledger, SubmitError, Ticket};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_store::memory::MemoryStore;

use crate::rig::{Rig, receipts, tenant};

struct Scene {
    rig: Rig,
    store: Arc<FaultyStore<MemoryStore>>,
    ledger: Ledger,
}

impl Scene {
    fn new(change: impl FnOnce(&mut Rig)) -> Self {
        let mut rig = Rig::new();
        change(&mut rig);
        let store = Arc::new(FaultyStore::new(rig.store.reopen()));
        let ledger = rig.create_on(Arc::clone(&store) as Arc<dyn LedgerStore>, &["acme", "beta"]);
        Self { rig, store, ledger }
    }

    fn submit(&self, ids: &[(&str, &str)]) -> Ticket {
        let events = ids.iter().map(|(name, id)| self.rig.event(name, id, "x"));
        self.ledger.submit(events.collect()).unwrap()
    }

    /// One batch that is being written, and everything of `ids` gathered behind it.
    fn gather(&self, first: &[(&str, &str)], then: &[(&str, &str)]) -> (Ticket, Ticket) {
        self.store.gate().shut();
        let first = self.submit(first);
        self.store.gate().wait_for_append();
        (first, self.submit(then))
    }

    fn appends_for(&self, work: impl FnOnce()) -> u64 {
        let before = self.store.appends();
        work();
        self.store.appends() - before
    }
}

#[test]
fn what_comes_during_a_commit_is_one_commit() {
    let scene = Scene::new(|_| {});
    let appends = scene.appends_for(|| {
        let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b"), ("beta", "b")]);
        let third = scene.submit(&[("acme", "c")]);
        assert!(!first.is_done() && !second.is_done());
        scene.store.gate().open();
        let numbers = |ticket: Ticket| {
            let receipts = receipts(ticket.wait());
            receipts.iter().map(|receipt| receipt.sequence_number.value()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(third), [3]);
        assert_eq!(numbers(second), [2, 1]);
        assert_eq!(numbers(first), [1]);
    });
    assert_eq!(appends, 2);
    scene.rig.assert_sound();
}

#[test]
fn what_stood_upon_an_unwritten_batch_is_placed_again() {
    let scene = Scene::new(|_| {});
    let (first, second) = scene.gather(
        &[("acme", "a1"), ("beta", "a2")],
        &[("acme", "b1"), ("acme", "a1"), ("beta", "b2"), ("acme", "b3")],
    );
    scene.store.fail_next(AppendFault::Unavailable);
    scene.store.gate().open();
    for outcome in first.wait() {
        assert_eq!(outcome.refused(), Some(ErrorCode::StorageFailed));
    }
    let second = second.wait();
    let number = |at: usize| second[at].receipt().unwrap().sequence_number.value();
    assert_eq!((number(0), number(2), number(3)), (1, 1, 2), "as if the first had never been");
    let repeated = second[1].refused();
    assert_eq!(
        repeated,
        Some(ErrorCode::StorageFailed),
        "it shares the fate of the first of its id"
    );
    let again = receipts(scene.submit(&[("acme", "a1")]).wait()).remove(0);
    assert_eq!((again.status, again.sequence_number.value()), (ReceiptStatus::Created, 3));
    scene.rig.assert_sound();
}

#[test]
fn both_batches_are_placed_again_behind_another_writer() {
    let scene = Scene::new(|rig| rig.settings.conflict_retries = 4);
    let other = scene.rig.open();
    let (first, second) = scene.gather(
        &[("acme", "a1"), ("beta", "both")],
        &[("acme", "b1"), ("beta", "b2"), ("acme", "b3"), ("beta", "b4")],
    );
    // While the gate is shut, another process writes to the same ledgers, two of the same events.
    let theirs = [("acme", "theirs"), ("beta", "both"), ("beta", "b2")];
    let theirs = theirs.map(|(name, id)| scene.rig.event(name, id, "x"));
    receipts(other.append(theirs.into()).unwrap());
    scene.store.gate().open();
    let first = receipts(first.wait());
    let second = receipts(second.wait());
    let facts = |receipts: &[ledgerstone_ledger::Receipt]| -> Vec<(u64, ReceiptStatus)> {
        receipts.iter().map(|receipt| (receipt.sequence_number.value(), receipt.status)).collect()
    };
    assert_eq!(facts(&first), [(2, Created), (1, Duplicate)]);
    assert_eq!(facts(&second), [(3, Created), (2, Duplicate), (4, Created), (3, Created)]);
    scene.rig.assert_sound();
}

#[test]
fn a_conflict_without_a_copy_is_told() {
    let scene = Scene::new(|_| {});
    let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b")]);
    scene.store.fail_next(AppendFault::Conflict);
    scene.store.gate().open();
    assert_eq!(first.wait()[0].refused(), Some(ErrorCode::Conflict));
    assert_eq!(receipts(second.wait())[0].sequence_number.value(), 1);
    scene.rig.assert_sound();
}

#[test]
fn an_unknown_outcome_is_everybodys() {
    let scene = Scene::new(|_| {});
    let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b"), ("acme", "a")]);
    scene.store.fail_next(AppendFault::UnknownApplied);
    scene.store.gate().open();
    for outcome in first.wait().into_iter().chain(second.wait()) {
        assert_eq!(outcome.refused(), Some(ErrorCode::OutcomeUnknown));
    }
    let error = scene.ledger.checkpoint(&tenant("acme")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutcomeUnknown);
    drop(scene.ledger);
    let ledger = scene.rig.open();
    let statuses: Vec<ReceiptStatus> = ["a", "b"]
        .map(|id| {
            let event = scene.rig.event("acme", id, "x");
            receipts(ledger.append(vec![event]).unwrap())[0].status
        })
        .into();
    assert_eq!(statuses, [ReceiptStatus::Duplicate, ReceiptStatus::Created]);
    scene.rig.assert_sound();
}

#[test]
fn an_administrative_round_takes_what_waits_along() {
    let scene = Scene::new(|_| {});
    std::thread::scope(|scope| {
        let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b")]);
        let anchoring = scope.spawn(|| scene.ledger.anchor().unwrap());
        scene.store.gate().open();
        receipts(first.wait());
        receipts(second.wait());
        assert_eq!(anchoring.join().unwrap().ledgers, 2);
    });
    scene.rig.assert_sound();
}

#[test]
fn the_queue_says_when_it_is_full() {
    let scene = Scene::new(|rig| rig.settings.open_records = 3);
    let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b"), ("acme", "c")]);
    let one_more = scene.ledger.try_submit(scene.rig.events("acme", "d", 1)).unwrap();
    let full = scene.ledger.try_submit(scene.rig.events("acme", "e", 1));
    assert!(matches!(full, Err(SubmitError::QueueFull { records: 3 })));
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| scene.ledger.submit(scene.rig.events("acme", "f", 3)).unwrap());
        scene.store.gate().open();
        receipts(waiting.join().unwrap().wait());
    });
    for ticket in [first, second, one_more] {
        receipts(ticket.wait());
    }
    assert_eq!(scene.ledger.reader().size(&tenant("acme")).unwrap(), 8);
    assert_eq!(scene.ledger.reader().tenants().unwrap().len(), 3);
    assert!(scene.ledger.reader().size(&TenantId::system()).unwrap() >= 3);
    scene.rig.assert_sound();
}

#[test]
fn a_lookup_that_has_grown_old_is_made_again() {
    let scene = Scene::new(|_| {});
    let late = scene.rig.event("acme", "twice", "x");
    scene.store.gate().hold_lookup(late.event_id());
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| scene.ledger.append(vec![late]).unwrap());
        scene.store.gate().wait_for_lookup();
        // It has looked and found nothing. Now the same event is recorded, and so many commits follow
        // that nobody but the store remembers it.
        let first = scene.rig.event("acme", "twice", "x");
        assert_eq!(receipts(scene.ledger.append(vec![first]).unwrap())[0].status, Created);
        for n in 0..30 {
            receipts(scene.ledger.append(scene.rig.events("acme", &format!("n{n}-"), 1)).unwrap());
        }
        scene.store.gate().release_lookup();
        assert_eq!(receipts(sender.join().unwrap())[0].status, Duplicate);
    });
    assert_eq!(scene.ledger.reader().size(&tenant("acme")).unwrap(), 32);
    scene.rig.assert_sound();
}

#[test]
fn who_does_not_wait_is_called_once_when_all_of_it_is_durable() {
    let scene = Scene::new(|_| {});
    let (calls, called) = std::sync::mpsc::channel();
    let tell = |name: &'static str| {
        let calls = calls.clone();
        move || calls.send(name).unwrap()
    };
    let (first, second) = scene.gather(&[("acme", "a")], &[("acme", "b"), ("beta", "b")]);
    // Sent again while it is being written: it hangs on the first commit and on the second.
    let third = scene.submit(&[("acme", "a"), ("acme", "c"), ("acme", "d")]);
    third.on_done(tell("third"));
    second.on_done(tell("second"));
    assert!(called.try_recv().is_err(), "nothing is durable yet");
    assert!(third.may_read() && !second.may_read());
    scene.store.gate().open();
    let mut names = [called.recv().unwrap(), called.recv().unwrap()];
    names.sort_unstable();
    assert_eq!(names, ["second", "third"]);
    assert!(first.is_done() && second.is_done() && third.is_done());
    // What is done already is told at once, by the caller's own thread.
    third.on_done(tell("again"));
    assert_eq!(called.try_recv(), Ok("again"));
    assert_eq!(receipts(third.wait()).len(), 3);
    drop((first, second));
    assert!(called.try_recv().is_err(), "nobody is called twice");
    scene.rig.assert_sound();
}

#[test]
fn who_does_not_wait_is_called_when_the_commit_fails() {
    let scene = Scene::new(|_| {});
    let (calls, called) = std::sync::mpsc::channel();
    scene.store.fail_next(AppendFault::Unavailable);
    let ticket = scene.submit(&[("acme", "a")]);
    ticket.on_done(move || calls.send(()).unwrap());
    called.recv().unwrap();
    assert!(ticket.is_done());
    assert!(ticket.wait()[0].refused().is_some());
}

#[test]
fn a_whole_submission_is_taken_or_refused_as_one() {
    let scene = Scene::new(|_| {});
    let event = |id: &str, text: &str| scene.rig.event("acme", id, text);
    let whole = |events: Vec<_>| scene.ledger.try_submit_whole(events).unwrap().wait();
    let statuses = |outcomes: &[ledgerstone_ledger::Outcome]| {
        outcomes.iter().map(ledgerstone_ledger::Outcome::refused).collect::<Vec<_>>()
    };
    assert_eq!(statuses(&whole(vec![event("a", "1"), event("b", "1")])), [None, None]);

    let (conflict, others) = (Some(ErrorCode::IdConflict), Some(ErrorCode::BatchRefused));
    let before = scene.ledger.reader().size(&tenant("acme")).unwrap();
    let refused = whole(vec![event("c", "1"), event("a", "other"), event("d", "1")]);
    assert_eq!(statuses(&refused), [others, conflict, others], "an id that is recorded");
    let refused = whole(vec![event("c", "1"), event("c", "2")]);
    assert_eq!(statuses(&refused), [others, conflict], "an id that stands twice in it");
    assert_eq!(scene.ledger.reader().size(&tenant("acme")).unwrap(), before);

    // What was recorded before is no obstacle, nor is the same event twice.
    let repeated = receipts(whole(vec![event("a", "1"), event("c", "1"), event("c", "1")]));
    let statuses: Vec<ReceiptStatus> = repeated.iter().map(|receipt| receipt.status).collect();
    assert_eq!(statuses, [Duplicate, Created, Duplicate]);

    let unknown = whole(vec![scene.rig.event("nobody", "x", "1"), event("e", "1")]);
    assert_eq!(unknown[0].refused(), Some(ErrorCode::UnknownTenant));
    assert_eq!(unknown[1].refused(), others);
    scene.rig.assert_sound();
}

#[test]
fn a_whole_submission_waits_for_what_is_being_written() {
    let scene = Scene::new(|_| {});
    for (text, expected) in [
        ("x", [None, None]),
        ("other", [Some(ErrorCode::IdConflict), Some(ErrorCode::BatchRefused)]),
    ] {
        let id = format!("id-{text}");
        scene.store.gate().shut();
        let running = scene.submit(&[("acme", &id)]);
        scene.store.gate().wait_for_append();
        let outcomes = std::thread::scope(|scope| {
            let whole = scope.spawn(|| {
                let events = vec![
                    scene.rig.event("acme", &id, text),
                    scene.rig.event("acme", &format!("new-{text}"), "1"),
                ];
                scene.ledger.try_submit_whole(events).unwrap().wait()
            });
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!whole.is_finished(), "the fate of the id is open");
            scene.store.gate().open();
            whole.join().unwrap()
        });
        assert_eq!(
            outcomes.iter().map(ledgerstone_ledger::Outcome::refused).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(receipts(running.wait()).len(), 1);
    }
    scene.rig.assert_sound();
}
