//! What is to be verified, against what, and how thoroughly.

use ledgerstone_proof::{Checkpoint, Hash, Note, TenantId, VerifierKey};

/// How thoroughly records are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Hashes, chain, trees, checkpoints and anchors; whether records are signed where they have to
    /// be, and as which key.
    Tree,
    /// The signatures of the records as well.
    Full,
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Full => "full",
        }
    }
}

/// Which records are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every ledger.
    All,
    /// One ledger, and `_system`, which anchors it.
    Tenant(TenantId),
    /// The records `from..to` of one ledger. The rest of its tree is taken from the store, so that
    /// the records are checked against a checkpoint that covers them.
    Range { tenant: TenantId, from: u64, to: u64 },
}

/// Event ids that are compared at a time unless something else is asked for: 256 MiB of hashes.
const IDS_AT_ONCE: u64 = 1 << 25;

/// Which log keys are trusted to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedKeys {
    /// Those that the ledgers name themselves: shows every damage, and every change by somebody who
    /// did not also replace the keys and sign everything again.
    FromDirectory,
    /// Those that were given: what no key of theirs vouches for is a finding.
    Given(Vec<VerifierKey>),
}

/// A ledger's tree as an earlier verification found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedHead {
    pub tenant: TenantId,
    pub size: u64,
    pub root: Hash,
}

/// What to verify.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    pub level: Level,
    pub scope: Scope,
    pub keys: TrustedKeys,
    /// Records that an earlier verification covered are not read again; that they are still the
    /// same is checked by their root.
    pub since: Vec<VerifiedHead>,
    /// Checkpoint notes that were seen elsewhere, and that the ledgers must extend.
    pub known: Vec<KnownCheckpoint>,
    /// Threads that work, at least 1.
    pub threads: usize,
    /// Event ids that are compared at a time, in 8 bytes each. For what a store has beyond, its ids
    /// are read again.
    pub ids_at_once: u64,
}

impl VerifyOptions {
    /// Everything, at a level, against the keys that the ledgers name, on so many threads.
    pub const fn new(level: Level, threads: usize) -> Self {
        Self {
            level,
            scope: Scope::All,
            keys: TrustedKeys::FromDirectory,
            since: Vec::new(),
            known: Vec::new(),
            threads,
            ids_at_once: IDS_AT_ONCE,
        }
    }

    /// Whether anything of a ledger is to be read.
    pub(super) fn wants(&self, tenant: &TenantId) -> bool {
        match &self.scope {
            Scope::All => true,
            Scope::Tenant(only) => only == tenant || tenant.is_system(),
            Scope::Range { tenant: only, .. } => only == tenant,
        }
    }

    /// Whether a run of records is to be read.
    pub(super) fn wants_run(&self, tenant: &TenantId, first: u64, end: u64) -> bool {
        if let Scope::Range { from, to, .. } = &self.scope {
            return first < *to && end > *from;
        }
        self.since_of(tenant).is_none_or(|since| end > since.size)
    }

    pub(super) fn since_of(&self, tenant: &TenantId) -> Option<&VerifiedHead> {
        self.since.iter().find(|since| since.tenant == *tenant)
    }

    /// Whether every record of a ledger is read, from its genesis on.
    pub(super) fn reads_whole(&self, tenant: &TenantId) -> bool {
        !matches!(self.scope, Scope::Range { .. }) && self.since_of(tenant).is_none()
    }
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub records: u64,
    /// Records in all parts of the store, those outside the scope included.
    pub total: u64,
}

/// A checkpoint that was seen elsewhere.
#[derive(Clone, Debug)]
pub struct KnownCheckpoint {
    /// Where it comes from, for findings; may be empty.
    pub name: String,
    /// The signed note.
    pub note: String,
}

impl KnownCheckpoint {
    /// What it says; no signature is checked. The error says why it is no checkpoint.
    pub fn parse(&self) -> Result<Checkpoint, String> {
        let note = Note::parse(self.note.as_bytes()).map_err(|error| error.to_string())?;
        Checkpoint::parse_body(note.text()).map_err(|error| error.to_string())
    }
}
