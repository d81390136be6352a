//! Policies: set in their tenant's ledger, looked up in memory.
//!
//! Setting one is two records of one append: an `audit` record that says who, and the
//! `system.policy` record that points to it, holds the whole document, and is what counts. A tenant
//! that never set a sealing policy gets the deployment's default by such a record, which nobody
//! ordered, before its next event.

mod in_clear;
mod proposals;
mod versions;

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard};

use ledgerstone_model::audit::AccessLogPolicy;
use ledgerstone_model::personal::redact::RedactionPolicy;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::retention::RetentionPolicy;
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_model::system::{PolicyRecord, SystemRecord};
use ledgerstone_model::{Actor, Administration};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::admin::{AdminError, AdminStore, PolicyRow};
use ledgerstone_store::{LedgerStore, ReadError};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::projection;
use crate::register::Register;
use crate::sealing::SealError;
use crate::sequencer::{Round, SignedAs};

pub use in_clear::ContentsInClear;
pub use proposals::PolicyOutcome;
pub use versions::{PolicyVersion, PolicyVersions};

/// A policy of a tenant, and the record that set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInForce {
    document: PolicyDocument,
    version: u64,
    set_by: SequenceNumber,
    set_at: IngestedAt,
    audit_record: Option<SequenceNumber>,
}

impl PolicyInForce {
    pub const fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// How many documents of its kind there were in the ledger, this one counted.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The `system.policy` record.
    pub const fn set_by(&self) -> SequenceNumber {
        self.set_by
    }

    pub const fn set_at(&self) -> IngestedAt {
        self.set_at
    }

    /// The `audit` record that says who; `None` where the server set its default.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }
}

impl From<PolicyRow> for PolicyInForce {
    fn from(row: PolicyRow) -> Self {
        let PolicyRow { tenant: _, version, set_by, set_at, audit_record, document } = row;
        Self { document, version, set_by, set_at, audit_record }
    }
}

/// A document that somebody wants to put in force.
#[derive(Clone, Debug)]
pub struct PolicyDraft {
    pub document: PolicyDocument,
    /// The version that the change is based on, where its author says so; 0 where there was none.
    pub based_on: Option<u64>,
}

/// The policies of all tenants, in memory.
#[derive(Debug)]
pub(crate) struct Policies {
    register: Register<PolicyKind, PolicyInForce>,
    default: Arc<FieldPolicy>,
    versions: PolicyVersions,
    in_clear: in_clear::ClearCounts,
}

impl Policies {
    pub(crate) fn new(default: Preset) -> Self {
        let default = Arc::new(FieldPolicy::of_preset(default));
        Self {
            register: Register::default(),
            default,
            versions: PolicyVersions::default(),
            in_clear: in_clear::ClearCounts::default(),
        }
    }
}

fn entry(row: PolicyRow) -> (TenantId, PolicyKind, PolicyInForce) {
    (row.tenant.clone(), row.document.kind(), row.into())
}

/// The newest policies of every tenant out of the ledgers themselves, all of which are gone through.
pub fn read(store: &dyn LedgerStore) -> Result<Vec<PolicyRow>, ReadError> {
    let mut newest = HashMap::new();
    projection::system_records(store, |read| {
        if let SystemRecord::Policy(record) = read.record {
            let row = PolicyRow {
                tenant: read.ledger.clone(),
                version: record.version(),
                set_by: read.sequence_number,
                set_at: read.ingested_at,
                audit_record: record.audit_record(),
                document: record.document().clone(),
            };
            newest.insert((read.ledger, record.document().kind()), row);
        }
    })?;
    Ok(newest.into_values().collect())
}

/// What counts for tenants that have no policy of a kind, in a deployment that seals this by default.
pub fn default_document(kind: PolicyKind, sealing: &FieldPolicy) -> PolicyDocument {
    match kind {
        PolicyKind::Sealing => PolicyDocument::Sealing(sealing.clone()),
        PolicyKind::Redaction => PolicyDocument::Redaction(RedactionPolicy::default()),
        PolicyKind::Retention => PolicyDocument::Retention(RetentionPolicy::default()),
        PolicyKind::AccessLog => PolicyDocument::AccessLog(AccessLogPolicy::default()),
    }
}

impl Ledger {
    /// The policy of a kind that is in force for a tenant; `None` where it never had one.
    pub fn policy(
        &self,
        tenant: &TenantId,
        kind: PolicyKind,
    ) -> Result<Option<Arc<PolicyInForce>>, ReadError> {
        self.ensure_policies()?;
        Ok(self.policies.register.get(tenant, kind))
    }

    /// Holds off changes of policies while something is decided by them.
    pub(crate) fn hold_policies(&self) -> Result<MutexGuard<'_, ()>, ReadError> {
        self.ensure_policies()?;
        Ok(self.policies.register.change())
    }

    fn ensure_policies(&self) -> Result<(), ReadError> {
        let read = || Ok(read(&*self.store)?.into_iter().map(entry).collect());
        self.policies.register.ensure(read)
    }

    pub(crate) fn load_policies(&self, admin: &dyn AdminStore) -> Result<(), AdminError> {
        self.policies.register.fill(admin.policies()?.into_iter().map(entry).collect());
        Ok(())
    }

    /// Sets a policy of a tenant, durably and for everything that comes afterwards. Refused is a draft
    /// that is based on another version than the one in force, and one that needs a second person.
    pub fn set_policy(
        &self,
        tenant: &TenantId,
        draft: PolicyDraft,
        by: &Actor,
    ) -> Result<Arc<PolicyInForce>, LedgerError> {
        if tenant.is_system() || self.store.head(tenant)?.is_none() {
            return Err(LedgerError::UnknownTenant(tenant.clone()));
        }
        let PolicyDraft { document, based_on } = draft;
        let kind = document.kind();
        self.policy(tenant, kind)?;
        let _changing = self.policies.register.change();
        let version = self.next_policy_version(tenant, kind, based_on)?;
        if let Some(why) = self.shortening(tenant, &document)? {
            return Err(LedgerError::ShortensRetention(why));
        }
        self.write_policy(tenant, ("set", version), document, by)
    }

    /// The version that a draft will have, unless it is based on another than the one in force.
    fn next_policy_version(
        &self,
        tenant: &TenantId,
        kind: PolicyKind,
        based_on: Option<u64>,
    ) -> Result<u64, LedgerError> {
        let found = self.policy_version(tenant, kind);
        match based_on.filter(|expected| *expected != found) {
            None => Ok(found + 1),
            Some(expected) => {
                let (tenant, kind) = (tenant.clone(), kind.as_str());
                Err(LedgerError::PolicyChanged { tenant, kind, expected, found })
            }
        }
    }

    /// Puts a document in force, with a record of who did what.
    fn write_policy(
        &self,
        tenant: &TenantId,
        (verb, version): (&str, u64),
        document: PolicyDocument,
        by: &Actor,
    ) -> Result<Arc<PolicyInForce>, LedgerError> {
        let kind = document.kind();
        let act = Administration::new(verb, by.clone(), "policy", kind.as_str());
        let act = act.with_label(&format!("version {version}"));
        let by = act.named_actor().cloned();
        let written = self.administer_as(std::slice::from_ref(tenant), by.as_ref(), |round| {
            let audit_record = round.push_act(0, act)?;
            push_policy(round, 0, document, (version, Some(audit_record)))
        })?;
        let written = written.ok_or(LedgerError::NotBuilt("the policy"))?;
        Ok(self.policies.register.put(tenant.clone(), kind, written))
    }

    fn policy_version(&self, tenant: &TenantId, kind: PolicyKind) -> u64 {
        self.policies.register.get(tenant, kind).map_or(0, |policy| policy.version)
    }

    /// What is sealed of a tenant's next event. A tenant that has no policy gets the default one by a
    /// record first; one that does not exist gets its record with its genesis.
    pub(crate) fn sealing_policy(&self, tenant: &TenantId) -> Result<SealingInForce, SealError> {
        if let Some(found) = self.policy(tenant, PolicyKind::Sealing)? {
            return Ok(SealingInForce::Tenants(found, Arc::clone(&self.policies.default)));
        }
        let default = &self.policies.default;
        if !self.has_default_policy() || self.store.head(tenant)?.is_none() {
            return Ok(SealingInForce::Default(Arc::clone(default)));
        }
        let _changing = self.policies.register.change();
        if self.policy_version(tenant, PolicyKind::Sealing) == 0 {
            let written = self.sequencer.administer(std::slice::from_ref(tenant), |round| {
                self.push_default_policy(round, 0)
            })?;
            if let Some(policy) = written {
                self.policies.register.put(tenant.clone(), PolicyKind::Sealing, policy);
            }
        }
        Ok(SealingInForce::Default(Arc::clone(default)))
    }

    /// What is sealed of a tenant's events as things are, for those who only read: nothing is
    /// written.
    pub(crate) fn known_sealing_policy(
        &self,
        tenant: &TenantId,
    ) -> Result<SealingInForce, ReadError> {
        let default = Arc::clone(&self.policies.default);
        Ok(match self.policy(tenant, PolicyKind::Sealing)? {
            Some(found) => SealingInForce::Tenants(found, default),
            None => SealingInForce::Default(default),
        })
    }

    /// What counts for tenants that have no policy of a kind.
    pub fn default_policy(&self, kind: PolicyKind) -> PolicyDocument {
        default_document(kind, &self.policies.default)
    }

    /// Whether tenants without a policy get one.
    pub(crate) fn has_default_policy(&self) -> bool {
        !self.policies.default.seals_nothing()
    }

    /// Writes the default policy into a ledger of a round.
    pub(crate) fn push_default_policy(
        &self,
        round: &mut Round<'_>,
        ledger: usize,
    ) -> Option<PolicyInForce> {
        let document = PolicyDocument::Sealing((*self.policies.default).clone());
        push_policy(round, ledger, document, (1, None))
    }

    /// Writes the default policy into new ledgers, in the round that begins them. `begin` answers for
    /// each of the tenants the policy that it wrote.
    pub(crate) fn with_default_policies<E>(
        &self,
        tenants: &[TenantId],
        begin: impl FnOnce() -> Result<Vec<Option<PolicyInForce>>, E>,
    ) -> Result<(), E> {
        let _changing = self.policies.register.change();
        let written = begin()?;
        // Whoever reads the ledgers for the first time finds the records there.
        if self.policies.register.is_filled() {
            for (tenant, policy) in tenants.iter().zip(written) {
                let put = |policy| {
                    self.policies.register.put(tenant.clone(), PolicyKind::Sealing, policy)
                };
                policy.map(put);
            }
        }
        Ok(())
    }
}

fn push_policy(
    round: &mut Round<'_>,
    ledger: usize,
    document: PolicyDocument,
    (version, audit_record): (u64, Option<SequenceNumber>),
) -> Option<PolicyInForce> {
    let mut set_at = None;
    let said = PolicyRecord::new(document.clone(), version, audit_record);
    let set_by = round.push(ledger, SignedAs::Usual, |_, now| {
        set_at = Some(now);
        SystemRecord::Policy(said)
    })?;
    Some(PolicyInForce { document, version, set_by, set_at: set_at?, audit_record })
}

/// A sealing policy, from the tenant or the deployment.
#[derive(Debug)]
pub(crate) enum SealingInForce {
    /// With what would count where the tenant had none.
    Tenants(Arc<PolicyInForce>, Arc<FieldPolicy>),
    Default(Arc<FieldPolicy>),
}

impl SealingInForce {
    pub(crate) fn fields(&self) -> &FieldPolicy {
        match self {
            Self::Default(policy) => policy,
            Self::Tenants(policy, default) => policy.document.sealing().unwrap_or(default),
        }
    }
}
