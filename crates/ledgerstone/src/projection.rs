//! Keeps `admin.sqlite`, the projection of `system` records, in step with the ledger.
//!
//! It is derived: whatever is wrong with it, it is built again and nothing stops, except when it
//! knows records that the ledger does not have. That is how a directory whose ledger was put back
//! to an earlier state is noticed before anything is written to it.

use std::sync::Arc;

use ledgerstone_ledger::projection::follow;
use ledgerstone_ledger::{ApiKeys, Ledger};
use ledgerstone_store::admin::{
    AdminError, AdminStore as _, Opened, SqliteAdmin, refuse_rolled_back,
};
use ledgerstone_store::embedded::EmbeddedStore;
use ledgerstone_store::{JobStore, MemoryJobs};

use crate::failure::Failure;
use crate::output::Console;

/// The projection of an open directory; without a database when that cannot be used now.
pub struct Projection {
    admin: Option<Arc<SqliteAdmin>>,
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
            Ok(()) => Ok(Self { admin: Some(Arc::new(admin)) }),
            Err(error @ AdminError::RolledBack { .. }) => {
                Err(Failure::new(error.code(), error.to_string()))
            }
            Err(error) if error.is_damage() && admin.rebuild().is_ok() => {
                console.note(format!("{error}; that is done now"));
                Ok(Self { admin: Some(Arc::new(admin)) })
            }
            Err(error) => {
                console.note(format!("admin.sqlite is not kept up to date: {error}"));
                Ok(Self { admin: None })
            }
        }
    }

    /// The API keys of all tenants: quickly where there is a database, and otherwise out of the
    /// ledgers, all of which are read for it.
    pub fn api_keys(&self, store: &EmbeddedStore) -> Result<ApiKeys, Failure> {
        match &self.admin {
            Some(admin) => ApiKeys::load(&**admin, store)
                .map_err(|error| Failure::new(error.code(), error.to_string())),
            None => Ok(ApiKeys::read(store)?),
        }
    }

    /// Tells the ledger what is in force; without a database it reads that from the ledgers when it
    /// first needs it.
    pub fn load_into(&self, ledger: &Ledger, console: &mut Console) {
        let Some(admin) = &self.admin else { return };
        if let Err(error) = ledger.load_projection(&**admin) {
            console.note(format!("admin.sqlite is not up to date: {error}"));
        }
    }

    /// Whether a retention run may have been cut short; a look into the ledgers tells for sure.
    pub fn may_have_open_runs(&self) -> bool {
        let runs = self.admin.as_ref().map(|admin| admin.open_retention_runs());
        !matches!(runs, Some(Ok(runs)) if runs.is_empty())
    }

    /// Where jobs are remembered; without a database they end with the process.
    pub fn jobs(&self) -> Arc<dyn JobStore> {
        match &self.admin {
            Some(admin) => admin.clone(),
            None => Arc::<MemoryJobs>::default(),
        }
    }

    /// Takes in what the ledgers gained. A failure leaves the old state, and the next command that
    /// writes goes on from there.
    pub fn catch_up(&self, store: &EmbeddedStore, console: &mut Console) {
        let Some(admin) = &self.admin else { return };
        if let Err(error) = follow(&**admin, store) {
            console.note(format!("admin.sqlite is not up to date: {error}"));
        }
    }
}
