//! API keys in the projection: what is granted, what is revoked, and what changes nothing.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::access::{ApiKeyId, Role, RoleSet};
use ledgerstone_model::system::{ApiKeyGrant, ApiKeyRecord, ApiKeyRevocation};
use ledgerstone_proof::{TenantId, sha256};

use super::{moment, number, open, place, point, record, tenant, written};
use crate::admin::{AdminStore as _, ApiKeyRow, ProjectedRecord, RevokedKey};

pub const FIRST: &str = "aaaaaaaaaaaaaaaa";
pub const SECOND: &str = "bbbbbbbbbbbbbbbb";

fn key(id: &str) -> ApiKeyId {
    ApiKeyId::parse(id).unwrap()
}

/// A grant to write and audit; the second key ends by itself.
pub fn granted(ledger: &TenantId, at: u64, id: &str, audit: u64) -> ProjectedRecord {
    let roles = RoleSet::from(Role::Writer).with(Role::Auditor);
    let grant = ApiKeyGrant::new(key(id), roles, sha256(id.as_bytes()), number(audit)).unwrap();
    let grant = grant.expiring((id == SECOND).then(|| moment(9_999)));
    record(ledger, at, SystemRecord::ApiKey(ApiKeyRecord::Grant(grant)))
}

pub fn revoked(ledger: &TenantId, at: u64, id: &str, audit: u64) -> ProjectedRecord {
    let revocation = ApiKeyRevocation::new(key(id), number(audit));
    record(ledger, at, SystemRecord::ApiKey(ApiKeyRecord::Revocation(revocation)))
}

#[test]
fn keys_follow_from_the_records() {
    let (_directory, path) = written();
    let admin = open(&path);
    let acme = tenant("acme");
    let row = |id: &str, granted_by: u64| ApiKeyRow {
        tenant: acme.clone(),
        key_id: key(id),
        roles: RoleSet::from(Role::Writer).with(Role::Auditor),
        secret_hash: sha256(id.as_bytes()),
        granted_by: number(granted_by),
        granted_at: moment(i64::try_from(granted_by).unwrap()),
        audit_record: number(granted_by - 1),
        expires_at: None,
        revoked: None,
    };
    let end = RevokedKey { record: number(97), at: moment(97), audit_record: number(96) };
    let first = ApiKeyRow { revoked: Some(end), ..row(FIRST, 93) };
    let second = ApiKeyRow { expires_at: Some(moment(9_999)), ..row(SECOND, 95) };
    assert_eq!(admin.api_keys(Some(&acme)).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(admin.api_keys(None).unwrap(), [first, second]);
    assert_eq!(admin.api_keys(Some(&tenant("other"))).unwrap(), []);
}

#[test]
fn a_revoked_key_never_comes_back() {
    let (_directory, path) = place();
    let admin = open(&path);
    let (acme, other) = (tenant("acme"), tenant("other"));
    let apply = |records: &[ProjectedRecord]| admin.apply(records, &point(1, 1)).unwrap();
    apply(&[revoked(&acme, 4, FIRST, 3)]);
    assert_eq!(admin.api_keys(None).unwrap(), [], "what was never granted");
    apply(&[granted(&acme, 6, FIRST, 5), revoked(&acme, 8, FIRST, 7)]);
    let ended = admin.api_keys(None).unwrap();
    assert_eq!(ended[0].revoked.map(|end| end.record), Some(number(8)));
    apply(&[
        granted(&acme, 10, FIRST, 9),
        revoked(&acme, 12, FIRST, 11),
        revoked(&other, 2, FIRST, 1),
    ]);
    assert_eq!(admin.api_keys(None).unwrap(), ended);
}
