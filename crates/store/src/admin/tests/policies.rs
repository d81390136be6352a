//! Policies in the projection: the newest of each ledger and kind.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::policy::PolicyDocument;
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_model::system::PolicyRecord;
use ledgerstone_proof::TenantId;

use super::{moment, number, open, place, point, record, tenant, written};
use crate::admin::{AdminStore as _, PolicyRow, ProjectedRecord};

fn document(version: u64) -> PolicyDocument {
    let preset = if version.is_multiple_of(2) { Preset::Standard } else { Preset::Strict };
    PolicyDocument::Sealing(FieldPolicy::of_preset(preset))
}

/// A `system.policy` record at a place, explained by the one before it.
pub(super) fn set(ledger: &TenantId, at: u64, version: u64) -> ProjectedRecord {
    let explained_by = (version > 1).then(|| number(at - 1));
    let said = PolicyRecord::new(document(version), version, explained_by);
    record(ledger, at, SystemRecord::Policy(said))
}

fn row(name: &str, at: u64, version: u64) -> PolicyRow {
    PolicyRow {
        tenant: tenant(name),
        version,
        set_by: number(at),
        set_at: moment(i64::try_from(at).unwrap()),
        audit_record: (version > 1).then(|| number(at - 1)),
        document: document(version),
    }
}

#[test]
fn the_newest_of_a_ledger_counts() {
    let (_directory, path) = written();
    assert_eq!(open(&path).policies().unwrap(), [row("acme", 105, 2)]);
    let (_directory, path) = place();
    let admin = open(&path);
    let records =
        [set(&tenant("acme"), 9, 2), set(&tenant("acme"), 7, 1), set(&tenant("other"), 7, 1)];
    admin.apply(&records, &point(1, 1)).unwrap();
    assert_eq!(admin.policies().unwrap(), [row("acme", 9, 2), row("other", 7, 1)]);
}
