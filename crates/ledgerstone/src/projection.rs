//! Keeps `admin.sqlite`, the projection of `system` records, in step with the ledger.
//!
//! It is derived: whatever is wrong with it, it is built again and nothing stops, except when it
//! knows records that the ledger does not have. That is how a directory whose ledger was put back
//! to an earlier state is noticed before anything is written to it.

use ledgerstone_model::SystemRecord;
use ledgerstone_proof::{Kind, TenantId, split_content};
use ledgerstone_store::admin::{
    AdminError, AdminStore as _, Opened, ProjectedRecord, SqliteAdmin, SystemTree,
    refuse_rolled_back,
};
use ledgerstone_store::embedded::EmbeddedStore;
use ledgerstone_store::{LedgerStore as _, ReadError, StoredRecord, Wanted};

use crate::failure::Failure;
use crate::output::Console;

/// Records looked at at a time.
const PAGE: usize = 16_384;

/// The projection of an open directory; without a database when that cannot be used now.
pub struct Projection {
    admin: Option<SqliteAdmin>,
}

impl Projection {
    /// Opens the projection. Fails only when it knows more than the ledger.
    pub fn open(store: &EmbeddedStore, console: &mut Console) -> Result<Self, Failure> {
        let admin = match SqliteAdmin::open(&store.layout().admin()) {
            Ok((admin, Opened::AsFound)) => admin,
            Ok((admin, Opened::Rebuilt { reason })) => {
                console.note(format!("admin.sqlite was damaged at {reason}; it is built again"));
                admin
            }
            Err(error) => {
                console.note(format!("admin.sqlite is not kept up to date: {error}"));
                return Ok(Self { admin: None });
            }
        };
        match refuse_rolled_back(&admin, store) {
            Ok(()) => Ok(Self { admin: Some(admin) }),
            Err(error @ AdminError::RolledBack { .. }) => {
                Err(Failure::new(error.code(), error.to_string()))
            }
            Err(error) if error.is_damage() && admin.rebuild().is_ok() => {
                console.note(format!("{error}; that is done now"));
                Ok(Self { admin: Some(admin) })
            }
            Err(error) => {
                console.note(format!("admin.sqlite is not kept up to date: {error}"));
                Ok(Self { admin: None })
            }
        }
    }

    /// Takes in what the ledgers gained. A failure leaves the old state, and the next command that
    /// writes goes on from there.
    pub fn catch_up(&self, store: &EmbeddedStore, console: &mut Console) {
        let Some(admin) = &self.admin else { return };
        let outcome = match follow(admin, store) {
            Err(error) if error.is_damage() => admin.rebuild().and_then(|()| follow(admin, store)),
            outcome => outcome,
        };
        if let Err(error) = outcome {
            console.note(format!("admin.sqlite is not up to date: {error}"));
        }
    }
}

/// Goes on from where the projection stands to the end, and remembers the tree of `_system` as it is
/// now: that is what a rollback is noticed by.
fn follow(admin: &SqliteAdmin, store: &EmbeddedStore) -> Result<(), AdminError> {
    let mut point = admin.point()?;
    let system = store.head(&TenantId::system())?;
    point.system_tree =
        system.map(|head| SystemTree { size: head.size(), root: head.range.root() });
    loop {
        let changes = store.changes(&point.cursor, PAGE, Wanted::Kind(Kind::System))?;
        let is_end = changes.next == point.cursor;
        let said = changes.records.iter().map(system_record);
        point.cursor = changes.next;
        admin.apply(&said.collect::<Result<Vec<_>, _>>()?, &point)?;
        if is_end {
            return Ok(());
        }
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
