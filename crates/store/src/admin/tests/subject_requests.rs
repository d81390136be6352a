//! Requests of people in the projection: the newest step of each, and their erasures.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::access::PrincipalId;
use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_model::subject_request::{
    RequestState, RequestStep, SubjectRequest, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::system::{ErasureCertificate, ErasureStarted, SubjectRequestRecord};
use ledgerstone_proof::TenantId;

use super::{moment, number, open, place, point, record, tenant, written};
use crate::admin::{AdminStore as _, ProjectedRecord};

const ID: SubjectRequestId = SubjectRequestId::from_bytes([3; 16]);
const WHO: SubjectId = SubjectId::from_bytes([4; 32]);

fn request() -> SubjectRequest {
    let by = PrincipalId::of_operator("uid:0");
    SubjectRequest::open(ID, (SubjectRight::Erasure, None), WHO, by, moment(5))
}

fn step(ledger: &TenantId, at: u64, request: SubjectRequest) -> ProjectedRecord {
    let said = SubjectRequestRecord::new(request, number(at - 1));
    record(ledger, at, SystemRecord::SubjectRequest(Box::new(said)))
}

pub(super) fn opened(ledger: &TenantId, at: u64) -> ProjectedRecord {
    step(ledger, at, request())
}

pub(super) fn checked(ledger: &TenantId, at: u64) -> ProjectedRecord {
    let by = PrincipalId::of_operator("uid:1");
    step(ledger, at, request().after(RequestStep::CheckIdentity, &by).unwrap())
}

fn started() -> ErasureStarted {
    let key_ids = vec![SealingKeyId::new([8; 16])];
    ErasureStarted { request: ID, subject: WHO, key_ids, reach: None }
}

pub(super) fn begun(ledger: &TenantId, at: u64) -> ProjectedRecord {
    record(ledger, at, SystemRecord::ErasureStarted(started()))
}

pub(super) fn certified(ledger: &TenantId, at: u64) -> ProjectedRecord {
    let by = PrincipalId::of_operator("uid:2");
    let certificate = ErasureCertificate {
        request: ID,
        subject: WHO,
        started_record: number(at - 2),
        basis: None,
        key_ids: started().key_ids,
        requested_by: by.clone(),
        approved_by: by,
        approved_at: None,
        identity_checked_by: None,
        identity_checked_at: None,
        received_at: moment(5),
        despite_duties: Vec::new(),
        sealed_contents: 1,
        dropped_contents: 0,
        still_readable: 0,
        sealed_for_others: 0,
        kept_by: Vec::new(),
        dead_letters: 0,
        key_backups_expire_at: None,
        storage: None,
    };
    record(ledger, at, SystemRecord::Erasure(Box::new(certificate)))
}

#[test]
fn the_newest_step_of_a_request_counts() {
    let (_directory, path) = written();
    let rows = open(&path).subject_requests().unwrap();
    assert_eq!((rows.len(), rows[0].set_by), (1, number(109)));
    assert_eq!(rows[0].record.request().state(), RequestState::IdentityChecked);
    let (_directory, path) = place();
    let admin = open(&path);
    let acme = tenant("acme");
    admin.apply(&[checked(&acme, 9), opened(&acme, 7)], &point(1, 1)).unwrap();
    let rows = admin.subject_requests().unwrap();
    assert_eq!(rows[0].record.request().state(), RequestState::IdentityChecked);
}

#[test]
fn an_erasure_is_open_until_it_is_certified() {
    let (_directory, path) = place();
    let admin = open(&path);
    let acme = tenant("acme");
    admin.apply(&[begun(&acme, 7)], &point(1, 1)).unwrap();
    let row = admin.erasures().unwrap().remove(0);
    assert_eq!((row.started_by, row.certificate), (number(7), None));
    assert_eq!(row.started, started());
    admin.apply(&[certified(&acme, 9)], &point(2, 2)).unwrap();
    assert_eq!(admin.erasures().unwrap()[0].certificate, Some(number(9)));
    let (_directory, path) = written();
    assert_eq!(open(&path).erasures().unwrap()[0].certificate, Some(number(113)));
}
