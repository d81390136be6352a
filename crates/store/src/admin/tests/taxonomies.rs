//! Taxonomies in the projection: the newest of each ledger.

use ledgerstone_model::system::TaxonomyRecord;
use ledgerstone_model::{SystemRecord, TaxonomyDocument, TaxonomyDraft};
use ledgerstone_proof::TenantId;

use super::{moment, number, open, place, point, record, tenant, written};
use crate::admin::{AdminStore as _, ProjectedRecord, TaxonomyRow};

fn document(version: u64) -> TaxonomyDocument {
    let text = br#"{"mode":"warn","event_types":{"a.*":{"schema":{"type":"object"}}}}"#;
    TaxonomyDraft::parse(text).unwrap().at_version(version).unwrap()
}

/// The record just after its `audit` record.
pub fn set(ledger: &TenantId, at: u64, version: u64) -> ProjectedRecord {
    let said = TaxonomyRecord::new(document(version), number(at - 1));
    record(ledger, at, SystemRecord::Taxonomy(said))
}

#[test]
fn the_newest_of_a_ledger_counts() {
    let (_directory, path) = written();
    let row = |name: &str, at: u64, version: u64| TaxonomyRow {
        tenant: tenant(name),
        set_by: number(at),
        set_at: moment(i64::try_from(at).unwrap()),
        audit_record: number(at - 1),
        document: document(version),
    };
    assert_eq!(open(&path).taxonomies().unwrap(), [row("acme", 101, 2)]);
    let (_directory, path) = place();
    let admin = open(&path);
    let records =
        [set(&tenant("acme"), 9, 2), set(&tenant("acme"), 7, 1), set(&tenant("other"), 7, 1)];
    admin.apply(&records, &point(1, 1)).unwrap();
    assert_eq!(admin.taxonomies().unwrap(), [row("acme", 9, 2), row("other", 7, 1)]);
}
