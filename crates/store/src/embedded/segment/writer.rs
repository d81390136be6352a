//! Writes a segment from the records of one log file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ledgerstone_proof::{CompactRange, Hash, KeyId, TenantId, sha256};
use zstd::bulk::Compressor;

use super::block::{self, CONTENT_BYTES, Columns, LEVEL, RECORDS_MAX};
use super::directory::{BlockEntry, DirectoryEntry, Span};
use super::header::{Section, SectionKind, SegmentHeader};
use crate::batch::{AnchoredRound, SourceName, SourcePosition};
use crate::embedded::StoreId;
use crate::embedded::codec::{put_bytes, put_crc, put_hash, put_varint};
use crate::embedded::files::Files;
use crate::embedded::payload::{Row, put_anchored, put_checkpoint};
use crate::record::{KeyGeneration, StoredCheckpoint};

/// Contents sampled into the dictionary, in bytes.
const DICTIONARY_BYTES: usize = 64 << 10;

/// Where a ledger stood before the first record of the log file.
#[derive(Clone, Debug)]
pub struct LedgerStart {
    pub range: CompactRange,
    pub record_hash: Hash,
}

/// Everything a segment is made of.
pub struct SegmentInput<'a> {
    pub store: StoreId,
    pub first_ordinal: u64,
    pub log_number: u64,
    pub last_frame: u64,
    pub key_generation: KeyGeneration,
    /// Runs in commit order; rows of one ledger are in sequence order.
    pub runs: Vec<(TenantId, Vec<&'a Row<'a>>)>,
    pub positions: Vec<(SourceName, SourcePosition)>,
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
}

/// What the store knows in memory of the records that are sealed.
pub trait SealingKnowledge {
    /// Where a ledger stood before the log file.
    fn start_of(&self, tenant: &TenantId) -> LedgerStart;
    /// `record_hash` of an unsealed record.
    fn record_hash(&self, tenant: &TenantId, number: u64) -> Option<Hash>;
}

/// What came of it.
#[derive(Debug)]
pub struct Sealed {
    /// The frontier and hash of each ledger after its last record.
    pub ends: Vec<(TenantId, LedgerStart)>,
}

/// Writes the segment to `path`, synced but not renamed into place.
pub fn write(
    files: &Files,
    path: &Path,
    input: &SegmentInput<'_>,
    known: &dyn SealingKnowledge,
) -> io::Result<Sealed> {
    let mut ledgers: BTreeMap<&TenantId, Vec<&Row<'_>>> = BTreeMap::new();
    for (tenant, rows) in &input.runs {
        ledgers.entry(tenant).or_default().extend(rows.iter().copied());
    }
    let mut builder = Builder::new(dictionary(&ledgers))?;
    let mut ends = Vec::with_capacity(ledgers.len());
    for (tenant, rows) in &ledgers {
        ends.push(((*tenant).clone(), builder.ledger(tenant, rows, known)?));
    }
    let order = commit_order(input, &ledgers);
    store_sections(files, path, input, builder, order)?;
    Ok(Sealed { ends })
}

/// Samples contents evenly; zstd takes them as a raw-content dictionary.
fn dictionary(ledgers: &BTreeMap<&TenantId, Vec<&Row<'_>>>) -> Vec<u8> {
    let rows: Vec<&&Row<'_>> = ledgers.values().flatten().collect();
    let total: usize = rows.iter().map(|row| row.content.len()).sum();
    let mut dictionary = Vec::new();
    if total < 4 * DICTIONARY_BYTES {
        return dictionary;
    }
    let mean = (total / rows.len()).max(1);
    let step = (rows.len() / (DICTIONARY_BYTES / mean).max(1)).max(1);
    for row in rows.iter().step_by(step) {
        if dictionary.len() + row.content.len() <= DICTIONARY_BYTES {
            dictionary.extend_from_slice(row.content);
        }
    }
    dictionary
}

fn commit_order(input: &SegmentInput<'_>, ledgers: &BTreeMap<&TenantId, Vec<&Row<'_>>>) -> Vec<u8> {
    let places: BTreeMap<&TenantId, u64> =
        ledgers.keys().enumerate().map(|(place, tenant)| (*tenant, place as u64)).collect();
    let mut out = Vec::new();
    for (tenant, rows) in &input.runs {
        put_varint(&mut out, places.get(tenant).copied().unwrap_or_default());
        put_varint(&mut out, rows.len() as u64);
    }
    out
}

/// The sections as they grow.
struct Builder<'a> {
    dictionary: Vec<u8>,
    compressor: Compressor<'a>,
    column_compressor: Compressor<'a>,
    directory: Vec<u8>,
    headers: Vec<u8>,
    contents: Vec<u8>,
    signatures: Vec<u8>,
    keys: Vec<KeyId>,
    content_hashes: Vec<u8>,
    leaf_hashes: Vec<u8>,
    records: u64,
    raw: Vec<u8>,
}

impl Builder<'_> {
    fn new(dictionary: Vec<u8>) -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        if !dictionary.is_empty() {
            compressor.set_dictionary(LEVEL, &dictionary)?;
        }
        Ok(Self {
            dictionary,
            compressor,
            column_compressor: Compressor::new(LEVEL)?,
            directory: Vec::new(),
            headers: Vec::new(),
            contents: Vec::new(),
            signatures: Vec::new(),
            keys: Vec::new(),
            content_hashes: Vec::new(),
            leaf_hashes: Vec::new(),
            records: 0,
            raw: Vec::new(),
        })
    }

    fn ledger(
        &mut self,
        tenant: &TenantId,
        rows: &[&Row<'_>],
        known: &dyn SealingKnowledge,
    ) -> io::Result<LedgerStart> {
        let start = known.start_of(tenant);
        let first = start.range.size();
        let range_before = start.range.hashes().to_vec();
        let mut end = start.clone();
        let first_local = self.records;
        let mut blocks = Vec::new();
        let mut rest = rows;
        while !rest.is_empty() {
            let (block, after) = rest.split_at(block_len(rest));
            blocks.push(self.block(block, end.record_hash)?);
            block.iter().for_each(|row| end.range.push(row.leaf_hash));
            // The verification that follows recomputes the chain up to the last one.
            end.record_hash = known
                .record_hash(tenant, end.range.size() - 1)
                .ok_or_else(|| io::Error::other("a record of the log is not known"))?;
            rest = after;
        }
        let entry = DirectoryEntry {
            tenant: tenant.clone(),
            first,
            records: rows.len() as u64,
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

    fn block(&mut self, rows: &[&Row<'_>], previous_hash: Hash) -> io::Result<BlockEntry> {
        let columns: Vec<Columns> = rows.iter().map(|row| columns(row)).collect();
        let headers = append(
            &mut self.headers,
            &block::encode_columns(&mut self.column_compressor, &columns)?,
        );
        self.raw.clear();
        for row in rows {
            self.raw.extend_from_slice(row.content);
        }
        let packed = self.compressor.compress(&self.raw)?;
        let contents = append(&mut self.contents, &packed);
        let signatures = self.signatures(rows);
        for row in rows {
            put_hash(&mut self.content_hashes, &row.content_hash);
            put_hash(&mut self.leaf_hashes, &row.leaf_hash);
        }
        let records = rows.len() as u64;
        self.records += records;
        Ok(BlockEntry { records, previous_hash, headers, contents, signatures })
    }

    fn signatures(&mut self, rows: &[&Row<'_>]) -> Span {
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

fn block_len(rows: &[&Row<'_>]) -> usize {
    let mut bytes = 0;
    for (count, row) in rows.iter().enumerate().take(RECORDS_MAX) {
        bytes += row.content.len();
        if count > 0 && bytes > CONTENT_BYTES {
            return count;
        }
    }
    rows.len().min(RECORDS_MAX)
}

fn columns(row: &Row<'_>) -> Columns {
    Columns {
        kind: row.kind,
        event_id: row.event_id.clone(),
        ingested_at: row.ingested_at,
        content_len: Some(row.content.len() as u64),
    }
}

fn append(section: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let offset = section.len() as u64;
    section.extend_from_slice(bytes);
    Span { offset, len: bytes.len() as u64 }
}

fn store_sections(
    files: &Files,
    path: &Path,
    input: &SegmentInput<'_>,
    mut builder: Builder<'_>,
    order: Vec<u8>,
) -> io::Result<()> {
    let signatures = builder.signature_section();
    let parts = [
        (SectionKind::Dictionary, std::mem::take(&mut builder.dictionary)),
        (SectionKind::Directory, std::mem::take(&mut builder.directory)),
        (SectionKind::Headers, std::mem::take(&mut builder.headers)),
        (SectionKind::Contents, std::mem::take(&mut builder.contents)),
        (SectionKind::Signatures, signatures),
        (SectionKind::ContentHashes, std::mem::take(&mut builder.content_hashes)),
        (SectionKind::LeafHashes, std::mem::take(&mut builder.leaf_hashes)),
        (SectionKind::CommitOrder, order),
        (SectionKind::Positions, positions(input)),
        (SectionKind::Checkpoints, checkpoints(input)),
        (SectionKind::Anchored, anchored(input)),
    ];
    let mut offset = SegmentHeader::BYTES as u64;
    let mut sections = Vec::with_capacity(parts.len());
    let file = files.create(path)?;
    for (kind, bytes) in &parts {
        file.write_in_pieces(bytes, offset)?;
        let len = bytes.len() as u64;
        sections.push(Section { kind: *kind, offset, len, digest: sha256(bytes) });
        offset += len;
    }
    let header = SegmentHeader {
        first_ordinal: input.first_ordinal,
        records: builder.records,
        generation: 1,
        log_number: input.log_number,
        last_frame: input.last_frame,
        key_generation: input.key_generation,
        sections,
    };
    file.write_all_at(&header.encode(&input.store), 0)?;
    file.sync_all()
}

fn positions(input: &SegmentInput<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.positions.len() as u64);
    for (source, position) in &input.positions {
        put_bytes(&mut out, source.as_str().as_bytes());
        put_varint(&mut out, position.0);
    }
    out
}

fn checkpoints(input: &SegmentInput<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.checkpoints.len() as u64);
    for kept in &input.checkpoints {
        put_checkpoint(&mut out, &kept.tenant, kept.size, &kept.note, kept.kept_for_good);
    }
    out
}

fn anchored(input: &SegmentInput<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, input.anchored.len() as u64);
    for round in &input.anchored {
        put_anchored(&mut out, round);
    }
    out
}
