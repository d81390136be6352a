//! Brings the projection of `system` records up to what the ledgers hold.

use ledgerstone_model::SystemRecord;
use ledgerstone_proof::{Kind, TenantId, split_content};
use ledgerstone_store::admin::{AdminError, AdminStore, ProjectedRecord, SystemTree};
use ledgerstone_store::{Cursor, LedgerStore, ReadError, StoredRecord};

/// Records read at a time.
const PAGE: usize = 4_096;

/// Goes on from where the projection stands, by about `at_most` records, and remembers the tree of
/// `_system` as it is now: that is what a rollback is noticed by, also while the rows are behind. A
/// damaged projection is built again.
pub fn follow(
    admin: &dyn AdminStore,
    store: &dyn LedgerStore,
    at_most: usize,
) -> Result<(), AdminError> {
    match go_on(admin, store, at_most) {
        Err(error) if error.is_damage() => {
            admin.rebuild()?;
            go_on(admin, store, at_most)
        }
        outcome => outcome,
    }
}

fn go_on(
    admin: &dyn AdminStore,
    store: &dyn LedgerStore,
    at_most: usize,
) -> Result<(), AdminError> {
    let mut point = admin.point()?;
    let mut gathered = Vec::new();
    point.cursor = system_records(store, point.cursor, at_most, &mut |record| {
        gathered.push(record);
    })?;
    let system = store.head(&TenantId::system())?;
    point.system_tree =
        system.map(|head| SystemTree { size: head.size(), root: head.range.root() });
    admin.apply(&gathered, &point)
}

/// Hands over the `system` records of all ledgers among about `at_most` records after a cursor, and
/// answers where to go on.
pub(crate) fn system_records(
    store: &dyn LedgerStore,
    from: Cursor,
    at_most: usize,
    take: &mut dyn FnMut(ProjectedRecord),
) -> Result<Cursor, ReadError> {
    let mut cursor = from;
    let mut taken = 0;
    while taken < at_most {
        let changes = store.changes(&cursor, PAGE)?;
        if changes.next == cursor {
            break;
        }
        taken += changes.records.len();
        for record in &changes.records {
            if let Some(projected) = system_record(record)? {
                take(projected);
            }
        }
        cursor = changes.next;
    }
    Ok(cursor)
}

/// The record, if it is one of the server's own about keys, tenants or signing.
fn system_record(record: &StoredRecord) -> Result<Option<ProjectedRecord>, ReadError> {
    if record.kind != Kind::System {
        return Ok(None);
    }
    let damaged = |reason: String| ReadError::Damaged {
        tenant: record.tenant.clone(),
        sequence_number: Some(record.sequence_number),
        reason,
    };
    let content = record.content.as_deref().unwrap_or_default();
    let (event, _) = split_content(content).map_err(|error| damaged(error.to_string()))?;
    let (said, _) = SystemRecord::parse(event).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(ProjectedRecord {
        ledger: record.tenant.clone(),
        sequence_number: record.sequence_number,
        ingested_at: record.ingested_at,
        record: said,
    }))
}
