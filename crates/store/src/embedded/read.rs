//! Reads records back, from segments and from unsealed logs, and checks each against its hashes.

use std::collections::BTreeMap;
use std::io;
use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use ledgerstone_proof::{EventId, Hash, SequenceNumber, TenantId, leaf_hash, sha256};

use super::active::{ActiveRecord, SealedRun, signature_crc};
use super::block_cache::RunPlace;
use super::codec::Reader;
use super::files::DataFile;
use super::ids::{IdHash, RunFault};
use super::payload::decode_row;
use super::segment::{Segment, SegmentFault};
use super::shared::Shared;
use crate::contract::{Changes, Cursor, Wanted};
use crate::error::ReadError;
use crate::record::{RecordSignature, StoredRecord};

/// A log file may be sealed and used again while it is read; then the read is made again.
const ATTEMPTS: usize = 4;
/// Bytes of contents after which a page ends.
const PAGE_BYTES: usize = 8 << 20;

pub fn damaged(tenant: &TenantId, number: Option<u64>, reason: &str) -> ReadError {
    ReadError::Damaged {
        tenant: tenant.clone(),
        sequence_number: number.and_then(|number| SequenceNumber::new(number).ok()),
        reason: reason.to_owned(),
    }
}

pub fn io_error(what: &str, source: io::Error) -> ReadError {
    ReadError::Io { what: what.to_owned(), source }
}

/// Where the next records of a ledger lie.
enum Source {
    Segment(Arc<Segment>, SealedRun),
    Active { file: Arc<DataFile>, record: ActiveRecord, previous_hash: Hash },
    End,
}

/// Records `from..` of a ledger, at most `limit`, in sequence order.
pub fn read(
    shared: &Shared,
    tenant: &TenantId,
    from: u64,
    limit: usize,
) -> Result<Vec<StoredRecord>, ReadError> {
    let mut records: Vec<StoredRecord> = Vec::new();
    let mut bytes = 0;
    let mut failures = 0;
    while records.len() < limit && bytes < PAGE_BYTES {
        let next = from + records.len() as u64;
        let page = match source(shared, tenant, next) {
            Source::End => break,
            Source::Segment(segment, run) => {
                let wanted = limit - records.len();
                let wish = Wish { from: next, limit: wanted };
                segment_page(shared, &segment, run, wish)
                    .map_err(|fault| of_segment(tenant, next, fault))
            }
            Source::Active { file, record, previous_hash } => {
                active_record(tenant, next, &file, &record, previous_hash).map(|one| vec![one])
            }
        };
        match page {
            Ok(page) => {
                bytes +=
                    page.iter().filter_map(|r| r.content.as_ref()).map(Vec::len).sum::<usize>();
                records.extend(page);
            }
            Err(_) if failures + 1 < ATTEMPTS => failures += 1,
            // The page ends before what cannot be read; the next one begins with it.
            Err(_) if !records.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

fn source(shared: &Shared, tenant: &TenantId, number: u64) -> Source {
    let state = shared.read();
    let Some(ledger) = state.ledgers.get(tenant) else {
        return Source::End;
    };
    if let Some(run) = ledger.sealed_run(number) {
        return match state.segments.get(run.segment as usize) {
            Some(segment) => Source::Segment(segment.clone(), run),
            None => Source::End,
        };
    }
    let found = ledger.active_record(number).zip(ledger.hash_before_active(number));
    let Some((record, previous_hash)) = found else {
        return Source::End;
    };
    match state.logs.iter().find(|log| log.number == record.log) {
        Some(log) => Source::Active { file: log.file.clone(), record: *record, previous_hash },
        None => Source::End,
    }
}

/// Which records of a segment's run are wanted.
#[derive(Clone, Copy)]
struct Wish {
    from: u64,
    limit: usize,
}

impl Wish {
    /// What a block has of it.
    fn copy(self, records: &[StoredRecord]) -> Vec<StoredRecord> {
        let first = records.first().map_or(self.from, |record| record.sequence_number.value());
        records.iter().skip((self.from - first) as usize).take(self.limit).cloned().collect()
    }
}

fn segment_page(
    shared: &Shared,
    segment: &Segment,
    run: SealedRun,
    wish: Wish,
) -> Result<Vec<StoredRecord>, SegmentFault> {
    let generation = segment.header().generation;
    let place = RunPlace { segment: run.segment, generation, entry: run.entry };
    if let Some(records) = shared.blocks.get(place, wish.from) {
        return Ok(wish.copy(&records));
    }
    let entry = segment.entry(run.entry)?;
    let mut before = entry.first;
    for (number, block) in entry.blocks.iter().enumerate() {
        if wish.from < before + block.records {
            let records = Arc::new(segment.block_records(&entry, number)?);
            shared.blocks.put(place, &records);
            return Ok(wish.copy(&records));
        }
        before += block.records;
    }
    Err(SegmentFault::Record { number: wish.from, check: "directory" })
}

fn of_segment(tenant: &TenantId, number: u64, fault: SegmentFault) -> ReadError {
    match fault {
        SegmentFault::Io(error) => io_error("a segment", error),
        SegmentFault::Record { number, check } => {
            damaged(tenant, Some(number), &format!("it does not match its {check}"))
        }
        fault => damaged(tenant, Some(number), &fault.to_string()),
    }
}

fn active_record(
    tenant: &TenantId,
    number: u64,
    file: &DataFile,
    place: &ActiveRecord,
    previous_hash: Hash,
) -> Result<StoredRecord, ReadError> {
    let bytes = file
        .read_at(place.offset, place.len as usize)
        .map_err(|error| io_error("a log file", error))?;
    let bad = |reason: &str| damaged(tenant, Some(number), reason);
    let row = decode_row(&mut Reader::new(&bytes)).map_err(|fault| bad(&fault.to_string()))?;
    if signature_crc(row.signature.as_ref().map(|signed| signed.1)) != place.signature_crc {
        return Err(bad("its signature is not the one that was written"));
    }
    let record = StoredRecord {
        tenant: tenant.clone(),
        sequence_number: SequenceNumber::new(number).map_err(|_| bad("number out of range"))?,
        event_id: EventId::parse_stored(row.event_id).map_err(|_| bad("its id is none"))?,
        ingested_at: row.ingested_at,
        kind: row.kind,
        previous_hash,
        content_hash: row.content_hash,
        content: Some(row.content.to_vec()),
        signature: row
            .signature
            .map(|(key_id, bytes)| RecordSignature { key_id, bytes: bytes.to_vec() }),
    };
    if leaf_hash(&record.header_bytes()) != place.leaf_hash {
        return Err(bad("it does not match its leaf hash"));
    }
    if sha256(row.content) != record.content_hash {
        return Err(bad("it does not match its content_hash"));
    }
    Ok(record)
}

/// The number under which an id is recorded. Hints from hashes are checked against the record.
pub fn find(
    shared: &Shared,
    tenant: &TenantId,
    event_id: &EventId,
) -> Result<Option<SequenceNumber>, ReadError> {
    let hash = shared.hasher.hash(tenant, event_id.as_str());
    let hints = match hints(shared, hash) {
        Ok(numbers) => numbers,
        Err(_) => {
            super::sealed_load::rebuild_ids(shared)
                .map_err(|fault| of_segment(tenant, 0, fault))?;
            hints(shared, hash).map_err(|fault| damaged(tenant, None, &fault.to_string()))?
        }
    };
    for number in hints {
        let found = read(shared, tenant, number, 1)?;
        if found.first().is_some_and(|record| record.event_id == *event_id) {
            return Ok(SequenceNumber::new(number).ok());
        }
    }
    Ok(None)
}

/// Numbers that may be recorded under a hash. The state is not locked any more when they are read.
fn hints(shared: &Shared, hash: IdHash) -> Result<Vec<u64>, RunFault> {
    let state = shared.read();
    match state.logs.iter().rev().find_map(|log| log.ids.get(&hash)) {
        Some(number) => Ok(vec![*number]),
        None => state.ids.find(hash),
    }
}

/// Records after a commit ordinal, in commit order, from one segment or log.
pub fn changes(
    shared: &Shared,
    cursor: &Cursor,
    limit: usize,
    wanted: Wanted,
) -> Result<Changes, ReadError> {
    let ordinal = cursor_ordinal(cursor);
    let runs = runs_after(shared, ordinal, limit)?;
    let mut ranges: BTreeMap<&TenantId, (u64, u64)> = BTreeMap::new();
    for (tenant, first, count) in &runs {
        let range = ranges.entry(tenant).or_insert((*first, *first));
        range.1 = first + count;
    }
    let mut read_back: BTreeMap<&TenantId, Peekable<std::vec::IntoIter<StoredRecord>>> =
        BTreeMap::new();
    for (tenant, (from, to)) in &ranges {
        let records = match wanted {
            Wanted::Everything => read_exactly(shared, tenant, *from, *to)?,
            Wanted::Kind(_) => read_wanted(shared, tenant, *from..*to, wanted)?,
        };
        read_back.insert(tenant, records.into_iter().peekable());
    }
    let mut records = Vec::new();
    let mut next = ordinal;
    for (tenant, first, count) in &runs {
        next += count;
        if let Some(iter) = read_back.get_mut(tenant) {
            let is_of_run = |record: &StoredRecord| record.sequence_number.value() < first + count;
            records.extend(std::iter::from_fn(|| iter.next_if(is_of_run)));
        }
    }
    Ok(Changes { records, next: Cursor(next.to_be_bytes().to_vec()) })
}

/// The empty cursor and any that is not ours begin at the beginning: a follower may always start
/// again.
fn cursor_ordinal(cursor: &Cursor) -> u64 {
    cursor.0.as_slice().try_into().map_or(0, u64::from_be_bytes)
}

fn read_exactly(
    shared: &Shared,
    tenant: &TenantId,
    from: u64,
    to: u64,
) -> Result<Vec<StoredRecord>, ReadError> {
    let mut records = Vec::with_capacity((to - from) as usize);
    while from + (records.len() as u64) < to {
        let next = from + records.len() as u64;
        let page = read(shared, tenant, next, (to - next) as usize)?;
        if page.is_empty() {
            return Err(damaged(tenant, Some(next), "it is missing"));
        }
        records.extend(page);
    }
    Ok(records)
}

/// The wanted ones of a ledger's records in a range, which must be there.
fn read_wanted(
    shared: &Shared,
    tenant: &TenantId,
    range: Range<u64>,
    wanted: Wanted,
) -> Result<Vec<StoredRecord>, ReadError> {
    let mut records = Vec::new();
    let mut next = range.start;
    let mut failures = 0;
    loop {
        next = next_wanted(shared, tenant, next..range.end, wanted);
        if next >= range.end {
            return Ok(records);
        }
        let page = match source(shared, tenant, next) {
            Source::End => return Err(damaged(tenant, Some(next), "it is missing")),
            Source::Segment(segment, run) => wanted_blocks(&segment, run, next..range.end, wanted)
                .map_err(|fault| of_segment(tenant, next, fault)),
            Source::Active { file, record, previous_hash } => {
                active_record(tenant, next, &file, &record, previous_hash)
                    .map(|record| (vec![record], next + 1))
            }
        };
        match page {
            Ok((page, end)) => {
                let is_wanted = |record: &StoredRecord| {
                    let number = record.sequence_number.value();
                    wanted.has(record.kind) && (next..range.end).contains(&number)
                };
                records.extend(page.into_iter().filter(is_wanted));
                next = end;
            }
            Err(_) if failures + 1 < ATTEMPTS => failures += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Passes over unsealed records that are not wanted, which memory tells without reading them.
fn next_wanted(shared: &Shared, tenant: &TenantId, range: Range<u64>, wanted: Wanted) -> u64 {
    let state = shared.read();
    let ledger = state.ledgers.get(tenant);
    ledger.map_or(range.start, |ledger| ledger.next_wanted(range, wanted))
}

/// The wanted ones of the blocks of a run that hold the range, and the number after the last record of
/// those blocks.
fn wanted_blocks(
    segment: &Segment,
    run: SealedRun,
    range: Range<u64>,
    wanted: Wanted,
) -> Result<(Vec<StoredRecord>, u64), SegmentFault> {
    let entry = segment.entry(run.entry)?;
    let mut records = Vec::new();
    let mut end = entry.first;
    for (place, block) in entry.blocks.iter().enumerate() {
        end += block.records;
        if range.start < end {
            records.extend(segment.block_as(&entry, place, wanted)?);
        }
        if range.end <= end {
            break;
        }
    }
    if range.start < end {
        Ok((records, end))
    } else {
        Err(SegmentFault::Record { number: range.start, check: "directory" })
    }
}

type OwnedRun = (TenantId, u64, u64);

/// Runs in commit order from `ordinal` on, about `limit` records, within one segment or log.
fn runs_after(shared: &Shared, ordinal: u64, limit: usize) -> Result<Vec<OwnedRun>, ReadError> {
    let state = shared.read();
    let after = state.segments.partition_point(|s| s.header().first_ordinal <= ordinal);
    let segment = after.checked_sub(1).and_then(|place| state.segments.get(place)).cloned();
    let inside = |segment: &Arc<Segment>| {
        ordinal < segment.header().first_ordinal + segment.header().records
    };
    if let Some(segment) = segment.filter(inside) {
        drop(state);
        let runs = segment_runs(&segment).map_err(|fault| match fault {
            SegmentFault::Io(error) => io_error("a segment", error),
            fault => damaged(&TenantId::system(), None, &fault.to_string()),
        })?;
        return Ok(window(runs.into_iter(), ordinal - segment.header().first_ordinal, limit));
    }
    let Some(log) = state.logs.iter().rev().find(|log| log.first_ordinal <= ordinal) else {
        return Ok(Vec::new());
    };
    let runs = log.order.iter().map(|run| (run.0.clone(), run.1, u64::from(run.2)));
    Ok(window(runs, ordinal - log.first_ordinal, limit))
}

fn segment_runs(segment: &Segment) -> Result<Vec<OwnedRun>, SegmentFault> {
    let directory = segment.directory()?;
    let mut next: Vec<(TenantId, u64)> =
        directory.iter().map(|(_, entry)| (entry.tenant.clone(), entry.first)).collect();
    let mut runs = Vec::new();
    for (place, count) in segment.commit_order()? {
        if let Some((tenant, number)) = next.get_mut(place) {
            runs.push((tenant.clone(), *number, count));
            *number += count;
        }
    }
    Ok(runs)
}

/// Skips `skip` records and takes about `limit`.
fn window(runs: impl Iterator<Item = OwnedRun>, mut skip: u64, limit: usize) -> Vec<OwnedRun> {
    let mut taken = Vec::new();
    let mut left = limit.max(1) as u64;
    for (tenant, first, count) in runs {
        let skipped = skip.min(count);
        skip -= skipped;
        let count = (count - skipped).min(left);
        if count > 0 {
            taken.push((tenant, first + skipped, count));
            left -= count;
        }
        if left == 0 {
            break;
        }
    }
    taken
}
