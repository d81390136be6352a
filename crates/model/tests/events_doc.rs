//! `docs/events.md` has what the code has: the table of fields, and every record of the server with all it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledgerstone_model::AuditRecord;
use ledgerstone_model::audit::access::ACCESS_EVENT_TYPE;
use ledgerstone_model::audit::denial::DENIAL_EVENT_TYPE;
use ledgerstone_model::audit::rectification::RECTIFICATION_EVENT_TYPE;
use ledgerstone_model::schema_table::field_table;
use ledgerstone_model::system::SystemRecord;
use serde_json::Value;

/// Every kind of `system` record, those with more members in several forms.
const FROZEN: &str = include_str!("fixtures/system_records.ndjson");

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    std::fs::read_to_string(path).expect("docs/events.md is there")
}

/// The rows whose first cell is an event type of this kind, by that type, without it.
fn rows(document: &str, kind: &str) -> BTreeMap<String, String> {
    let begin = format!("| `{kind}.");
    let rows = document.lines().filter(|line| line.starts_with(&begin));
    let row = |line: &str| {
        let (event_type, rest) = line[3..].split_once("` |").expect("a cell ends");
        (event_type.to_owned(), rest.to_owned())
    };
    rows.map(row).collect()
}

/// Its place among the kinds: who adds a kind comes by here, and adds a frozen record.
const fn place(record: &SystemRecord) -> usize {
    match record {
        SystemRecord::Genesis(_) => 0,
        SystemRecord::SigningKey(_) => 1,
        SystemRecord::RecordSigning(_) => 2,
        SystemRecord::Tenant(_) => 3,
        SystemRecord::Anchor(_) => 4,
        SystemRecord::TailCut(_) => 5,
        SystemRecord::ApiKey(_) => 6,
        SystemRecord::Taxonomy(_) => 7,
        SystemRecord::RetentionStarted(_) => 8,
        SystemRecord::RetentionDone(_) => 9,
        SystemRecord::Policy(_) => 10,
        SystemRecord::PolicyProposal(_) => 11,
        SystemRecord::HoldSet(_) => 12,
        SystemRecord::HoldReleaseAsked(_) => 13,
        SystemRecord::HoldReleased(_) => 14,
        SystemRecord::SubjectRequest(_) => 15,
        SystemRecord::ErasureStarted(_) => 16,
        SystemRecord::Erasure(_) => 17,
        SystemRecord::TenantClosingAsked(_) => 18,
        SystemRecord::TenantClosing(_) => 19,
        SystemRecord::TenantClosed(_) => 20,
        SystemRecord::ErasureKept(_) => 21,
        SystemRecord::TenantClosingWithdrawn(_) => 22,
    }
}

const KINDS: usize = 23;

#[test]
fn the_document_has_the_table_of_the_code() {
    let document = document();
    let begin = "<!-- generated: fields -->\n";
    let (_, rest) = document.split_once(begin).expect("the mark where the table begins");
    let (table, _) = rest.split_once("<!-- end -->").expect("the mark where the table ends");
    assert!(
        table == field_table(),
        "docs/events.md is not up to date; between its marks should stand:\n{}",
        field_table()
    );
}

#[test]
fn the_document_has_every_system_record_and_all_it_holds() {
    let rows = rows(&document(), "system");
    let mut places = BTreeSet::new();
    let mut types = BTreeSet::new();
    for line in FROZEN.lines() {
        let (record, _) = SystemRecord::parse(line.as_bytes()).expect("a frozen record");
        places.insert(place(&record));
        types.insert(record.event_type());
        let row = rows.get(record.event_type()).unwrap_or_else(|| panic!("no row for {line}"));
        assert!(row.starts_with(&format!(" `{}` |", record.name())), "the member of {row}");
        let event: Value = serde_json::from_str(line).expect("a frozen record is json");
        let payload = event[record.name()].as_object().expect("a payload");
        for member in payload.keys() {
            assert!(row.contains(&format!("`{member}`")), "{} lacks {member}", record.event_type());
        }
    }
    assert_eq!(places, (0..KINDS).collect(), "a frozen record of every kind");
    assert_eq!(types.len(), KINDS);
    assert_eq!(rows.keys().map(String::as_str).collect::<BTreeSet<_>>(), types);
}

#[test]
fn the_document_has_every_audit_record() {
    // Who adds a kind comes by here, and adds its type below.
    let _ = |record: &AuditRecord| match record {
        AuditRecord::Administration(_)
        | AuditRecord::Access(_)
        | AuditRecord::Denial(_)
        | AuditRecord::Rectification(_) => (),
    };
    let types =
        ["audit.administration", ACCESS_EVENT_TYPE, DENIAL_EVENT_TYPE, RECTIFICATION_EVENT_TYPE];
    let rows = rows(&document(), "audit");
    assert_eq!(rows.keys().map(String::as_str).collect::<BTreeSet<_>>(), types.into());
}
