//! Drops contents: every segment that holds some is written anew without them, and the old one goes.
//!
//! The next generation is written beside, compared with the old one, and renamed; `HEAD` names it in
//! both blocks; only then is the old one removed. Whatever a crash leaves beside the generation that
//! `HEAD` names is no part of the store, and the next call removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;

use super::active::SealedRun;
use super::files::Files;
use super::head_keeper::write_head;
use super::idx::{self, SegmentIndex};
use super::segment::{self, NextGeneration, Segment, SegmentFault, Unlike, list_digest};
use super::segment_list::SegmentFiles;
use super::shared::{Shared, lock};
use super::write;
use crate::error::AppendError;
use crate::retention::{DropError, DropPlan, DropReport, RewrittenContainer};

/// How long [`settle`] waits for what is full to be sealed.
const SEALING_WAIT: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(50);

/// Drops what the plan names, segment by segment.
pub fn drop_contents(shared: &Shared, plan: &DropPlan) -> Result<DropReport, DropError> {
    let _one_at_a_time = lock(&shared.dropping);
    let mut report = DropReport::default();
    let mut failed = None;
    let mut done = BTreeSet::new();
    // A log may be sealed meanwhile: then its segment has its turn.
    while let Some(places) = next_places(shared, plan, &done, &mut report) {
        for place in places {
            done.insert(place);
            match drop_in(shared, place, plan, &mut report) {
                Ok(()) => {}
                Err(error @ DropError::Unknown { .. }) => return Err(error),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
    }
    if !report.rewritten.is_empty() {
        bind_ids(shared);
    }
    failed.map_or(Ok(report), Err)
}

/// The segments with records of the plan that are not done; `None` when there are none, and what is
/// waiting then is in the report.
fn next_places(
    shared: &Shared,
    plan: &DropPlan,
    done: &BTreeSet<u32>,
    report: &mut DropReport,
) -> Option<BTreeSet<u32>> {
    let state = shared.read();
    let mut places = BTreeSet::new();
    let mut waiting = BTreeMap::new();
    for (tenant, numbers) in plan.iter() {
        let Some(ledger) = state.ledgers.get(tenant) else { continue };
        let holds = |run: &&SealedRun| numbers.meets(run.first..run.first + u64::from(run.records));
        let left = ledger.sealed.iter().filter(|run| !done.contains(&run.segment)).filter(holds);
        places.extend(left.map(|run| run.segment));
        let unsealed = numbers.within(ledger.active_first()..ledger.head.size());
        if !unsealed.is_empty() {
            waiting.insert(tenant.clone(), unsealed);
        }
    }
    report.waiting = waiting;
    Some(places).filter(|places| !places.is_empty())
}

/// Ends the log that is being written, and waits until everything up to there is sealed.
pub fn settle(shared: &Shared) -> Result<(), DropError> {
    refuse(shared)?;
    let last = write::end_log(shared).map_err(|error| match error {
        AppendError::Unavailable { code, reason } => DropError::Unavailable { code, reason },
        other => DropError::Unavailable { code: other.code(), reason: other.to_string() },
    })?;
    let deadline = Instant::now() + SEALING_WAIT;
    while shared.read().logs.front().is_some_and(|log| last.is_some_and(|last| log.number <= last))
    {
        refuse(shared)?;
        if Instant::now() >= deadline {
            let mut reason = "what is being written was not sealed in time".to_owned();
            if let Some(why) = shared.read().degraded.get("sealing") {
                reason.push_str(&format!(" ({why})"));
            }
            return Err(DropError::Unavailable { code: ErrorCode::ContentsWaiting, reason });
        }
        let signals = shared.signals();
        drop(shared.signals.changed.wait_timeout(signals, LOOK));
    }
    Ok(())
}

/// Whether anything may be written at this moment.
fn refuse(shared: &Shared) -> Result<(), DropError> {
    let unavailable =
        |code, reason: &str| Err(DropError::Unavailable { code, reason: reason.to_owned() });
    if lock(&shared.writer).is_none() {
        return unavailable(ErrorCode::ReadOnlyStorage, "the store is open for reading");
    }
    if shared.stopping() {
        return unavailable(ErrorCode::ShuttingDown, "the store is being closed");
    }
    let state = shared.read();
    if let Some(reason) = &state.lost {
        return Err(DropError::Unknown { reason: reason.clone() });
    }
    match &state.read_only {
        Some(reason) => unavailable(ErrorCode::StoreDamaged, reason),
        None => Ok(()),
    }
}

/// Drops what the plan names of one segment.
fn drop_in(
    shared: &Shared,
    place: u32,
    plan: &DropPlan,
    report: &mut DropReport,
) -> Result<(), DropError> {
    refuse(shared)?;
    let Some(old) = shared.read().segments.get(place as usize).cloned() else {
        return Ok(());
    };
    remove_superseded(shared, &old).map_err(|error| unavailable(shared, &old, &error))?;
    let dropping = |tenant: &TenantId| plan.numbers(tenant);
    let next = segment::without(&old, &shared.store, &dropping);
    let Some(next) = next.map_err(|fault| damaged(shared, &old, fault))? else {
        return Ok(());
    };
    let opened = write_next(shared, &old, &next, &dropping);
    let opened = opened.map_err(|fault| damaged(shared, &old, fault))?;
    take_over(shared, place, &old, &opened)?;
    report.dropped += next.dropped;
    let bytes = |segment: &Segment| segment.header().file_bytes();
    report.freed_bytes += bytes(&old).saturating_sub(bytes(&opened));
    report.rewritten.push(RewrittenContainer {
        first: old.header().first_ordinal,
        old_generation: old.header().generation,
        new_generation: next.generation,
    });
    shared.blocks.forget(place);
    remove_superseded(shared, &opened).map_err(|error| unavailable(shared, &old, &error))
}

fn unavailable(shared: &Shared, segment: &Segment, error: &io::Error) -> DropError {
    let file = shared.layout.relative(segment.path());
    let code = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        ErrorKind::ReadOnlyFilesystem => ErrorCode::ReadOnlyStorage,
        _ => ErrorCode::StorageFailed,
    };
    let reason = format!("writing {} anew failed: {error}", file.display());
    DropError::Unavailable { code, reason }
}

fn damaged(shared: &Shared, segment: &Segment, fault: impl Into<Unlike>) -> DropError {
    match fault.into() {
        Unlike::Unreadable(SegmentFault::Io(error)) => unavailable(shared, segment, &error),
        fault => {
            let file = shared.layout.relative(segment.path());
            let reason = format!("{} cannot be written anew: {fault}", file.display());
            DropError::Unavailable { code: ErrorCode::RecordDamaged, reason }
        }
    }
}

/// Writes, compares and renames the next generation, and opens it with its index beside it.
fn write_next(
    shared: &Shared,
    old: &Segment,
    next: &NextGeneration,
    dropping: segment::Dropping<'_>,
) -> Result<Arc<Segment>, Unlike> {
    let path = shared.layout.segment(old.header().first_ordinal, next.generation);
    let beside = path.with_extension("seg.tmp");
    let written = write_beside(shared, old, next, &beside, dropping);
    if let Err(fault) = written {
        // Best effort: it is in nobody's way, and the next attempt removes it too.
        drop(shared.files.unlink(&beside));
        return Err(fault);
    }
    let renamed = shared.files.rename(&beside, &path);
    let synced = renamed.and_then(|()| shared.files.sync_directory(&shared.layout.segments()));
    synced.map_err(SegmentFault::from)?;
    let opened = Segment::open(&shared.files, &path, &shared.store)?;
    save_index(shared, old, &opened)?;
    Ok(Arc::new(opened))
}

fn write_beside(
    shared: &Shared,
    old: &Segment,
    next: &NextGeneration,
    beside: &Path,
    dropping: segment::Dropping<'_>,
) -> Result<(), Unlike> {
    let files = &shared.files;
    let io = |result: io::Result<()>| result.map_err(SegmentFault::from);
    io(remove_if_there(files, beside).map(drop))?;
    io(next.built.write(files, beside))?;
    io(next.built.compare(files, beside))?;
    segment::compare(old, &Segment::open(files, beside, &shared.store)?, dropping)?;
    let made = files.open_for_reading(beside).and_then(|file| file.make_read_only());
    Ok(io(made)?)
}

/// The index says the same of both generations; only what binds it to its segment is another.
fn save_index(shared: &Shared, old: &Segment, next: &Segment) -> Result<(), SegmentFault> {
    let binding = shared.binding(Vec::new());
    let fits = |index: &SegmentIndex| index.ids.len() as u64 == old.header().records;
    let index = match SegmentIndex::load(old, &binding).ok().flatten().filter(fits) {
        Some(index) => index,
        None => SegmentIndex::build(next, &shared.hasher)?,
    };
    let saved = index.save(&shared.files, next, &binding);
    let trouble = saved.err().map(|error| format!("writing an index failed: {error}"));
    shared.set_degraded("index", trouble);
    Ok(())
}

/// Puts the next generation in the old one's place: for readers, and in `HEAD`.
fn take_over(
    shared: &Shared,
    place: u32,
    old: &Segment,
    next: &Arc<Segment>,
) -> Result<(), DropError> {
    let entries = next.directory().map_err(|fault| damaged(shared, old, fault))?;
    let _nothing_derived_is_written = lock(&shared.deriving);
    {
        let mut state = shared.write();
        for (offset, entry) in &entries {
            let Some(ledger) = state.ledgers.get_mut(&entry.tenant) else { continue };
            let at = ledger.sealed.partition_point(|run| run.first < entry.first);
            if let Some(run) = ledger.sealed.get_mut(at).filter(|run| run.segment == place) {
                run.entry = *offset;
            }
        }
        if let Some(segment) = state.segments.get_mut(place as usize) {
            *segment = next.clone();
        }
        state.segments_digest = list_digest(state.segments.iter().map(|segment| segment.header()));
    }
    // Both blocks: whichever is lost later, the other one knows the next generation.
    for _ in 0..2 {
        if let Err(error) = write_head(shared, false) {
            let reason = format!("writing HEAD failed: {error}");
            write::poison(shared, &reason);
            return Err(DropError::Unknown { reason });
        }
    }
    Ok(())
}

/// Removes what is beside a segment and not it: the index first, so that none is left without its
/// segment.
fn remove_superseded(shared: &Shared, segment: &Segment) -> io::Result<()> {
    let files = SegmentFiles::list(&shared.layout)?;
    let found: Vec<&Path> = files.superseded(segment).collect();
    for path in &found {
        remove_if_there(&shared.files, &idx::path_of(path))?;
        remove_if_there(&shared.files, path)?;
    }
    if found.is_empty() {
        return Ok(());
    }
    shared.files.sync_directory(&shared.layout.segments())
}

fn remove_if_there(files: &Files, path: &Path) -> io::Result<()> {
    match files.unlink(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Binds the merged ids to the segments as they are now. What fails is made again at the next opening.
fn bind_ids(shared: &Shared) {
    let _nothing_else_is_derived = lock(&shared.deriving);
    let (tiers, segments) = {
        let state = shared.read();
        (state.ids.clone(), state.segments.clone())
    };
    let bound = tiers.bind(&shared.files, &shared.binding(segments));
    if let Err(fault) = bound {
        shared.set_degraded("ids", Some(format!("binding ids anew failed: {fault}")));
    }
}
