//! The policies of one tenant, wherever they are.

use ledgerstone_client::{Policy, PolicySetBy};
use ledgerstone_ledger::policies::{self, default_document};
use ledgerstone_ledger::{ContentsInClear, PolicyInForce, PolicyVersion, PolicyVersions};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::FieldPolicy;
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::admin::PolicyRow;

use super::no_version;
use super::proposed::Proposed;
use crate::arguments::LedgerOptions;
use crate::data_dir::{ForReading, Means};
use crate::failure::Failure;
use crate::location::Location;
use crate::output::Console;
use crate::remote::Remote;

/// Policies that are read.
pub enum PoliciesReading {
    Directory { data: ForReading, tenant: TenantId, means: Box<Means> },
    Server(Box<Remote>),
}

/// A policy, or a version of one.
pub struct Row {
    pub policy: String,
    pub version: u64,
    /// Empty where only the version was asked for.
    pub document: Vec<u8>,
    set_by: Option<SetBy>,
}

struct SetBy {
    system_record: u64,
    set_at: String,
    audit_record: Option<u64>,
}

/// How many contents lie in clear, among so many of the ledger's records.
#[derive(Clone, Copy, Debug)]
pub struct InClear {
    pub contents: u64,
    pub looked_at: u64,
    pub records: u64,
}

impl PoliciesReading {
    /// Those of the tenant that the options name.
    pub fn open(options: &LedgerOptions, console: &mut Console) -> Result<Self, Failure> {
        match options.location.find(console)? {
            Location::Directory(path) => {
                let tenant = options.tenant.to_read()?;
                let means = Box::new(Means::of_environment()?);
                let data = ForReading::open(&path, console)?;
                data.reader.size(&tenant).map_err(|error| data.failure(error))?;
                Ok(Self::Directory { data, tenant, means })
            }
            Location::Server(remote) => {
                remote.check_tenant(options.tenant.named()?.as_ref())?;
                Ok(Self::Server(remote))
            }
        }
    }

    /// Whether all that was recorded can be seen.
    pub const fn is_whole(&self) -> bool {
        match self {
            Self::Directory { data, .. } => data.is_whole(),
            Self::Server(_) => true,
        }
    }

    /// The policy of every kind, and how many contents lie in clear.
    pub fn all(&self) -> Result<(Vec<Row>, InClear), Failure> {
        match self {
            Self::Directory { data, tenant, .. } => {
                let found = self.documents(PolicyKind::all())?;
                let sealing = found.iter().find_map(|(_, document)| document.sealing());
                let counted = sealing.map(|policy| data.reader.contents_in_clear(tenant, policy));
                let in_clear = counted.transpose()?.unwrap_or_default().into();
                Ok((found.into_iter().map(|(row, _)| row).collect(), in_clear))
            }
            Self::Server(remote) => {
                let told = remote.wait(remote.client().policies())?;
                let in_clear = told.contents_in_clear;
                let in_clear = InClear {
                    contents: in_clear.contents,
                    looked_at: in_clear.looked_at,
                    records: in_clear.records,
                };
                Ok((told.policies.into_iter().map(Row::told).collect(), in_clear))
            }
        }
    }

    /// The policy of one kind.
    pub fn in_force(&self, kind: PolicyKind) -> Result<Row, Failure> {
        match self {
            Self::Directory { .. } => {
                let found = self.documents(std::iter::once(kind))?.pop();
                found.map(|(row, _)| row).ok_or_else(|| no_version(kind, 0))
            }
            Self::Server(remote) => Ok(Row::told(remote.wait(remote.client().policy(kind))?)),
        }
    }

    /// What waits for a second person.
    pub fn proposed(&self, kind: PolicyKind) -> Result<Proposed, Failure> {
        let found = match self {
            Self::Directory { data, tenant, .. } => {
                data.reader.proposed_policy(tenant, kind)?.as_deref().map(Proposed::of)
            }
            Self::Server(remote) => Proposed::told(&remote.wait(remote.client().policy(kind))?),
        };
        found.ok_or_else(|| {
            let message = format!("no {} policy waits for a second person", kind.as_str());
            Failure::new(ErrorCode::NotFound, message).with_remedy(format!(
                "`ledgerstone policies show {}` has the one in force; `policies set` puts forward what \
                 needs a second person.",
                kind.as_str()
            ))
        })
    }

    /// A policy as it was in one version.
    pub fn at(&self, kind: PolicyKind, version: u64) -> Result<Row, Failure> {
        match self {
            Self::Directory { data, tenant, .. } => {
                let versions = PolicyVersions::default();
                let found = versions.get(&data.reader, tenant, kind, version)?;
                found.as_ref().map(Row::in_force).ok_or_else(|| no_version(kind, version))
            }
            Self::Server(remote) => {
                Ok(Row::told(remote.wait(remote.client().policy_at(kind, version))?))
            }
        }
    }

    /// Every version that a policy ever had, the oldest first.
    pub fn versions(&self, kind: PolicyKind) -> Result<Vec<Row>, Failure> {
        match self {
            Self::Directory { data, tenant, .. } => {
                let versions = PolicyVersions::default().of(&data.reader, tenant, kind)?;
                Ok(versions.iter().map(|version| Row::version(kind, version)).collect())
            }
            Self::Server(remote) => {
                let versions = remote.wait(remote.client().policy_versions(kind))?;
                let row = |told: ledgerstone_client::PolicyVersion| Row {
                    policy: kind.as_str().to_owned(),
                    version: told.version,
                    document: Vec::new(),
                    set_by: Some(told.set_by.into()),
                };
                Ok(versions.into_iter().map(row).collect())
            }
        }
    }

    /// The policies in force of a directory, or what counts in their place.
    fn documents(
        &self,
        kinds: impl Iterator<Item = PolicyKind>,
    ) -> Result<Vec<(Row, PolicyDocument)>, Failure> {
        let Self::Directory { data, tenant, means } = self else { return Ok(Vec::new()) };
        let rows = policies::read(data.reader.store())?;
        let found = |kind| {
            let own = |row: &&PolicyRow| row.tenant == *tenant && row.document.kind() == kind;
            if let Some(row) = rows.iter().find(own) {
                let policy = PolicyInForce::from(row.clone());
                return (Row::in_force(&policy), policy.document().clone());
            }
            let document = default_document(kind, &FieldPolicy::of_preset(means.sealing.default));
            let (policy, json) = (kind.as_str().to_owned(), document.to_json());
            (Row { policy, version: 0, document: json, set_by: None }, document)
        };
        Ok(kinds.map(found).collect())
    }
}

impl Row {
    /// A policy as a server tells it.
    pub fn told(policy: Policy) -> Self {
        Self {
            policy: policy.policy,
            version: policy.version,
            document: policy.document.get().as_bytes().to_vec(),
            set_by: policy.set_by.map(SetBy::from),
        }
    }

    /// A policy of a ledger.
    pub fn in_force(policy: &PolicyInForce) -> Self {
        let set_by = SetBy::new(policy.set_by(), policy.set_at(), policy.audit_record());
        Self {
            policy: policy.document().kind().as_str().to_owned(),
            version: policy.version(),
            document: policy.document().to_json(),
            set_by: Some(set_by),
        }
    }

    fn version(kind: PolicyKind, version: &PolicyVersion) -> Self {
        let set_by = SetBy::new(version.set_by, version.set_at, version.audit_record);
        Self {
            policy: kind.as_str().to_owned(),
            version: version.version,
            document: Vec::new(),
            set_by: Some(set_by),
        }
    }

    /// The line that is printed in a pipe.
    pub fn json(&self, in_clear: Option<InClear>) -> Vec<u8> {
        let mut line = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut line);
        if let Some(in_clear) = in_clear {
            let mut counts = ObjectWriter::open(object.key("contents_in_clear"));
            counts.number("contents", in_clear.contents);
            counts.number("looked_at", in_clear.looked_at);
            counts.number("records", in_clear.records);
            counts.close();
        }
        if !self.document.is_empty() {
            object.key("document").extend_from_slice(&self.document);
        }
        object.text("policy", &self.policy);
        if let Some(by) = &self.set_by {
            let mut set_by = ObjectWriter::open(object.key("set_by"));
            set_by.optional_number("audit_record", by.audit_record);
            set_by.text("set_at", &by.set_at);
            set_by.number("system_record", by.system_record);
            set_by.close();
        }
        object.number("version", self.version);
        object.close();
        line
    }

    /// The cells that are shown on a terminal.
    pub fn cells(&self) -> [String; 5] {
        let by = self.set_by.as_ref();
        [
            self.policy.clone(),
            by.map_or_else(|| "default".to_owned(), |_| self.version.to_string()),
            by.map(|by| by.set_at.clone()).unwrap_or_default(),
            by.map(|by| by.system_record.to_string()).unwrap_or_default(),
            String::from_utf8_lossy(&self.document).into_owned(),
        ]
    }
}

impl SetBy {
    fn new(
        system_record: SequenceNumber,
        set_at: IngestedAt,
        audit_record: Option<SequenceNumber>,
    ) -> Self {
        Self {
            system_record: system_record.value(),
            set_at: set_at.to_string(),
            audit_record: audit_record.map(SequenceNumber::value),
        }
    }
}

impl From<PolicySetBy> for SetBy {
    fn from(told: PolicySetBy) -> Self {
        let PolicySetBy { system_record, set_at, audit_record, .. } = told;
        Self { system_record, set_at, audit_record }
    }
}

impl From<ContentsInClear> for InClear {
    fn from(counted: ContentsInClear) -> Self {
        let ContentsInClear { contents, looked_at, records } = counted;
        Self { contents, looked_at, records }
    }
}
