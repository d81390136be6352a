//! What was corrected is found again after a restart, out of the projection and out of the ledger.

use ledgerstone_ledger::rectification::NewCorrection;
use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::{Ledger, LedgerError};
use ledgerstone_model::access::Sight;
use ledgerstone_model::audit::Changes;
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::subject_request::{
    RequestState, RequestStep, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{Canonicalizer, EventId};
use ledgerstone_store::admin::SqliteAdmin;

use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

pub fn approved(ledger: &Ledger) -> SubjectRequestId {
    let acme = tenant("acme");
    let subject = ledger.subject(&acme, &ana()).unwrap().id;
    let right = SubjectRight::Rectification;
    let new = NewRequest { right, basis: None, subject, reason: None, again: false };
    let opened = ledger.open_request(&acme, &new, &Actor::operator("anna")).unwrap();
    let id = opened.request.id();
    for (step, who) in [(RequestStep::CheckIdentity, "anna"), (RequestStep::Approve, "berta")] {
        ledger.step_request(&acme, id, step, None, &Actor::operator(who)).unwrap();
    }
    id
}

pub fn rectify(ledger: &Ledger, id: SubjectRequestId, event: &str) -> Result<(), LedgerError> {
    let changes = br#"{"/actor/name":"Ana Lima-Reis"}"#;
    let correction = NewCorrection {
        event_id: EventId::parse(event).unwrap(),
        changes: Changes::parse(changes, &mut Canonicalizer::new()).unwrap(),
    };
    ledger.rectify(&tenant("acme"), id, &[correction], None, &Actor::operator("anna")).map(drop)
}

/// The records that correct an event, as a reader sees them.
fn corrected_by(ledger: &Ledger, event: &str) -> Vec<u64> {
    let record = ledger.reader().get(&tenant("acme"), &EventId::parse(event).unwrap()).unwrap();
    let shown = ledger.viewer(&tenant("acme"), Sight::EVERYTHING).unwrap().view(record);
    shown.corrected_by().iter().map(|one| one.sequence_number.value()).collect()
}

#[test]
fn corrections_outlast_a_restart_with_a_projection_and_without() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    for id in ["e-1", "e-2"] {
        SealingRig::append(&ledger, "acme", &login(id, "ana", "Anna Lima"));
    }
    for _ in 0..2 {
        rectify(&ledger, approved(&ledger), "e-1").unwrap();
    }
    let corrections = corrected_by(&ledger, "e-1");
    assert_eq!(corrections.len(), 2);
    assert!(corrections[0] < corrections[1]);
    drop(ledger);
    let directory = tempfile::tempdir().unwrap();
    let (admin, _) = SqliteAdmin::open(&directory.path().join("admin.sqlite")).unwrap();
    for with_projection in [false, true, true] {
        let ledger = own.rig.open();
        if with_projection {
            ledger.load_projection(&admin).unwrap();
        }
        assert_eq!(corrected_by(&ledger, "e-1"), corrections);
        assert!(corrected_by(&ledger, "e-2").is_empty());
        let requests = ledger.requests(&tenant("acme")).unwrap();
        assert!(requests.iter().all(|one| one.request.state() == RequestState::Done));
    }
    own.rig.assert_sound();
}

#[test]
fn who_stands_in_clear_alone_gets_a_key_for_the_correction() {
    let own = SealingRig::new(Preset::None);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Anna Lima"));
    SealingRig::append(&ledger, "acme", &login("e-2", "bo", "Bo Berg"));
    let id = approved(&ledger);
    let others = rectify(&ledger, id, "e-2").unwrap_err();
    assert_eq!(others.code(), ErrorCode::SubjectNotInEvent);
    rectify(&ledger, id, "e-1").unwrap();
    assert_eq!(ledger.subject(&tenant("acme"), &ana()).unwrap().live_keys.len(), 1);
    assert_eq!(corrected_by(&ledger, "e-1").len(), 1);
    own.rig.assert_sound();
}
