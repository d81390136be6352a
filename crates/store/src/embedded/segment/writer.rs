//! Makes a segment from the records of one log file, in memory and then on disk.
//!
//! The log file is given up for it, so nothing of it is taken on trust: every block is unpacked
//! again as soon as it is packed and compared with the rows it was made from, and the file is opened
//! anew and compared, byte by byte, with what was to be written.

use std::io;
use std::ops::Range;
use std::path::Path;

use ledgerstone_proof::{CompactRange, Hash, KeyId, TenantId, sha256};

use super::block::{self, CONTENT_BYTES, Columns, RECORDS_MAX};
use super::directory::{BlockEntry, DirectoryEntry, Span};
use super::header::{Section, SectionKind, SegmentHeader};
use super::order::{LedgerRows, OrderedRows, RowRef};
use super::packer::{Packer, has_room, sampling_step};
use crate::batch::{AnchoredRound, SourceName, SourcePosition};
use crate::embedded::StoreId;
use crate::embedded::codec::{put_bytes, put_crc, put_hash, put_varint};
use crate::embedded::files::Files;
use crate::embedded::payload::{Row, put_anchored, put_checkpoint};
use crate::record::{KeyGeneration, StoredCheckpoint};

/// Bytes that are read back and compared at once.
const COMPARED_BYTES: usize = 1 << 20;

/// Where a ledger stood before the first record of the log file.
#[derive(Clone, Debug)]
pub struct LedgerStart {
    pub range: CompactRange,
    pub record_hash: Hash,
}

/// Everything a segment is made of.
pub struct SegmentInput {
    pub store: StoreId,
    pub first_ordinal: u64,
    pub log_number: u64,
    pub last_frame: u64,
    pub key_generation: KeyGeneration,
    pub rows: OrderedRows,
    pub positions: Vec<(SourceName, SourcePosition)>,
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
}

/// Where the rows of a segment are read from. Each block is asked for once, in the order of the
/// segment, so that no more than one has to be in memory.
pub trait RowSource {
    /// One row, to look at.
    fn row(&mut self, row: &RowRef) -> io::Result<Row<'_>>;
    /// The rows `block` of a ledger, to be sealed.
    fn block(&mut self, ledger: &LedgerRows, block: Range<usize>) -> io::Result<Vec<Row<'_>>>;
}

/// What the store knows in memory of the records that are sealed.
pub trait SealingKnowledge {
    /// Where a ledger stood before the log file.
    fn start_of(&self, tenant: &TenantId) -> LedgerStart;
    /// `record_hash` of an unsealed record.
    fn record_hash(&self, tenant: &TenantId, number: u64) -> Option<Hash>;
}

/// A segment in memory. `ends` is empty unless it was made from a log file.
#[derive(Debug)]
pub struct Built {
    /// The frontier and hash of each ledger after its last record, in the order of their names.
    pub ends: Vec<(TenantId, LedgerStart)>,
    header: Vec<u8>,
    /// One after the other, as they follow the header in the file.
    sections: Vec<Vec<u8>>,
}

/// Makes the segment in memory.
pub fn build(
    input: &SegmentInput,
    source: &mut dyn RowSource,
    known: &dyn SealingKnowledge,
) -> io::Result<Built> {
    let mut builder = Builder::new(dictionary(&input.rows, source)?)?;
    let mut ends = Vec::with_capacity(input.rows.ledgers.len());
    for ledger in &input.rows.ledgers {
        let end = builder.ledger(ledger, source, known)?;
        ends.push((ledger.tenant.clone(), end));
    }
    let (header, sections) = sections(input, builder);
    Ok(Built { ends, header: header.encode(&input.store), sections })
}

impl Built {
    /// A segment that is put together already.
    pub fn of_parts(header: Vec<u8>, sections: Vec<Vec<u8>>) -> Self {
        Self { ends: Vec::new(), header, sections }
    }

    /// Writes the segment to `path`, synced but not renamed into place.
    pub fn write(&self, files: &Files, path: &Path) -> io::Result<()> {
        let file = files.create(path)?;
        let mut offset = SegmentHeader::BYTES as u64;
        for bytes in &self.sections {
            file.write_in_pieces(bytes, offset)?;
            offset += bytes.len() as u64;
        }
        file.write_all_at(&self.header, 0)?;
        file.sync_all()
    }

    /// Opens the file anew and compares all of it with what was to be written.
    pub fn compare(&self, files: &Files, path: &Path) -> io::Result<()> {
        let file = files.open_for_reading(path)?;
        let mut offset = 0;
        let mut read = vec![0; COMPARED_BYTES];
        for part in std::iter::once(&self.header).chain(&self.sections) {
            for expected in part.chunks(COMPARED_BYTES) {
                let found = &mut read[..expected.len()];
                file.read_exact_at(found, offset)?;
                if found != expected {
                    let fault = format!("other bytes than were written, at {offset}");
                    return Err(io::Error::other(fault));
                }
                offset += expected.len() as u64;
            }
        }
        let len = file.byte_len()?;
        if len == offset {
            return Ok(());
        }
        Err(io::Error::other(format!("{len} bytes instead of the {offset} that were written")))
    }
}

/// Samples contents evenly; zstd takes them as a raw-content dictionary.
fn dictionary(rows: &OrderedRows, source: &mut dyn RowSource) -> io::Result<Vec<u8>> {
    let (count, total) = rows
        .rows()
        .fold((0, 0), |(count, total), row| (count + 1, total + row.content_len as usize));
    let mut dictionary = Vec::new();
    let Some(step) = sampling_step(count, total) else {
        return Ok(dictionary);
    };
    for row in rows.rows().step_by(step) {
        if has_room(&dictionary, row.content_len as usize) {
            dictionary.extend_from_slice(source.row(row)?.content);
        }
    }
    Ok(dictionary)
}

fn commit_order(rows: &OrderedRows) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, records) in &rows.commit_order {
        put_varint(&mut out, *place as u64);
        put_varint(&mut out, *records as u64);
    }
    out
}

/// The sections as they grow.
struct Builder<'a> {
    dictionary: Vec<u8>,
    packer: Packer<'a>,
    directory: Vec<u8>,
    headers: Vec<u8>,
    contents: Vec<u8>,
    signatures: Vec<u8>,
    keys: Vec<KeyId>,
    content_hashes: Vec<u8>,
    leaf_hashes: Vec<u8>,
    records: u64,
}

impl Builder<'_> {
    fn new(dictionary: Vec<u8>) -> io::Result<Self> {
        let packer = Packer::new(&dictionary)?;
        Ok(Self {
            dictionary,
            packer,
            directory: Vec::new(),
            headers: Vec::new(),
            contents: Vec::new(),
            signatures: Vec::new(),
            keys: Vec::new(),
            content_hashes: Vec::new(),
            leaf_hashes: Vec::new(),
            records: 0,
        })
    }

    fn ledger(
        &mut self,
        ledger: &LedgerRows,
        source: &mut dyn RowSource,
        known: &dyn SealingKnowledge,
    ) -> io::Result<LedgerStart> {
        let tenant = &ledger.tenant;
        let start = known.start_of(tenant);
        let first = start.range.size();
        let range_before = start.range.hashes().to_vec();
        let mut end = start.clone();
        let first_local = self.records;
        let mut blocks = Vec::new();
        let mut next = 0;
        while let Some(rest) = ledger.rows.get(next..).filter(|rest| !rest.is_empty()) {
            let range = next..next + block_len(rest);
            next = range.end;
            let block = source.block(ledger, range)?;
            blocks.push(self.block(&block, end.record_hash)?);
            block.iter().for_each(|row| end.range.push(row.leaf_hash));
            end.record_hash = known
                .record_hash(tenant, end.range.size() - 1)
                .ok_or_else(|| io::Error::other("a record of the log is not known"))?;
        }
        let entry = DirectoryEntry {
            tenant: tenant.clone(),
            first,
            records: ledger.rows.len() as u64,
            first_local,
            previous_hash: start.record_hash,
            last_record_hash: end.record_hash,
            range_before,
            root_after: end.range.root(),
            blocks,
        };
        entry.encode(&mut self.directory);
        Ok(end)
    }

    fn block(&mut self, rows: &[Row<'_>], previous_hash: Hash) -> io::Result<BlockEntry> {
        let headers = self.headers(rows)?;
        let contents = self.contents(rows)?;
        let signatures = self.signatures(rows);
        for row in rows {
            put_hash(&mut self.content_hashes, &row.content_hash);
            put_hash(&mut self.leaf_hashes, &row.leaf_hash);
        }
        let records = rows.len() as u64;
        self.records += records;
        Ok(BlockEntry { records, previous_hash, headers, contents, signatures })
    }

    fn headers(&mut self, rows: &[Row<'_>]) -> io::Result<Span> {
        let columns: Vec<Columns<'_>> = rows.iter().map(columns).collect();
        Ok(append(&mut self.headers, &self.packer.columns(&columns)?))
    }

    fn contents(&mut self, rows: &[Row<'_>]) -> io::Result<Span> {
        let packed = self.packer.contents(rows.iter().map(|row| row.content))?;
        Ok(append(&mut self.contents, packed))
    }

    fn signatures(&mut self, rows: &[Row<'_>]) -> Span {
        let mut signatures = Vec::with_capacity(rows.len());
        for row in rows {
            let signed = row.signature.as_ref();
            signatures.push(signed.map(|(key, bytes)| (self.key_place(key), *bytes)));
        }
        let mut out = Vec::new();
        block::encode_signatures(&signatures, &mut out);
        append(&mut self.signatures, &out)
    }

    fn key_place(&mut self, key: &KeyId) -> u64 {
        let place = self.keys.iter().position(|known| known == key).unwrap_or_else(|| {
            self.keys.push(key.clone());
            self.keys.len() - 1
        });
        place as u64
    }

    /// The signature section begins with the ids of the keys that its blocks number.
    fn signature_section(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.signatures.len() + 64);
        put_varint(&mut out, self.keys.len() as u64);
        for key in &self.keys {
            put_bytes(&mut out, key.as_str().as_bytes());
        }
        put_crc(&mut out, 0);
        out.append(&mut self.signatures);
        out
    }
}

fn block_len(rows: &[RowRef]) -> usize {
    let mut bytes = 0;
    for (count, row) in rows.iter().enumerate().take(RECORDS_MAX) {
        bytes += row.content_len as usize;
        if count > 0 && bytes > CONTENT_BYTES {
            return count;
        }
    }
    rows.len().min(RECORDS_MAX)
}

fn columns<'a>(row: &Row<'a>) -> Columns<'a> {
    Columns {
        kind: row.kind,
        event_id: row.event_id,
        ingested_at: row.ingested_at,
        content_len: Some(row.content.len() as u64),
    }
}

/// Adds to a section, and answers where that stands in it.
pub fn append(section: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let offset = section.len() as u64;
    section.extend_from_slice(bytes);
    Span { offset, len: bytes.len() as u64 }
}

/// The sections and the header that names them.
fn sections(input: &SegmentInput, mut builder: Builder<'_>) -> (SegmentHeader, Vec<Vec<u8>>) {
    let signatures = builder.signature_section();
    let bytes = [
        (SectionKind::Dictionary, builder.dictionary),
        (SectionKind::Directory, builder.directory),
        (SectionKind::Headers, builder.headers),
        (SectionKind::Contents, builder.contents),
        (SectionKind::Signatures, signatures),
        (SectionKind::ContentHashes, builder.content_hashes),
        (SectionKind::LeafHashes, builder.leaf_hashes),
        (SectionKind::CommitOrder, commit_order(&input.rows)),
        (SectionKind::Positions, positions(input)),
        (SectionKind::Checkpoints, checkpoints(input)),
        (SectionKind::Anchored, anchored(input)),
    ];
    let header = SegmentHeader {
        first_ordinal: input.first_ordinal,
        records: builder.records,
        generation: 1,
        log_number: input.log_number,
        last_frame: input.last_frame,
        key_generation: input.key_generation,
        sections: place_sections(&bytes),
    };
    (header, bytes.into_iter().map(|(_, bytes)| bytes).collect())
}

/// Where sections lie that follow each other behind the header.
pub fn place_sections(sections: &[(SectionKind, Vec<u8>)]) -> Vec<Section> {
    let mut offset = SegmentHeader::BYTES as u64;
    let place = |(kind, bytes): &(SectionKind, Vec<u8>)| {
        let len = bytes.len() as u64;
        let section = Section { kind: *kind, offset, len, digest: sha256(bytes) };
        offset += len;
        section
    };
    sections.iter().map(place).collect()
}

fn positions(input: &SegmentInput) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.positions.len() as u64);
    for (source, position) in &input.positions {
        put_bytes(&mut out, source.as_str().as_bytes());
        put_varint(&mut out, position.0);
    }
    out
}

fn checkpoints(input: &SegmentInput) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.checkpoints.len() as u64);
    for kept in &input.checkpoints {
        put_checkpoint(&mut out, &kept.tenant, kept.size, &kept.note, kept.kept_for_good);
    }
    out
}

fn anchored(input: &SegmentInput) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.anchored.len() as u64);
    for round in &input.anchored {
        put_anchored(&mut out, round);
    }
    out
}
