//! What the store shows to the verifier: its parts, read again from the medium.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use ledgerstone_proof::{Hash, SequenceNumber};

use super::behind::{Scan, logs_behind};
use super::files::DataFile;
use super::forgery::{forged_headers, forged_pages};
use super::frame::BadFrame;
use super::head_file::HeadFile;
use super::load::sealed_elsewhere;
use super::log_file::{End, Frames, LogHeader};
use super::payload::{Payload, PayloadRun};
use super::read::io_error;
use super::segment::{self, Segment, SegmentFault, list_digest};
use super::segment_list::SegmentFiles;
use super::shared::Shared;
use super::suspect::first_changed_record;
use super::writer_lock::living_writer;
use crate::contract::{Inspector, Part, PartContents, RunClaims, RunRecord};
use crate::error::ReadError;
use crate::record::{Check, ContainerFinding, Location};
use crate::subject_keys::lost_slots;

/// Ids of log parts have this bit; the others are places in the list of segments.
const LOG_PART: u64 = 1 << 63;
/// Ids of what stands behind damage in a log have this bit.
const BEHIND_PART: u64 = 1 << 62;

/// All parts, and what is wrong with the store as a whole.
pub fn parts(shared: &Shared) -> (Vec<Part>, Vec<ContainerFinding>) {
    let files = segment_files(shared);
    let state = shared.read();
    let mut findings = state.findings.clone();
    let mut parts = Vec::new();
    let segments: Vec<Arc<Segment>> = state.segments.clone();
    for (place, segment) in segments.iter().enumerate() {
        let location = location(shared, segment.path(), 0);
        let contents = match (segment.checkpoints(), segment.anchored()) {
            (Ok(checkpoints), Ok(anchored)) => PartContents { checkpoints, anchored },
            // The inspection of the part names the section.
            _ => PartContents::default(),
        };
        let records = segment.header().records;
        let others = files.iter().flat_map(|files| files.superseded(segment));
        let superseded = others.map(|path| self::location(shared, path, 0)).collect();
        parts.push(Part {
            id: place as u64,
            records,
            behind_damage: false,
            location,
            fixed: Some(list_digest([segment.header()])),
            contents,
            superseded,
        });
    }
    for log in &state.logs {
        let contents =
            PartContents { checkpoints: log.checkpoints.clone(), anchored: log.anchored.clone() };
        let location = location(shared, log.file.path(), 0);
        let id = LOG_PART | log.number;
        parts.push(Part {
            id,
            records: log.records,
            behind_damage: false,
            location,
            fixed: None,
            contents,
            superseded: Vec::new(),
        });
    }
    drop(state);
    add_behind(shared, &mut parts, &mut findings);
    findings.extend(head_findings(shared));
    let keys = shared.layout.keys();
    findings.extend(lost_slots(&keys, &shared.layout.relative(&keys)));
    findings.extend(forged_headers(shared));
    findings.dedup();
    (parts, findings)
}

/// The segment files that are there. None beside another process that writes, which may be putting one
/// in another's place; where the directory cannot be listed, opening could not list it either.
fn segment_files(shared: &Shared) -> Option<SegmentFiles> {
    let is_alone = shared.key.is_some() || !living_writer(&shared.layout);
    SegmentFiles::list(&shared.layout).ok().filter(|_| is_alone && !sealed_elsewhere(shared))
}

/// Adds what stands behind damage in the logs, and says what is lost in between.
fn add_behind(shared: &Shared, parts: &mut Vec<Part>, findings: &mut Vec<ContainerFinding>) {
    let logs = logs_behind(shared);
    let Some(last) = logs.last() else { return };
    let head = super::load::head_state(shared);
    let told = findings.iter().rposition(|finding| finding.location.file.starts_with("log"));
    let told = told.map(|place| findings.remove(place));
    let (frame, records) = {
        let state = shared.read();
        (state.frame.frame, state.records)
    };
    let mut scan = Scan::begin(frame + 1, records, told);
    for log in &logs {
        let Some((header, bytes)) = log.read(shared) else { continue };
        let location = location(shared, &log.path, 0);
        let name = location.file.clone();
        let mut part = Part {
            id: BEHIND_PART | log.number,
            records: 0,
            behind_damage: true,
            location,
            fixed: None,
            contents: PartContents::default(),
            superseded: Vec::new(),
        };
        let is_torn = |bad: &BadFrame| {
            let place = (log.number, bad.start as u64);
            let shown = head.as_ref().map(|head| (head.last_frame.file, head.last_frame.end));
            bad.zero_sector && bad.good_behind.is_none() && shown.is_some_and(|end| place >= end)
        };
        let mut frames = Frames::from(&bytes, header.nonce, log.from);
        scan.file(&name, &mut frames, is_torn, |_, payload| {
            part.records += payload.runs.iter().map(|run| run.rows.len() as u64).sum::<u64>();
            part.contents.checkpoints.extend(payload.checkpoints);
            part.contents.anchored.extend(payload.anchored);
        });
        if part.records > 0 || part.contents != PartContents::default() {
            parts.push(part);
        }
    }
    let name = shared.layout.relative(&last.path);
    findings.extend(scan.finish(&name, head.map(|head| head.records)));
}

/// Shows the good frames behind damage; what is bad there was told with the parts.
fn inspect_behind(shared: &Shared, part: &Part, inspector: &mut dyn Inspector) {
    let frame = shared.read().frame.frame;
    let mut scan = Scan::begin(frame + 1, 0, None);
    let logs = logs_behind(shared);
    let wanted = logs.iter().filter(|log| log.number == part.id & !BEHIND_PART);
    for log in wanted {
        let Some((header, bytes)) = log.read(shared) else { continue };
        let mut frames = Frames::from(&bytes, header.nonce, log.from);
        scan.file(
            &part.location.file,
            &mut frames,
            |_| false,
            |frame, payload| {
                payload.runs.iter().for_each(|run| show(run, frame.start as u64, inspector));
            },
        );
    }
}

/// Reads `HEAD` again. A block that is being written at this moment is read once more.
fn head_findings(shared: &Shared) -> Vec<ContainerFinding> {
    let Some(key) = super::open::store_key_of(shared) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for _ in 0..3 {
        let bytes = std::fs::read(shared.layout.head()).unwrap_or_default();
        let head = HeadFile::decode(&bytes, &shared.store, &key);
        findings = super::load::head_faults(&head);
        if findings.is_empty() {
            break;
        }
    }
    let known = &shared.read().findings;
    findings.retain(|finding| !known.contains(finding));
    findings
}

fn location(shared: &Shared, path: &std::path::Path, offset: u64) -> Location {
    Location { file: shared.layout.relative(path), offset }
}

/// Shows one part to the inspector.
pub fn inspect(
    shared: &Shared,
    part: &Part,
    inspector: &mut dyn Inspector,
) -> Result<(), ReadError> {
    if part.behind_damage {
        inspect_behind(shared, part, inspector);
        return Ok(());
    }
    if part.id & LOG_PART != 0 {
        return inspect_log(shared, part, inspector);
    }
    let Some((known, opened)) = open_anew(shared, part.id as usize) else { return Ok(()) };
    if inspector.wants_contents() {
        forged_pages(shared, &known).into_iter().for_each(|forged| inspector.finding(forged));
    }
    // It may have been written anew since the parts were listed.
    let location = location(shared, known.path(), 0);
    let shown = match opened {
        Ok(segment) if segment.header() == known.header() => {
            segment::inspect(&segment, &location, inspector)
        }
        Ok(_) => Err(SegmentFault::Malformed(super::codec::Malformed {
            what: "another header than when the store was opened",
            offset: 0,
        })),
        Err(fault) => Err(fault),
    };
    match shown {
        Ok(()) => Ok(()),
        Err(SegmentFault::Io(error)) => Err(io_error("a segment", error)),
        Err(fault) => {
            inspector.finding(ContainerFinding {
                check: Check::Section,
                location,
                tenant: None,
                sequence_number: None,
                expected: "the segment that was sealed".to_owned(),
                found: fault.to_string(),
                following: 0,
            });
            Ok(())
        }
    }
}

/// A segment of the store, and the same opened anew: the header, too, is read from the medium and
/// must be the one that was loaded.
type OpenedAnew = (Arc<Segment>, Result<Arc<Segment>, SegmentFault>);

fn open_anew(shared: &Shared, place: usize) -> Option<OpenedAnew> {
    loop {
        let known = shared.read().segments.get(place).cloned()?;
        let opened = Segment::open(&shared.files, known.path(), &shared.store);
        let is_gone = |fault: &SegmentFault| matches!(fault, SegmentFault::Io(error) if error.kind() == ErrorKind::NotFound);
        if !opened.as_ref().is_err_and(is_gone) {
            return Some((known, opened.map(Arc::new)));
        }
        let current = shared.read().segments.get(place).cloned()?;
        if !Arc::ptr_eq(&known, &current) {
            // Its next generation has just taken its place.
            continue;
        }
        // Another process has written it anew; the open file is still what it was.
        if shared.key.is_none() && sealed_elsewhere(shared) {
            return Some((known.clone(), Ok(known)));
        }
        return Some((known, opened.map(Arc::new)));
    }
}

/// A log as the state knows it at this moment.
struct KnownLog {
    path: PathBuf,
    file: Arc<DataFile>,
    end: u64,
}

fn inspect_log(
    shared: &Shared,
    part: &Part,
    inspector: &mut dyn Inspector,
) -> Result<(), ReadError> {
    let number = part.id & !LOG_PART;
    let known = shared.read().logs.iter().find(|log| log.number == number).map(|log| KnownLog {
        path: log.file.path().to_owned(),
        file: log.file.clone(),
        end: log.end,
    });
    let Some(known) = known else {
        return inspect_sealed_meanwhile(shared, part, inspector);
    };
    let bytes = match std::fs::read(&known.path) {
        Ok(bytes) => bytes,
        Err(_) if sealed_meanwhile(shared, number).is_some() => {
            return inspect_sealed_meanwhile(shared, part, inspector);
        }
        // Another process has sealed it; the open file is still what was written.
        Err(_) if shared.key.is_none() && sealed_elsewhere(shared) => known
            .file
            .read_at(0, known.end as usize)
            .map_err(|error| io_error("a log file", error))?,
        Err(error) => return Err(io_error("a log file", error)),
    };
    let bytes = bytes.get(..(known.end as usize).min(bytes.len())).unwrap_or_default();
    let header = match LogHeader::decode(bytes, &shared.store) {
        Ok(header) if header.number == number => header,
        _ if sealed_meanwhile(shared, number).is_some() => {
            return inspect_sealed_meanwhile(shared, part, inspector);
        }
        Ok(_) => return broken_log(part, 0, "another log file's header", inspector),
        Err(fault) => return broken_log(part, 0, fault.what, inspector),
    };
    let mut frames = Frames::new(bytes, header.nonce);
    loop {
        match frames.next_frame() {
            Ok(frame) => match Payload::decode(frame.payload) {
                Ok(payload) => {
                    payload.runs.iter().for_each(|run| show(run, frame.start as u64, inspector));
                }
                Err(fault) => return broken_log(part, frame.start, fault.what, inspector),
            },
            Err(End::Clean) if frames.offset() as u64 >= known.end => return Ok(()),
            Err(End::Clean) => {
                return broken_log(part, frames.offset(), "zeros instead of a frame", inspector);
            }
            Err(End::Bad(bad)) => {
                let mut finding = broken(part, bad.start, bad.reason);
                (finding.tenant, finding.sequence_number) =
                    first_changed_record(bytes, &bad).unzip();
                inspector.finding(finding);
                // What is good behind it is shown, and the gap in its ledgers names what is lost.
                let Some(next) = bad.good_behind else { return Ok(()) };
                frames.skip_to(next);
            }
        }
    }
}

/// The segment that has taken a log's place since the parts were listed.
fn sealed_meanwhile(shared: &Shared, number: u64) -> Option<(u64, Arc<Segment>)> {
    let state = shared.read();
    let place = state.segments.iter().position(|s| s.header().log_number == number)?;
    Some((place as u64, state.segments.get(place)?.clone()))
}

fn inspect_sealed_meanwhile(
    shared: &Shared,
    part: &Part,
    inspector: &mut dyn Inspector,
) -> Result<(), ReadError> {
    let Some((id, segment)) = sealed_meanwhile(shared, part.id & !LOG_PART) else {
        return Ok(());
    };
    let location = location(shared, segment.path(), 0);
    let part = Part { id, location, ..part.clone() };
    inspect(shared, &part, inspector)
}

#[expect(clippy::unnecessary_wraps, reason = "the walk over a log ends with it, in one word")]
fn broken_log(
    part: &Part,
    offset: usize,
    found: &str,
    inspector: &mut dyn Inspector,
) -> Result<(), ReadError> {
    inspector.finding(broken(part, offset, found));
    Ok(())
}

fn broken(part: &Part, offset: usize, found: &str) -> ContainerFinding {
    ContainerFinding {
        check: Check::Frame,
        location: Location { file: part.location.file.clone(), offset: offset as u64 },
        tenant: None,
        sequence_number: None,
        expected: "the frame that was written".to_owned(),
        found: found.to_owned(),
        following: 0,
    }
}

fn show(run: &PayloadRun<'_>, offset: u64, inspector: &mut dyn Inspector) {
    let Ok(first) = SequenceNumber::new(run.first) else {
        return;
    };
    if !inspector.wants(&run.tenant) {
        return;
    }
    inspector.begin_run(&RunClaims {
        tenant: &run.tenant,
        first,
        count: run.rows.len() as u64,
        previous_hash: run.previous_hash,
        range_before: None,
        last_record_hash: run.last_record_hash,
        root_after: None::<Hash>,
        offset,
    });
    let records: Vec<RunRecord<'_>> = run
        .rows
        .iter()
        .map(|row| RunRecord {
            event_id: row.event_id,
            ingested_at: row.ingested_at,
            kind: row.kind,
            content_hash: row.content_hash,
            leaf_hash: row.leaf_hash,
            content: Some(row.content),
            signature: row.signature.as_ref().map(|(key, bytes)| (key, *bytes)),
            offset,
        })
        .collect();
    inspector.records(&records);
    inspector.end_run();
}
