//! The directory of a segment: per ledger, where its records lie and what surrounds them.

use ledgerstone_proof::{Hash, TenantId};

use super::header::{Section, SectionKind, SegmentHeader};
use crate::embedded::codec::{Malformed, Reader, put_bytes, put_crc, put_hash, put_varint};
use crate::embedded::payload::read_tenant;

/// One ledger's records in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    pub tenant: TenantId,
    /// Sequence number of the first record.
    pub first: u64,
    pub records: u64,
    /// Place of the first record among all records of the segment.
    pub first_local: u64,
    pub previous_hash: Hash,
    pub last_record_hash: Hash,
    /// Frontier of the ledger's tree before the first record.
    pub range_before: Vec<Hash>,
    /// Root of the ledger's tree after the last record.
    pub root_after: Hash,
    pub blocks: Vec<BlockEntry>,
}

/// One block of a ledger's records. Offsets are relative to their sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    pub records: u64,
    /// `record_hash` of the record before the block.
    pub previous_hash: Hash,
    pub headers: Span,
    pub contents: Span,
    pub signatures: Span,
}

/// A piece of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub offset: u64,
    pub len: u64,
}

impl Span {
    fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        put_varint(out, self.len);
    }

    fn lies_in(self, section: &Section) -> bool {
        self.offset.checked_add(self.len).is_some_and(|end| end <= section.len)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self { offset: reader.varint()?, len: reader.varint()? })
    }
}

impl DirectoryEntry {
    /// Appends the entry and a checksum of its own: entries are read one by one, too.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        put_bytes(out, self.tenant.as_str().as_bytes());
        put_varint(out, self.first);
        put_varint(out, self.records);
        put_varint(out, self.first_local);
        put_hash(out, &self.previous_hash);
        put_hash(out, &self.last_record_hash);
        put_hash(out, &self.root_after);
        put_varint(out, self.range_before.len() as u64);
        for hash in &self.range_before {
            put_hash(out, hash);
        }
        put_varint(out, self.blocks.len() as u64);
        for block in &self.blocks {
            put_varint(out, block.records);
            put_hash(out, &block.previous_hash);
            block.headers.put(out);
            block.contents.put(out);
            block.signatures.put(out);
        }
        put_crc(out, start);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let start = reader.offset();
        let tenant = read_tenant(reader)?;
        let first = reader.varint()?;
        let records = reader.varint()?;
        let first_local = reader.varint()?;
        let previous_hash = reader.hash()?;
        let last_record_hash = reader.hash()?;
        let root_after = reader.hash()?;
        let range_len = reader.count(32)?;
        let mut range_before = Vec::with_capacity(range_len);
        for _ in 0..range_len {
            range_before.push(reader.hash()?);
        }
        let block_count = reader.count(39)?;
        let mut blocks = Vec::with_capacity(block_count);
        for _ in 0..block_count {
            blocks.push(BlockEntry {
                records: reader.varint()?,
                previous_hash: reader.hash()?,
                headers: Span::read(reader)?,
                contents: Span::read(reader)?,
                signatures: Span::read(reader)?,
            });
        }
        reader.crc_since(start)?;
        Ok(Self {
            tenant,
            first,
            records,
            first_local,
            previous_hash,
            last_record_hash,
            range_before,
            root_after,
            blocks,
        })
    }

    /// Checks that everything the entry speaks of lies within the segment, so that nobody who
    /// reads through it has to count carefully.
    pub fn check_bounds(&self, header: &SegmentHeader) -> Result<(), Malformed> {
        let end = self.first_local.checked_add(self.records);
        let counted =
            self.blocks.iter().try_fold(0_u64, |records, block| records.checked_add(block.records));
        let sections = [SectionKind::Headers, SectionKind::Contents, SectionKind::Signatures];
        let [headers, contents, signatures] = sections.map(|kind| header.section(kind));
        let spans_fit = self.blocks.iter().all(|block| {
            block.headers.lies_in(&headers)
                && block.contents.lies_in(&contents)
                && block.signatures.lies_in(&signatures)
        });
        let numbers_fit = self.first.checked_add(self.records).is_some_and(|end| end <= 1 << 53);
        let records_fit = end.is_some_and(|end| end <= header.records);
        if records_fit && counted == Some(self.records) && spans_fit && numbers_fit {
            Ok(())
        } else {
            Err(Malformed { what: "directory entry outside of its segment", offset: 0 })
        }
    }

    /// All entries of a directory section, each with its offset in the section.
    pub fn decode_all(
        section: &[u8],
        header: &SegmentHeader,
    ) -> Result<Vec<(u64, Self)>, Malformed> {
        let mut reader = Reader::new(section);
        let mut entries = Vec::new();
        while !reader.is_empty() {
            let offset = reader.offset() as u64;
            let entry = Self::decode(&mut reader)?;
            entry.check_bounds(header)?;
            entries.push((offset, entry));
        }
        Ok(entries)
    }
}
