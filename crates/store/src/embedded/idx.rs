//! `.idx`: the derived index of one segment: ids, ledgers and times, and room for more.
//!
//! It is bound to the segment's bytes by a digest and the store key's signature, checked section by
//! section, and built again from the segment whenever it is missing or does not fit.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ledgerstone_proof::{Hash, IngestedAt, sha256};
use zstd::bulk::Decompressor;

use super::binding::{Binding, Unbound};
use super::codec::{Malformed, Reader, put_bytes, put_hash, put_u32, put_u64, put_varint};
use super::files::Files;
use super::ids::{IdHash, IdHasher, MemoryRun};
use super::segment::{DirectoryEntry, LedgerRows, OrderedRows, Segment, SegmentFault, list_digest};

const MAGIC: &[u8; 8] = b"LSIDX\r\n\0";
/// Version of the container.
pub const VERSION: u32 = 1;

/// What a section holds. Numbers are on disk: never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexSection {
    /// Sorted `(128-bit id hash, place in the segment)`.
    Ids = 1,
    /// `(tenant, first number, records, first place)` per ledger: number → place.
    Sequence = 2,
    /// `ingested_at` in microseconds per place, 8 bytes each.
    Time = 3,
}

/// Bytes that a header has at most.
const HEADER_MAX: u64 = 4096;

const SECTIONS: [IndexSection; 3] = [IndexSection::Ids, IndexSection::Sequence, IndexSection::Time];

/// An index in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentIndex {
    /// Sorted by hash.
    pub ids: Vec<(IdHash, u32)>,
    pub ledgers: Vec<IndexedLedger>,
    /// Microseconds since 1970, by place.
    pub times: Vec<i64>,
}

/// Where one ledger's records lie among those of the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedLedger {
    pub tenant: String,
    pub first: u64,
    pub records: u64,
    pub first_place: u64,
}

/// Path of a segment's index.
pub fn path_of(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

impl SegmentIndex {
    /// The ledgers of a segment that is being made, with no record yet.
    pub fn begin(rows: &OrderedRows) -> Self {
        let count = rows.count();
        let mut first_place = 0;
        let ledger = |ledger: &LedgerRows| {
            let records = ledger.rows.len() as u64;
            let indexed = IndexedLedger {
                tenant: ledger.tenant.as_str().to_owned(),
                first: ledger.first,
                records,
                first_place,
            };
            first_place += records;
            indexed
        };
        Self {
            ledgers: rows.ledgers.iter().map(ledger).collect(),
            ids: Vec::with_capacity(count),
            times: Vec::with_capacity(count),
        }
    }

    /// Adds the next record in the order of the segment.
    pub fn push(&mut self, id: IdHash, at: IngestedAt) {
        let place = self.times.len() as u32;
        self.ids.push((id, place));
        self.times.push(at.micros());
    }

    /// The index, once every record is in it.
    pub fn finish(mut self) -> Self {
        self.ids.sort_unstable();
        self
    }

    /// Builds the index from the segment.
    pub fn build(segment: &Segment, hasher: &IdHasher) -> Result<Self, SegmentFault> {
        let mut index = Self { ids: Vec::new(), ledgers: Vec::new(), times: Vec::new() };
        let mut decompressor = Decompressor::new()?;
        for (_, entry) in segment.directory()? {
            index.add_ledger(segment, &entry, hasher, &mut decompressor)?;
        }
        index.ids.sort_unstable();
        Ok(index)
    }

    fn add_ledger(
        &mut self,
        segment: &Segment,
        entry: &DirectoryEntry,
        hasher: &IdHasher,
        decompressor: &mut Decompressor<'_>,
    ) -> Result<(), SegmentFault> {
        self.ledgers.push(IndexedLedger {
            tenant: entry.tenant.as_str().to_owned(),
            first: entry.first,
            records: entry.records,
            first_place: entry.first_local,
        });
        for block in &entry.blocks {
            for columns in segment.columns_with(decompressor, block)?.iter() {
                let place = self.times.len() as u32;
                self.ids.push((hasher.hash(&entry.tenant, columns.event_id), place));
                self.times.push(columns.ingested_at.micros());
            }
        }
        Ok(())
    }

    /// The ids with sequence numbers, as duplicate detection wants them.
    pub fn id_run(&self, from: u64) -> MemoryRun {
        let number = |place: u32| {
            let place = u64::from(place);
            let after = self.ledgers.partition_point(|ledger| ledger.first_place <= place);
            self.ledgers
                .get(after.saturating_sub(1))
                .map_or(0, |ledger| ledger.first + (place - ledger.first_place))
        };
        let entries = self.ids.iter().map(|(hash, place)| (*hash, number(*place))).collect();
        MemoryRun::new(from, from + self.ids.len() as u64, entries)
    }

    fn encode(&self, binding: &Binding, segment: &Hash) -> io::Result<Vec<u8>> {
        let sections = [self.encode_ids(), self.encode_ledgers(), self.encode_times()];
        let mut header = Vec::new();
        header.extend_from_slice(MAGIC);
        put_u32(&mut header, VERSION);
        header.extend_from_slice(binding.store.as_bytes());
        put_hash(&mut header, segment);
        put_u32(&mut header, sections.len() as u32);
        for (kind, bytes) in SECTIONS.iter().zip(&sections) {
            put_u32(&mut header, *kind as u32);
            put_u64(&mut header, bytes.len() as u64);
            put_hash(&mut header, &sha256(bytes));
        }
        binding.seal(&mut header)?;
        header.extend(sections.into_iter().flatten());
        Ok(header)
    }

    fn encode_ids(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.ids.len() * 20);
        for (hash, place) in &self.ids {
            out.extend_from_slice(&hash.value().to_be_bytes());
            put_u32(&mut out, *place);
        }
        out
    }

    fn encode_ledgers(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for ledger in &self.ledgers {
            put_bytes(&mut out, ledger.tenant.as_bytes());
            put_varint(&mut out, ledger.first);
            put_varint(&mut out, ledger.records);
            put_varint(&mut out, ledger.first_place);
        }
        out
    }

    fn encode_times(&self) -> Vec<u8> {
        self.times.iter().flat_map(|micros| micros.to_le_bytes()).collect()
    }

    fn decode(bytes: &[u8], binding: &Binding, segment: &Hash) -> Result<Self, Unbound> {
        let mut reader = Reader::new(bytes);
        let table = decode_header(bytes, &mut reader, binding, segment)?;
        let mut index = Self { ids: Vec::new(), ledgers: Vec::new(), times: Vec::new() };
        for (kind, len, digest) in table {
            let section = reader.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            if sha256(section) != digest {
                return Err(reader.malformed("index section does not match its SHA-256").into());
            }
            index.decode_section(kind, section)?;
        }
        reader.finish()?;
        Ok(index)
    }

    fn decode_section(&mut self, kind: u32, section: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(section);
        while !reader.is_empty() {
            if kind == IndexSection::Ids as u32 {
                let hash = IdHash::new(u128::from_be_bytes(reader.array()?));
                self.ids.push((hash, reader.u32()?));
            } else if kind == IndexSection::Sequence as u32 {
                self.ledgers.push(IndexedLedger {
                    tenant: reader.str()?.to_owned(),
                    first: reader.varint()?,
                    records: reader.varint()?,
                    first_place: reader.varint()?,
                });
            } else if kind == IndexSection::Time as u32 {
                self.times.push(i64::from_le_bytes(reader.array()?));
            } else {
                // A section of a later minor version: skipped.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes the index beside its segment, replacing what is there.
    pub fn save(&self, files: &Files, segment: &Segment, binding: &Binding) -> io::Result<()> {
        let bytes = self.encode(binding, &identity(segment))?;
        files.replace(&path_of(segment.path()), &bytes, 0o640)
    }

    /// Reads the index of a segment; `None` when there is none that can be read.
    pub fn load(segment: &Segment, binding: &Binding) -> Result<Option<Self>, Unbound> {
        match std::fs::read(path_of(segment.path())) {
            Ok(bytes) => Self::decode(&bytes, binding, &identity(segment)).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// What the header says of each section: kind, length, digest.
fn decode_header(
    bytes: &[u8],
    reader: &mut Reader<'_>,
    binding: &Binding,
    segment: &Hash,
) -> Result<Vec<(u32, u64, Hash)>, Unbound> {
    if reader.array::<8>()? != *MAGIC || reader.u32()? != VERSION {
        return Err(reader.malformed("not an index of this version").into());
    }
    if reader.array::<16>()? != *binding.store.as_bytes() || reader.hash()? != *segment {
        return Err(reader.malformed("index of another segment").into());
    }
    let count = reader.u32()?;
    let mut table = Vec::new();
    for _ in 0..count {
        table.push((reader.u32()?, reader.u64()?, reader.hash()?));
    }
    binding.check(bytes, reader)?;
    Ok(table)
}

/// What the header of a segment's index says for itself; the sections stay unread.
pub fn check_header(segment: &Segment, binding: &Binding) -> Result<(), Unbound> {
    let mut header = Vec::new();
    let mut reader = Reader::new(&[]);
    std::fs::File::open(path_of(segment.path()))
        .and_then(|file| file.take(HEADER_MAX).read_to_end(&mut header))
        .map_err(|_| reader.malformed("there is no index that can be read"))?;
    reader = Reader::new(&header);
    decode_header(&header, &mut reader, binding, &identity(segment)).map(drop)
}

fn identity(segment: &Segment) -> Hash {
    list_digest([segment.header()])
}
