//! API keys: granted and revoked in their tenant's ledger, and looked up in memory.
//!
//! A grant and a revocation are two records of one append: an `audit` record with the names, and the
//! `system.api_key` record that points to it and is what counts. [`ApiKeys`] is what the records
//! say, for whoever has to know at every request.

mod granting;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{ApiKey, ApiKeyId};
use ledgerstone_model::system::{ApiKeyGrant, ApiKeyRecord, SystemRecord};
use ledgerstone_proof::{Hash, IngestedAt, TenantId};
use ledgerstone_store::admin::{AdminError, AdminStore, ApiKeyRow, ProjectedRecord, RevokedKey};
use ledgerstone_store::{LedgerStore, ReadError};
use thiserror::Error;

use crate::projection;

pub use granting::{Ensured, FirstAdminKey, IssuedKey, LABEL_MAX, NewApiKey};

/// Why a key opens nothing. An unknown id and a wrong secret are one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ApiKeyRefusal {
    #[error("the API key is none that this server granted")]
    Unknown,
    #[error("the API key was revoked")]
    Revoked,
    #[error("the API key's time is over")]
    Expired,
}

impl ApiKeyRefusal {
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::InvalidToken,
            Self::Revoked => ErrorCode::KeyRevoked,
            Self::Expired => ErrorCode::TokenExpired,
        }
    }
}

/// The API keys of all tenants, in memory. Shared between threads by reference or `Arc`.
#[derive(Debug, Default)]
pub struct ApiKeys {
    entries: RwLock<HashMap<ApiKeyId, Arc<ApiKeyRow>>>,
    /// Held while a key is granted or revoked, so that no two acts cross.
    changing: Mutex<()>,
}

impl ApiKeys {
    /// Reads the keys from the projection, after bringing that up to what the ledgers hold.
    pub fn load(admin: &dyn AdminStore, store: &dyn LedgerStore) -> Result<Self, AdminError> {
        projection::follow(admin, store)?;
        let mut rows = admin.api_keys(None)?;
        // An id is granted once; should records say otherwise, the first grant holds.
        rows.sort_by_key(|row| std::cmp::Reverse(row.granted_at));
        let entries = rows.into_iter().map(|row| (row.key_id, Arc::new(row))).collect();
        Ok(Self { entries: RwLock::new(entries), changing: Mutex::default() })
    }

    /// Reads the keys from the ledgers themselves, all of which are gone through: for where there is
    /// no projection.
    pub fn read(store: &dyn LedgerStore) -> Result<Self, ReadError> {
        let keys = Self::default();
        projection::system_records(store, |record| {
            keys.take(&record);
        })?;
        Ok(keys)
    }

    /// The key of this id, whatever its state.
    pub fn find(&self, id: &ApiKeyId) -> Option<Arc<ApiKeyRow>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The keys of a tenant in the order of their grants, whatever their state.
    pub fn of_tenant(&self, tenant: &TenantId) -> Vec<Arc<ApiKeyRow>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> =
            entries.values().filter(|row| row.tenant == *tenant).cloned().collect();
        found.sort_by_key(|row| row.granted_by);
        found
    }

    /// The entry of a key that is good at this time. That a key was revoked or has expired is told
    /// only to who has its secret.
    pub fn check(&self, key: &ApiKey, now: IngestedAt) -> Result<Arc<ApiKeyRow>, ApiKeyRefusal> {
        let found = self.find(key.id());
        // Compared in any case, so that an unknown id takes as long as a known one.
        let wanted = found.as_ref().map_or(Hash::ZERO, |row| row.secret_hash);
        let is_secret = key.has_secret(&wanted);
        let row = found.filter(|_| is_secret).ok_or(ApiKeyRefusal::Unknown)?;
        refuse_ended(&row, now)?;
        Ok(row)
    }

    /// Whether a key that was good before still is at this time.
    pub fn check_again(&self, id: &ApiKeyId, now: IngestedAt) -> Result<(), ApiKeyRefusal> {
        refuse_ended(&*self.find(id).ok_or(ApiKeyRefusal::Unknown)?, now)
    }

    /// Takes in the next record of a ledger: the first grant of an id and the first revocation
    /// after it hold.
    fn take(&self, record: &ProjectedRecord) {
        let SystemRecord::ApiKey(said) = &record.record else { return };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        match said {
            ApiKeyRecord::Grant(grant) => {
                entries.entry(*grant.key_id()).or_insert_with(|| Arc::new(row(record, grant)));
            }
            ApiKeyRecord::Revocation(revocation) => {
                let known = entries.get_mut(revocation.key_id());
                let known = known.filter(|row| row.tenant == record.ledger);
                if let Some(entry) = known.filter(|row| row.revoked.is_none()) {
                    let revoked = Some(RevokedKey {
                        record: record.sequence_number,
                        at: record.ingested_at,
                        audit_record: revocation.audit_record(),
                    });
                    *entry = Arc::new(ApiKeyRow { revoked, ..ApiKeyRow::clone(entry) });
                }
            }
        }
    }
}

fn refuse_ended(row: &ApiKeyRow, now: IngestedAt) -> Result<(), ApiKeyRefusal> {
    if row.revoked.is_some() {
        return Err(ApiKeyRefusal::Revoked);
    }
    if row.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiKeyRefusal::Expired);
    }
    Ok(())
}

fn row(record: &ProjectedRecord, grant: &ApiKeyGrant) -> ApiKeyRow {
    ApiKeyRow {
        tenant: record.ledger.clone(),
        key_id: *grant.key_id(),
        roles: grant.roles(),
        secret_hash: *grant.secret_hash(),
        granted_by: record.sequence_number,
        granted_at: record.ingested_at,
        audit_record: grant.audit_record(),
        expires_at: grant.expires_at(),
        revoked: None,
    }
}
