//! The one writer: checks a batch against the heads, writes its frame, syncs, and shows it.

use std::collections::hash_map::Entry;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::IngestedAt;

use super::active::{ActiveRecord, Ledger, signature_crc};
use super::files::DataFile;
use super::frame::{self, Nonce, PAYLOAD_MAX, SECTOR};
use super::head_file::FramePlace;
use super::head_keeper::write_head;
use super::payload::{self, RowPlace};
use super::prepare::PreparedLog;
use super::segment::RAW_MAX;
use super::shared::{Log, Shared, State, lock};
use crate::batch::{Batch, LedgerAppend, SourceName, SourcePosition};
use crate::error::{AppendError, Moved};
use crate::record::StoredCheckpoint;

/// How long the writer waits for sealing or for the next log file before it refuses.
const ROOM_WAIT: Duration = Duration::from_secs(10);

/// The log file being written.
pub struct Writer {
    pub file: Arc<DataFile>,
    pub nonce: Nonce,
    /// Offset after the last frame.
    pub end: u64,
    pub capacity: u64,
    pub records: u64,
    pub content_bytes: u64,
    /// When the first record of this file was written.
    pub first_at: Option<IngestedAt>,
    /// Number of the last frame, over all files.
    pub frame: u64,
    pub buffer: Vec<u8>,
}

impl Writer {
    pub fn new(file: Arc<DataFile>, nonce: Nonce, capacity: u64, frame: u64) -> Self {
        Self {
            file,
            nonce,
            end: SECTOR as u64,
            capacity,
            records: 0,
            content_bytes: 0,
            first_at: None,
            frame,
            buffer: Vec::new(),
        }
    }
}

/// Stops all writing for good: what is on disk is no longer known.
pub fn poison(shared: &Shared, reason: &str) {
    shared.write().lost.get_or_insert_with(|| reason.to_owned());
    shared.set_degraded("writer", Some(reason.to_owned()));
    shared.signals.changed.notify_all();
}

/// Appends a batch: the contract's `append`.
pub fn append(shared: &Shared, batch: &Batch) -> Result<(), AppendError> {
    let mut guard = lock(&shared.writer);
    let writer = guard.as_mut().ok_or_else(|| read_only("the store is open for reading"))?;
    batch.check_form()?;
    check(shared, batch)?;
    if batch_is_empty(batch) {
        return Ok(());
    }
    let estimate = check_size(batch)?;
    make_room(shared, writer, batch, estimate)?;
    let rows = encode(shared, writer, batch);
    secure_room(writer)?;
    if let Err(error) = commit(writer) {
        let reason = format!("writing the log failed: {error}");
        poison(shared, &reason);
        return Err(AppendError::Unknown { reason });
    }
    publish(shared, writer, batch, &rows);
    if batch.checkpoints.is_empty() {
        mark_head_behind(shared);
        return Ok(());
    }
    // A checkpoint is shown only when HEAD covers it.
    write_head(shared, false).map_err(|error| {
        let reason = format!("writing HEAD failed: {error}");
        poison(shared, &reason);
        AppendError::Unknown { reason }
    })
}

fn read_only(reason: &str) -> AppendError {
    AppendError::Unavailable { code: ErrorCode::ReadOnlyStorage, reason: reason.to_owned() }
}

fn mark_head_behind(shared: &Shared) {
    let mut signals = shared.signals();
    if !signals.head_behind {
        signals.head_behind = true;
        shared.signals.changed.notify_all();
    }
}

fn batch_is_empty(batch: &Batch) -> bool {
    batch.ledgers.is_empty()
        && batch.positions.is_empty()
        && batch.checkpoints.is_empty()
        && batch.anchored.is_empty()
}

/// Compares the batch's expectations with what is; nothing is written yet.
fn check(shared: &Shared, batch: &Batch) -> Result<(), AppendError> {
    let state = shared.read();
    if let Some(reason) = &state.lost {
        return Err(AppendError::Unknown { reason: reason.clone() });
    }
    if let Some(reason) = &state.read_only {
        let code = ErrorCode::StoreDamaged;
        return Err(AppendError::Unavailable { code, reason: reason.clone() });
    }
    for append in &batch.ledgers {
        let fits = match state.ledgers.get(&append.tenant) {
            Some(ledger) => {
                ledger.head.size() == append.expected.size
                    && ledger.head.record_hash == append.expected.record_hash
            }
            None => append.expected.size == 0,
        };
        if !fits {
            return Err(AppendError::Conflict { what: Moved::Head(append.tenant.clone()) });
        }
    }
    for moved in &batch.positions {
        if state.positions.get(&moved.source).copied() != moved.expected {
            return Err(AppendError::Conflict { what: Moved::Position(moved.source.clone()) });
        }
    }
    Ok(())
}

/// Refuses what could not be read back from a frame or a segment; answers the payload's size,
/// estimated from above but for the positions that the first frame of a file repeats.
fn check_size(batch: &Batch) -> Result<usize, AppendError> {
    let estimate = estimate(batch);
    if estimate > PAYLOAD_MAX {
        return Err(too_large("a batch", PAYLOAD_MAX, estimate));
    }
    let contents =
        batch.ledgers.iter().flat_map(|ledger| &ledger.records).map(|record| record.content.len());
    match contents.max().filter(|longest| *longest > RAW_MAX) {
        Some(longest) => Err(too_large("a content", RAW_MAX, longest)),
        None => Ok(estimate),
    }
}

fn too_large(what: &str, limit: usize, found: usize) -> AppendError {
    let reason = format!("{what} may take {limit} bytes, this one takes {found}");
    AppendError::Unavailable { code: ErrorCode::InputTooLarge, reason }
}

/// An upper bound of the payload's size.
fn estimate(batch: &Batch) -> usize {
    const PER_ITEM: usize = 256;
    let records: usize = batch
        .ledgers
        .iter()
        .flat_map(|ledger| &ledger.records)
        .map(|record| {
            let signature = record.signature.as_ref().map_or(0, |signed| signed.bytes.len() + 32);
            PER_ITEM + record.content.len() + record.event_id.as_str().len() + signature
        })
        .sum();
    let notes: usize = batch.checkpoints.iter().map(|kept| kept.note.len() + PER_ITEM).sum();
    let rounds: usize = batch.anchored.iter().map(|round| (round.sizes.len() + 1) * 80).sum();
    records + notes + rounds + (batch.ledgers.len() + batch.positions.len() + 1) * PER_ITEM
}

/// Makes sure that the frame fits into the file being written, or begins the next one.
fn make_room(
    shared: &Shared,
    writer: &mut Writer,
    batch: &Batch,
    estimate: usize,
) -> Result<(), AppendError> {
    let options = &shared.options;
    let age = shared
        .clock
        .now()
        .micros()
        .saturating_sub(writer.first_at.map_or(i64::MAX, IngestedAt::micros));
    let aged = age > options.segment_age.as_micros() as i64;
    let records = writer.records + batch.record_count() as u64;
    let full = records > options.segment_records
        || writer.content_bytes + estimate as u64 > options.segment_content_bytes
        || writer.end + frame::frame_bytes(estimate) as u64 > writer.capacity
        || aged;
    // A segment is named by its first record: a file without any goes on, beyond its capacity.
    if full && writer.records > 0 { rotate(shared, writer) } else { Ok(()) }
}

/// Ends the log file that is being written, unless nothing is in it, and answers the number of the last
/// one that is full; `None` where none is.
pub fn end_log(shared: &Shared) -> Result<Option<u64>, AppendError> {
    let mut guard = lock(&shared.writer);
    if let Some(writer) = guard.as_mut().filter(|writer| writer.records > 0) {
        rotate(shared, writer)?;
    }
    Ok(shared.read().logs.iter().filter(|log| log.full).map(|log| log.number).max())
}

/// Begins the next log file. The full one goes to the sealer.
fn rotate(shared: &Shared, writer: &mut Writer) -> Result<(), AppendError> {
    wait_for_sealing(shared)?;
    let prepared = take_prepared(shared)?;
    let file = Arc::new(prepared.file);
    let next = Writer::new(file.clone(), prepared.nonce, prepared.capacity, writer.frame);
    let buffer = std::mem::take(&mut writer.buffer);
    *writer = Writer { buffer, ..next };
    {
        let mut state = shared.write();
        let records = state.records;
        if let Some(last) = state.logs.back_mut() {
            last.full = true;
        }
        state.logs.push_back(Log::new(prepared.number, file, records));
    }
    shared.signals.changed.notify_all();
    Ok(())
}

fn wait_for_sealing(shared: &Shared) -> Result<(), AppendError> {
    let deadline = Instant::now() + ROOM_WAIT;
    loop {
        let unsealed = shared.read().logs.len();
        if unsealed < shared.options.unsealed_logs_max {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let mut reason = format!("{unsealed} log files wait to be sealed");
            if let Some(why) = shared.read().degraded.get("sealing") {
                reason.push_str(&format!(" ({why})"));
            }
            return Err(AppendError::Unavailable { code: ErrorCode::DiskFull, reason });
        }
        let signals = shared.signals();
        drop(shared.signals.changed.wait_timeout(signals, Duration::from_millis(50)));
    }
}

fn take_prepared(shared: &Shared) -> Result<PreparedLog, AppendError> {
    let deadline = Instant::now() + ROOM_WAIT;
    let mut signals = shared.signals();
    loop {
        if let Some(prepared) = signals.prepared.take() {
            shared.signals.changed.notify_all();
            return Ok(prepared);
        }
        let failed = signals.prepare_failed.clone();
        if failed.is_some() || Instant::now() >= deadline {
            let reason = failed.unwrap_or_else(|| "the next log file is not ready".to_owned());
            return Err(AppendError::Unavailable { code: ErrorCode::DiskFull, reason });
        }
        let waited = shared.signals.changed.wait_timeout(signals, Duration::from_millis(50));
        signals = waited.map_or_else(|error| error.into_inner().0, |waited| waited.0);
    }
}

fn encode(shared: &Shared, writer: &mut Writer, batch: &Batch) -> Vec<RowPlace> {
    let state = shared.read();
    let positions: Option<Vec<(SourceName, SourcePosition)>> = (writer.end == SECTOR as u64)
        .then(|| state.positions.iter().map(|(name, at)| (name.clone(), *at)).collect());
    let ordinal = state.records;
    drop(state);
    frame::begin(&mut writer.buffer);
    let rows = payload::encode(batch, ordinal, positions.as_deref(), &mut writer.buffer);
    frame::finish(&mut writer.buffer, writer.nonce, writer.frame + 1);
    rows
}

/// A frame beyond what was written ahead gets its room before it is written, so that a full disk
/// refuses the batch and does not end the store.
fn secure_room(writer: &mut Writer) -> Result<(), AppendError> {
    if writer.buffer.len() > PAYLOAD_MAX {
        return Err(too_large("a batch", PAYLOAD_MAX, writer.buffer.len()));
    }
    let end = writer.end + writer.buffer.len() as u64;
    if end <= writer.capacity {
        return Ok(());
    }
    let file = &writer.file;
    let made = file.fill_with_zeros(writer.capacity, end).and_then(|()| file.sync_all());
    if let Err(error) = made {
        // Best effort: what is left of the zeros is written over or ignored.
        drop(file.set_len(writer.capacity));
        let reason = format!("the log file cannot be made longer: {error}");
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
            _ => ErrorCode::StorageFailed,
        };
        return Err(AppendError::Unavailable { code, reason });
    }
    writer.capacity = end;
    Ok(())
}

/// THE commit point: when this returns, the batch is durable.
fn commit(writer: &mut Writer) -> std::io::Result<()> {
    writer.file.write_all_at(&writer.buffer, writer.end)?;
    writer.file.sync_data()
}

/// Shows a durable batch to readers.
fn publish(shared: &Shared, writer: &mut Writer, batch: &Batch, rows: &[RowPlace]) {
    let payload_at = writer.end + frame::PAYLOAD_OFFSET as u64;
    let hashes = hash_ids(shared, batch);
    writer.end += writer.buffer.len() as u64;
    writer.frame += 1;
    writer.records += batch.record_count() as u64;
    let records = || batch.ledgers.iter().flat_map(|ledger| &ledger.records);
    writer.content_bytes += records().map(|record| record.content.len() as u64).sum::<u64>();
    writer.first_at = writer.first_at.or_else(|| records().next().map(|first| first.ingested_at));
    // One frame of unusual size must not be held for ever.
    writer.buffer.shrink_to(4 << 20);

    let mut state = shared.write();
    let mut rows = rows.iter();
    for (append, ids) in batch.ledgers.iter().zip(hashes) {
        add_run(&mut state, append, ids, &mut rows, payload_at);
    }
    let end = writer.end;
    state.frame = FramePlace { file: log_number(&state), frame: writer.frame, end };
    for moved in &batch.positions {
        state.positions.insert(moved.source.clone(), moved.next);
    }
    state.key_generation = state.key_generation.max(batch.key_generation);
    for new in &batch.checkpoints {
        let checkpoint = StoredCheckpoint {
            tenant: new.tenant.clone(),
            size: new.size,
            note: new.note.clone(),
            kept_for_good: new.kept_for_good,
        };
        if let Some(log) = state.logs.back_mut() {
            log.checkpoints.push(checkpoint.clone());
        }
        state.keep_checkpoint(checkpoint);
    }
    if let Some(log) = state.logs.back_mut() {
        log.anchored.extend(batch.anchored.iter().cloned());
        log.end = end;
        log.last_frame = writer.frame;
    }
}

fn log_number(state: &State) -> u64 {
    state.logs.back().map_or(0, |log| log.number)
}

type RunIds = Vec<super::ids::IdHash>;

/// Hashes all ids before the state is locked.
fn hash_ids(shared: &Shared, batch: &Batch) -> Vec<RunIds> {
    let hash_run = |append: &LedgerAppend| {
        let hash = |record: &crate::batch::NewRecord| {
            shared.hasher.hash(&append.tenant, record.event_id.as_str())
        };
        append.records.iter().map(hash).collect()
    };
    batch.ledgers.iter().map(hash_run).collect()
}

fn add_run<'a>(
    state: &mut State,
    append: &LedgerAppend,
    ids: RunIds,
    rows: &mut impl Iterator<Item = &'a RowPlace>,
    payload_at: u64,
) {
    let State { ledgers, logs, records, .. } = state;
    let Some(log) = logs.back_mut() else { return };
    let first = append.expected.size;
    let ledger = match ledgers.entry(append.tenant.clone()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(Ledger::empty()),
    };
    for ((record, row), (number, id)) in append.records.iter().zip(rows).zip((first..).zip(ids)) {
        ledger.push(ActiveRecord {
            log: log.number,
            offset: payload_at + u64::from(row.offset),
            len: row.len,
            signature_crc: signature_crc(record.signature.as_ref().map(|signed| &*signed.bytes)),
            leaf_hash: record.leaf_hash,
            record_hash: record.record_hash,
            kind: record.kind,
        });
        log.ids.insert(id, number);
    }
    ledger.head = append.head.clone();
    let count = append.records.len() as u32;
    log.order.push((append.tenant.clone(), first, count));
    log.records += u64::from(count);
    *records += u64::from(count);
}
