//! What an erasure finds of a person, and that it is certified whatever happens between finding and ending.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_ledger::erasure::{ErasureMeans, SurveyWatch};
use ledgerstone_ledger::{ContentDrop, Ledger, LedgerError, Order, PolicyDraft, PolicyOutcome};
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{Preset, Subject, SubjectId};
use ledgerstone_model::subject_request::{RequestStep, SubjectRequestId};
use ledgerstone_model::system::{ErasureCertificate, RetentionReason};
use ledgerstone_model::{ErrorCode, NumberSet, SystemRecord};
use ledgerstone_proof::{Canonicalizer, SequenceNumber};
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_testkit::TestEvent;

use crate::erasure::{Unwatched, approve, erase, means, open, person, said, set_hold};
use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

/// Does something once, when the first record was looked at.
struct Amid<F: Fn()>(F, AtomicBool);

impl<F: Fn()> Amid<F> {
    fn survey(act: F) -> Self {
        Self(act, AtomicBool::new(false))
    }
}

impl<F: Fn() + Sync> SurveyWatch for Amid<F> {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        if !self.1.swap(true, Ordering::SeqCst) {
            (self.0)();
        }
        ControlFlow::Continue(())
    }
}

pub fn set_policy(ledger: &Ledger, kind: PolicyKind, text: &str) {
    let document = PolicyDocument::parse(kind, text.as_bytes(), &mut Canonicalizer::new()).unwrap();
    let draft = PolicyDraft { document, based_on: None };
    match ledger.set_or_propose_policy(&tenant("acme"), draft, &person("anna")).unwrap() {
        PolicyOutcome::InForce(_) => {}
        PolicyOutcome::Proposed(proposal) => {
            let (number, by) = (proposal.recorded_as, person("berta"));
            ledger.approve_policy(&tenant("acme"), kind, number, &by).unwrap();
        }
    }
}

fn hold_on(ledger: &Ledger, own: &SealingRig, id: &str) -> SequenceNumber {
    set_hold(own, ledger, id).set_as.0
}

fn approved(ledger: &Ledger, subject: SubjectId) -> SubjectRequestId {
    let id = open(ledger, subject).unwrap();
    approve(ledger, id);
    id
}

fn ids(ledger: &Ledger, numbers: &NumberSet) -> Vec<String> {
    let records = ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
    let found = records.map(Result::unwrap);
    let found = found.filter(|record| numbers.contains(record.sequence_number.value()));
    found.map(|record| record.event_id.as_str().to_owned()).collect()
}

pub fn clear_of(ledger: &Ledger, subject: &SubjectId) -> Vec<String> {
    let survey = ledger.survey_subject(&tenant("acme"), subject, &Unwatched).unwrap().unwrap();
    ids(ledger, survey.clear())
}

pub fn certificate(ledger: &Ledger, number: SequenceNumber) -> ErasureCertificate {
    let SystemRecord::Erasure(certificate) = said(ledger, number) else { panic!("no certificate") };
    *certificate
}

/// An event of Bo's, with a text where nothing is sealed.
fn note(id: &str, text: &str) -> String {
    login(id, "bo", "Bo Berg").replace("night", text)
}

#[test]
fn a_name_that_is_a_word_takes_nobody_elses_contents_along() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("odd-1", "odd", "invoice.created"));
    SealingRig::append(&ledger, "acme", &login("odd-2", "odd", "status"));
    SealingRig::append(&ledger, "acme", &login("odd-3", "odd", "Martin"));
    for (id, text) in [("b-1", "for Martinez"), ("b-2", "Martin!"), ("b-3", "by martin")] {
        SealingRig::append(&ledger, "acme", &note(id, text));
    }
    let other = TestEvent::new("invoice.created")
        .id("b-4")
        .set("/action/status", "success".into())
        .set("/metadata/status", "paid".into())
        .json();
    SealingRig::append(&ledger, "acme", &other);
    let who = Subject::Person { kind: "user".to_owned(), id: "odd".to_owned() };
    let odd = ledger.subject(&tenant("acme"), &who).unwrap().id;
    assert_eq!(clear_of(&ledger, &odd), ["b-2"]);
}

#[test]
fn whoever_is_named_in_clear_is_found_whatever_the_policy_seals() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let policy = r#"{"preset":"standard","rules":[{"path":"target.name","class":"public"}]}"#;
    set_policy(&ledger, PolicyKind::Sealing, policy);
    let read = TestEvent::new("chart.read")
        .id("c-1")
        .set("/actor/id", "dr-9".into())
        .set("/actor/type", "user".into())
        .set("/target/id", "p-8".into())
        .set("/target/type", "patient".into())
        .set("/target/name", "Patricia Onyx".into());
    SealingRig::append(&ledger, "acme", &read.json());
    SealingRig::append(&ledger, "acme", &note("c-2", "called Patricia Onyx"));
    SealingRig::append(&ledger, "acme", &note("c-3", "called nobody"));
    let who = Subject::Person { kind: "patient".to_owned(), id: "p-8".to_owned() };
    let subject = ledger.subject(&tenant("acme"), &who).unwrap().id;
    assert_eq!(clear_of(&ledger, &subject), ["c-1", "c-2"]);
    let id = approved(&ledger, subject);
    let number = erase(&own, &ledger, id);
    let certificate = certificate(&ledger, number);
    assert_eq!((certificate.dropped_contents, certificate.still_readable), (2, 0));
    own.rig.assert_sound();
}

/// Under `strict`, what somebody did something to is sealed under their key as well.
#[test]
fn the_name_of_a_thing_is_not_the_name_of_whoever_used_it() {
    let own = SealingRig::new(Preset::Strict);
    let ledger = own.rig.create(&["acme"]);
    let used = TestEvent::new("file.read")
        .id("f-1")
        .set("/actor/id", "ana".into())
        .set("/actor/type", "user".into())
        .set("/actor/name", "Ana Lima".into())
        .set("/target/id", "report-7".into())
        .set("/target/type", "document".into())
        .set("/target/name", "Annual report".into());
    SealingRig::append(&ledger, "acme", &used.json());
    let policy = r#"{"preset":"standard"}"#;
    set_policy(&ledger, PolicyKind::Sealing, policy);
    SealingRig::append(&ledger, "acme", &note("f-2", "the Annual report is done"));
    SealingRig::append(&ledger, "acme", &note("f-3", "ask Ana Lima"));
    let subject = ledger.subject(&tenant("acme"), &ana()).unwrap().id;
    assert_eq!(clear_of(&ledger, &subject), ["f-3"]);
}

/// What somebody did to a person without an id is sealed under their own key, that person's name with it.
#[test]
fn the_name_of_a_person_without_an_id_is_not_the_name_of_whoever_called_them() {
    for preset in [Preset::Standard, Preset::Strict] {
        let own = SealingRig::new(preset);
        let ledger = own.rig.create(&["acme"]);
        let called = login("o-1", "ana", "Ana Lima").replacen(
            '{',
            r#"{"target":{"type":"customer","name":"Patricia Onyx"},"#,
            1,
        );
        SealingRig::append(&ledger, "acme", &called);
        set_policy(&ledger, PolicyKind::Sealing, r#"{"preset":"standard"}"#);
        SealingRig::append(&ledger, "acme", &note("o-2", "order of Patricia Onyx"));
        SealingRig::append(&ledger, "acme", &note("o-3", "ask Ana Lima"));
        let subject = ledger.subject(&tenant("acme"), &ana()).unwrap().id;
        assert_eq!(clear_of(&ledger, &subject), ["o-3"], "{preset:?}");
    }
}

/// Under `strict` the id by which a target is told from others is sealed, and opened for it.
#[test]
fn the_name_of_a_target_counts_where_its_sealed_id_is_the_persons() {
    let own = SealingRig::new(Preset::Strict);
    let ledger = own.rig.create(&["acme"]);
    let target = r#"{"target":{"id":"ana","type":"user","name":"Ana Lima"},"#;
    let called = login("s-1", "bo", "Bo Berg").replacen('{', target, 1);
    SealingRig::append(&ledger, "acme", &called);
    set_policy(&ledger, PolicyKind::Sealing, r#"{"preset":"standard"}"#);
    SealingRig::append(&ledger, "acme", &note("s-2", "ask Ana Lima"));
    let subject = ledger.subject(&tenant("acme"), &ana()).unwrap().id;
    assert_eq!(clear_of(&ledger, &subject), ["s-2"]);
}

/// Whoever administers and is erased leaves what they did, and where it names them in clear, what ordered it.
#[test]
fn what_an_officer_did_is_not_theirs_to_take_along() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let policy = r#"{"preset":"standard","rules":[{"path":"metadata","class":"personal"}]}"#;
    set_policy(&ledger, PolicyKind::Sealing, policy);
    let officer = |id: &str| Subject::Person { kind: "operator".to_owned(), id: id.to_owned() };
    let anna = ledger.subject(&tenant("acme"), &officer("anna")).unwrap().id;
    assert!(clear_of(&ledger, &anna).is_empty());

    set_policy(&ledger, PolicyKind::Sealing, r#"{"preset":"none"}"#);
    let berta = person("berta").named("Berta Baum");
    let subject = ledger.subject(&tenant("acme"), &officer("berta")).unwrap().id;
    let id = open(&ledger, subject).unwrap();
    let acme = tenant("acme");
    ledger.step_request(&acme, id, RequestStep::CheckIdentity, None, &person("anna")).unwrap();
    let approved = ledger.step_request(&acme, id, RequestStep::Approve, None, &berta).unwrap();
    assert_eq!(clear_of(&ledger, &subject).len(), 1);
    let number = erase(&own, &ledger, id);
    let certificate = certificate(&ledger, number);
    assert_eq!((certificate.dropped_contents, certificate.still_readable), (0, 1));
    let ordered = ledger.reader().record(&acme, approved.audit_record).unwrap();
    assert!(ordered.content.is_some());
}

/// Ana sealed, and in clear in three of Bo's contents, of which a hold keeps one. Answers the `system.hold_set`
/// record as well.
pub fn scatter(own: &SealingRig, ledger: &Ledger) -> (SubjectId, SequenceNumber) {
    SealingRig::append(ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    for id in ["e-2", "e-3", "e-4"] {
        SealingRig::append(ledger, "acme", &note(id, "for Ana Lima"));
    }
    let kept_by = hold_on(ledger, own, "e-3");
    (ledger.subject(&tenant("acme"), &ana()).unwrap().id, kept_by)
}

fn assert_certified(certificate: &ErasureCertificate, kept_by: SequenceNumber, at: &str) {
    let counts = [
        certificate.sealed_contents,
        certificate.dropped_contents,
        certificate.still_readable,
        certificate.kept_by.len() as u64,
    ];
    assert_eq!((counts, &*certificate.kept_by), ([1, 2, 1, 1], &[kept_by][..]), "{at}");
}

#[test]
fn what_was_found_by_name_is_certified_wherever_a_run_was_cut_short() {
    let mut cut_short = 0;
    for fault in AppendFault::HONEST {
        for at in 0..8 {
            let mut own = SealingRig::new(Preset::Standard);
            own.rig.settings.conflict_retries = 0;
            let store = Arc::new(FaultyStore::new(own.rig.store.reopen()));
            let ledger = own.rig.create_on(Arc::clone(&store) as _, &["acme"]);
            let (subject, kept_by) = scatter(&own, &ledger);
            let id = approved(&ledger, subject);
            store.fail_append(store.appends() + at, fault);
            let means = ErasureMeans { contents: &*store, ..means(&own) };
            let first = ledger.erase(&tenant("acme"), id, &means, &Unwatched);
            cut_short += usize::from(first.is_err());
            drop(ledger);
            own.reopen_keys();
            let ledger = own.rig.open();
            ledger.replay_erasures().unwrap();
            let number = erase(&own, &ledger, id);
            assert_certified(&certificate(&ledger, number), kept_by, &format!("{fault:?} {at}"));
            assert_eq!(clear_of(&ledger, &subject), ["e-3"], "what was kept, and no name");
            own.rig.assert_sound();
        }
    }
    assert!(cut_short > 8, "{cut_short}");
}

#[test]
fn an_approval_after_the_beginning_changes_nothing_that_is_certified() {
    let own = SealingRig::new(Preset::Standard);
    let store = Arc::new(FaultyStore::new(own.rig.store.reopen()));
    let ledger = own.rig.create_on(Arc::clone(&store) as _, &["acme"]);
    let (subject, kept_by) = scatter(&own, &ledger);
    let id = approved(&ledger, subject);
    // The record that begins it is written, the checkpoint over it is not.
    store.fail_append(store.appends() + 1, AppendFault::HONEST[0]);
    let failing = ErasureMeans { contents: &*store, ..means(&own) };
    ledger.erase(&tenant("acme"), id, &failing, &Unwatched).unwrap_err();
    drop(ledger);
    let ledger = own.rig.open();
    assert_eq!(ledger.unfinished_erasures().unwrap().len(), 1);
    ledger.step_request(&tenant("acme"), id, RequestStep::Approve, None, &person("berta")).unwrap();
    let number = erase(&own, &ledger, id);
    assert_certified(&certificate(&ledger, number), kept_by, "approved again");
}

#[test]
fn no_more_contents_go_than_were_approved() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let (subject, kept_by) = scatter(&own, &ledger);
    let (id, acme) = (approved(&ledger, subject), tenant("acme"));
    let size = ledger.reader().size(&acme).unwrap();
    let fewer = ErasureMeans { clear_contents_max: 1, ..means(&own) };
    let refused = ledger.erase(&acme, id, &fewer, &Unwatched).unwrap_err();
    assert!(matches!(refused, LedgerError::MoreInClear { found: 2, approved: 1 }), "{refused}");
    assert_eq!(refused.code(), ErrorCode::MoreInClear);
    assert_eq!(ledger.reader().size(&acme).unwrap(), size, "nothing is recorded");
    assert_eq!(ledger.subject_of_id(&acme, &subject).unwrap().live_keys.len(), 1);
    let enough = ErasureMeans { clear_contents_max: 2, ..means(&own) };
    let number = ledger.erase(&acme, id, &enough, &Unwatched).unwrap().unwrap();
    assert_certified(&certificate(&ledger, number), kept_by, "as many as were approved");
}

#[test]
fn what_comes_in_while_the_ledger_is_gone_through_counts() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let (subject, kept_by) = scatter(&own, &ledger);
    let (id, acme) = (approved(&ledger, subject), tenant("acme"));

    let amid = Amid::survey(|| {
        hold_on(&ledger, &own, "e-1");
    });
    let refused = ledger.erase(&acme, id, &means(&own), &amid).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::HeldBack, "a hold that was set meanwhile");
    let on_sealed = ledger.holds(&acme).unwrap().last().unwrap().set.hold;
    for who in ["carla", "dora"] {
        ledger.release_hold(&acme, on_sealed, "settled", &person(who)).unwrap();
    }

    hold_on(&ledger, &own, "e-5");
    let amid = Amid::survey(|| {
        // She has another name since, by which she was known before.
        SealingRig::append(&ledger, "acme", &login("e-6", "ana", "Ana Berg-Lima"));
        SealingRig::append(&ledger, "acme", &note("e-7", "for Ana Lima"));
    });
    SealingRig::append(&ledger, "acme", &note("e-8", "for Ana Berg-Lima"));
    let found = ledger.erase(&acme, id, &means(&own), &amid).unwrap().unwrap();
    let certificate = certificate(&ledger, found);
    assert_eq!((certificate.sealed_contents, certificate.dropped_contents), (2, 4));
    assert_eq!((certificate.still_readable, &*certificate.kept_by), (1, &[kept_by][..]));
}

#[test]
fn a_standing_hold_counts_for_what_comes_in_meanwhile() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let (subject, _) = scatter(&own, &ledger);
    hold_on(&ledger, &own, "e-9");
    let id = approved(&ledger, subject);
    let amid = Amid::survey(|| {
        SealingRig::append(&ledger, "acme", &login("e-9", "ana", "Ana Lima"));
    });
    let refused = ledger.erase(&tenant("acme"), id, &means(&own), &amid).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::HeldBack);
    assert_eq!(ledger.subject_of_id(&tenant("acme"), &subject).unwrap().live_keys.len(), 1);
}

#[test]
fn nothing_expires_by_a_policy_that_is_in_force_no_more() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let acme = tenant("acme");
    let policy = r#"{"rules":[{"name":"short","maximum":"P3Y"}]}"#;
    set_policy(&ledger, PolicyKind::Retention, policy);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    own.rig.clock.advance(std::time::Duration::from_hours(24 * 366 * 4));
    let longer = r#"{"rules":[{"name":"short","maximum":"P3Y"},{"name":"law","minimum":"P7Y"}]}"#;
    let amid = Amid::survey(|| set_policy(&ledger, PolicyKind::Retention, longer));
    let retention = ledger.retention(&*own.rig.store);
    let tenants = [(acme.clone(), None)];
    let run = retention.expire(&tenants, &amid).unwrap().unwrap();
    assert!(!run.found[0].expired.is_empty());
    assert_eq!(run.dropped.overtaken.iter().collect::<Vec<_>>(), [&acme]);
    assert!(run.dropped.ledgers.is_empty());
    let run = retention.expire(&tenants, &Unwatched).unwrap().unwrap();
    assert!(run.dropped.overtaken.is_empty() && run.found[0].expired.is_empty());
    // Nor by what counts for those who have none, once there is one.
    let drop = ContentDrop {
        tenant: acme.clone(),
        numbers: run.found[0].expired.clone(),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    };
    assert!(retention.drop_contents(&[drop]).unwrap().overtaken.contains(&acme));
}
