//! Turns full log files into segments: written beside, verified, renamed, then the log goes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_proof::{Hash, TenantId};
use thiserror::Error;

mod acknowledged;
mod log_rows;

use super::active::SealedRun;
use super::codec::Malformed;
use super::files::DataFile;
use super::head_keeper::write_head;
use super::ids::MemoryRun;
use super::idx::SegmentIndex;
use super::payload::Payload;
use super::segment::{
    self, Built, LedgerStart, Ordering, SealingKnowledge, Segment, SegmentFault, SegmentInput,
    list_digest,
};
use super::shared::{Shared, State, lock};
use crate::record::StoredCheckpoint;
use log_rows::{LogRows, read_frames, row_refs};

const RETRY: Duration = Duration::from_secs(1);
/// Pause between looks at the age of the log, and between merges that failed.
const IDLE: Duration = Duration::from_millis(500);

/// Why a log file could not be sealed. The log stays and the attempt is made again.
#[derive(Debug, Error)]
pub enum SealError {
    #[error("log file {log}: {fault}")]
    Log { log: u64, fault: String },
    #[error(transparent)]
    Segment(#[from] SegmentFault),
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `HEAD` could not be written: writing has ended.
    #[error("writing HEAD failed: {0}")]
    Head(io::Error),
}

impl From<Malformed> for SealError {
    fn from(fault: Malformed) -> Self {
        Self::Segment(fault.into())
    }
}

/// Background thread: seals full logs, oldest first, and merges runs of ids.
pub fn run(shared: &Shared) {
    while !shared.stopping() {
        let full = shared.read().logs.front().is_some_and(|log| log.full);
        if !full {
            let signals = shared.signals();
            drop(shared.signals.changed.wait_timeout(signals, IDLE));
            continue;
        }
        match seal_oldest(shared) {
            Ok(()) => {
                shared.set_degraded("sealing", None);
                merge_ids(shared);
            }
            Err(SealError::Head(error)) => {
                super::write::poison(shared, &format!("writing HEAD failed: {error}"));
                return;
            }
            Err(error) => {
                shared.set_degraded("sealing", Some(error.to_string()));
                let signals = shared.signals();
                drop(shared.signals.changed.wait_timeout(signals, RETRY));
            }
        }
    }
}

/// What is known of the log before it is read.
struct Oldest {
    number: u64,
    path: std::path::PathBuf,
    first_ordinal: u64,
    last_frame: u64,
    end: u64,
    key_generation: crate::record::KeyGeneration,
}

impl Oldest {
    fn fault(&self, fault: String) -> SealError {
        SealError::Log { log: self.number, fault }
    }
}

fn oldest(state: &State) -> Option<Oldest> {
    let log = state.logs.front().filter(|log| log.full)?;
    Some(Oldest {
        number: log.number,
        path: log.file.path().to_owned(),
        first_ordinal: log.first_ordinal,
        last_frame: log.last_frame,
        end: log.end,
        key_generation: state.key_generation,
    })
}

/// Seals the oldest full log file, if there is one.
pub fn seal_oldest(shared: &Shared) -> Result<(), SealError> {
    let Some(log) = oldest(&shared.read()) else {
        return Ok(());
    };
    let (built, index) = build(shared, &log)?;
    let path = write_segment(shared, &log, &built)?;
    let segment = Arc::new(Segment::open(&shared.files, &path, &shared.store)?);
    save_index(shared, &index, &segment);
    take_over(shared, &log, &segment, &built.ends, index.id_run(log.first_ordinal))?;
    // Both blocks: whichever is lost later, the other one knows the segment.
    for _ in 0..2 {
        write_head(shared, false).map_err(SealError::Head)?;
    }
    drop_log(shared, &log.path)?;
    shared.signals.changed.notify_all();
    Ok(())
}

/// Writes, verifies and renames the segment of a log.
fn write_segment(
    shared: &Shared,
    log: &Oldest,
    built: &Built,
) -> Result<std::path::PathBuf, SealError> {
    let path = shared.layout.segment(log.first_ordinal, 1);
    let beside = path.with_extension("seg.tmp");
    for old in [&beside, &path] {
        if old.exists() {
            shared.files.unlink(old)?;
        }
    }
    built.write(&shared.files, &beside)?;
    built.compare(&shared.files, &beside)?;
    shared.files.open_for_reading(&beside)?.make_read_only()?;
    shared.files.rename(&beside, &path)?;
    shared.files.sync_directory(&shared.layout.segments())?;
    Ok(path)
}

/// Makes segment and index in memory, from two readings of the log.
fn build(shared: &Shared, log: &Oldest) -> Result<(Built, SegmentIndex), SealError> {
    let file = shared.files.open_for_reading(&log.path)?;
    let input = input(shared, log, &file)?;
    let mut rows = LogRows::new(shared, &file, SegmentIndex::begin(&input.rows));
    let built = segment::build(&input, &mut rows, shared);
    let built = built.map_err(|fault| log.fault(fault.to_string()))?;
    Ok((built, rows.index.finish()))
}

impl SealingKnowledge for Shared {
    fn start_of(&self, tenant: &TenantId) -> LedgerStart {
        match self.read().ledgers.get(tenant) {
            Some(ledger) => ledger.sealed_end.clone(),
            None => super::active::Ledger::empty().sealed_end,
        }
    }

    fn record_hash(&self, tenant: &TenantId, number: u64) -> Option<Hash> {
        let state = self.read();
        Some(state.ledgers.get(tenant)?.active_record(number)?.record_hash)
    }
}

/// The first reading: everything but contents, and where those stand.
fn input(shared: &Shared, log: &Oldest, file: &DataFile) -> Result<SegmentInput, SealError> {
    let mut rows = Ordering::default();
    let mut positions = BTreeMap::new();
    let (mut checkpoints, mut anchored) = (State::empty(), Vec::new());
    let mut last = 0;
    let read = read_frames(file, &shared.store, log.end, |frame, at| {
        last = frame.number;
        let payload = Payload::decode(frame.payload).map_err(|fault| fault.to_string())?;
        for run in &payload.runs {
            rows.add(&run.tenant, run.first, row_refs(run, at));
        }
        positions.extend(payload.all_positions);
        positions.extend(payload.moved_positions);
        payload.checkpoints.into_iter().for_each(|kept| checkpoints.keep_checkpoint(kept));
        anchored.extend(payload.anchored);
        Ok(())
    });
    read.map_err(|fault| log.fault(fault))?;
    if last != log.last_frame {
        return Err(log.fault(format!("it ends at frame {last} instead of {}", log.last_frame)));
    }
    Ok(SegmentInput {
        store: shared.store,
        first_ordinal: log.first_ordinal,
        log_number: log.number,
        last_frame: log.last_frame,
        key_generation: log.key_generation,
        rows: rows.finish(),
        positions: positions.into_iter().collect(),
        checkpoints: worth_keeping(checkpoints),
        anchored,
    })
}

/// Of the checkpoints in one log: the newest of each ledger, and those kept for good.
fn worth_keeping(state: State) -> Vec<StoredCheckpoint> {
    let mut kept: Vec<_> = state.checkpoints.into_values().flatten().collect();
    kept.sort_by(|a, b| (&a.tenant, a.size).cmp(&(&b.tenant, b.size)));
    kept
}

/// The index is derived: what is in memory serves, and the next opening writes what is missing.
fn save_index(shared: &Shared, index: &SegmentIndex, segment: &Segment) {
    let saved = index.save(&shared.files, segment, &shared.binding(Vec::new()));
    let trouble = saved.err().map(|error| format!("writing an index failed: {error}"));
    shared.set_degraded("index", trouble);
}

/// Moves the log's records from the active part to the sealed one.
fn take_over(
    shared: &Shared,
    log: &Oldest,
    segment: &Arc<Segment>,
    ends: &[(TenantId, LedgerStart)],
    ids: MemoryRun,
) -> Result<(), SealError> {
    let directory = segment.directory()?;
    let mut state = shared.write();
    let place = state.segments.len() as u32;
    for ((offset, entry), (tenant, end)) in directory.iter().zip(ends) {
        debug_assert_eq!(&entry.tenant, tenant);
        if let Some(ledger) = state.ledgers.get_mut(tenant) {
            let records = entry.records as u32;
            let run = SealedRun { first: entry.first, records, segment: place, entry: *offset };
            ledger.seal(run, log.number, end.clone());
        }
    }
    state.segments.push(segment.clone());
    state.segments_digest = list_digest(state.segments.iter().map(|segment| segment.header()));
    state.ids.push(ids);
    state.logs.pop_front();
    Ok(())
}

/// Removes a sealed log file. A reader in another process that has it open can go on reading it,
/// which is why its blocks are not used again for the next one.
fn drop_log(shared: &Shared, path: &Path) -> Result<(), SealError> {
    shared.files.unlink(path)?;
    shared.files.sync_directory(&shared.layout.logs())?;
    Ok(())
}

/// Merges runs of ids until none is due. A failure leaves the old runs in use.
pub fn merge_ids(shared: &Shared) {
    let directory = shared.layout.ids();
    loop {
        let _no_segment_is_replaced = lock(&shared.deriving);
        let (tiers, segments) = {
            let state = shared.read();
            (state.ids.clone(), state.segments.clone())
        };
        match tiers.merge_once(&shared.files, &directory, &shared.binding(segments)) {
            Ok(Some(merged)) => {
                let unused = merged.unused(&directory);
                shared.write().ids = merged;
                // A file that stays is swept at the next merge.
                unused.iter().for_each(|path| drop(shared.files.unlink(path)));
            }
            Ok(None) => return shared.set_degraded("ids", None),
            Err(fault) => {
                return shared.set_degraded("ids", Some(format!("merging ids failed: {fault}")));
            }
        }
    }
}
