//! Retention runs in the projection: those that have not ended, in whatever order ledgers are read.

use ledgerstone_model::system::{RetentionDone, RetentionReason, RetentionRunId, RetentionStarted};
use ledgerstone_model::{NumberSet, SystemRecord};
use ledgerstone_proof::TenantId;

use super::{number, open, place, point, record, tenant};
use crate::admin::{AdminStore as _, OpenRetentionRun, ProjectedRecord};

fn run(name: u8) -> RetentionRunId {
    RetentionRunId::from_bytes([name; 16])
}

pub fn started(ledger: &TenantId, at: u64, name: u8) -> ProjectedRecord {
    let started = RetentionStarted::new(run(name), RetentionReason::Expired, NumberSet::from(1..3));
    record(ledger, at, SystemRecord::RetentionStarted(started.unwrap()))
}

pub fn done(ledger: &TenantId, at: u64, name: u8) -> ProjectedRecord {
    record(ledger, at, SystemRecord::RetentionDone(RetentionDone::new(run(name), 2, 1).unwrap()))
}

#[test]
fn a_run_is_open_from_its_first_record_to_its_end() {
    let (_directory, path) = place();
    let admin = open(&path);
    let (acme, other) = (tenant("acme"), tenant("other"));
    let open_run = |ledger: &TenantId, name, at| OpenRetentionRun {
        ledger: ledger.clone(),
        run: run(name),
        started_by: number(at),
    };
    let records = [started(&acme, 7, 1), started(&acme, 8, 1), started(&other, 9, 1)];
    admin.apply(&records, &point(1, 1)).unwrap();
    let both = [open_run(&acme, 1, 7), open_run(&other, 1, 9)];
    assert_eq!(admin.open_retention_runs().unwrap(), both);
    // Given again, they say the same.
    admin.apply(&records, &point(1, 1)).unwrap();
    assert_eq!(admin.open_retention_runs().unwrap(), both);
    let records = [done(&acme, 10, 1), started(&acme, 11, 2), done(&acme, 12, 1)];
    admin.apply(&records, &point(2, 1)).unwrap();
    let left = [open_run(&acme, 2, 11), open_run(&other, 1, 9)];
    assert_eq!(admin.open_retention_runs().unwrap(), left);
    drop(admin);
    // The digest of all rows fits what is left of them.
    let admin = open(&path);
    assert_eq!(admin.open_retention_runs().unwrap(), left);
    let all = [started(&acme, 7, 1), done(&acme, 10, 1), done(&acme, 13, 2), done(&other, 14, 1)];
    admin.apply(&all, &point(3, 1)).unwrap();
    drop(admin);
    assert_eq!(open(&path).open_retention_runs().unwrap(), []);
}
