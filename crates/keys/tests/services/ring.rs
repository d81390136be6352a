//! The key ring over a service: asked once for many keys, and away while keys are in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ledgerstone_keys::AwsKmsSource;
use ledgerstone_ledger::sealing_keys::{KeyRing, KeyRingSettings, RootKey};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::sealing::Subject;
use ledgerstone_store::embedded::files::Files;

use crate::aws_kms::{of_variables, source};
use crate::kms::Kms;
use crate::moto::{Moto, environment, program};
use crate::place::{Rig, tenant};
use crate::stub::{Reply, Stub};

fn person(id: &str) -> Subject {
    Subject::Person { kind: "user".to_owned(), id: id.to_owned() }
}

fn ring(rig: &Rig, root: Arc<dyn RootKey>) -> KeyRing {
    let files = Files::new();
    let settings = KeyRingSettings::default();
    KeyRing::open(rig.directory().path(), &files, root, rig.parts(), settings).unwrap().0
}

#[test]
fn sealing_goes_on_while_the_service_is_away_and_keys_are_in_memory() {
    let is_away = Arc::new(AtomicBool::new(false));
    let (kms, switch) = (Kms::with(&["key-0001"]), Arc::clone(&is_away));
    let stub = Stub::new(move |request| {
        let is_away = switch.load(Ordering::SeqCst);
        if is_away { Reply::Json(503, String::new()) } else { kms.answer(request) }
    });
    let place = Rig::new("ring");
    let ring = ring(&place, place.open(source(&stub.url(), "key-0001", of_variables())));
    let acme = tenant("acme");
    let people: Vec<_> = (0..50).map(|id| person(&id.to_string())).collect();
    let keys = ring.keys_for(&acme, &people.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(stub.requests().len(), 1);

    is_away.store(true, Ordering::SeqCst);
    ring.keys_for(&acme, &[&person("new")]).unwrap();
    let error = ring.keys_for(&tenant("other"), &[&person("new")]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KeyServiceUnavailable);
    place.pass(Duration::from_secs(301));
    let error = ring.keys_for(&acme, &[&people[0]]).unwrap_err();
    assert_eq!(error.code(), ErrorCode::KeyServiceUnavailable);
    is_away.store(false, Ordering::SeqCst);
    place.pass(Duration::from_secs(3));
    assert_eq!(ring.keys_for(&acme, &[&people[0]]).unwrap()[0].expose(), keys[0].expose());
    ring.check_root().unwrap();
}

#[test]
fn another_key_in_the_service_is_told_before_it_is_needed() {
    let kms = Kms::with(&["key-0001", "key-0002"]);
    let stub = Stub::new(move |request| kms.answer(request));
    let rig = Rig::new("ring-other");
    let open = |key: &str| {
        let source: AwsKmsSource = source(&stub.url(), key, of_variables());
        ring(&rig, rig.open(source))
    };
    open("key-0001").keys_for(&tenant("acme"), &[&person("ana")]).unwrap();
    open("key-0001").check_root().unwrap();
    assert_eq!(open("key-0002").check_root().unwrap_err().code(), ErrorCode::WrongRootKey);
}

#[test]
fn keys_are_the_same_after_a_restart_and_a_rotation_over_a_kms_of_others() {
    let Some(program) = program() else { return };
    let moto = Moto::start(&program);
    let (key, _) = moto.new_key();
    let rig = Rig::new("ring-moto");
    let open = || ring(&rig, rig.open(source(&moto.url(), &key, environment())));
    let (acme, ana) = (tenant("acme"), person("ana"));
    let first = open().keys_for(&acme, &[&ana]).unwrap();
    open().rotate(&acme).unwrap();
    assert_eq!(open().keys_for(&acme, &[&ana]).unwrap()[0].expose(), first[0].expose());
}
