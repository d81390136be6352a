//! People are erased: by two persons, for good, and with every proof as good as before.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::erasure::{ErasureMeans, SurveyWatch};
use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::{
    DeadLetters, HoldEntry, Ledger, LedgerError, NewDeadLetter, NewHold, Order, PolicyDraft,
    ReceiptStatus,
};
use ledgerstone_model::access::Sight;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{Preset, SubjectId};
use ledgerstone_model::subject_request::{
    ErasureBasis, RefusalGround, RequestState, RequestStep, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::{Actor, Clock as _, ErrorCode, Filter, Numbers, SystemRecord, Why};
use ledgerstone_proof::{Canonicalizer, SequenceNumber, split_content};
use ledgerstone_store::{DeadLetterLimits, FileDeadLetters, LedgerStore as _};

use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login, status};

pub struct Unwatched;

impl SurveyWatch for Unwatched {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

pub fn person(name: &str) -> Actor {
    Actor::operator(name)
}

pub fn open(ledger: &Ledger, subject: SubjectId) -> Result<SubjectRequestId, LedgerError> {
    let new = NewRequest {
        right: SubjectRight::Erasure,
        basis: Some(ErasureBasis::ConsentWithdrawn),
        subject,
        reason: Some("letter of 3 March".to_owned()),
        again: false,
    };
    Ok(ledger.open_request(&tenant("acme"), &new, &person("anna"))?.request.id())
}

pub fn approve(ledger: &Ledger, id: SubjectRequestId) {
    let acme = tenant("acme");
    for (step, who) in [(RequestStep::CheckIdentity, "anna"), (RequestStep::Approve, "berta")] {
        ledger.step_request(&acme, id, step, None, &person(who)).unwrap();
    }
}

pub fn means(own: &SealingRig) -> ErasureMeans<'_> {
    ErasureMeans {
        letters: None,
        contents: &*own.rig.store,
        despite_duties: false,
        keep_sealed_for_others: false,
        clear_contents_max: 10,
    }
}

pub fn erase(own: &SealingRig, ledger: &Ledger, id: SubjectRequestId) -> SequenceNumber {
    ledger.erase(&tenant("acme"), id, &means(own), &Unwatched).unwrap().unwrap()
}

/// A hold on one event.
pub fn set_hold(own: &SealingRig, ledger: &Ledger, id: &str) -> Arc<HoldEntry> {
    let filter = format!(r#"{{"field":"id","eq":"{id}"}}"#);
    let new = NewHold {
        subject: None,
        filter: Filter::parse(filter.as_bytes(), &mut Canonicalizer::new()).ok(),
        from: None,
        until: None,
        review_at: own.rig.clock.now(),
        owner: "legal".to_owned(),
        reason: "case 17".to_owned(),
    };
    ledger.set_hold(&tenant("acme"), &new, &person("carla")).unwrap()
}

/// Ana's events and another's, in a deployment that seals what is usual.
fn filled() -> (SealingRig, Ledger, SubjectId) {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "other"]);
    for (id, actor, name) in
        [("e-1", "ana", "Ana Lima"), ("e-2", "bo", "Bo Berg"), ("e-3", "ana", "Ana Lima")]
    {
        SealingRig::append(&ledger, "acme", &login(id, actor, name));
    }
    SealingRig::append(&ledger, "other", &login("e-1", "ana", "Ana Lima"));
    let subject = ledger.subject(&tenant("acme"), &ana()).unwrap();
    assert_eq!(subject.live_keys.len(), 1);
    let id = subject.id;
    (own, ledger, id)
}

pub fn said(ledger: &Ledger, number: SequenceNumber) -> SystemRecord {
    let record = ledger.reader().record(&tenant("acme"), number).unwrap();
    let content = record.content.unwrap();
    SystemRecord::parse(split_content(&content).unwrap().0).unwrap().0
}

#[test]
fn an_erased_person_is_unreadable_and_certified() {
    let (own, ledger, subject) = filled();
    let before = ledger.checkpoint(&tenant("acme")).unwrap();
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    let number = erase(&own, &ledger, id);
    let SystemRecord::Erasure(certificate) = said(&ledger, number) else {
        panic!("no certificate")
    };
    assert_eq!((certificate.sealed_contents, certificate.still_readable), (2, 0));
    assert_eq!(certificate.basis, Some(ErasureBasis::ConsentWithdrawn));
    let (acme, first) = (tenant("acme"), ledgerstone_proof::EventId::parse("e-1").unwrap());
    let stored = ledger.reader().get(&acme, &first).unwrap();
    let shown = ledger.viewer(&acme, Sight::EVERYTHING).unwrap().view(stored);
    let name = shown.hidden().iter().find(|part| part.pointer() == "/actor/name").unwrap();
    assert_eq!((name.why(), name.certificate()), (Why::Erased, Some(number)));
    let people = [certificate.requested_by.as_str(), certificate.approved_by.as_str()];
    assert_eq!(people, ["anna", "berta"]);
    let SystemRecord::ErasureStarted(started) = said(&ledger, certificate.started_record) else {
        panic!("nothing began")
    };
    assert_eq!(started.key_ids, certificate.key_ids);
    let after = ledger.subject(&tenant("acme"), &ana()).unwrap();
    assert_eq!((after.live_keys.len(), after.destroyed_keys.len()), (0, 1));
    assert_eq!(after.certificates, [number]);
    assert_eq!(ledger.request(&tenant("acme"), id).unwrap().request.state(), RequestState::Done);
    // Another tenant's person of that name, and another person, are as they were.
    assert_eq!(ledger.subject(&tenant("other"), &ana()).unwrap().live_keys.len(), 1);
    // What was signed before still holds.
    ledger.show_checkpoint(&before.note).unwrap();
    own.rig.assert_sound();
}

#[test]
fn one_person_alone_cannot_erase() {
    let (own, ledger, subject) = filled();
    let id = open(&ledger, subject).unwrap();
    let acme = tenant("acme");
    let step = |step, who| ledger.step_request(&acme, id, step, None, &person(who));
    let early = ledger.erase(&acme, id, &means(&own), &Unwatched).unwrap_err();
    assert_eq!(early.code(), ErrorCode::RequestState);
    step(RequestStep::CheckIdentity, "anna").unwrap();
    let same = step(RequestStep::Approve, "anna").unwrap_err();
    assert_eq!(same.code(), ErrorCode::SecondPersonNeeded);
    let early = ledger.erase(&acme, id, &means(&own), &Unwatched).unwrap_err();
    assert_eq!(early.code(), ErrorCode::RequestState);
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().live_keys.len(), 1);
    step(RequestStep::Approve, "berta").unwrap();
    erase(&own, &ledger, id);
}

#[test]
fn key_files_from_before_bring_nobody_back() {
    let (mut own, ledger, subject) = filled();
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(own.place.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    erase(&own, &ledger, id);
    drop(ledger);
    own.place = copy;
    own.reopen_keys();
    // The ledger has seen a newer generation, so the copy is not taken for the key files at all.
    assert_eq!(own.rig.try_open().unwrap_err().code(), ErrorCode::KeysBehind);
    // Somebody makes it look new.
    let acme = tenant("acme");
    while own.sealing.generation().0 < own.rig.store.reopen().status().key_generation.0 {
        let other = ledgerstone_model::sealing::Subject::Tenant;
        let ids = own.sealing.ids_of(&acme, &other).unwrap();
        own.sealing.destroy(&ids).unwrap();
        own.sealing.keys_for(&acme, &[&other]).unwrap();
    }
    let ledger = own.rig.open();
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().live_keys.len(), 1);
    assert_eq!(ledger.replay_erasures().unwrap(), 1);
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().live_keys.len(), 0);
    assert_eq!(ledger.replay_erasures().unwrap(), 0);
}

#[test]
fn a_second_erasure_says_when_the_first_was_and_who_acts_again_begins_anew() {
    let (own, ledger, subject) = filled();
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    let first = erase(&own, &ledger, id);
    assert_eq!(erase(&own, &ledger, id), first, "carried out once");
    let second = open(&ledger, subject).unwrap_err();
    assert!(
        matches!(second, LedgerError::AlreadyErased { certificate, .. } if certificate == first)
    );
    assert_eq!(second.code(), ErrorCode::AlreadyErased);
    SealingRig::append(&ledger, "acme", &login("e-9", "ana", "Ana Lima"));
    let known = ledger.subject_of_id(&tenant("acme"), &subject).unwrap();
    assert_eq!((known.live_keys.len(), known.destroyed_keys.len()), (1, 1));
    let again = open(&ledger, subject).unwrap();
    approve(&ledger, again);
    assert_ne!(erase(&own, &ledger, again), first);
}

#[test]
fn what_was_interrupted_is_finished_after_a_restart() {
    struct Ending;
    impl SurveyWatch for Ending {
        fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    let (mut own, ledger, subject) = filled();
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    let acme = tenant("acme");
    assert_eq!(ledger.erase(&acme, id, &means(&own), &Ending).unwrap(), None);
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    assert_eq!(ledger.request(&acme, id).unwrap().request.state(), RequestState::Approved);
    let certificate = erase(&own, &ledger, id);
    drop(ledger);
    let ledger = own.rig.open();
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().certificates, [certificate]);
    assert!(ledger.unfinished_erasures().unwrap().is_empty());
    own.rig.assert_sound();
}

#[test]
fn contents_in_clear_and_refused_submissions_are_found() {
    let mut own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    drop(ledger);
    own.rig.settings.default_sealing = Preset::Standard;
    let ledger = own.rig.open();
    SealingRig::append(&ledger, "acme", &login("e-3", "ana", "Ana Lima"));
    // Somebody else's event, with her name where nothing is sealed.
    let note = login("e-4", "bo", "Bo Berg").replace("night", "for Ana Lima, early");
    SealingRig::append(&ledger, "acme", &note);
    let acme = tenant("acme");
    let subject = ledger.subject(&acme, &ana()).unwrap().id;
    let survey = ledger.survey_subject(&acme, &subject, &Unwatched).unwrap().unwrap();
    let ids = |numbers: &ledgerstone_model::NumberSet| {
        let records = ledger.reader().list(&acme, Order::Sequence, None).unwrap();
        let found = records.map(Result::unwrap);
        let found = found.filter(|record| numbers.contains(record.sequence_number.value()));
        found.map(|record| record.event_id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(survey.sealed()), ["e-3"]);
    assert_eq!(ids(survey.clear()), ["e-1", "e-4"]);

    let place = tempfile::tempdir().unwrap();
    let store = FileDeadLetters::open(
        place.path(),
        ledgerstone_store::embedded::files::Files::new(),
        DeadLetterLimits::default(),
    );
    let (clock, entropy) = (Arc::clone(&own.rig.clock) as _, Arc::clone(&own.rig.entropy) as _);
    let letters =
        DeadLetters::new(Arc::new(store.unwrap()), clock, entropy, Duration::from_hours(1));
    for text in [
        "{\"actor\":\"Ana Lima\"",
        r#"{"actor":"\u0041na\u0020Lima""#,
        r#"{"reading":[{"note":"for \u0041na\u0020Lima"}]}"#,
        &login("x", "ana", "A."),
        r#"{"Ana Lima":"is no value"}"#,
        &login("x", "bo", "Bo Berg"),
    ] {
        let letter = NewDeadLetter {
            principal: "key:a".to_owned(),
            reading: None,
            numbers: Numbers::Refuse,
            default_id: None,
            text: text.as_bytes().to_vec(),
            code: ErrorCode::NotJson,
            detail: String::new(),
            faults: Vec::new(),
        };
        assert!(letters.keep(&acme, vec![letter])[0].is_ok());
    }
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    let means = ErasureMeans { letters: Some(&letters), ..means(&own) };
    let number = ledger.erase(&acme, id, &means, &Unwatched).unwrap().unwrap();
    let SystemRecord::Erasure(certificate) = said(&ledger, number) else {
        panic!("no certificate")
    };
    assert_eq!(certificate.dead_letters, 4);
    assert_eq!((certificate.dropped_contents, certificate.still_readable), (2, 0));
    for (at, is_there) in [("e-1", false), ("e-2", true), ("e-3", true), ("e-4", false)] {
        let id = ledgerstone_proof::EventId::parse(at).unwrap();
        let record = ledger.reader().get(&acme, &id).unwrap();
        assert_eq!(record.content.is_some(), is_there, "{at}");
    }
    own.rig.assert_sound();
    let left = letters.list(&acme, None, 10).unwrap();
    let left: Vec<_> = left.iter().map(|(_, one)| String::from_utf8_lossy(&one.text)).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].contains("Bo Berg") && left[1].contains("is no value"), "{left:?}");
}

#[test]
fn the_id_of_another_tenants_person_reaches_nothing() {
    let (_own, ledger, subject) = filled();
    let seen = ledger.subject_of_id(&tenant("other"), &subject).unwrap();
    assert!(seen.live_keys.is_empty() && seen.destroyed_keys.is_empty());
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
}

/// Ana in clear, then sealed: what of her a hold covers stays, and so does what a duty keeps.
#[test]
fn holds_and_duties_keep_what_is_in_clear_and_stand_against_what_is_sealed() {
    let mut own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    drop(ledger);
    own.rig.settings.default_sealing = Preset::Standard;
    let ledger = own.rig.open();
    SealingRig::append(&ledger, "acme", &login("e-3", "ana", "Ana Lima"));
    let acme = tenant("acme");
    let subject = ledger.subject(&acme, &ana()).unwrap().id;
    let release = |id| {
        for who in ["carla", "dora"] {
            ledger.release_hold(&acme, id, "settled", &person(who)).unwrap();
        }
    };
    let on_sealed = set_hold(&own, &ledger, "e-3");
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);
    let refused = ledger.erase(&acme, id, &means(&own), &Unwatched).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::HeldBack);
    release(on_sealed.set.hold);

    let policy = br#"{"presets":["hipaa"]}"#;
    let document =
        PolicyDocument::parse(PolicyKind::Retention, policy, &mut Canonicalizer::new()).unwrap();
    let draft = PolicyDraft { document, based_on: None };
    ledger.set_policy(&acme, draft, &person("anna")).unwrap();
    let duty = ledger.erase(&acme, id, &means(&own), &Unwatched).unwrap_err();
    assert_eq!(duty.code(), ErrorCode::DutyToKeep);
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().live_keys.len(), 1);
    // What stands against it is a ground to refuse it, and it may be asked for again.
    let refuse = RequestStep::Refuse(RefusalGround::LegalObligation);
    ledger.step_request(&acme, id, refuse, None, &person("carla")).unwrap();
    let late = ledger.erase(&acme, id, &means(&own), &Unwatched).unwrap_err();
    assert_eq!(late.code(), ErrorCode::RequestState);
    let id = open(&ledger, subject).unwrap();
    approve(&ledger, id);

    // After seven years the duty is over, and one of the two contents in clear is held.
    own.rig.clock.advance(Duration::from_hours(24 * 366 * 7));
    let on_clear = set_hold(&own, &ledger, "e-2");
    let number = erase(&own, &ledger, id);
    let SystemRecord::Erasure(certificate) = said(&ledger, number) else {
        panic!("no certificate")
    };
    assert_eq!((certificate.dropped_contents, certificate.still_readable), (1, 1));
    assert_eq!(certificate.kept_by, [on_clear.set_as.0]);
    own.rig.assert_sound();
}

#[test]
fn a_duty_keeps_what_is_in_clear_where_the_rest_goes_all_the_same() {
    let mut own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    drop(ledger);
    own.rig.settings.default_sealing = Preset::Standard;
    let ledger = own.rig.open();
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    let acme = tenant("acme");
    let document = PolicyDocument::parse(
        PolicyKind::Retention,
        br#"{"presets":["sox"]}"#,
        &mut Canonicalizer::new(),
    );
    let draft = PolicyDraft { document: document.unwrap(), based_on: None };
    let policy = ledger.set_policy(&acme, draft, &person("anna")).unwrap();
    let id = open(&ledger, ledger.subject(&acme, &ana()).unwrap().id).unwrap();
    approve(&ledger, id);
    let means = ErasureMeans { despite_duties: true, ..means(&own) };
    let number = ledger.erase(&acme, id, &means, &Unwatched).unwrap().unwrap();
    let SystemRecord::Erasure(certificate) = said(&ledger, number) else {
        panic!("no certificate")
    };
    assert_eq!((certificate.dropped_contents, certificate.still_readable), (0, 1));
    assert_eq!((certificate.sealed_contents, certificate.kept_by), (1, vec![policy.set_by()]));
}

#[test]
fn two_runs_of_one_erasure_have_one_certificate() {
    for _ in 0..8 {
        let (own, ledger, subject) = filled();
        let id = open(&ledger, subject).unwrap();
        approve(&ledger, id);
        let numbers = std::thread::scope(|scope| {
            let runs = [(); 4].map(|()| scope.spawn(|| erase(&own, &ledger, id)));
            runs.map(|run| run.join().unwrap())
        });
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        let size = ledger.reader().size(&tenant("acme")).unwrap();
        let all = ledger.reader().walk(&tenant("acme"), Order::Sequence, 0..size);
        let certificate = |record: &ledgerstone_store::StoredRecord| {
            let text = String::from_utf8_lossy(record.content.as_deref().unwrap_or_default());
            text.contains("\"event_type\":\"system.erasure\"")
        };
        assert_eq!(all.filter(|record| certificate(record.as_ref().unwrap())).count(), 1);
        own.rig.assert_sound();
    }
}
