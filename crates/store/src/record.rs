//! What a store gives back: stored records, heads, checkpoints, and where on disk a thing lies.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_proof::{
    CompactRange, EventId, Hash, HeaderFields, IngestedAt, KeyId, Kind, SequenceNumber, TenantId,
};

/// The end of a ledger: what the next record continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Frontier of the ledger's Merkle tree; its size is the next sequence number.
    pub range: CompactRange,
    /// `record_hash` of the last record; zeros for a ledger without records.
    pub record_hash: Hash,
    /// `ingested_at` of the last record; `None` for a ledger without records.
    pub ingested_at: Option<IngestedAt>,
}

impl Head {
    /// The head of a ledger that has no record yet.
    pub fn empty() -> Self {
        Self { range: CompactRange::new(), record_hash: Hash::ZERO, ingested_at: None }
    }

    /// Number of records in the ledger, which is the sequence number of the next one.
    pub fn size(&self) -> u64 {
        self.range.size()
    }
}

/// A signature of the record key over a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSignature {
    pub key_id: KeyId,
    /// 64 for Ed25519, as many as the modulus has for RSA.
    pub bytes: Vec<u8>,
}

impl RecordSignature {
    /// The signature in padded standard base64, as receipts and listings show it.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

/// Counts the changes of the subject key store; carried in frames, segments and `HEAD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyGeneration(pub u64);

/// One record as the store holds it. The header bytes are rebuilt from the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    pub tenant: TenantId,
    pub sequence_number: SequenceNumber,
    pub event_id: EventId,
    pub ingested_at: IngestedAt,
    pub kind: Kind,
    pub previous_hash: Hash,
    pub content_hash: Hash,
    /// The exact canonical content; `None` once retention or erasure has dropped it.
    pub content: Option<Vec<u8>>,
    pub signature: Option<RecordSignature>,
}

impl StoredRecord {
    /// The header's fields, ready to be written canonically or hashed.
    pub fn header(&self) -> HeaderFields<'_> {
        HeaderFields {
            content_hash: &self.content_hash,
            event_id: self.event_id.as_str(),
            ingested_at: self.ingested_at,
            kind: self.kind,
            previous_hash: &self.previous_hash,
            sequence_number: self.sequence_number,
            tenant_id: self.tenant.as_str(),
        }
    }

    /// The exact header bytes: what is hashed, signed and put into the tree.
    pub fn header_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(400);
        self.header().write_canonical(&mut out);
        out
    }
}

/// A signed checkpoint note that the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    pub tenant: TenantId,
    /// Tree size the note speaks of.
    pub size: u64,
    /// The whole signed note (C2SP signed-note), as it was shown.
    pub note: String,
    /// Kept for good (the last one of a log key); others make room for newer ones.
    pub kept_for_good: bool,
}

/// Where something lies, for findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// File relative to the data directory; empty where a store has no files.
    pub file: PathBuf,
    /// Byte offset in that file of the frame, block or entry; 0 when the file as a whole is meant.
    pub offset: u64,
}

/// Which check failed. The names are stable: they are printed, logged and documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    Frame,
    Head,
    ContentHash,
    RecordHash,
    PreviousHash,
    Sequence,
    Signature,
    MerkleRoot,
    Checkpoint,
    Truncated,
    Section,
    /// A rule of the record itself: grammar, kind, order of times, a `system` content that is gone.
    Record,
    /// An event id that stands in its ledger twice.
    EventId,
    /// A format file that cannot be read.
    Format,
    /// A slot of the sealing keys that is damaged in both files.
    KeySlot,
}

impl Check {
    const ALL: [Self; 15] = [
        Self::Frame,
        Self::Head,
        Self::ContentHash,
        Self::RecordHash,
        Self::PreviousHash,
        Self::Sequence,
        Self::Signature,
        Self::MerkleRoot,
        Self::Checkpoint,
        Self::Truncated,
        Self::Section,
        Self::Record,
        Self::EventId,
        Self::Format,
        Self::KeySlot,
    ];

    /// The check of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Head => "head",
            Self::ContentHash => "content_hash",
            Self::RecordHash => "record_hash",
            Self::PreviousHash => "previous_hash",
            Self::Sequence => "sequence",
            Self::Signature => "signature",
            Self::MerkleRoot => "merkle_root",
            Self::Checkpoint => "checkpoint",
            Self::Truncated => "truncated",
            Self::Section => "section",
            Self::Record => "record",
            Self::EventId => "event_id",
            Self::Format => "format",
            Self::KeySlot => "key_slot",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something wrong with a container (frame, section, `HEAD`), found by the store itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFinding {
    pub check: Check,
    pub location: Location,
    /// The ledger concerned, where it is known.
    pub tenant: Option<TenantId>,
    /// The first record concerned, where it is known.
    pub sequence_number: Option<SequenceNumber>,
    pub expected: String,
    pub found: String,
    /// Records after the first one that are lost with it; where the first one is not known, all
    /// that are lost.
    pub following: u64,
}
