//! What the server's own records say of those who act is sealed, and goes with whoever is erased.

use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::{Access, Ledger, Order, ReturnedRecords, Ripe};
use ledgerstone_model::access::{CredentialKind, PrincipalId, Sight};
use ledgerstone_model::audit::AccessVerb;
use ledgerstone_model::sealing::{Preset, Subject};
use ledgerstone_model::subject_request::SubjectRight;
use ledgerstone_model::{Actor, HiddenPart, Why};
use ledgerstone_proof::Kind;

use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

fn alice() -> Actor {
    let id = PrincipalId::of_jwt("https://issuer.example", "alice");
    Actor::principal(&id, CredentialKind::Jwt, Some("Alice Ramos"))
        .at(Some("192.0.2.77".parse().unwrap()))
}

/// Alice opens a request, and reads something.
fn act(ledger: &Ledger) {
    let acme = tenant("acme");
    let subject = ledger.subject(&acme, &ana()).unwrap().id;
    let reason = Some("she called Bo Berg".to_owned());
    let new =
        NewRequest { right: SubjectRight::Access, basis: None, subject, reason, again: false };
    ledger.open_request(&acme, &new, &alice()).unwrap();
    read(ledger);
}

fn read(ledger: &Ledger) {
    let access = Access {
        tenant: tenant("acme"),
        actor: alice(),
        address: Some("192.0.2.77".parse().unwrap()),
        verb: AccessVerb::Read,
        shape: "GET /v1/events".to_owned(),
        literal: None,
        returned: ReturnedRecords::default(),
    };
    ledger.note_access(access);
    ledger.write_access_log(Ripe::Everything).unwrap();
}

/// Everything that is stored of kind `audit`.
fn stored(ledger: &Ledger) -> String {
    let records = ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
    let audit = records.map(Result::unwrap).filter(|record| record.kind == Kind::Audit);
    audit.map(|record| String::from_utf8(record.content.unwrap()).unwrap() + "\n").collect()
}

/// The same as it is seen, and why something is not.
fn seen(ledger: &Ledger) -> (String, Vec<Why>) {
    let records = ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
    let mut viewer = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap();
    let audit = records.map(Result::unwrap).filter(|record| record.kind == Kind::Audit);
    let events: Vec<_> = audit.map(|record| viewer.view(record)).collect();
    let text = |event: &[u8]| String::from_utf8(event.to_vec()).unwrap() + "\n";
    let whys = events.iter().flat_map(|event| event.hidden().iter().map(HiddenPart::why));
    (events.iter().filter_map(|event| event.event()).map(text).collect(), whys.collect())
}

const PERSONAL: [&str; 3] = ["Alice Ramos", "192.0.2.77", "she called Bo Berg"];

#[test]
fn an_erased_administrators_name_goes_too() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    act(&ledger);
    let (text, (shown, hidden)) = (stored(&ledger), seen(&ledger));
    for value in PERSONAL {
        assert!(!text.contains(value), "{value}: {text}");
        assert!(shown.contains(value), "{value}: {shown}");
    }
    assert!(text.contains(alice().principal_id().as_str()) && hidden.is_empty());
    let (acme, id) = (tenant("acme"), alice().principal_id());
    let who = Subject::Person { kind: "jwt".to_owned(), id: id.as_str().to_owned() };
    assert_eq!(alice().subject().as_ref(), Some(&who));
    let known = ledger.subject(&acme, &who).unwrap();
    assert_eq!(known.live_keys.len(), 1);
    own.sealing.destroy(&known.live_keys).unwrap();
    let (shown, hidden) = seen(&ledger);
    assert!(PERSONAL.iter().all(|value| !shown.contains(value)), "{shown}");
    assert!(!hidden.is_empty() && hidden.iter().all(|why| *why == Why::Erased));
    own.rig.assert_sound();
}

#[test]
fn without_the_key_service_it_is_recorded_who_and_no_more() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    own.root.0.store(true, std::sync::atomic::Ordering::SeqCst);
    read(&ledger);
    let text = stored(&ledger);
    assert!(text.contains(alice().principal_id().as_str()), "{text}");
    assert!(PERSONAL.iter().all(|value| !text.contains(value)), "{text}");
    own.root.0.store(false, std::sync::atomic::Ordering::SeqCst);
    own.rig.assert_sound();
}

#[test]
fn a_tenant_that_seals_nothing_seals_nothing_of_these_either() {
    let own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    act(&ledger);
    let text = stored(&ledger);
    assert!(PERSONAL.iter().all(|value| text.contains(value)), "{text}");
    assert!(
        ledger.subject(&tenant("acme"), &alice().subject().unwrap()).unwrap().live_keys.is_empty()
    );
}
