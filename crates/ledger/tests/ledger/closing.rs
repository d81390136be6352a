//! Tenants are closed: by two people, for good, and what is left proves as before.

use std::ops::ControlFlow;
use std::sync::Arc;

use ledgerstone_ledger::check::{Level, VerifyOptions};
use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::erasure::SurveyWatch;
use ledgerstone_ledger::{ClosingAsked, Ledger, LedgerError, NewHold, Order, PolicyDraft, Ripe};
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{Preset, Subject};
use ledgerstone_model::system::{KeyChange, KeyUse, RetentionReason, SystemRecord, TenantState};
use ledgerstone_model::{Actor, Clock as _, ErrorCode};
use ledgerstone_proof::{
    Canonicalizer, Checkpoint, EventId, Kind, SequenceNumber, TenantId, split_content,
    verify_record_proof,
};
use ledgerstone_store::conformance::{AppendFault, FaultyStore};
use ledgerstone_store::{LedgerStore as _, StoredRecord};

use crate::rig::{Rig, assert_sound, lines, report_of, tenant};
use crate::sealing_rig::{SealingRig, ana, login};

struct Unwatched;

impl SurveyWatch for Unwatched {
    fn records(&self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn person(name: &str) -> Actor {
    Actor::operator(name)
}

fn acme() -> TenantId {
    tenant("acme")
}

fn ask(ledger: &Ledger, despite_duties: bool, who: &str) -> Result<Arc<ClosingAsked>, LedgerError> {
    let wish = ClosingWish { reason: "the contract has ended", despite_duties };
    ledger.ask_closing(&acme(), wish, &person(who))
}

fn agree(ledger: &Ledger) {
    let asked = ask(ledger, false, "anna").unwrap();
    ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).unwrap();
}

fn code<T: std::fmt::Debug, E: Into<LedgerError>>(outcome: Result<T, E>) -> ErrorCode {
    outcome.map_err(Into::into).unwrap_err().code()
}

fn records(ledger: &Ledger, name: &str) -> Vec<StoredRecord> {
    let all = ledger.reader().list(&tenant(name), Order::Sequence, None).unwrap();
    all.collect::<Result<_, _>>().unwrap()
}

fn said(record: &StoredRecord) -> SystemRecord {
    SystemRecord::parse(split_content(record.content.as_deref().unwrap()).unwrap().0).unwrap().0
}

/// Two tenants whose events are about people.
fn deployment() -> (SealingRig, Ledger) {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "beta"]);
    for (id, actor, name) in [("e-1", "ana", "Ana Lima"), ("e-2", "bo", "Bo Berg")] {
        for tenant in ["acme", "beta"] {
            SealingRig::append(&ledger, tenant, &login(id, actor, name));
        }
    }
    (own, ledger)
}

fn close(own: &SealingRig, ledger: &Ledger) -> SequenceNumber {
    let retention = ledger.retention(&*own.rig.store);
    retention.close_tenant(&acme(), None, &Unwatched).unwrap().unwrap()
}

/// Every content that may go is gone, every other is there, and the last record says so.
fn assert_closed(ledger: &Ledger, last: SequenceNumber) {
    let all = records(ledger, "acme");
    assert!(all.iter().all(|one| one.content.is_some() == (one.kind == Kind::System)));
    let ending = all.last().unwrap();
    assert_eq!(ending.sequence_number, last);
    let SystemRecord::TenantClosed(closed) = said(ending) else { panic!("no end") };
    let others = all.iter().filter(|one| one.kind != Kind::System);
    assert_eq!(closed.contents, others.count() as u64);
    let begun = &all[usize::try_from(closed.closing_record.value()).unwrap()];
    assert!(matches!(said(begun), SystemRecord::TenantClosing(_)));
    for one in all.iter().filter(|one| one.content.is_none()) {
        let dropped = ledger.reader().dropped(one).unwrap().unwrap();
        assert_eq!(dropped.reason, RetentionReason::TenantClosed);
    }
    assert_eq!(ledger.tenant_state(&acme()), Some(TenantState::Closed));
    let kept = ledger.store().checkpoints(&acme()).unwrap();
    let newest = kept.iter().rfind(|kept| kept.kept_for_good).unwrap();
    assert_eq!(newest.size, all.len() as u64);
}

#[test]
fn two_people_close_a_tenant_and_what_is_left_proves() {
    let (own, ledger) = deployment();
    let id = EventId::parse("e-1").unwrap();
    let content = ledger.reader().get(&acme(), &id).unwrap().content.unwrap();
    let earlier = ledger.record_proof(&acme(), &id).unwrap();
    let asked = ask(&ledger, false, "anna").unwrap();
    assert_eq!(ledger.closing_asked(&acme()).unwrap(), Some(Arc::clone(&asked)));
    let approve = |at, who| ledger.approve_closing(&acme(), at, &person(who));
    assert_eq!(code(approve(asked.recorded_as, "anna")), ErrorCode::SecondPersonNeeded);
    let other = SequenceNumber::new(asked.recorded_as.value() - 1).unwrap();
    assert_eq!(code(approve(other, "berta")), ErrorCode::VersionConflict);
    let nobody = ledger.approve_closing(&tenant("beta"), asked.recorded_as, &person("berta"));
    assert_eq!(code(nobody), ErrorCode::NotFound);
    let early = ledger.retention(&*own.rig.store).close_tenant(&acme(), None, &Unwatched);
    assert_eq!(code(early), ErrorCode::NotFound);
    assert_eq!(approve(asked.recorded_as, "berta").unwrap().state, TenantState::Closing);
    assert_eq!(ledger.unfinished_closings(), [acme()]);
    own.rig.assert_sound();

    let last = close(&own, &ledger);
    assert_closed(&ledger, last);
    assert_eq!(ledger.unfinished_closings(), []);
    assert_eq!(close(&own, &ledger), last, "a second time");
    assert!(!own.sealing.has_keys_of(&acme()) && own.sealing.has_keys_of(&tenant("beta")));
    assert!(records(&ledger, "beta").iter().all(|one| one.content.is_some()));
    let keys = ledger.reader().log_keys(&acme(), &ledger.history()).unwrap();
    for proof in [&earlier, &ledger.record_proof(&acme(), &id).unwrap()] {
        assert!(verify_record_proof(proof, &keys, Some(&content)).is_ok());
    }
    own.rig.assert_sound();
    // Who agreed, and who asked, stands in `_system`.
    let acts = records(&ledger, "_system");
    let acts = acts.iter().filter(|one| one.kind == Kind::Audit);
    let text = |one: &StoredRecord| String::from_utf8(one.content.clone().unwrap()).unwrap();
    let acts: Vec<String> = acts.map(text).collect();
    let told = |verb: &str, who: &str| {
        acts.iter().any(|act| act.contains(&format!("\"{verb}\"")) && act.contains(who))
    };
    assert!(told("ask_closing", "anna") && told("approve_closing", "berta"), "{acts:?}");
}

#[test]
fn nothing_comes_into_a_ledger_that_ends() {
    let (own, ledger) = deployment();
    let before = own.rig.event("acme", "late", "sealed before");
    agree(&ledger);
    let policy = || {
        let document =
            PolicyDocument::parse(PolicyKind::Sealing, b"{}", &mut Canonicalizer::new()).unwrap();
        PolicyDraft { document, based_on: None }
    };
    let hold = NewHold {
        subject: None,
        filter: None,
        from: None,
        until: None,
        review_at: own.rig.clock.now(),
        owner: "legal".to_owned(),
        reason: "case 17".to_owned(),
    };
    let refused = |shut: ErrorCode| {
        let by = person("anna");
        let size = ledger.reader().size(&acme()).unwrap();
        assert_eq!(code(ledger.append(vec![before.clone()])), shut);
        assert_eq!(code(ledger.try_submit_whole(vec![before.clone()])), shut);
        let event = SealingRig::event("acme", &login("e-3", "cy", "Cy Young"));
        assert_eq!(ledger.seal(vec![event]).unwrap_err().code(), shut);
        assert_eq!(code(ledger.set_policy(&acme(), policy(), &by)), shut);
        assert_eq!(code(ledger.set_hold(&acme(), &hold, &by)), shut);
        assert_eq!(code(ask(&ledger, false, "anna")), shut);
        for state in [TenantState::Active, TenantState::Suspended] {
            assert_eq!(code(ledger.set_tenant_state(&acme(), state, None, &by)), shut);
        }
        let again = ledger.create_tenant(&acme(), &by).unwrap_err();
        assert_eq!(again.code(), shut);
        assert!(again.to_string().ends_with("its name is never given again; choose another name"));
        ledger.write_access_log(Ripe::Everything).unwrap();
        assert_eq!(ledger.reader().size(&acme()).unwrap(), size);
    };
    refused(ErrorCode::TenantClosing);
    close(&own, &ledger);
    refused(ErrorCode::TenantClosed);
    let as_if = ledger.set_tenant_state(&tenant("beta"), TenantState::Closed, None, &person("a"));
    assert_eq!(code(as_if), ErrorCode::InvalidArgument);
    // The other tenant takes what it took, also in one submission that names both.
    SealingRig::append(&ledger, "beta", &login("e-3", "cy", "Cy Young"));
    own.rig.assert_sound();
    drop(ledger);
    let ledger = own.rig.open();
    assert_eq!(code(ledger.append(vec![before])), ErrorCode::TenantClosed);
    own.rig.assert_sound();
}

#[test]
fn holds_and_duties_stand_against_it() {
    let (own, ledger) = deployment();
    let hold = NewHold {
        subject: None,
        filter: None,
        from: None,
        until: None,
        review_at: own.rig.clock.now(),
        owner: "legal".to_owned(),
        reason: "case 17".to_owned(),
    };
    let asked = ask(&ledger, false, "anna").unwrap();
    let hold = ledger.set_hold(&acme(), &hold, &person("anna")).unwrap().set.hold;
    for refused in [
        ask(&ledger, true, "anna").map(drop),
        ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), ErrorCode::HeldBack);
        assert!(error.to_string().contains(&hold.to_string()), "{error}");
    }
    for who in ["anna", "berta"] {
        ledger.release_hold(&acme(), hold, "settled", &person(who)).unwrap();
    }
    let text = br#"{"presets":["hipaa","pci"],"rules":[{"name":"own","minimum":"P9Y"}]}"#;
    let document = PolicyDocument::parse(PolicyKind::Retention, text, &mut Canonicalizer::new());
    let draft = PolicyDraft { document: document.unwrap(), based_on: None };
    ledger.set_policy(&acme(), draft, &person("anna")).unwrap();
    // What was asked for before the duties were there does not set them aside.
    for refused in [
        ask(&ledger, false, "anna").map(drop),
        ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), ErrorCode::DutyToKeep);
        assert!(error.to_string().ends_with("hipaa, pci"), "{error}");
    }
    let asked = ask(&ledger, true, "anna").unwrap();
    assert_eq!(asked.record.despite_duties, ["hipaa", "pci"]);
    ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).unwrap();
    let last = close(&own, &ledger);
    assert_closed(&ledger, last);
    own.rig.assert_sound();
}

#[test]
fn a_wish_that_was_withdrawn_closes_nothing_and_another_may_follow() {
    let (own, ledger) = deployment();
    let first = ask(&ledger, false, "anna").unwrap().recorded_as;
    let second = ask(&ledger, false, "anna").unwrap().recorded_as;
    let withdraw = |at, who| ledger.withdraw_closing(&acme(), at, Some("a mistake"), &person(who));
    assert_eq!(code(withdraw(first, "anna")), ErrorCode::VersionConflict);
    withdraw(second, "anna").unwrap();
    let all = records(&ledger, "_system");
    let SystemRecord::TenantClosingWithdrawn(record) = said(&all[all.len() - 1]) else {
        panic!("no record")
    };
    assert_eq!((record.tenant, record.asked_in), (acme(), second));
    assert_eq!(record.audit_record.value() + 2, all.len() as u64);
    assert_eq!(ledger.closing_asked(&acme()).unwrap(), None);
    let approve = |at| ledger.approve_closing(&acme(), at, &person("berta"));
    for refused in [code(approve(second)), code(approve(first)), code(withdraw(second, "anna"))] {
        assert_eq!(refused, ErrorCode::NotFound);
    }
    drop(ledger);
    let ledger = own.rig.open();
    assert_eq!(ledger.closing_asked(&acme()).unwrap(), None, "also after a restart");
    let third = ask(&ledger, false, "anna").unwrap().recorded_as;
    ledger.approve_closing(&acme(), third, &person("berta")).unwrap();
    let late = ledger.withdraw_closing(&acme(), third, None, &person("anna"));
    assert_eq!(code(late), ErrorCode::TenantClosing);
    own.rig.assert_sound();
}

#[test]
fn what_senders_asked_to_be_kept_is_named_before_it_goes() {
    let (own, ledger) = deployment();
    let asking = |id: &str, days: u64| {
        let mut event: serde_json::Value =
            serde_json::from_str(&login(id, "ana", "Ana Lima")).unwrap();
        event["security"] = serde_json::json!({"retention_period_days": days});
        SealingRig::append(&ledger, "acme", &event.to_string());
    };
    asking("e-3", 0);
    let asked = ask(&ledger, false, "anna").unwrap();
    assert!(asked.record.despite_duties.is_empty());
    asking("e-4", 30);
    for refused in [
        ask(&ledger, false, "anna").map(drop),
        ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), ErrorCode::DutyToKeep);
        assert!(error.to_string().ends_with("security.retention_period_days"), "{error}");
    }
    let asked = ask(&ledger, true, "anna").unwrap();
    assert_eq!(asked.record.despite_duties, ["security.retention_period_days"]);
    ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).unwrap();
    own.rig.assert_sound();
}

#[test]
fn what_senders_asked_for_is_looked_at_once() {
    let (own, ledger) = deployment();
    ask(&ledger, false, "anna").unwrap();
    own.rig.store.tamper(|commits| {
        let mut runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
        let run = runs.find(|run| run.tenant == acme() && run.records[0].kind == Kind::Event);
        run.unwrap().records[0].content = Some(Vec::new());
    });
    let asked = ask(&ledger, false, "anna").unwrap();
    let mut event: serde_json::Value =
        serde_json::from_str(&login("e-3", "ana", "Ana Lima")).unwrap();
    event["security"] = serde_json::json!({"retention_period_days": 30});
    SealingRig::append(&ledger, "acme", &event.to_string());
    // What came in since is looked at.
    let late = ledger.approve_closing(&acme(), asked.recorded_as, &person("berta"));
    assert_eq!(code(late), ErrorCode::DutyToKeep);
    own.rig.store.tamper(|commits| drop(commits.pop()));
    drop(ledger);
    let ledger = own.rig.open();
    let error = ask(&ledger, false, "anna").unwrap_err();
    assert!(error.to_string().contains("is damaged"), "a new process looks again: {error}");
}

#[test]
fn the_last_checkpoint_is_given_for_ever() {
    let (own, ledger) = deployment();
    agree(&ledger);
    let size = close(&own, &ledger).value() + 1;
    let last = ledger.checkpoint(&acme()).unwrap();
    assert_eq!(last.size.value(), size);
    for usage in [KeyUse::Log, KeyUse::Record] {
        ledger.rotate_key(usage, KeyChange::Compromise, &person("anna")).unwrap();
    }
    assert_eq!(ledger.checkpoint(&acme()).unwrap(), last);
    assert_eq!(ledger.recent_checkpoint(&acme()).unwrap(), last);
    assert_eq!(ledger.reader().size(&acme()).unwrap(), size);
    ledger.close().unwrap();
    own.rig.assert_sound();
    let ledger = own.rig.open();
    assert_eq!(ledger.checkpoint(&acme()).unwrap(), last);
    let key = ledger.verifier_key(&acme()).unwrap();
    assert!(Checkpoint::open(last.note.as_bytes(), &[key]).is_ok());
    own.rig.assert_sound();
}

#[test]
fn key_files_that_are_put_back_open_nothing() {
    let (mut own, ledger) = deployment();
    let copies: Vec<_> = std::fs::read_dir(own.place.path()).unwrap().map(Result::unwrap).collect();
    let copies = copies.iter().map(|file| (file.path(), std::fs::read(file.path()).unwrap()));
    let copies: Vec<_> = copies.collect();
    agree(&ledger);
    close(&own, &ledger);
    assert_eq!(ledger.replay_closings().unwrap(), 0);
    drop(ledger);
    for (path, bytes) in &copies {
        std::fs::write(path, bytes).unwrap();
    }
    own.reopen_keys();
    assert!(own.sealing.has_keys_of(&acme()));
    // The ledger has seen a newer generation.
    assert_eq!(own.rig.try_open().unwrap_err().code(), ErrorCode::KeysBehind);
    // Somebody makes it look new.
    while own.sealing.generation().0 < own.rig.store.reopen().status().key_generation.0 {
        let (beta, other) = (tenant("beta"), Subject::Tenant);
        own.sealing.destroy(&own.sealing.ids_of(&beta, &other).unwrap()).unwrap();
        own.sealing.keys_for(&beta, &[&other]).unwrap();
    }
    let ledger = own.rig.open();
    assert_eq!(ledger.replay_closings().unwrap(), 1);
    assert!(!own.sealing.has_keys_of(&acme()));
    let (live, _) = own
        .sealing
        .keys_of(&tenant("beta"), &own.sealing.subject_id(&tenant("beta"), &ana()).unwrap());
    assert_eq!(live.len(), 1, "the other tenant's keys are what they were");
}

#[test]
fn a_closing_that_a_fault_cut_short_goes_on() {
    let mut cut_short = 0;
    for fault in AppendFault::HONEST {
        for at in 0..14 {
            let mut rig = Rig::new();
            rig.settings.conflict_retries = 0;
            let store = Arc::new(FaultyStore::new(rig.store.reopen()));
            let ledger = rig.create_on(Arc::clone(&store) as _, &["acme", "beta"]);
            for name in ["acme", "beta"] {
                ledger.append(rig.events(name, "e", 20)).unwrap();
            }
            let asked = ask(&ledger, false, "anna").unwrap();
            store.fail_append(store.appends() + at, fault);
            let approved = ledger.approve_closing(&acme(), asked.recorded_as, &person("berta"));
            let retention = ledger.retention(&*store);
            let ended = approved.and_then(|_| retention.close_tenant(&acme(), None, &Unwatched));
            cut_short += u32::from(ended.is_err());
            drop(ledger);
            assert_sound(&*rig.store);
            // The next process goes on with what two people agreed on; before that it is asked again.
            let ledger = rig.open();
            if ledger.tenant_state(&acme()) == Some(TenantState::Active) {
                let asked = ledger.closing_asked(&acme()).unwrap().unwrap();
                ledger.approve_closing(&acme(), asked.recorded_as, &person("berta")).unwrap();
            }
            assert_sound(&*rig.store);
            let retention = ledger.retention(&*rig.store);
            let last = retention.close_tenant(&acme(), None, &Unwatched).unwrap().unwrap();
            assert_closed(&ledger, last);
            assert!(records(&ledger, "beta").iter().all(|one| one.content.is_some()));
            ledger.close().unwrap();
            assert_sound(&*rig.store);
        }
    }
    assert!(cut_short > 14, "{cut_short}");
}

#[test]
fn a_closing_that_nobody_announced_is_named() {
    // Somebody who can write a ledger, and not `_system`: the run is recorded as it should be.
    let (own, ledger) = deployment();
    let drops = [ledgerstone_ledger::ContentDrop {
        tenant: acme(),
        numbers: (2..3).collect(),
        reason: RetentionReason::TenantClosed,
        policy_record: None,
        audit_record: None,
    }];
    ledger.retention(&*own.rig.store).drop_contents(&drops).unwrap();
    ledger.close().unwrap();
    let report = report_of(&*own.rig.store, &VerifyOptions::new(Level::Full, 2));
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    assert!(report.findings[0].note.contains("not being closed"), "{}", lines(&report));
}
