//! What is appended: one atomic batch over any number of ledgers.

use std::collections::HashSet;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, Hash, IngestedAt, Kind, TenantId};

use crate::error::AppendError;
use crate::record::{Head, KeyGeneration, RecordSignature};

/// Everything one commit writes. All of it becomes durable, or none of it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// At most one entry per ledger.
    pub ledgers: Vec<LedgerAppend>,
    /// Positions of external sources to move, compared and swapped with the heads.
    pub positions: Vec<PositionMove>,
    /// Checkpoints to keep. They may speak of records of this or of earlier batches.
    pub checkpoints: Vec<NewCheckpoint>,
    /// The (ledger, size) pairs behind an anchor record, kept beside it.
    pub anchored: Vec<AnchoredRound>,
    /// Generation of the subject key store that this batch relies on.
    pub key_generation: KeyGeneration,
}

impl Batch {
    /// Refuses a batch that no program should have built: a ledger named twice, or a head whose
    /// size is not that of the records. Every backend asks this first.
    pub fn check_form(&self) -> Result<(), AppendError> {
        let mut named = HashSet::with_capacity(self.ledgers.len());
        for append in &self.ledgers {
            let size = append.expected.size + append.records.len() as u64;
            if append.head.size() != size || !named.insert(&append.tenant) {
                let reason =
                    format!("the batch is malformed in what it appends to {}", append.tenant);
                return Err(AppendError::Unavailable { code: ErrorCode::Internal, reason });
            }
        }
        Ok(())
    }

    /// Number of records in all ledgers.
    pub fn record_count(&self) -> usize {
        self.ledgers.iter().map(|ledger| ledger.records.len()).sum()
    }
}

/// The records that one ledger gains.
#[derive(Clone, Debug)]
pub struct LedgerAppend {
    pub tenant: TenantId,
    /// What the ledger's head must be for this batch to be written.
    pub expected: ExpectedHead,
    /// In sequence order, the first having sequence number `expected.size`.
    pub records: Vec<NewRecord>,
    /// The head after these records.
    pub head: Head,
}

/// The head a writer believes in: compare-and-swap value of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedHead {
    pub size: u64,
    pub record_hash: Hash,
}

impl From<&Head> for ExpectedHead {
    fn from(head: &Head) -> Self {
        Self { size: head.size(), record_hash: head.record_hash }
    }
}

/// One sequenced record: the header's fields that do not follow from its place, and the content.
#[derive(Clone, Debug)]
pub struct NewRecord {
    pub event_id: EventId,
    pub ingested_at: IngestedAt,
    pub kind: Kind,
    pub content_hash: Hash,
    /// RFC 6962 leaf hash of the header, kept so that damage is named at the record.
    pub leaf_hash: Hash,
    /// SHA-256 of the header: what the next record's `previous_hash` will be.
    pub record_hash: Hash,
    pub content: Vec<u8>,
    pub signature: Option<RecordSignature>,
}

/// Name of an external source of events, such as one partition of a topic; at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(String);

impl SourceName {
    /// `None` when the name is empty or longer than 255 bytes.
    pub fn parse(name: &str) -> Option<Self> {
        (!name.is_empty() && name.len() <= 255).then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A source's position: an opaque counter that only the source understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePosition(pub u64);

/// Moves a source from one position to the next in the same commit as its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionMove {
    pub source: SourceName,
    /// The position the store must hold; `None` when the source is new.
    pub expected: Option<SourcePosition>,
    pub next: SourcePosition,
}

/// A checkpoint to keep with the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCheckpoint {
    pub tenant: TenantId,
    pub size: u64,
    pub note: String,
    pub kept_for_good: bool,
}

/// The pairs behind one anchor record of `_system`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredRound {
    /// Sequence number of the `system.anchor` record in `_system`.
    pub anchor: u64,
    pub sizes: Vec<(TenantId, u64)>,
}
