//! The stage that seals, on its way through a whole ledger: policies, keys, duplicates, restarts.

use std::sync::atomic::Ordering;

use ledgerstone_ledger::{ContentDrop, Ledger, LedgerError, Outcome, PolicyDraft, ReceiptStatus};
use ledgerstone_model::access::Sight;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_model::system::RetentionReason;
use ledgerstone_model::{Actor, ErrorCode, SealedEvent};
use ledgerstone_proof::{Canonicalizer, EventId, SequenceNumber, TenantId};
use ledgerstone_testkit::TestEvent;

use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, code, login, status};

#[test]
fn what_the_default_names_is_sealed_and_a_record_says_so() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let outcome = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&outcome), ReceiptStatus::Created);
    let stored = SealingRig::newest(&ledger, "acme");
    assert!(!stored.contains("Ana Lima") && stored.contains(r#""$sealed":0"#), "{stored}");
    assert!(stored.contains(r#""id":"ana""#) && stored.contains("night"), "{stored}");
    let policy = ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!((policy.version(), policy.set_by().value()), (1, 1));
    assert_eq!(policy.audit_record(), None);
    assert_eq!(ledger.store().status().key_generation, own.sealing.generation());
    own.rig.assert_sound();
}

#[test]
fn a_ledger_that_began_without_a_policy_gets_one_before_its_next_event() {
    let mut own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme", "other"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert!(SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    assert_eq!(ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap(), None);
    drop(ledger);

    own.rig.settings.default_sealing = Preset::Standard;
    let ledger = own.rig.open();
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    assert!(!SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    let policy = ledger.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!(policy.set_by().value(), 2);
    // Only where something is written.
    assert_eq!(ledger.policy(&tenant("other"), PolicyKind::Sealing).unwrap(), None);
    drop(ledger);
    let again = own.rig.open();
    let read = again.policy(&tenant("acme"), PolicyKind::Sealing).unwrap().unwrap();
    assert_eq!(read, policy);
    own.rig.assert_sound();
}

#[test]
fn a_tenant_sets_what_is_sealed_and_who_did_it_is_recorded() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let draft = |preset, based_on| PolicyDraft {
        document: PolicyDocument::Sealing(FieldPolicy::of_preset(preset)),
        based_on,
    };
    let by = Actor::operator("uid:0");
    let acme = tenant("acme");
    let stale = ledger.set_policy(&acme, draft(Preset::None, Some(0)), &by).unwrap_err();
    assert_eq!(stale.code(), ErrorCode::VersionConflict);
    let set = ledger.set_policy(&acme, draft(Preset::None, Some(1)), &by).unwrap();
    assert_eq!((set.version(), set.set_by().value()), (2, 3));
    assert_eq!(set.audit_record().map(SequenceNumber::value), Some(2));
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert!(SealingRig::newest(&ledger, "acme").contains("Ana Lima"));
    ledger.set_policy(&acme, draft(Preset::Strict, None), &by).unwrap();
    SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lima"));
    let stored = SealingRig::newest(&ledger, "acme");
    assert!(!stored.contains("Ana Lima") && !stored.contains(r#""ana""#), "{stored}");
    let unknown = ledger.set_policy(&tenant("nobody"), draft(Preset::None, None), &by);
    assert_eq!(unknown.unwrap_err().code(), ErrorCode::UnknownTenant);
    own.rig.assert_sound();
}

#[test]
fn a_repeated_event_is_compared_by_what_was_sent() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
    let other = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lime"));
    assert_eq!(code(&other), ErrorCode::IdConflict);
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
    // In one submission, and taken as a whole.
    let twice = vec![SealingRig::event("acme", &login("e-2", "bo", "Bo Berg")); 2];
    let outcomes = ledger.append(ledger.seal(twice).unwrap()).unwrap();
    assert_eq!(
        outcomes.iter().map(status).collect::<Vec<_>>(),
        [ReceiptStatus::Created, ReceiptStatus::Duplicate]
    );
    let whole = vec![
        SealingRig::event("acme", &login("e-2", "bo", "Bo Berg")),
        SealingRig::event("acme", &login("e-3", "bo", "Bo Berg")),
    ];
    let outcomes = ledger.try_submit_whole(ledger.seal(whole).unwrap()).unwrap().wait();
    assert_eq!(
        outcomes.iter().map(status).collect::<Vec<_>>(),
        [ReceiptStatus::Duplicate, ReceiptStatus::Created]
    );
    own.rig.assert_sound();
}

#[test]
fn values_whose_key_is_destroyed_are_left_out_of_the_comparison() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let ids = own.sealing.ids_of(&tenant("acme"), &ana()).unwrap();
    own.sealing.destroy(&ids).unwrap();
    for name in ["Ana Lima", "Somebody Else"] {
        let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", name));
        assert_eq!(status(&again), ReceiptStatus::Duplicate, "{name}");
    }
    let json = login("e-1", "ana", "Ana Lima").replace("night", "early");
    assert_eq!(code(&SealingRig::append(&ledger, "acme", &json)), ErrorCode::IdConflict);
}

#[test]
fn an_old_event_sent_again_gives_nobody_a_new_key() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let ids = own.sealing.ids_of(&tenant("acme"), &ana()).unwrap();
    own.sealing.destroy(&ids).unwrap();
    let generation = own.sealing.generation();
    let again = SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    assert_eq!(status(&again), ReceiptStatus::Duplicate);
    let other = login("e-1", "bo", "Bo Berg").replace("night", "early");
    assert_eq!(code(&SealingRig::append(&ledger, "acme", &other)), ErrorCode::IdConflict);
    assert_eq!(own.sealing.generation(), generation);
    assert_eq!(own.sealing.ids_of(&tenant("acme"), &ana()).unwrap(), []);
    // An old event beside a new one: the new one is sealed under a key that is kept.
    let both = vec![
        SealingRig::event("acme", &login("e-1", "ana", "Ana Lima")),
        SealingRig::event("acme", &login("e-2", "ana", "Ana Lima")),
    ];
    let outcomes = ledger.append(ledger.seal(both).unwrap()).unwrap();
    assert_eq!(
        outcomes.iter().map(status).collect::<Vec<_>>(),
        [ReceiptStatus::Duplicate, ReceiptStatus::Created]
    );
    let again = SealingRig::append(&ledger, "acme", &login("e-2", "ana", "Ana Lime"));
    assert_eq!(code(&again), ErrorCode::IdConflict);
    own.rig.assert_sound();
}

#[test]
fn events_of_several_tenants_are_sealed_in_their_order() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "other"]);
    let names = ["acme", "other", "other", "acme", "other"];
    let events = names.iter().enumerate().map(|(index, name)| {
        SealingRig::event(name, &login(&format!("e-{index}"), "ana", "Ana Lima"))
    });
    let sealed = ledger.seal(events.collect()).unwrap();
    for (index, (event, name)) in sealed.iter().zip(names).enumerate() {
        assert_eq!(event.event_id().as_str(), format!("e-{index}"));
        assert_eq!(event.tenant(), &tenant(name));
    }
    let [acme, other] = ["acme", "other"].map(|name| own.sealing.ids_of(&tenant(name), &ana()));
    assert_ne!(acme.unwrap(), other.unwrap(), "a person is another one with each tenant");
    assert!(ledger.append(sealed).unwrap().iter().all(|one| status(one) == ReceiptStatus::Created));
    own.rig.assert_sound();
}

#[test]
fn without_the_root_key_nothing_is_written_in_clear() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    own.root.0.store(true, Ordering::SeqCst);
    // The tenant's key is in memory.
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    let refused = ledger.seal(vec![SealingRig::event("acme", &login("e-3", "ana", "Ana Lima"))]);
    assert_eq!(refused.unwrap_err().code(), ErrorCode::KeyServiceUnavailable);
    // What needs no key is taken.
    let bare = TestEvent::new("job.done").id("e-4").json();
    assert_eq!(status(&SealingRig::append(&ledger, "acme", &bare)), ReceiptStatus::Created);
    own.root.0.store(false, Ordering::SeqCst);
    SealingRig::append(&ledger, "acme", &login("e-3", "ana", "Ana Lima"));
    own.rig.assert_sound();
}

#[test]
fn an_older_copy_of_the_key_files_is_refused() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(own.place.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    drop(ledger);
    own.place = copy;
    own.reopen_keys();
    let error = own.rig.try_open().unwrap_err();
    assert!(matches!(error, LedgerError::KeysBehind { expected: 3, found: 2 }), "{error}");
    assert_eq!(error.code(), ErrorCode::KeysBehind);
}

/// The key files by their names.
fn key_files(own: &SealingRig) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(own.place.path()).unwrap().map(Result::unwrap);
    let name = |file: &std::fs::DirEntry| file.file_name().into_string().unwrap();
    files.map(|file| (name(&file), std::fs::read(file.path()).unwrap())).collect()
}

fn put_back(own: &mut SealingRig, files: &[(String, Vec<u8>)], which: &str) {
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with(which)) {
        std::fs::write(own.place.path().join(name), bytes).unwrap();
    }
    own.reopen_keys();
}

#[test]
fn a_rotation_is_recorded_and_key_files_from_before_are_refused() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let before = key_files(&own);
    let by = Actor::operator("uid:7");
    let rotated = ledger.rotate_sealing_key(&tenant("acme"), &by).unwrap();
    let said = SealingRig::newest(&ledger, "acme");
    for part in
        ["audit.administration", "rotate", "sealing_key", "uid:7", &rotated.key_id.to_string()]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(ledger.store().status().key_generation, own.sealing.generation());
    drop(ledger);
    let after = key_files(&own);
    for which in ["tenants", "subjects", ""] {
        put_back(&mut own, &before, which);
        let error = own.rig.try_open().unwrap_err();
        assert_eq!(error.code(), ErrorCode::KeysBehind, "{which}: {error}");
        put_back(&mut own, &after, "");
    }
    for name in ["tenants.a", "tenants.b"] {
        std::fs::remove_file(own.place.path().join(name)).unwrap();
    }
    own.reopen_keys();
    assert_eq!(own.rig.try_open().unwrap_err().code(), ErrorCode::KeysBehind);
    put_back(&mut own, &after, "");
    SealingRig::append(&own.rig.open(), "acme", &login("e-2", "ana", "Ana Lima"));
    own.rig.assert_sound();
}

#[test]
fn key_files_of_two_times_are_refused_although_no_record_told_of_the_change() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    drop(ledger);
    let before = key_files(&own);
    own.sealing.rotate(&tenant("acme")).unwrap();
    let after = key_files(&own);
    for which in ["tenants", "subjects"] {
        put_back(&mut own, &before, which);
        let error = own.rig.try_open().unwrap_err();
        assert!(matches!(error, LedgerError::KeysStranded(1)), "{which}: {error}");
        assert_eq!(error.code(), ErrorCode::KeysBehind);
        put_back(&mut own, &after, "");
    }
    own.rig.open();
}

#[test]
fn older_keys_of_a_tenant_without_people_are_refused_too() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme", "other"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    own.sealing.destroy(&own.sealing.ids_of(&tenant("acme"), &ana()).unwrap()).unwrap();
    let before = key_files(&own);
    ledger.rotate_sealing_key(&tenant("acme"), &Actor::server()).unwrap();
    drop(ledger);
    // Nobody's key is wrapped by the new one: the generation alone tells.
    put_back(&mut own, &before, "tenants");
    assert_eq!(own.sealing.stranded().unknown, []);
    let error = own.rig.try_open().unwrap_err();
    assert!(matches!(error, LedgerError::KeysBehind { .. }), "{error}");
}

#[test]
fn an_opening_records_a_change_of_keys_that_no_record_followed() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    drop(ledger);
    let before = key_files(&own);
    own.sealing.rotate(&tenant("acme")).unwrap();
    own.reopen_keys();
    let sizes = [(); 2].map(|()| {
        let ledger = own.rig.open();
        assert_eq!(ledger.store().status().key_generation, own.sealing.generation());
        ledger.reader().size(&TenantId::system()).unwrap()
    });
    assert_eq!(sizes[0], sizes[1], "once");
    put_back(&mut own, &before, "");
    assert_eq!(own.rig.try_open().unwrap_err().code(), ErrorCode::KeysBehind);
}

#[test]
fn contents_in_clear_are_counted_step_by_step_and_anew_under_another_policy() {
    let own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    let acme = tenant("acme");
    for number in 0..5 {
        SealingRig::append(&ledger, "acme", &login(&format!("e-{number}"), "ana", "Ana Lima"));
    }
    // Nobody is named in this one.
    SealingRig::append(&ledger, "acme", &TestEvent::new("a.b").id("plain").json());
    let count = |limit| {
        let found = ledger.contents_in_clear(&acme, limit).unwrap();
        (found.contents, found.looked_at, found.records)
    };
    assert_eq!(count(3), (2, 3, 7));
    assert_eq!(count(100), (5, 7, 7));
    assert_eq!(count(100), (5, 7, 7));
    let document = FieldPolicy::parse(
        br#"{"preset":"none","rules":[{"path":"ai_specific.reasoning","class":"personal"}]}"#,
        &mut Canonicalizer::new(),
    );
    let document = PolicyDocument::Sealing(document.unwrap());
    let by = Actor::operator("uid:0");
    ledger.set_policy(&acme, PolicyDraft { document, based_on: None }, &by).unwrap();
    assert_eq!(count(100), (0, 9, 9));
    let document = PolicyDocument::Sealing(FieldPolicy::of_preset(Preset::Standard));
    ledger.set_policy(&acme, PolicyDraft { document, based_on: None }, &by).unwrap();
    SealingRig::append(&ledger, "acme", &login("sealed", "ana", "Ana Lima"));
    assert_eq!(count(4), (3, 4, 12));
    assert_eq!(count(100), (5, 12, 12));
    let versions = ledger.policy_versions().of(ledger.reader(), &acme, PolicyKind::Sealing);
    let versions: Vec<_> = versions.unwrap().iter().map(|one| one.set_by.value()).collect();
    assert_eq!(versions, [8, 10]);
    // What is dropped lies there no more.
    let drops = [ContentDrop {
        tenant: acme.clone(),
        numbers: (1..3).collect(),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }];
    ledger.retention(&*own.rig.store).drop_contents(&drops).unwrap();
    assert_eq!(count(100).0, 3);
}

/// A way of handing events over, up to their outcomes.
type HandOver = fn(&Ledger, Vec<SealedEvent>) -> Vec<Outcome>;

#[test]
fn an_event_whose_key_was_destroyed_before_it_was_recorded_is_sealed_again() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    let of_ana = || own.sealing.ids_of(&tenant("acme"), &ana()).unwrap();
    let first = of_ana();

    let ways: [HandOver; 3] = [
        |ledger, events| ledger.append(events).unwrap(),
        |ledger, events| ledger.submit(events).unwrap().wait(),
        |ledger, events| ledger.try_submit_whole(events).unwrap().wait(),
    ];
    for (way, hand_over) in ways.into_iter().enumerate() {
        let id = |name: &str| format!("{name}-{way}");
        let events = vec![
            SealingRig::event("acme", &login(&id("ana"), "ana", "Ana Lima")),
            SealingRig::event("acme", &login(&id("bo"), "bo", "Bo Berg")),
            SealingRig::event("acme", &login("e-1", "ana", "Ana Lima")),
        ];
        let sealed = ledger.seal(events).unwrap();
        let before = own.sealing.generation();
        own.sealing.destroy(&of_ana()).unwrap();
        let outcomes = hand_over(&ledger, sealed);
        let statuses: Vec<_> = outcomes.iter().map(status).collect();
        let created = ReceiptStatus::Created;
        assert_eq!(statuses, [created, created, ReceiptStatus::Duplicate]);
        // What was acknowledged can be read: she has a key again, and it is another one.
        assert_eq!(of_ana().len(), 1);
        assert!(!first.contains(&of_ana()[0]) && own.sealing.generation() > before);
        let seen = |name: &str| {
            let id = EventId::parse(name).unwrap();
            let stored = ledger.reader().get(&tenant("acme"), &id).unwrap();
            let seen = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap().view(stored);
            String::from_utf8(seen.event().unwrap().to_vec()).unwrap()
        };
        assert!(seen(&id("ana")).contains("Ana Lima") && seen(&id("bo")).contains("Bo Berg"));
        // And what was recorded before stays unreadable.
        assert!(!seen("e-1").contains("Ana Lima"));
    }
    own.rig.assert_sound();
}

#[test]
fn nobody_gets_a_key_for_a_repetition_that_was_under_way_when_they_were_erased() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let again = vec![SealingRig::event("acme", &login("e-1", "ana", "Ana Lima"))];
    let sealed = ledger.seal(again).unwrap();
    let keys = own.sealing.ids_of(&tenant("acme"), &ana()).unwrap();
    own.sealing.destroy(&keys).unwrap();
    assert_eq!(status(&ledger.append(sealed).unwrap()[0]), ReceiptStatus::Duplicate);
    assert_eq!(own.sealing.ids_of(&tenant("acme"), &ana()).unwrap(), []);
}
