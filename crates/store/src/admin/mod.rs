//! What a deployment looks up all the time and must not search its ledgers for: tenants, signing
//! keys, API keys, taxonomies, policies, requests of people and their erasure, followers' cursors, and jobs.
//!
//! All of it but the cursors and the jobs is a projection of `system` records. The ledgers are the truth: a
//! projection that is missing, damaged or of another version is built again from them, and one that
//! knows more than the ledger says that the ledger was rolled back.

mod api_keys;
mod error;
mod files;
mod jobs;
mod policies;
mod projection;
mod retention;
mod rollback;
mod row;
mod schema;
mod sqlite;
mod subject_requests;
mod taxonomies;

#[cfg(test)]
mod tests;

use ledgerstone_model::access::{ApiKeyId, RoleSet};
use ledgerstone_model::policy::PolicyDocument;
use ledgerstone_model::system::{ErasureStarted, RetentionRunId, SubjectRequestRecord};
use ledgerstone_model::system::{KeyUse, LedgerId, PublicKey, SigningMode, TenantState};
use ledgerstone_model::{SystemRecord, TaxonomyDocument};
use ledgerstone_proof::{Hash, IngestedAt, KeyId, SequenceNumber, TenantId};

use crate::contract::Cursor;

pub use error::AdminError;
pub use rollback::refuse_rolled_back;
pub use sqlite::{Opened, SqliteAdmin};

/// Holds the projection of `system` records and the followers' cursors.
///
/// # What it promises
///
/// - **Atomic.** [`apply`](Self::apply) takes in all the records and the point after them, or
///   nothing; when it returned, both survive a crash.
/// - **Repeatable.** Applying records again changes nothing, and ledgers may come in any order
///   among each other: only within a ledger are records given in sequence order.
/// - **Never believed.** What is read is what was written, or the answer is
///   [`AdminError::Damaged`]; the caller then calls [`rebuild`](Self::rebuild) and applies the
///   records from the empty cursor.
/// - **No secrets.** Public keys, hashes of secrets, opaque ids, numbers and times; no key material,
///   no personal value.
///
/// One process writes. All methods block; a store is shared between threads.
pub trait AdminStore: Send + Sync {
    /// Takes in `system` records and remembers the point in the stream of changes after them.
    fn apply(&self, records: &[ProjectedRecord], next: &ProjectionPoint) -> Result<(), AdminError>;

    /// Up to where the projection goes; the default point when it is empty.
    fn point(&self) -> Result<ProjectionPoint, AdminError>;

    /// Every tenant, by name; `_system` too.
    fn tenants(&self) -> Result<Vec<TenantRow>, AdminError>;

    /// One tenant.
    fn tenant(&self, name: &TenantId) -> Result<Option<TenantRow>, AdminError>;

    /// The keys that signed or sign for a ledger, per use in the order of their announcement.
    fn signing_keys(&self, ledger: &TenantId) -> Result<Vec<SigningKeyRow>, AdminError>;

    /// From which number on a ledger's records are signed one by one or not, in order.
    fn record_signing(&self, ledger: &TenantId) -> Result<Vec<RecordSigningRow>, AdminError>;

    /// The API keys of a tenant, or of all, revoked and expired ones too.
    fn api_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<ApiKeyRow>, AdminError>;

    /// The taxonomy in force of every tenant that has set one.
    fn taxonomies(&self) -> Result<Vec<TaxonomyRow>, AdminError>;

    /// The policies in force of every tenant, at most one of each kind.
    fn policies(&self) -> Result<Vec<PolicyRow>, AdminError>;

    /// The requests of people of every tenant, in their newest state.
    fn subject_requests(&self) -> Result<Vec<SubjectRequestRow>, AdminError>;

    /// Every erasure that began.
    fn erasures(&self) -> Result<Vec<ErasureRow>, AdminError>;

    /// The retention runs of every ledger that have not ended.
    fn open_retention_runs(&self) -> Result<Vec<OpenRetentionRun>, AdminError>;

    /// Where a follower stands; the empty cursor when it has saved none.
    fn follower_cursor(&self, follower: &str) -> Result<Cursor, AdminError>;

    /// Saves where a follower stands.
    fn save_follower_cursor(&self, follower: &str, cursor: &Cursor) -> Result<(), AdminError>;

    /// Drops the projection; it starts again from the empty cursor. Followers' cursors and jobs are
    /// kept where they can still be read.
    fn rebuild(&self) -> Result<(), AdminError>;
}

/// A `system` record and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectedRecord {
    pub ledger: TenantId,
    pub sequence_number: SequenceNumber,
    pub ingested_at: IngestedAt,
    pub record: SystemRecord,
}

/// How far the projection has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectionPoint {
    /// Where to go on in the stream of changes.
    pub cursor: Cursor,
    /// The tree of `_system` up to there; `None` when none of its records has been seen.
    pub system_tree: Option<SystemTree>,
}

/// Size and root of the tree of `_system`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemTree {
    pub size: u64,
    pub root: Hash,
}

/// A tenant, as far as the records seen say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    pub name: TenantId,
    /// From the ledger's genesis; `None` while that has not been seen.
    pub ledger_id: Option<LedgerId>,
    /// When the genesis was ingested: from then on the tenant exists.
    pub created_at: Option<IngestedAt>,
    /// From the newest `system.tenant` record; `_system` has none.
    pub state: Option<TenantState>,
    /// Number of the first `system.tenant` record in `_system` that names the tenant.
    pub created_by: Option<SequenceNumber>,
}

/// A key in its use for one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    pub usage: KeyUse,
    pub key: PublicKey,
    /// Number of the record in this ledger that announced the key: the genesis, whose keys sign
    /// from itself on, or a `system.signing_key` record, whose key comes after it.
    pub announced_by: SequenceNumber,
    /// The time from which on it signs; the genesis names none.
    pub not_before: Option<IngestedAt>,
    /// The key announced next for the same use, which took this one's place.
    pub replaced_by: Option<KeyId>,
}

/// How a ledger's records are signed from a number on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSigningRow {
    pub from: SequenceNumber,
    pub mode: SigningMode,
}

/// An API key, as the records of its tenant's ledger say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub tenant: TenantId,
    pub key_id: ApiKeyId,
    pub roles: RoleSet,
    /// SHA-256 of the secret's 32 bytes.
    pub secret_hash: Hash,
    /// Number of the `system.api_key` record that granted it.
    pub granted_by: SequenceNumber,
    /// When that record was ingested.
    pub granted_at: IngestedAt,
    /// Number of the `audit` record that says who granted it and what it is called.
    pub audit_record: SequenceNumber,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<IngestedAt>,
    pub revoked: Option<RevokedKey>,
}

/// A tenant's taxonomy, as the newest record of its ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxonomyRow {
    pub tenant: TenantId,
    /// Number of the `system.taxonomy` record.
    pub set_by: SequenceNumber,
    /// When that record was ingested.
    pub set_at: IngestedAt,
    /// Number of the `audit` record that says who set it.
    pub audit_record: SequenceNumber,
    pub document: TaxonomyDocument,
}

/// A policy of a tenant, as the newest record of its kind says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    pub tenant: TenantId,
    /// How many documents of its kind there were, this one counted.
    pub version: u64,
    /// Number of the `system.policy` record.
    pub set_by: SequenceNumber,
    /// When that record was ingested.
    pub set_at: IngestedAt,
    /// Number of the `audit` record that says who set it; `None` where the server did.
    pub audit_record: Option<SequenceNumber>,
    pub document: PolicyDocument,
}

/// A person's request in its newest state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequestRow {
    pub tenant: TenantId,
    /// Number of the `system.subject_request` record.
    pub set_by: SequenceNumber,
    /// When that record was ingested.
    pub set_at: IngestedAt,
    pub record: SubjectRequestRecord,
}

/// An erasure that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRow {
    pub tenant: TenantId,
    /// Number of the `system.erasure_started` record.
    pub started_by: SequenceNumber,
    pub started: ErasureStarted,
    /// Number of the `system.erasure` record; `None` while it is not done.
    pub certificate: Option<SequenceNumber>,
}

/// A retention run that its ledger does not say to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRetentionRun {
    pub ledger: TenantId,
    pub run: RetentionRunId,
    /// The first record of the run in this ledger.
    pub started_by: SequenceNumber,
}

/// How an API key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedKey {
    /// Number of the `system.api_key` record that revoked it.
    pub record: SequenceNumber,
    pub at: IngestedAt,
    /// Number of the `audit` record that says who revoked it and why.
    pub audit_record: SequenceNumber,
}
