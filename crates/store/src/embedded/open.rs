//! Opening a data directory: what is accepted, what is cut, what is damage, and what is refused.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Hash, VerifyingKey, sha256};
use thiserror::Error;

use super::files::{DataFile, Files};
use super::format_file::{FormatFault, FormatFile};
use super::frame::{BadFrame, SECTOR};
use super::head_file::{BLOCK_BYTES, HeadFile, HeadState};
use super::layout::{Layout, log_number, segment_name};
use super::log_file::LogHeader;
use super::prepare::PreparedLog;
use super::replay::{Ended, LogBytes, Replay};
use super::segment::{Segment, SegmentHeader, list_digest};
use super::shared::{Shared, State};
use super::write::Writer;
use super::{StoreId, sealed_load};
use crate::key_file::KeyFileError;
use crate::record::{Check, ContainerFinding, Location};

/// What a directory is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Takes the lock; cuts a torn tail; may append.
    Write,
    /// Takes no lock and changes nothing but, without a living writer, syncs the log.
    Read,
}

/// Why a directory cannot be opened at all.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("{} is not a data directory: it has no {missing}", path.display())]
    NotADataDirectory { path: PathBuf, missing: &'static str },
    #[error("{} already holds something", path.display())]
    NotEmpty { path: PathBuf },
    #[error("another process is writing to {}", path.display())]
    Locked { path: PathBuf },
    #[error("its {container} files are of version {version}, which this program does not know")]
    UnknownVersion { container: String, version: String },
    #[error("FORMAT is damaged: {0}")]
    Format(String),
    #[error("keys/store.key cannot be used: {0}")]
    Key(#[from] KeyFileError),
    #[error("keys/store.key is missing, and only a process that has it may write")]
    KeyMissing,
    #[error("keys/store.key is not the key that FORMAT names")]
    KeyMismatch,
    #[error("{what}: {source}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotADataDirectory { .. } => ErrorCode::NotADataDirectory,
            Self::NotEmpty { .. } => ErrorCode::DataDirectoryNotEmpty,
            Self::Locked { .. } => ErrorCode::StoreLocked,
            Self::UnknownVersion { .. } => ErrorCode::UnsupportedFormatVersion,
            Self::Format(_) | Self::KeyMismatch => ErrorCode::StoreDamaged,
            Self::Key(_) | Self::KeyMissing => ErrorCode::InvalidKey,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                io::ErrorKind::ReadOnlyFilesystem => ErrorCode::ReadOnlyStorage,
                _ => ErrorCode::StorageFailed,
            },
        }
    }
}

/// A write that was cut short before the last opening, and has been cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Log file, relative to the data directory.
    pub file: PathBuf,
    pub offset: u64,
    pub bytes: u64,
    pub sha256: Hash,
    /// Where the bytes are kept aside; `None` when the store was opened for reading.
    pub kept_in: Option<PathBuf>,
}

/// What opening found.
#[derive(Clone, Debug, Default)]
pub struct OpeningReport {
    /// The last process did not stop in order.
    pub unclean: bool,
    pub torn: Vec<TornTail>,
    pub findings: Vec<ContainerFinding>,
    /// A living process is writing; only what `HEAD` covers is shown.
    pub living_writer: bool,
    /// Why nothing may be written.
    pub read_only: Option<String>,
}

/// Reads `FORMAT`.
pub fn read_format(layout: &Layout) -> Result<FormatFile, OpenError> {
    let path = layout.root().to_owned();
    let text = match std::fs::read(layout.format()) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| OpenError::Format("it is not text".to_owned()))?
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Err(OpenError::NotADataDirectory { path, missing: "FORMAT" });
        }
        Err(error) => return Err(OpenError::io("reading FORMAT failed", error)),
    };
    FormatFile::decode(&text).map_err(|fault| match fault {
        FormatFault::Damaged(what) => OpenError::Format(what),
        FormatFault::UnknownVersion { container, version } => {
            OpenError::UnknownVersion { container, version }
        }
    })
}

/// The key that verifies `HEAD`, as `FORMAT` names it.
pub fn store_key_of(shared: &Shared) -> Option<VerifyingKey> {
    read_format(&shared.layout).ok().map(|format| format.store_key)
}

/// Takes the writer's lock.
pub fn take_lock(layout: &Layout) -> Result<std::fs::File, OpenError> {
    let path = layout.lock();
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| OpenError::io("opening LOCK failed", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: layout.root().to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io("locking LOCK failed", error)),
    }
}

/// Whether some process holds the writer's lock.
pub fn living_writer(layout: &Layout) -> bool {
    let Ok(file) = std::fs::File::open(layout.lock()) else {
        return false;
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// What is wrong with the blocks of `HEAD`.
pub fn head_faults(head: &HeadFile) -> Vec<ContainerFinding> {
    let finding = |(block, fault): &(usize, super::codec::Malformed)| ContainerFinding {
        check: Check::Head,
        location: Location {
            file: "HEAD".into(),
            offset: (block * BLOCK_BYTES + fault.offset) as u64,
        },
        tenant: None,
        sequence_number: None,
        expected: format!("block {block} as it was written"),
        found: fault.what.to_owned(),
    };
    head.faults.iter().map(finding).collect()
}

/// What loading leaves for the writer.
pub struct Loaded {
    pub report: OpeningReport,
    pub head: Option<HeadState>,
    /// Log files that hold frames, in order, and how each ended.
    pub logs: Vec<(LogBytes, Option<BadFrame>)>,
    /// The last log file, when it has a header and no frame.
    pub prepared: Option<PreparedLog>,
    /// Log files of sealed segments, to be removed.
    pub leftovers: Vec<PathBuf>,
    /// Segments that `HEAD` does not know yet and whose log is still there, to be removed.
    pub unfinished: Vec<PathBuf>,
}

/// Loads everything into `shared.state`; changes nothing on disk.
pub fn load(shared: &Shared, key: &VerifyingKey, living_writer: bool) -> Result<Loaded, OpenError> {
    let bytes = std::fs::read(shared.layout.head()).unwrap_or_default();
    let head = HeadFile::decode(&bytes, &shared.store, key);
    let mut state = State::empty();
    state.findings = head_faults(&head);
    let logs = list_logs(shared)?;
    let (segments, unfinished) = accept_segments(shared, &mut state, head.state.as_ref(), &logs)?;
    sealed_load::load(shared, &mut state, segments);
    let sealed_log = state.segments.last().map_or(0, |segment| segment.header().log_number);
    let sealed_frame = state.segments.last().map_or(0, |segment| segment.header().last_frame);
    state.frame.frame = sealed_frame;
    let (leftovers, logs): (Vec<_>, Vec<_>) = logs.into_iter().partition(|log| log.0 <= sealed_log);
    let mut loaded = Loaded {
        report: OpeningReport { living_writer, ..OpeningReport::default() },
        head: head.state.clone(),
        logs: Vec::new(),
        prepared: None,
        leftovers: leftovers.into_iter().map(|log| log.1).collect(),
        unfinished,
    };
    let files = read_logs(shared, &mut state, sealed_log, logs)?;
    replay(shared, &mut state, &mut loaded, files)?;
    judge(&mut state, &mut loaded);
    *shared.write() = state;
    Ok(loaded)
}

/// Log files by number.
fn list_logs(shared: &Shared) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let logs = list(&shared.layout.logs())?;
    let mut logs: Vec<_> =
        logs.into_iter().filter_map(|path| Some((log_number(&path)?, path))).collect();
    logs.sort();
    Ok(logs)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |error| OpenError::io(format!("listing {} failed", directory.display()), error);
    match std::fs::read_dir(directory) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Opens the segments and compares their list with `HEAD`. A segment whose log file is still
/// there may be newer than `HEAD`; it is then made again from the log.
#[expect(clippy::type_complexity, reason = "two lists, named where they are taken")]
fn accept_segments(
    shared: &Shared,
    state: &mut State,
    head: Option<&HeadState>,
    logs: &[(u64, PathBuf)],
) -> Result<(Vec<Arc<Segment>>, Vec<PathBuf>), OpenError> {
    let mut segments: BTreeMap<(u64, u32), Arc<Segment>> = BTreeMap::new();
    for path in list(&shared.layout.segments())? {
        let Some(name) = segment_name(&path) else {
            continue;
        };
        match Segment::open(&shared.files, &path, &shared.store) {
            Ok(segment) => drop(segments.insert(name, Arc::new(segment))),
            Err(fault) => {
                let expected = "a segment of this store";
                state.findings.push(section(shared, &path, expected, &fault.to_string()));
            }
        }
    }
    let mut segments: Vec<_> = segments.into_values().collect();
    let Some(head) = head else {
        return Ok((segments, Vec::new()));
    };
    let digest = |segments: &[Arc<Segment>]| list_digest(segments.iter().map(|s| s.header()));
    let mut unfinished = Vec::new();
    let has_log = |header: &SegmentHeader| logs.iter().any(|log| log.0 == header.log_number);
    let all = segments.clone();
    while digest(&segments) != head.segments_digest {
        match segments.pop() {
            Some(segment) if has_log(segment.header()) => {
                unfinished.push(segment.path().to_owned());
            }
            _ => {
                let expected =
                    format!("segments whose list has SHA-256 {}", head.segments_digest.to_hex());
                let found = digest(&all).to_hex();
                let directory = shared.layout.segments();
                state.findings.push(section(shared, &directory, &expected, &found));
                return Ok((all, Vec::new()));
            }
        }
    }
    Ok((segments, unfinished))
}

fn section(shared: &Shared, path: &Path, expected: &str, found: &str) -> ContainerFinding {
    ContainerFinding {
        check: Check::Section,
        location: Location { file: shared.layout.relative(path), offset: 0 },
        tenant: None,
        sequence_number: None,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

/// Reads the unsealed log files into memory. They must be numbered without a gap.
fn read_logs(
    shared: &Shared,
    state: &mut State,
    sealed: u64,
    logs: Vec<(u64, PathBuf)>,
) -> Result<Vec<LogBytes>, OpenError> {
    let mut read = Vec::new();
    for ((number, path), expected) in logs.into_iter().zip(sealed + 1..) {
        let finding = |check, expected: String, found: &str| ContainerFinding {
            check,
            ..section(shared, &path, &expected, found)
        };
        if number != expected {
            let expected = format!("log file {expected}");
            state.findings.push(finding(Check::Frame, expected, &format!("log file {number}")));
            break;
        }
        let failed = |error| OpenError::io(format!("reading {} failed", path.display()), error);
        let file = if shared.key.is_some() {
            shared.files.open_for_writing(&path)
        } else {
            shared.files.open_for_reading(&path)
        };
        let file = Arc::new(file.map_err(failed)?);
        let bytes = std::fs::read(&path).map_err(failed)?;
        match LogHeader::decode(&bytes, &shared.store) {
            Ok(header) if header.number == number => {
                read.push(LogBytes { header, file, bytes, followed: false });
            }
            Ok(_) => {
                let expected = format!("the header of log file {number}");
                state.findings.push(finding(Check::Frame, expected, "another file's header"));
                break;
            }
            Err(fault) => {
                let expected = "a readable log header".to_owned();
                state.findings.push(finding(Check::Frame, expected, fault.what));
                break;
            }
        }
    }
    let has_frames = |log: &LogBytes| log.bytes.iter().skip(SECTOR).any(|byte| *byte != 0);
    let last_with_frames = read.iter().rposition(has_frames);
    for (place, log) in read.iter_mut().enumerate() {
        log.followed = last_with_frames.is_some_and(|last| place < last);
    }
    Ok(read)
}

/// Replays the logs and sorts out how the last one ended.
fn replay(
    shared: &Shared,
    state: &mut State,
    loaded: &mut Loaded,
    files: Vec<LogBytes>,
) -> Result<(), OpenError> {
    let head = loaded.head.clone();
    let head_met = head.as_ref().is_some_and(|head| head.last_frame.frame == state.frame.frame);
    let mut replay = Replay {
        shared,
        state,
        head: head.as_ref(),
        stop_at_head: loaded.report.living_writer,
        head_met,
    };
    let damaged_before = !replay.state.findings.is_empty();
    let mut damaged = false;
    for log in files {
        let empty = !log.followed && log.bytes.iter().skip(SECTOR).all(|byte| *byte == 0);
        if empty
            && (!loaded.logs.is_empty()
                || loaded.prepared.is_some()
                || !replay.state.segments.is_empty())
        {
            match loaded.prepared {
                None => loaded.prepared = prepared(log),
                // Made ahead, twice: the second one is made again when it is needed.
                Some(_) => loaded.leftovers.push(log.file.path().to_owned()),
            }
            continue;
        }
        let ended = replay.log(&log);
        let torn = match ended {
            Ended::Clean => None,
            Ended::Torn(bad) => Some(bad),
            Ended::Damaged => {
                damaged = true;
                None
            }
        };
        loaded.logs.push((log, torn));
        if damaged {
            break;
        }
    }
    let met = replay.head_met;
    if let Some(head) = head.filter(|_| !met && !damaged && !damaged_before) {
        let place = head.last_frame;
        let file = shared.layout.relative(&shared.layout.log(place.file));
        let found = format!("an end after frame {}", state.frame.frame);
        state.findings.push(ContainerFinding {
            check: Check::Truncated,
            location: Location { file, offset: place.end },
            tenant: None,
            sequence_number: None,
            expected: format!("frame {} and {} records, as HEAD says", place.frame, head.records),
            found,
        });
    }
    Ok(())
}

fn prepared(log: LogBytes) -> Option<PreparedLog> {
    let capacity = log.bytes.len() as u64;
    let LogHeader { number, nonce } = log.header;
    let file: DataFile = Arc::into_inner(log.file)?;
    Some(PreparedLog { number, nonce, file, capacity })
}

/// Decides from the findings whether the store may be written.
fn judge(state: &mut State, loaded: &mut Loaded) {
    let report = &mut loaded.report;
    report.unclean = !loaded.head.as_ref().is_some_and(|head| head.clean_stop);
    // One bad block of HEAD is named, and the other one serves.
    let fatal = |finding: &&ContainerFinding| {
        finding.check != Check::Head || finding.location.file != Path::new("HEAD")
    };
    if let Some(finding) = state.findings.iter().find(fatal) {
        let place = finding.location.file.display();
        state.read_only = Some(format!("{} in {place}: {}", finding.check, finding.found));
    } else if loaded.head.is_none() {
        state.read_only = Some("neither block of HEAD can be read".to_owned());
    }
    report.findings = state.findings.clone();
    report.read_only = state.read_only.clone();
}

/// Makes what was accepted durable before anything is served: see «recovered is not durable».
/// Answers the writer that goes on after the last frame.
pub fn take_over(shared: &Shared, mut loaded: Loaded) -> Result<(Writer, Loaded), OpenError> {
    let failed = |what: &'static str| move |error| OpenError::io(what, error);
    let files = &shared.files;
    for path in loaded.unfinished.drain(..).chain(loaded.leftovers.drain(..)) {
        files.unlink(&path).map_err(failed("removing a superseded file failed"))?;
    }
    remove_beside(shared)?;
    let head_file = loaded.head.as_ref().map_or(0, |head| head.last_frame.file);
    let mut last = None;
    let logs = std::mem::take(&mut loaded.logs);
    for (log, torn) in logs {
        if let Some(bad) = torn {
            loaded.report.torn.push(keep_aside(shared, &log, &bad)?);
        }
        let rewrite = loaded.report.unclean && log.header.number >= head_file;
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

/// Removes what a crash left half made.
fn remove_beside(shared: &Shared) -> Result<(), OpenError> {
    for directory in [shared.layout.logs(), shared.layout.segments(), shared.layout.ids()] {
        for path in list(&directory)? {
            let half_made = path.extension().is_some_and(|extension| extension == "tmp");
            if half_made || path == super::prepare::spare_path(shared) {
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
        let mut writer = Writer::new(file, bytes.header.nonce, bytes.bytes.len() as u64, frame);
        writer.end = end;
        writer.records = records;
        writer.content_bytes = end;
        writer.first_at = (records > 0).then(|| shared.clock.now());
        return Ok(writer);
    }
    // No log file holds a frame: the prepared one begins, or the first is made.
    let prepared = match loaded.prepared.take() {
        Some(prepared) => prepared,
        None => {
            let number = state.segments.last().map_or(0, |s| s.header().log_number) + 1;
            super::prepare::prepare(shared, number, 0, false)
                .map_err(|error| OpenError::io("making the first log file failed", error))?
        }
    };
    let file = Arc::new(prepared.file);
    let records = state.records;
    state.logs.push_back(super::shared::Log::new(prepared.number, file.clone(), records));
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

/// Identity and key of a store that is about to be created.
pub fn format_of(store: StoreId, store_key: VerifyingKey) -> FormatFile {
    FormatFile { store, store_key }
}

/// Checks that a directory may be made into a data directory: it does not exist or is empty.
pub fn must_be_empty(files: &Files, path: &Path) -> Result<(), OpenError> {
    let _ = files;
    match std::fs::read_dir(path) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(OpenError::NotEmpty { path: path.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(OpenError::io(format!("opening {} failed", path.display()), error)),
    }
}
