//! From what was loaded to a store that may be written: torn bytes are kept aside, half-made files
//! go, and everything accepted is made durable before it is served.

use std::io;
use std::sync::Arc;

use ledgerstone_proof::sha256;

use super::files::DataFile;
use super::frame::{BadFrame, SECTOR};
use super::load::{Loaded, list};
use super::open::{OpenError, TornTail};
use super::prepare::prepare;
use super::replay::LogBytes;
use super::shared::{Log, Shared};
use super::write::Writer;

/// Makes what was accepted durable before anything is served: see «recovered is not durable».
/// Answers the writer that goes on after the last frame.
pub fn take_over(shared: &Shared, mut loaded: Loaded) -> Result<(Writer, Loaded), OpenError> {
    let failed = |what: &'static str| move |error| OpenError::io(what, error);
    let files = &shared.files;
    make_missing_directories(shared)?;
    for path in loaded.unfinished.drain(..).chain(loaded.leftovers.drain(..)) {
        files.unlink(&path).map_err(failed("removing a superseded file failed"))?;
    }
    remove_beside(shared)?;
    let head_file = loaded.head.as_ref().map_or(0, |head| head.last_frame.file);
    let mut last = None;
    let logs = std::mem::take(&mut loaded.logs);
    for (log, torn) in logs {
        let mut rewrite = loaded.report.unclean && log.header.number >= head_file;
        if let Some(bad) = torn {
            loaded.report.torn.push(keep_aside(shared, &log, &bad)?);
            // Nothing of it may lie behind the frames that are written next.
            rewrite = true;
        }
        let file = if rewrite { rewritten(shared, &log)? } else { log.file.clone() };
        file.sync_all().map_err(failed("syncing a log file failed"))?;
        last = Some((log, file));
    }
    files
        .sync_directory(&shared.layout.logs())
        .map_err(failed("syncing the log directory failed"))?;
    let writer = continue_writing(shared, last, &mut loaded)?;
    Ok((writer, loaded))
}

/// Copies of a directory often come without its empty folders.
fn make_missing_directories(shared: &Shared) -> Result<(), OpenError> {
    let missing: Vec<_> =
        shared.layout.directories().into_iter().filter(|path| !path.is_dir()).collect();
    for directory in &missing {
        let failed = |error| OpenError::io(format!("making {} failed", directory.display()), error);
        super::files::make_directory(directory).map_err(failed)?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let failed = |error| OpenError::io("syncing the data directory failed", error);
    shared.files.sync_directory(shared.layout.root()).map_err(failed)
}

/// Removes what a crash left half made.
fn remove_beside(shared: &Shared) -> Result<(), OpenError> {
    for directory in [shared.layout.logs(), shared.layout.segments(), shared.layout.ids()] {
        for path in list(&directory)? {
            let half_made = path.extension().is_some_and(|extension| extension == "tmp");
            if half_made {
                shared
                    .files
                    .unlink(&path)
                    .map_err(|error| OpenError::io("removing a half-made file failed", error))?;
            }
        }
    }
    Ok(())
}

fn keep_aside(shared: &Shared, log: &LogBytes, bad: &BadFrame) -> Result<TornTail, OpenError> {
    let bytes = log.bytes.get(bad.start..bad.end).unwrap_or_default();
    let name = format!("{:012}-{:012}.cut", log.header.number, bad.start);
    let path = shared.layout.cut().join(name);
    shared
        .files
        .replace(&path, bytes, 0o640)
        .map_err(|error| OpenError::io("keeping torn bytes aside failed", error))?;
    Ok(TornTail {
        file: shared.layout.relative(log.file.path()),
        offset: bad.start as u64,
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
        kept_in: Some(shared.layout.relative(&path)),
    })
}

/// Copies the accepted frames of a log file into a new synced file of the same name.
fn rewritten(shared: &Shared, log: &LogBytes) -> Result<Arc<DataFile>, OpenError> {
    let failed = |error| OpenError::io("copying the log after an unclean stop failed", error);
    let end = shared
        .read()
        .logs
        .iter()
        .find(|known| known.number == log.header.number)
        .map_or(SECTOR, |known| known.end as usize);
    let path = log.file.path();
    let beside = path.with_extension("tmp");
    let file = shared.files.create(&beside).map_err(failed)?;
    file.write_all_at(log.bytes.get(..end).unwrap_or_default(), 0).map_err(failed)?;
    file.fill_with_zeros(end as u64, log.bytes.len() as u64).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    shared.files.rename(&beside, path).map_err(failed)?;
    shared.files.sync_directory(&shared.layout.logs()).map_err(failed)?;
    let file = Arc::new(shared.files.open_for_writing(path).map_err(failed)?);
    let mut state = shared.write();
    if let Some(known) = state.logs.iter_mut().find(|known| known.number == log.header.number) {
        known.file = file.clone();
    }
    Ok(file)
}

fn continue_writing(
    shared: &Shared,
    last: Option<(LogBytes, Arc<DataFile>)>,
    loaded: &mut Loaded,
) -> Result<Writer, OpenError> {
    let mut state = shared.write();
    let frame = state.frame.frame;
    let count = state.logs.len();
    for log in state.logs.iter_mut().take(count.saturating_sub(1)) {
        log.full = true;
    }
    if let Some((bytes, file)) = last {
        let known = state.logs.back();
        let (end, records) = known.map_or((SECTOR as u64, 0), |log| (log.end, log.records));
        let first_at = known.and_then(|log| log.first_at);
        let mut writer = Writer::new(file, bytes.header.nonce, bytes.bytes.len() as u64, frame);
        writer.end = end;
        writer.records = records;
        writer.content_bytes = end;
        // A restart makes nothing younger: what waits for the end of this file waits a day and no more.
        writer.first_at = first_at;
        return Ok(writer);
    }
    // No log file holds a frame: the prepared one begins, or the first is made.
    let prepared = match loaded.prepared.take() {
        Some(prepared) => prepared,
        None => {
            let number = state.segments.last().map_or(0, |s| s.header().log_number) + 1;
            prepare(shared, number, 0)
                .map_err(|error| OpenError::io("making the first log file failed", error))?
        }
    };
    let file = Arc::new(prepared.file);
    let records = state.records;
    state.logs.push_back(Log::new(prepared.number, file.clone(), records));
    Ok(Writer::new(file, prepared.nonce, prepared.capacity, frame))
}

/// Without a living writer, what a reader shows must be durable too: a crashed writer's last
/// bytes may be in memory only.
pub fn sync_logs(loaded: &Loaded) -> Result<(), OpenError> {
    for (log, _) in &loaded.logs {
        match log.file.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::ReadOnlyFilesystem => {
                return Err(OpenError::io("syncing a log file failed", error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Torn tails as a reader tells of them: nothing is cut.
pub fn torn_of(shared: &Shared, loaded: &Loaded) -> Vec<TornTail> {
    let torn = |(log, bad): &(LogBytes, Option<BadFrame>)| {
        let bad = bad.as_ref()?;
        let bytes = log.bytes.get(bad.start..bad.end).unwrap_or_default();
        Some(TornTail {
            file: shared.layout.relative(log.file.path()),
            offset: bad.start as u64,
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
            kept_in: None,
        })
    };
    loaded.logs.iter().filter_map(torn).collect()
}
