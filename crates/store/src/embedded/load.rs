//! Loads a data directory into memory: what is accepted, what is torn, and what is damage.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_proof::VerifyingKey;

use super::files::DataFile;
use super::frame::{BadFrame, SECTOR};
use super::head_file::{BLOCK_BYTES, HeadFile, HeadState};
use super::layout::log_number;
use super::log_file::LogHeader;
use super::open::{OpenError, OpeningReport, store_key_of};
use super::prepare::PreparedLog;
use super::replay::{Ended, LogBytes, Replay};
use super::sealed_load;
use super::segment_list::accept_segments;
use super::shared::{Shared, State};
use super::writer_lock::living_writer;
use crate::record::{Check, ContainerFinding, Location};

/// Loads at most, when what looks wrong may be the work of a living writer.
const READ_ATTEMPTS: usize = 10;
const READ_PAUSE: Duration = Duration::from_millis(25);

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
        following: 0,
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

/// Loads everything; changes nothing on disk.
pub fn load(
    shared: &Shared,
    key: &VerifyingKey,
    living_writer: bool,
) -> Result<(State, Loaded), OpenError> {
    let head = read_head(shared, key);
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
    replay(shared, &mut state, &mut loaded, files);
    judge(&mut state, &mut loaded);
    Ok((state, loaded))
}

/// Loads a directory that another process may be writing to. What is listed at one moment and
/// read at the next may have been sealed in between; then it is loaded again.
pub fn load_for_reading(shared: &Shared, key: &VerifyingKey) -> Result<(State, Loaded), OpenError> {
    for _ in 1..READ_ATTEMPTS {
        let living = living_writer(&shared.layout);
        let found = load(shared, key, living);
        let is_sound = found.as_ref().is_ok_and(|(state, _)| state.findings.is_empty());
        if is_sound || !living {
            return found;
        }
        std::thread::sleep(READ_PAUSE);
    }
    load(shared, key, living_writer(&shared.layout))
}

/// Whether `HEAD` by now names other segments than those that are known.
pub fn sealed_elsewhere(shared: &Shared) -> bool {
    let known = shared.read().segments_digest;
    let now = store_key_of(shared).and_then(|key| read_head(shared, &key).state);
    now.is_some_and(|head| head.segments_digest != known)
}

/// What `HEAD` says now; `None` when neither of its blocks can be read.
pub fn head_state(shared: &Shared) -> Option<HeadState> {
    store_key_of(shared).and_then(|key| read_head(shared, &key).state)
}

fn read_head(shared: &Shared, key: &VerifyingKey) -> HeadFile {
    let bytes = std::fs::read(shared.layout.head()).unwrap_or_default();
    HeadFile::decode(&bytes, &shared.store, key)
}

/// Log files by number.
fn list_logs(shared: &Shared) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let logs = list(&shared.layout.logs())?;
    let mut logs: Vec<_> =
        logs.into_iter().filter_map(|path| Some((log_number(&path)?, path))).collect();
    logs.sort();
    Ok(logs)
}

pub fn list(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |error| OpenError::io(format!("listing {} failed", directory.display()), error);
    match std::fs::read_dir(directory) {
        Ok(entries) => {
            entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// A finding about a file as a whole.
pub fn section(shared: &Shared, path: &Path, expected: &str, found: &str) -> ContainerFinding {
    ContainerFinding {
        check: Check::Section,
        location: Location { file: shared.layout.relative(path), offset: 0 },
        tenant: None,
        sequence_number: None,
        expected: expected.to_owned(),
        found: found.to_owned(),
        following: 0,
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
            let missing = shared.layout.log(expected);
            let (expected, found) = (format!("log file {expected}"), format!("log file {number}"));
            let finding = section(shared, &missing, &expected, &found);
            state.findings.push(ContainerFinding { check: Check::Truncated, ..finding });
            break;
        }
        let failed = |error| OpenError::io(format!("reading {} failed", path.display()), error);
        let file = if shared.key.is_some() {
            shared.files.open_for_writing(&path)
        } else {
            shared.files.open_for_reading(&path)
        };
        let file = Arc::new(file.map_err(failed)?);
        // Through the handle: a living writer may remove the name at any moment.
        let len = file.byte_len().map_err(failed)?;
        let bytes = file.read_at(0, len as usize).map_err(failed)?;
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
                let cut = bytes.len() < SECTOR;
                let check = if cut { Check::Truncated } else { Check::Frame };
                let expected = "a readable log header".to_owned();
                state.findings.push(finding(check, expected, fault.what));
                break;
            }
        }
    }
    let has_frames = |log: &LogBytes| !log.is_empty();
    let last_with_frames = read.iter().rposition(has_frames);
    for (place, log) in read.iter_mut().enumerate() {
        log.followed = last_with_frames.is_some_and(|last| place < last);
    }
    Ok(read)
}

/// Replays the logs and sorts out how the last one ended.
fn replay(shared: &Shared, state: &mut State, loaded: &mut Loaded, files: Vec<LogBytes>) {
    let head = loaded.head.clone();
    let head_met = head.as_ref().is_some_and(|head| head.last_frame.frame == state.frame.frame);
    let mut replay = Replay {
        shared,
        state,
        head: head.as_ref(),
        stop_at_head: loaded.report.living_writer,
        head_met,
        bad_before: false,
    };
    let damaged_before = !replay.state.findings.is_empty();
    let mut damaged = false;
    for log in files {
        let empty = !log.followed && log.is_empty();
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
            following: 0,
        });
    }
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
    report.findings.clone_from(&state.findings);
    report.read_only.clone_from(&state.read_only);
}
