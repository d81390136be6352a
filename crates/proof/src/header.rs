//! The header of a record: what is chained, signed, and hashed into the ledger's tree.
//!
//! A header is canonical JSON with a fixed set of members, strings and integers only, so any
//! language can rebuild it; the reader here accepts exactly the bytes that the writer makes.

use std::fmt;

use thiserror::Error;

use crate::canonical::canonical_string_into;
use crate::hash::{Hash, leaf_hash, sha256};
use crate::id::{EventId, SequenceNumber, TenantId, check_stored_event_id, check_stored_tenant};
use crate::time::IngestedAt;

const CONTENT_HASH: &[u8] = b"{\"content_hash\":\"";
const EVENT_ID: &[u8] = b"\",\"event_id\":";
const INGESTED_AT: &[u8] = b",\"ingested_at\":\"";
const KIND: &[u8] = b"\",\"kind\":\"";
const PREVIOUS_HASH: &[u8] = b"\",\"previous_hash\":\"";
const SEQUENCE_NUMBER: &[u8] = b"\",\"sequence_number\":";
const TENANT_ID: &[u8] = b",\"tenant_id\":";
const END: &[u8] = b",\"version\":1}";

/// Room for any header but one with the longest names.
const USUAL_LENGTH: usize = 512;

/// Who speaks in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What a client sent.
    Event,
    /// What the server itself observed.
    Audit,
    /// What verification and enforcement need; never sealed, never dropped.
    System,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Event, Self::Audit, Self::System];

    /// The name in headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Audit => "audit",
            Self::System => "system",
        }
    }

    /// Reads the name in headers.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Bytes that are not a header; each names the member at which the reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Not the canonical form: a member is missing, doubled, out of order or unknown.
    #[error("header is not in canonical form at `{0}`")]
    Form(&'static str),
    /// A member's value is not in its grammar.
    #[error("header has a bad value for `{0}`")]
    Value(&'static str),
}

/// What a header says, borrowed; the way to write one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderFields<'a> {
    /// SHA-256 of the content.
    pub content_hash: &'a Hash,
    /// Id of the record in its ledger, in the grammar of [`EventId`].
    pub event_id: &'a str,
    /// When it was taken in; never decreasing within a ledger.
    pub ingested_at: IngestedAt,
    /// Who speaks.
    pub kind: Kind,
    /// Record hash of the record before it; [`Hash::ZERO`] at the genesis.
    pub previous_hash: &'a Hash,
    /// Its place in the ledger.
    pub sequence_number: SequenceNumber,
    /// The ledger, in the grammar of [`TenantId`].
    pub tenant_id: &'a str,
}

impl HeaderFields<'_> {
    /// Appends the canonical bytes.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        out.reserve(USUAL_LENGTH);
        out.extend_from_slice(CONTENT_HASH);
        self.content_hash.write_hex(out);
        out.extend_from_slice(EVENT_ID);
        canonical_string_into(self.event_id, out);
        out.extend_from_slice(INGESTED_AT);
        self.ingested_at.write(out);
        out.extend_from_slice(KIND);
        out.extend_from_slice(self.kind.as_str().as_bytes());
        out.extend_from_slice(PREVIOUS_HASH);
        self.previous_hash.write_hex(out);
        out.extend_from_slice(SEQUENCE_NUMBER);
        self.sequence_number.write(out);
        out.extend_from_slice(TENANT_ID);
        canonical_string_into(self.tenant_id, out);
        out.extend_from_slice(END);
    }
}

/// A header read without copying its names; the fast way through many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BorrowedHeader<'a> {
    content_hash: Hash,
    event_id: &'a str,
    ingested_at: IngestedAt,
    kind: Kind,
    previous_hash: Hash,
    sequence_number: SequenceNumber,
    tenant_id: &'a str,
}

impl<'a> BorrowedHeader<'a> {
    /// Reads canonical header bytes, and accepts nothing else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let mut reader = Reader(bytes);
        let content_hash = reader.hash(CONTENT_HASH, "content_hash")?;
        reader.literal(EVENT_ID, "event_id")?;
        let event_id = reader.name("event_id", |text| check_stored_event_id(text).is_ok())?;
        reader.literal(INGESTED_AT, "ingested_at")?;
        let ingested_at = IngestedAt::parse_bytes(reader.until_quote())
            .ok_or(HeaderError::Value("ingested_at"))?;
        reader.literal(KIND, "kind")?;
        let kind = std::str::from_utf8(reader.until_quote())
            .ok()
            .and_then(Kind::parse)
            .ok_or(HeaderError::Value("kind"))?;
        let previous_hash = reader.hash(PREVIOUS_HASH, "previous_hash")?;
        reader.literal(SEQUENCE_NUMBER, "sequence_number")?;
        let sequence_number = SequenceNumber::parse(reader.until(b','))
            .ok_or(HeaderError::Value("sequence_number"))?;
        reader.literal(TENANT_ID, "tenant_id")?;
        let tenant_id = reader.name("tenant_id", |text| check_stored_tenant(text).is_ok())?;
        if reader.0 != END {
            return Err(HeaderError::Form("version"));
        }
        Ok(Self {
            content_hash,
            event_id,
            ingested_at,
            kind,
            previous_hash,
            sequence_number,
            tenant_id,
        })
    }

    /// The fields.
    pub fn fields(&self) -> HeaderFields<'_> {
        HeaderFields {
            content_hash: &self.content_hash,
            event_id: self.event_id,
            ingested_at: self.ingested_at,
            kind: self.kind,
            previous_hash: &self.previous_hash,
            sequence_number: self.sequence_number,
            tenant_id: self.tenant_id,
        }
    }

    /// Id of the record, for as long as the bytes live.
    pub const fn event_id(&self) -> &'a str {
        self.event_id
    }

    /// The ledger, for as long as the bytes live.
    pub const fn tenant_id(&self) -> &'a str {
        self.tenant_id
    }
}

/// Walks over header bytes from literal to value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn literal(&mut self, expected: &[u8], member: &'static str) -> Result<(), HeaderError> {
        self.0 = self.0.strip_prefix(expected).ok_or(HeaderError::Form(member))?;
        Ok(())
    }

    fn hash(&mut self, before: &[u8], member: &'static str) -> Result<Hash, HeaderError> {
        self.literal(before, member)?;
        Hash::from_hex_bytes(self.until_quote()).ok_or(HeaderError::Value(member))
    }

    /// A string in quotes, in a grammar without characters that need an escape.
    fn name(
        &mut self,
        member: &'static str,
        grammar: fn(&str) -> bool,
    ) -> Result<&'a str, HeaderError> {
        self.literal(b"\"", member)?;
        let text = std::str::from_utf8(self.until_quote())
            .ok()
            .filter(|text| grammar(text))
            .ok_or(HeaderError::Value(member))?;
        self.literal(b"\"", member)?;
        Ok(text)
    }

    fn until_quote(&mut self) -> &'a [u8] {
        self.until(b'"')
    }

    /// What stands before the delimiter, which stays; everything when there is none.
    fn until(&mut self, delimiter: u8) -> &'a [u8] {
        let end = memchr::memchr(delimiter, self.0).unwrap_or(self.0.len());
        let (value, rest) = self.0.split_at(end);
        self.0 = rest;
        value
    }
}

/// A header, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    content_hash: Hash,
    event_id: EventId,
    ingested_at: IngestedAt,
    kind: Kind,
    previous_hash: Hash,
    sequence_number: SequenceNumber,
    tenant_id: TenantId,
}

impl Header {
    /// A header of these parts.
    pub fn new(
        tenant_id: TenantId,
        sequence_number: SequenceNumber,
        event_id: EventId,
        kind: Kind,
        ingested_at: IngestedAt,
        content_hash: Hash,
        previous_hash: Hash,
    ) -> Self {
        Self {
            content_hash,
            event_id,
            ingested_at,
            kind,
            previous_hash,
            sequence_number,
            tenant_id,
        }
    }

    /// Reads canonical header bytes, and accepts nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = BorrowedHeader::parse(bytes)?;
        Ok(Self {
            content_hash: header.content_hash,
            event_id: EventId::parse_stored(header.event_id)
                .map_err(|_| HeaderError::Value("event_id"))?,
            ingested_at: header.ingested_at,
            kind: header.kind,
            previous_hash: header.previous_hash,
            sequence_number: header.sequence_number,
            tenant_id: TenantId::parse_stored(header.tenant_id)
                .map_err(|_| HeaderError::Value("tenant_id"))?,
        })
    }

    /// The fields.
    pub fn fields(&self) -> HeaderFields<'_> {
        HeaderFields {
            content_hash: &self.content_hash,
            event_id: self.event_id.as_str(),
            ingested_at: self.ingested_at,
            kind: self.kind,
            previous_hash: &self.previous_hash,
            sequence_number: self.sequence_number,
            tenant_id: self.tenant_id.as_str(),
        }
    }

    /// The canonical bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.fields().write_canonical(&mut out);
        out
    }

    /// `SHA-256(header)`: the next record's `previous_hash`.
    pub fn record_hash(&self) -> Hash {
        record_hash(&self.to_canonical())
    }

    /// `SHA-256(0x00 || header)`: the leaf of the ledger's tree.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.to_canonical())
    }

    /// SHA-256 of the content.
    pub const fn content_hash(&self) -> &Hash {
        &self.content_hash
    }

    /// Id of the record in its ledger.
    pub const fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// When it was taken in.
    pub const fn ingested_at(&self) -> IngestedAt {
        self.ingested_at
    }

    /// Who speaks.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Record hash of the record before it.
    pub const fn previous_hash(&self) -> &Hash {
        &self.previous_hash
    }

    /// Its place in the ledger.
    pub const fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    /// The ledger.
    pub const fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }
}

/// `SHA-256(header)` of canonical header bytes.
pub fn record_hash(header: &[u8]) -> Hash {
    sha256(header)
}
