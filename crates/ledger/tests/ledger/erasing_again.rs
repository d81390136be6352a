//! Somebody who was erased is erased of what was kept then, and of what names them since.

use ledgerstone_ledger::subject_requests::NewRequest;
use ledgerstone_ledger::{Ledger, LedgerError};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::{Preset, SubjectId};
use ledgerstone_model::subject_request::{ErasureBasis, SubjectRequestId, SubjectRight};

use crate::erasure::{approve, erase, open, person};
use crate::erasure_reach::{certificate, clear_of, scatter, set_policy};
use crate::rectification;
use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

fn erased(own: &SealingRig, ledger: &Ledger, id: SubjectRequestId) -> [u64; 3] {
    approve(ledger, id);
    let done = certificate(ledger, erase(own, ledger, id));
    [done.sealed_contents, done.dropped_contents, done.still_readable]
}

fn open_again(ledger: &Ledger, subject: SubjectId) -> SubjectRequestId {
    let new = NewRequest {
        right: SubjectRight::Erasure,
        basis: Some(ErasureBasis::Objection),
        subject,
        reason: None,
        again: true,
    };
    ledger.open_request(&tenant("acme"), &new, &person("anna")).unwrap().request.id()
}

/// The first erasure took the names along by which the content was found.
#[test]
fn what_a_hold_kept_goes_when_it_is_released() {
    let mut own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let (acme, (subject, _)) = (tenant("acme"), scatter(&own, &ledger));
    let first = open(&ledger, subject).unwrap();
    assert_eq!(erased(&own, &ledger, first), [1, 2, 1]);
    assert_eq!(clear_of(&ledger, &subject), ["e-3"]);

    let second = open(&ledger, subject).unwrap();
    assert_eq!(erased(&own, &ledger, second), [0, 0, 1], "the hold stands");
    let hold = ledger.holds(&acme).unwrap().last().unwrap().set.hold;
    for who in ["carla", "dora"] {
        ledger.release_hold(&acme, hold, "settled", &person(who)).unwrap();
    }
    drop(ledger);
    own.reopen_keys();
    let ledger = own.rig.open();
    let third = open(&ledger, subject).unwrap();
    assert_eq!(erased(&own, &ledger, third), [0, 1, 0]);
    assert!(clear_of(&ledger, &subject).is_empty());
    let refused = open(&ledger, subject).unwrap_err();
    assert!(matches!(refused, LedgerError::AlreadyErased { .. }), "{refused}");
    own.rig.assert_sound();
}

#[test]
fn whoever_acts_again_where_nothing_is_sealed_is_found_where_it_is_asked_for() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    set_policy(&ledger, PolicyKind::Sealing, r#"{"preset":"none"}"#);
    SealingRig::append(&ledger, "acme", &login("n-1", "ana", "Ana Lima"));
    let subject = ledger.subject(&tenant("acme"), &ana()).unwrap().id;
    let first = open(&ledger, subject).unwrap();
    assert_eq!(erased(&own, &ledger, first), [0, 1, 0]);
    SealingRig::append(&ledger, "acme", &login("n-2", "ana", "Ana Lima"));
    assert_eq!(open(&ledger, subject).unwrap_err().code(), ErrorCode::AlreadyErased);

    assert!(
        rectification::rectify(&ledger, rectification::approved(&ledger), "n-2").is_ok(),
        "of what names them since"
    );
    let second = open_again(&ledger, subject);
    let [_, dropped, left] = erased(&own, &ledger, second);
    assert_eq!((dropped, left), (1, 0));
    let third = open_again(&ledger, subject);
    assert_eq!(erased(&own, &ledger, third), [0, 0, 0], "nothing is there, and it says so");
    own.rig.assert_sound();
}
