//! The administrative store in one `SQLite` file, `DATA/admin.sqlite`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerstone_model::JobId;
use ledgerstone_proof::TenantId;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::AdminError;
use super::projection::{self, Projection};
use super::{
    AdminStore, ApiKeyRow, ErasureRow, OpenRetentionRun, PolicyRow, ProjectedRecord,
    ProjectionPoint, RecordSigningRow, SigningKeyRow, SubjectRequestRow, TaxonomyRow, TenantRow,
    api_keys, files, jobs, policies, retention, subject_requests, taxonomies,
};
use crate::contract::Cursor;
use crate::jobs::{JobRow, JobStore};

/// An [`AdminStore`] in a `SQLite` file that nobody else writes to.
#[derive(Debug)]
pub struct SqliteAdmin {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// How the file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was sound, or did not exist.
    AsFound,
    /// It was not what was written, was removed, and is empty now; the reason says what was wrong.
    Rebuilt { reason: String },
}

impl SqliteAdmin {
    /// Opens the file, checks all of it, and makes it new where it is missing or damaged. An empty
    /// projection has the empty cursor: the caller applies the records from there.
    pub fn open(path: &Path) -> Result<(Self, Opened), AdminError> {
        let (connection, opened) = match files::open(path) {
            Ok(connection) => (connection, Opened::AsFound),
            Err(AdminError::Damaged(reason)) => {
                files::remove(path)?;
                (files::open(path)?, Opened::Rebuilt { reason })
            }
            Err(error) => return Err(error),
        };
        Ok((Self { path: path.to_owned(), connection: Mutex::new(connection) }, opened))
    }

    // A panic under the lock leaves at most a transaction that SQLite rolls back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the projection in one transaction.
    fn change(
        &self,
        change: impl FnOnce(&mut Projection<'_>) -> Result<(), AdminError>,
    ) -> Result<(), AdminError> {
        change_all(&mut self.connection(), change)
    }
}

fn change_all(
    connection: &mut Connection,
    change: impl FnOnce(&mut Projection<'_>) -> Result<(), AdminError>,
) -> Result<(), AdminError> {
    let failed = |error| AdminError::from_sqlite("writing the projection", error);
    let transaction: Transaction<'_> =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut projection = Projection::load(&transaction)?;
    change(&mut projection)?;
    projection.save()?;
    transaction.commit().map_err(failed)
}

impl AdminStore for SqliteAdmin {
    fn apply(&self, records: &[ProjectedRecord], next: &ProjectionPoint) -> Result<(), AdminError> {
        self.change(|projection| {
            for record in records {
                projection.apply(record)?;
            }
            projection.move_to(next);
            Ok(())
        })
    }

    fn point(&self) -> Result<ProjectionPoint, AdminError> {
        Projection::load(&self.connection()).map(Projection::point)
    }

    fn tenants(&self) -> Result<Vec<TenantRow>, AdminError> {
        projection::tenants(&self.connection(), None)
    }

    fn tenant(&self, name: &TenantId) -> Result<Option<TenantRow>, AdminError> {
        Ok(projection::tenants(&self.connection(), Some(name))?.pop())
    }

    fn signing_keys(&self, ledger: &TenantId) -> Result<Vec<SigningKeyRow>, AdminError> {
        projection::signing_keys(&self.connection(), ledger)
    }

    fn record_signing(&self, ledger: &TenantId) -> Result<Vec<RecordSigningRow>, AdminError> {
        projection::record_signing(&self.connection(), ledger)
    }

    fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRow>, AdminError> {
        api_keys::api_keys(&self.connection(), tenant)
    }

    fn taxonomies(&self) -> Result<Vec<TaxonomyRow>, AdminError> {
        taxonomies::taxonomies(&self.connection())
    }

    fn policies(&self) -> Result<Vec<PolicyRow>, AdminError> {
        policies::policies(&self.connection())
    }

    fn subject_requests(&self) -> Result<Vec<SubjectRequestRow>, AdminError> {
        subject_requests::subject_requests(&self.connection())
    }

    fn erasures(&self) -> Result<Vec<ErasureRow>, AdminError> {
        subject_requests::erasures(&self.connection())
    }

    fn open_retention_runs(&self) -> Result<Vec<OpenRetentionRun>, AdminError> {
        retention::open_runs(&self.connection())
    }

    fn follower_cursor(&self, follower: &str) -> Result<Cursor, AdminError> {
        projection::follower(&self.connection(), follower)
    }

    fn save_follower_cursor(&self, follower: &str, cursor: &Cursor) -> Result<(), AdminError> {
        self.change(|projection| projection.put_follower(follower, cursor))
    }

    fn rebuild(&self) -> Result<(), AdminError> {
        let mut connection = self.connection();
        // A cursor that cannot be read makes its follower begin again, which every follower bears.
        let followers = projection::followers(&connection).unwrap_or_default();
        let jobs = jobs::load(&connection).unwrap_or_default();
        let closed = Connection::open_in_memory()
            .map_err(|error| AdminError::from_sqlite("closing admin.sqlite", error))?;
        drop(std::mem::replace(&mut *connection, closed));
        files::remove(&self.path)?;
        *connection = files::open(&self.path)?;
        jobs.iter().try_for_each(|job| jobs::save(&connection, job))?;
        change_all(&mut connection, |projection| {
            followers.iter().try_for_each(|(name, cursor)| projection.put_follower(name, cursor))
        })
    }
}

impl JobStore for SqliteAdmin {
    fn jobs(&self) -> Result<Vec<JobRow>, AdminError> {
        jobs::load(&self.connection())
    }

    fn save_job(&self, job: &JobRow) -> Result<(), AdminError> {
        jobs::save(&self.connection(), job)
    }

    fn remove_job(&self, id: &JobId) -> Result<(), AdminError> {
        jobs::remove(&self.connection(), id)
    }
}
