//! Brings the projection of `system` records up to what the ledgers hold.

use crate::ledger::Ledger;
use ledgerstone_model::SystemRecord;
use ledgerstone_proof::{Kind, TenantId, split_content};
use ledgerstone_store::admin::{
    AdminError, AdminStore, ProjectedRecord, ProjectionPoint, SystemTree,
};
use ledgerstone_store::{Cursor, LedgerStore, ReadError, StoredRecord, Wanted};

/// Records looked at at a time.
const PAGE: usize = 16_384;

/// Goes on from where the projection stands to the end, and remembers the tree of `_system` as it is
/// now: that is what a rollback is noticed by. A damaged projection is built again.
pub fn follow(admin: &dyn AdminStore, store: &dyn LedgerStore) -> Result<(), AdminError> {
    match go_on(admin, store) {
        Err(error) if error.is_damage() => {
            admin.rebuild()?;
            go_on(admin, store)
        }
        outcome => outcome,
    }
}

impl Ledger {
    /// Takes what is in force out of the projection, after bringing that up to what the ledgers hold.
    /// Without this it is read from the ledgers when first needed, all of which are gone through.
    pub fn load_projection(&self, admin: &dyn AdminStore) -> Result<(), AdminError> {
        follow(admin, &*self.store)?;
        self.load_taxonomies(admin)?;
        self.load_policies(admin)?;
        self.load_requests(admin)
    }
}

fn go_on(admin: &dyn AdminStore, store: &dyn LedgerStore) -> Result<(), AdminError> {
    let system = store.head(&TenantId::system())?;
    let system_tree = system.map(|head| SystemTree { size: head.size(), root: head.range.root() });
    let mut pages = Pages { store, cursor: admin.point()?.cursor };
    loop {
        let page = pages.next()?;
        let point = ProjectionPoint { cursor: pages.cursor.clone(), system_tree };
        admin.apply(page.as_deref().unwrap_or_default(), &point)?;
        if page.is_none() {
            return Ok(());
        }
    }
}

/// Hands over the `system` records of all ledgers.
pub(crate) fn system_records(
    store: &dyn LedgerStore,
    mut take: impl FnMut(ProjectedRecord),
) -> Result<(), ReadError> {
    system_records_after(store, &mut Cursor::default(), &mut take)
}

/// The same behind a cursor, which goes along: after an error too it stands behind what was handed over.
pub(crate) fn system_records_after(
    store: &dyn LedgerStore,
    cursor: &mut Cursor,
    mut take: impl FnMut(ProjectedRecord),
) -> Result<(), ReadError> {
    let mut pages = Pages { store, cursor: cursor.clone() };
    while let Some(page) = pages.next()? {
        page.into_iter().for_each(&mut take);
        cursor.clone_from(&pages.cursor);
    }
    Ok(())
}

/// The `system` records of all ledgers behind a cursor, page by page.
struct Pages<'s> {
    store: &'s dyn LedgerStore,
    cursor: Cursor,
}

impl Pages<'_> {
    /// The next page, which may be empty; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<ProjectedRecord>>, ReadError> {
        let changes = self.store.changes(&self.cursor, PAGE, Wanted::Kind(Kind::System))?;
        if changes.next == self.cursor {
            return Ok(None);
        }
        self.cursor = changes.next;
        changes.records.iter().map(system_record).collect::<Result<_, _>>().map(Some)
    }
}

/// What one of the server's own records says.
fn system_record(record: &StoredRecord) -> Result<ProjectedRecord, ReadError> {
    let damaged = |reason: String| ReadError::Damaged {
        tenant: record.tenant.clone(),
        sequence_number: Some(record.sequence_number),
        reason,
    };
    let content = record.content.as_deref().unwrap_or_default();
    let (event, _) = split_content(content).map_err(|error| damaged(error.to_string()))?;
    let (said, _) = SystemRecord::parse(event).map_err(|error| damaged(error.to_string()))?;
    Ok(ProjectedRecord {
        ledger: record.tenant.clone(),
        sequence_number: record.sequence_number,
        ingested_at: record.ingested_at,
        record: said,
    })
}
