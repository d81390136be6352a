//! The header of a segment: what it covers, and where each section lies.

use ledgerstone_proof::{Hash, sha256};

use super::VERSION;
use crate::embedded::StoreId;
use crate::embedded::codec::{Malformed, Reader, put_hash, put_u32, put_u64};
use crate::record::KeyGeneration;

const MAGIC: &[u8; 8] = b"LSSEG\r\n\0";
const FIXED_BYTES: usize = 8 + 4 + 16 + 8 + 8 + 4 + 8 + 8 + 8 + 4;
const ENTRY_BYTES: usize = 4 + 8 + 8 + 32;

/// What a section holds. Numbers are on disk: never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionKind {
    Dictionary = 1,
    Directory = 2,
    Headers = 3,
    Contents = 4,
    Signatures = 5,
    ContentHashes = 6,
    LeafHashes = 7,
    CommitOrder = 8,
    Positions = 9,
    Checkpoints = 10,
    Anchored = 11,
}

impl SectionKind {
    /// All kinds, in the order in which they stand in the file.
    pub const ALL: [Self; 11] = [
        Self::Dictionary,
        Self::Directory,
        Self::Headers,
        Self::Contents,
        Self::Signatures,
        Self::ContentHashes,
        Self::LeafHashes,
        Self::CommitOrder,
        Self::Positions,
        Self::Checkpoints,
        Self::Anchored,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dictionary => "dictionary",
            Self::Directory => "directory",
            Self::Headers => "headers",
            Self::Contents => "contents",
            Self::Signatures => "signatures",
            Self::ContentHashes => "content hashes",
            Self::LeafHashes => "leaf hashes",
            Self::CommitOrder => "commit order",
            Self::Positions => "positions",
            Self::Checkpoints => "checkpoints",
            Self::Anchored => "anchored sizes",
        }
    }
}

/// Where a section lies and what it must hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    pub kind: SectionKind,
    pub offset: u64,
    pub len: u64,
    pub digest: Hash,
}

/// The header of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Commit ordinal of the first record.
    pub first_ordinal: u64,
    /// Number of records.
    pub records: u64,
    /// Grows when retention or erasure writes the segment anew.
    pub generation: u32,
    /// The log file it was made from.
    pub log_number: u64,
    /// Number of the last frame in that file.
    pub last_frame: u64,
    pub key_generation: KeyGeneration,
    /// In the order of [`SectionKind::ALL`], without gaps.
    pub sections: Vec<Section>,
}

impl SegmentHeader {
    /// Bytes of every segment header of this version.
    pub const BYTES: usize = FIXED_BYTES + SectionKind::ALL.len() * ENTRY_BYTES + 32;

    pub fn encode(&self, store: &StoreId) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(MAGIC);
        put_u32(&mut out, VERSION);
        out.extend_from_slice(store.as_bytes());
        put_u64(&mut out, self.first_ordinal);
        put_u64(&mut out, self.records);
        put_u32(&mut out, self.generation);
        put_u64(&mut out, self.log_number);
        put_u64(&mut out, self.last_frame);
        put_u64(&mut out, self.key_generation.0);
        put_u32(&mut out, SectionKind::ALL.len() as u32);
        for section in &self.sections {
            put_u32(&mut out, section.kind as u32);
            put_u64(&mut out, section.offset);
            put_u64(&mut out, section.len);
            put_hash(&mut out, &section.digest);
        }
        let digest = sha256(&out);
        put_hash(&mut out, &digest);
        out
    }

    pub fn decode(bytes: &[u8], store: &StoreId) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.array::<8>()? != *MAGIC {
            return Err(reader.malformed("not a segment"));
        }
        if reader.u32()? != VERSION {
            return Err(reader.malformed("unknown version"));
        }
        if reader.array::<16>()? != *store.as_bytes() {
            return Err(reader.malformed("another store's segment"));
        }
        let mut header = Self {
            first_ordinal: reader.u64()?,
            records: reader.u64()?,
            generation: reader.u32()?,
            log_number: reader.u64()?,
            last_frame: reader.u64()?,
            key_generation: KeyGeneration(reader.u64()?),
            sections: Vec::with_capacity(SectionKind::ALL.len()),
        };
        if reader.u32()? as usize != SectionKind::ALL.len() {
            return Err(reader.malformed("wrong number of sections"));
        }
        header.decode_sections(&mut reader)?;
        let covered = bytes.get(..reader.offset()).unwrap_or_default();
        if reader.hash()? != sha256(covered) {
            return Err(reader.malformed("segment header does not match its SHA-256"));
        }
        let hashes = header.records.checked_mul(32);
        let fits = |kind| hashes == Some(header.section(kind).len);
        let end = header.first_ordinal.checked_add(header.records);
        if end.is_none() || !fits(SectionKind::ContentHashes) || !fits(SectionKind::LeafHashes) {
            return Err(reader.malformed("number of records does not fit the sections"));
        }
        Ok(header)
    }

    fn decode_sections(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let mut next = Self::BYTES as u64;
        for kind in SectionKind::ALL {
            if reader.u32()? != kind as u32 {
                return Err(reader.malformed("sections out of order"));
            }
            let section =
                Section { kind, offset: reader.u64()?, len: reader.u64()?, digest: reader.hash()? };
            if section.offset != next {
                return Err(reader.malformed("gap between sections"));
            }
            next = section
                .offset
                .checked_add(section.len)
                .ok_or_else(|| reader.malformed("section too long"))?;
            self.sections.push(section);
        }
        Ok(())
    }

    pub fn section(&self, kind: SectionKind) -> Section {
        let known = self.sections.iter().find(|section| section.kind == kind).copied();
        known.unwrap_or_else(|| Section { kind, offset: 0, len: 0, digest: sha256(&[]) })
    }

    /// Length of the whole file.
    pub fn file_bytes(&self) -> u64 {
        self.sections.last().map_or(0, |last| last.offset + last.len)
    }

    /// What identifies these very bytes: SHA-256 over the section digests.
    fn digest(&self, out: &mut Vec<u8>) {
        put_u64(out, self.first_ordinal);
        put_u64(out, u64::from(self.generation));
        for section in &self.sections {
            put_hash(out, &section.digest);
        }
    }
}

/// SHA-256 over the list of segments, as `HEAD` carries it.
pub fn list_digest<'a>(segments: impl IntoIterator<Item = &'a SegmentHeader>) -> Hash {
    let mut list = Vec::new();
    for header in segments {
        header.digest(&mut list);
    }
    sha256(&list)
}
