//! Every version of a policy that ever was: found in the ledgers when it is first asked for, and
//! followed from there.

use std::collections::HashMap;
use std::sync::Mutex;

use ledgerstone_model::SystemRecord;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId, split_content};
use ledgerstone_store::{Cursor, LedgerStore, ReadError};

use super::PolicyInForce;
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::projection;
use crate::reader::Reader;

/// A version of a policy without its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// How many documents of its kind there were in the ledger, this one counted.
    pub version: u64,
    /// The `system.policy` record.
    pub set_by: SequenceNumber,
    pub set_at: IngestedAt,
    /// The `audit` record that says who; `None` where the server set its default.
    pub audit_record: Option<SequenceNumber>,
}

/// Where the versions of all policies stand. Documents stay in the ledgers.
#[derive(Debug, Default)]
pub struct PolicyVersions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cursor: Cursor,
    versions: HashMap<(TenantId, PolicyKind), Vec<PolicyVersion>>,
}

impl PolicyVersions {
    /// The versions of a tenant's policy, the oldest first. The first call goes through all ledgers.
    pub fn of(
        &self,
        reader: &Reader,
        tenant: &TenantId,
        kind: PolicyKind,
    ) -> Result<Vec<PolicyVersion>, LedgerError> {
        // An unknown tenant is told apart from one without policies.
        reader.size(tenant)?;
        let mut state = hold(&self.state);
        state.follow(reader.store())?;
        Ok(state.versions.get(&(tenant.clone(), kind)).cloned().unwrap_or_default())
    }

    /// One version with its document; `None` where there was none of this number.
    pub fn get(
        &self,
        reader: &Reader,
        tenant: &TenantId,
        kind: PolicyKind,
        version: u64,
    ) -> Result<Option<PolicyInForce>, LedgerError> {
        let versions = self.of(reader, tenant, kind)?;
        let found = versions.into_iter().find(|one| one.version == version);
        found.map(|found| found.read(reader, tenant)).transpose()
    }
}

impl PolicyVersion {
    /// Reads the document from the record.
    fn read(self, reader: &Reader, tenant: &TenantId) -> Result<PolicyInForce, LedgerError> {
        let damaged = || LedgerError::Damaged {
            tenant: tenant.clone(),
            number: self.set_by,
            reason: "holds no policy any more",
        };
        let record = reader.record(tenant, self.set_by)?;
        let content = record.content.as_deref().ok_or_else(damaged)?;
        let (event, _) = split_content(content).map_err(|_| damaged())?;
        let Ok((SystemRecord::Policy(said), _)) = SystemRecord::parse(event) else {
            return Err(damaged());
        };
        let Self { version, set_by, set_at, audit_record } = self;
        let document = said.document().clone();
        Ok(PolicyInForce { document, version, set_by, set_at, audit_record })
    }
}

impl State {
    /// Takes in what the ledgers gained.
    fn follow(&mut self, store: &dyn LedgerStore) -> Result<(), ReadError> {
        let Self { cursor, versions } = self;
        projection::system_records_after(store, cursor, |found| {
            if let SystemRecord::Policy(said) = found.record {
                let known = versions.entry((found.ledger, said.document().kind())).or_default();
                known.push(PolicyVersion {
                    version: said.version(),
                    set_by: found.sequence_number,
                    set_at: found.ingested_at,
                    audit_record: said.audit_record(),
                });
            }
        })
    }
}

impl Ledger {
    /// Every version that a tenant's policy ever had.
    pub fn policy_versions(&self) -> &PolicyVersions {
        &self.policies.versions
    }
}
