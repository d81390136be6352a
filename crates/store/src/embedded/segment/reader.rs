//! An open segment: its header, its sections, and the records of one block.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ledgerstone_proof::{EventId, Hash, KeyId, SequenceNumber, TenantId, leaf_hash, sha256};
use thiserror::Error;
use zstd::bulk::Decompressor;

use super::block::{self, BlockColumns, Columns, RAW_MAX};
use super::directory::{BlockEntry, DirectoryEntry, Span};
use super::header::{Section, SectionKind, SegmentHeader};
use crate::batch::{AnchoredRound, SourceName, SourcePosition};
use crate::contract::Wanted;
use crate::embedded::StoreId;
use crate::embedded::codec::{Malformed, Reader};
use crate::embedded::files::{DataFile, Files};
use crate::embedded::payload::{read_anchored, read_checkpoint, read_positions};
use crate::record::{RecordSignature, StoredCheckpoint, StoredRecord};

thread_local! {
    /// Kept, because making one costs nearly as much as what it does for a block.
    static COLUMNS: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    /// With the digest of the dictionary that it holds.
    static CONTENTS: RefCell<Option<(Hash, Decompressor<'static>)>> = const { RefCell::new(None) };
}

/// Why a segment, or a piece of it, cannot be used.
#[derive(Debug, Error)]
pub enum SegmentFault {
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A section that is not what was written.
    #[error("section {} does not match its SHA-256", .0.name())]
    Section(SectionKind),
    #[error("the file is {found} bytes long instead of {expected}")]
    Length { expected: u64, found: u64 },
    /// A record whose bytes do not hash to what the segment says.
    #[error("record {number} does not match its {check}")]
    Record { number: u64, check: &'static str },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A sealed segment, open for reading.
#[derive(Debug)]
pub struct Segment {
    file: DataFile,
    path: PathBuf,
    header: SegmentHeader,
    dictionary: OnceLock<Vec<u8>>,
    keys: OnceLock<(Vec<KeyId>, u64)>,
}

impl Segment {
    /// Opens a segment and reads its header; sections are read when they are needed.
    pub fn open(files: &Files, path: &Path, store: &StoreId) -> Result<Self, SegmentFault> {
        let file = files.open_for_reading(path)?;
        let found = file.byte_len()?;
        let expected = SegmentHeader::BYTES as u64;
        if found < expected {
            return Err(SegmentFault::Length { expected, found });
        }
        let header = SegmentHeader::decode(&file.read_at(0, SegmentHeader::BYTES)?, store)?;
        let expected = header.file_bytes();
        if found != expected {
            return Err(SegmentFault::Length { expected, found });
        }
        let path = path.to_owned();
        Ok(Self { file, path, header, dictionary: OnceLock::new(), keys: OnceLock::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Reads a section as it stands on disk, unchecked.
    pub fn raw_section(&self, kind: SectionKind) -> Result<(Section, Vec<u8>), SegmentFault> {
        let section = self.header.section(kind);
        Ok((section, self.file.read_at(section.offset, section.len as usize)?))
    }

    /// Reads a section and checks it against its SHA-256.
    pub fn section(&self, kind: SectionKind) -> Result<Vec<u8>, SegmentFault> {
        let (section, bytes) = self.raw_section(kind)?;
        if sha256(&bytes) == section.digest { Ok(bytes) } else { Err(SegmentFault::Section(kind)) }
    }

    /// Reads a piece of a section, unchecked.
    pub fn piece(&self, kind: SectionKind, span: Span) -> Result<Vec<u8>, SegmentFault> {
        let section = self.header.section(kind);
        let outside = Malformed { what: "span outside its section", offset: 0 };
        let end = span.offset.checked_add(span.len).ok_or(outside.clone())?;
        if end > section.len {
            return Err(outside.into());
        }
        Ok(self.file.read_at(section.offset + span.offset, span.len as usize)?)
    }

    /// The directory, checked.
    pub fn directory(&self) -> Result<Vec<(u64, DirectoryEntry)>, SegmentFault> {
        Ok(DirectoryEntry::decode_all(&self.section(SectionKind::Directory)?, &self.header)?)
    }

    /// One directory entry, by its offset, checked by its own checksum.
    pub fn entry(&self, offset: u64) -> Result<DirectoryEntry, SegmentFault> {
        let section = self.header.section(SectionKind::Directory);
        let mut len = 4096.min(section.len.saturating_sub(offset));
        loop {
            let bytes = self.piece(SectionKind::Directory, Span { offset, len })?;
            match DirectoryEntry::decode(&mut Reader::new(&bytes)) {
                Ok(entry) => {
                    entry.check_bounds(&self.header)?;
                    return Ok(entry);
                }
                Err(fault) if offset + len >= section.len => return Err(fault.into()),
                Err(_) => len = (len * 8).min(section.len - offset),
            }
        }
    }

    fn dictionary(&self) -> Result<&[u8], SegmentFault> {
        if let Some(dictionary) = self.dictionary.get() {
            return Ok(dictionary);
        }
        let bytes = self.section(SectionKind::Dictionary)?;
        Ok(self.dictionary.get_or_init(|| bytes))
    }

    /// A decompressor for the contents of this segment; worth keeping for many blocks.
    pub fn decompressor(&self) -> Result<Decompressor<'static>, SegmentFault> {
        let dictionary = self.dictionary()?;
        let mut decompressor = Decompressor::new()?;
        if !dictionary.is_empty() {
            decompressor.set_dictionary(dictionary)?;
        }
        Ok(decompressor)
    }

    /// Ids of the keys that signed records, and where the blocks of signatures begin.
    pub fn signing_keys(&self) -> Result<&(Vec<KeyId>, u64), SegmentFault> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let len = self.header.section(SectionKind::Signatures).len.min(64 << 10);
        let bytes = self.piece(SectionKind::Signatures, Span { offset: 0, len })?;
        let keys = read_keys(&bytes)?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Leaf hashes of `count` records from place `local` on.
    pub fn leaf_hashes(&self, local: u64, count: u64) -> Result<Vec<Hash>, SegmentFault> {
        self.hashes(SectionKind::LeafHashes, local, count)
    }

    fn hashes(&self, kind: SectionKind, local: u64, count: u64) -> Result<Vec<Hash>, SegmentFault> {
        let bytes = self.piece(kind, Span { offset: local * 32, len: count * 32 })?;
        let mut hashes = Vec::with_capacity(count as usize);
        for chunk in bytes.chunks_exact(32) {
            let mut hash = [0; 32];
            hash.copy_from_slice(chunk);
            hashes.push(Hash::from_bytes(hash));
        }
        Ok(hashes)
    }

    /// The records of one block, every one checked against its hashes.
    pub fn block_records(
        &self,
        entry: &DirectoryEntry,
        block: usize,
    ) -> Result<Vec<StoredRecord>, SegmentFault> {
        self.block_as(entry, block, Wanted::Everything)
    }

    /// The records of one block that are wanted, each checked against its hashes. A block without any
    /// stays packed.
    pub fn block_as(
        &self,
        entry: &DirectoryEntry,
        block: usize,
        wanted: Wanted,
    ) -> Result<Vec<StoredRecord>, SegmentFault> {
        let before: u64 = entry.blocks.iter().take(block).map(|block| block.records).sum();
        let Some(place) = entry.blocks.get(block) else {
            return Ok(Vec::new());
        };
        let columns = self.columns(place)?;
        if !columns.iter().any(|columns| wanted.has(columns.kind)) {
            return Ok(Vec::new());
        }
        let contents = self.contents(place, &columns)?;
        let local = entry.first_local + before;
        let content_hashes = self.hashes(SectionKind::ContentHashes, local, place.records)?;
        let leaf_hashes = self.leaf_hashes(local, place.records)?;
        let signature_bytes = self.signature_bytes(place)?;
        let keys = &self.signing_keys()?.0;
        let signatures = block::decode_signatures(&signature_bytes, columns.len(), keys)?;
        let mut chain = BlockChain {
            tenant: &entry.tenant,
            number: entry.first + before,
            previous_hash: place.previous_hash,
            contents: &contents,
            at: 0,
        };
        let mut records = Vec::with_capacity(columns.len());
        for (index, columns) in columns.iter().enumerate() {
            let hashes = (content_hashes[index], leaf_hashes[index]);
            let record = chain.next(columns, hashes, signatures[index])?;
            records.extend(Some(record).filter(|record| wanted.has(record.kind)));
        }
        Ok(records)
    }

    /// The columns of a block.
    pub fn columns(&self, block: &BlockEntry) -> Result<BlockColumns, SegmentFault> {
        COLUMNS.with_borrow_mut(|kept| match kept {
            Some(decompressor) => self.columns_with(decompressor, block),
            None => self.columns_with(kept.insert(Decompressor::new()?), block),
        })
    }

    /// The same, with a decompressor that serves many blocks.
    pub fn columns_with(
        &self,
        decompressor: &mut Decompressor<'_>,
        block: &BlockEntry,
    ) -> Result<BlockColumns, SegmentFault> {
        let bytes = self.piece(SectionKind::Headers, block.headers)?;
        let columns = block::decode_columns(decompressor, &bytes)?;
        if columns.len() as u64 == block.records {
            Ok(columns)
        } else {
            Err(Malformed { what: "wrong number of records in a block", offset: 0 }.into())
        }
    }

    fn contents(
        &self,
        block: &BlockEntry,
        columns: &BlockColumns,
    ) -> Result<Vec<u8>, SegmentFault> {
        let packed = self.piece(SectionKind::Contents, block.contents)?;
        let digest = self.header.section(SectionKind::Dictionary).digest;
        CONTENTS.with_borrow_mut(|kept| match kept {
            Some((dictionary, decompressor)) if *dictionary == digest => {
                unpack(decompressor, &packed, columns)
            }
            _ => unpack(&mut kept.insert((digest, self.decompressor()?)).1, &packed, columns),
        })
    }

    fn signature_bytes(&self, block: &BlockEntry) -> Result<Vec<u8>, SegmentFault> {
        if block.signatures.len == 0 {
            return Ok(Vec::new());
        }
        let base = self.signing_keys()?.1;
        let span = Span { offset: base + block.signatures.offset, len: block.signatures.len };
        self.piece(SectionKind::Signatures, span)
    }

    /// Runs in commit order: place of the ledger in the directory, number of records.
    pub fn commit_order(&self) -> Result<Vec<(usize, u64)>, SegmentFault> {
        let bytes = self.section(SectionKind::CommitOrder)?;
        let mut reader = Reader::new(&bytes);
        let mut runs = Vec::new();
        let mut left = self.header.records;
        while !reader.is_empty() {
            let (place, count) = (reader.varint()? as usize, reader.varint()?);
            left = left
                .checked_sub(count)
                .ok_or_else(|| reader.malformed("more records than the segment holds"))?;
            runs.push((place, count));
        }
        Ok(runs)
    }

    /// Positions of all sources after the last record.
    pub fn positions(&self) -> Result<Vec<(SourceName, SourcePosition)>, SegmentFault> {
        let bytes = self.section(SectionKind::Positions)?;
        Ok(read_positions(&mut Reader::new(&bytes))?)
    }

    pub fn checkpoints(&self) -> Result<Vec<StoredCheckpoint>, SegmentFault> {
        self.list(SectionKind::Checkpoints, read_checkpoint)
    }

    pub fn anchored(&self) -> Result<Vec<AnchoredRound>, SegmentFault> {
        self.list(SectionKind::Anchored, read_anchored)
    }

    fn list<T>(
        &self,
        kind: SectionKind,
        read: fn(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, SegmentFault> {
        let bytes = self.section(kind)?;
        let mut reader = Reader::new(&bytes);
        let count = reader.count(2)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(read(&mut reader)?);
        }
        reader.finish()?;
        Ok(items)
    }
}

/// The key ids at the front of a signature section, and how long they are.
pub fn read_keys(section: &[u8]) -> Result<(Vec<KeyId>, u64), Malformed> {
    let mut reader = Reader::new(section);
    let count = if reader.is_empty() { 0 } else { reader.count(2)? };
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let text = reader.str()?;
        keys.push(KeyId::parse(text).ok_or_else(|| reader.malformed("bad key id"))?);
    }
    if !section.is_empty() {
        reader.crc_since(0)?;
    }
    Ok((keys, reader.offset() as u64))
}

/// Decompresses the contents of a block.
pub fn unpack(
    decompressor: &mut Decompressor<'_>,
    packed: &[u8],
    columns: &BlockColumns,
) -> Result<Vec<u8>, SegmentFault> {
    let raw = columns.content_bytes();
    let broken = |what| SegmentFault::Malformed(Malformed { what, offset: 0 });
    if raw > RAW_MAX as u64 {
        return Err(broken("contents larger than allowed"));
    }
    let contents = decompressor
        .decompress(packed, raw as usize)
        .map_err(|_| broken("contents do not unpack"))?;
    if contents.len() as u64 == raw { Ok(contents) } else { Err(broken("contents too short")) }
}

/// Rebuilds the headers of a block one after the other.
struct BlockChain<'a> {
    tenant: &'a TenantId,
    number: u64,
    previous_hash: Hash,
    contents: &'a [u8],
    at: usize,
}

impl BlockChain<'_> {
    fn next(
        &mut self,
        columns: Columns<'_>,
        (content_hash, leaf): (Hash, Hash),
        signature: Option<(&KeyId, &[u8])>,
    ) -> Result<StoredRecord, SegmentFault> {
        let number = self.number;
        let fault = |check| SegmentFault::Record { number, check };
        let content = self.content(&columns);
        if content.as_ref().is_some_and(|content| sha256(content) != content_hash) {
            return Err(fault("content_hash"));
        }
        let record = StoredRecord {
            tenant: self.tenant.clone(),
            sequence_number: SequenceNumber::new(number).map_err(|_| fault("sequence"))?,
            event_id: EventId::parse_stored(columns.event_id).map_err(|_| fault("event id"))?,
            ingested_at: columns.ingested_at,
            kind: columns.kind,
            previous_hash: self.previous_hash,
            content_hash,
            content,
            signature: signature.map(|(key_id, bytes)| RecordSignature {
                key_id: key_id.clone(),
                bytes: bytes.to_vec(),
            }),
        };
        let header = record.header_bytes();
        if leaf_hash(&header) != leaf {
            return Err(fault("leaf hash"));
        }
        self.previous_hash = sha256(&header);
        self.number += 1;
        Ok(record)
    }

    fn content(&mut self, columns: &Columns<'_>) -> Option<Vec<u8>> {
        let len = columns.content_len? as usize;
        let content = self.contents.get(self.at..self.at + len)?.to_vec();
        self.at += len;
        Some(content)
    }
}
