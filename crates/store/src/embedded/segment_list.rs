//! Which segment files are the store's: those that `HEAD` names by their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::head_file::HeadState;
use super::layout::{Layout, segment_name};
use super::load::{list, section};
use super::open::OpenError;
use super::sealed_load;
use super::segment::{Segment, SegmentHeader, list_digest};
use super::shared::{Shared, State};

/// Opens the segments and compares their list with `HEAD`. A segment whose log file is still
/// there may be newer than `HEAD`; it is then made again from the log. Generations that `HEAD` does not
/// name stay where they are: they are verified to be what an unfinished drop of contents left.
pub fn accept_segments(
    shared: &Shared,
    state: &mut State,
    head: Option<&HeadState>,
    logs: &[(u64, PathBuf)],
) -> Result<(Vec<Arc<Segment>>, Vec<PathBuf>), OpenError> {
    let found = open_segments(shared, state)?;
    let mut lists = lists_of(&found);
    let all = lists.next().unwrap_or_default();
    let Some(head) = head else {
        return Ok((all, Vec::new()));
    };
    let has_log = |header: &SegmentHeader| logs.iter().any(|log| log.0 == header.log_number);
    for mut segments in std::iter::once(all.clone()).chain(lists) {
        let mut unfinished = Vec::new();
        loop {
            if list_digest(segments.iter().map(|one| one.header())) == head.segments_digest {
                return Ok((segments, unfinished));
            }
            match segments.pop() {
                Some(segment) if has_log(segment.header()) => {
                    unfinished.push(segment.path().to_owned());
                }
                _ => break,
            }
        }
    }
    let expected = format!("segments whose list has SHA-256 {}", head.segments_digest.to_hex());
    let mut told = list_digest(all.iter().map(|one| one.header())).to_hex();
    told.push_str(&missing_segments(shared, &all, logs)?);
    let directory = shared.layout.segments();
    state.findings.push(section(shared, &directory, &expected, &told));
    Ok((all, Vec::new()))
}

/// Generations of the segments that are there, by their first record.
type Generations = BTreeMap<u64, BTreeMap<u32, Arc<Segment>>>;

fn open_segments(shared: &Shared, state: &mut State) -> Result<Generations, OpenError> {
    let mut segments = Generations::new();
    for path in list(&shared.layout.segments())? {
        let Some(name) = segment_name(&path) else {
            continue;
        };
        match Segment::open(&shared.files, &path, &shared.store) {
            Ok(segment) => {
                let own = (segment.header().first_ordinal, segment.header().generation);
                if own != name {
                    // Under a wrong name it would be written over when that name comes up.
                    let expected = "a segment under its own name";
                    let found = format!("the segment {:016}.{}", own.0, own.1);
                    state.findings.push(section(shared, &path, expected, &found));
                }
                segments.entry(name.0).or_default().insert(name.1, Arc::new(segment));
            }
            Err(fault) => {
                let expected = "a segment of this store";
                state.findings.push(section(shared, &path, expected, &fault.to_string()));
            }
        }
    }
    Ok(segments)
}

/// The lists that `HEAD` may name: of each segment the newest generation, or of one of them another,
/// because a crash may have come before `HEAD` named the newest.
fn lists_of(found: &Generations) -> impl Iterator<Item = Vec<Arc<Segment>>> {
    let newest = |(first, generations): (&u64, &BTreeMap<u32, Arc<Segment>>)| {
        Some((*first, generations.values().next_back()?.clone()))
    };
    let newest: BTreeMap<u64, Arc<Segment>> = found.iter().filter_map(newest).collect();
    let others = found.iter().flat_map(|(first, generations)| {
        generations.values().rev().skip(1).map(move |other| (*first, other.clone()))
    });
    let replaced = others.map({
        let newest = newest.clone();
        move |(first, other)| {
            let mut list = newest.clone();
            list.insert(first, other);
            list.into_values().collect()
        }
    });
    std::iter::once(newest.into_values().collect()).chain(replaced)
}

/// What is said of segments that are missing, as far as those that are there, the logs and indexes
/// that were left behind tell: the commit ordinals they held, and every name that is known.
fn missing_segments(
    shared: &Shared,
    segments: &[Arc<Segment>],
    logs: &[(u64, PathBuf)],
) -> Result<String, OpenError> {
    let beside = list(&shared.layout.segments())?;
    let indexed: BTreeSet<u64> = beside
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "idx"))
        .filter_map(|path| segment_name(&path.with_extension("seg")))
        .map(|(first, _)| first)
        .collect();
    let mut told = String::new();
    let (mut next, mut sealed) = (0, 0);
    let mut gap = |first: u64, end: Option<u64>| {
        told.push_str(if told.is_empty() { "; missing: " } else { "; " });
        match end {
            Some(end) => told.push_str(&format!("commit ordinals {first} to {}", end - 1)),
            None => told.push_str(&format!("commit ordinals from {first} on")),
        }
        let others = indexed.range(first.saturating_add(1)..end.unwrap_or(u64::MAX)).copied();
        for (place, first) in std::iter::once(first).chain(others).enumerate() {
            told.push_str(if place == 0 { ", in " } else { " and " });
            told.push_str(&sealed_load::segment_file(shared, first));
        }
    };
    for header in segments.iter().map(|segment| segment.header()) {
        if header.first_ordinal > next {
            gap(next, Some(header.first_ordinal));
        }
        next = header.first_ordinal.saturating_add(header.records);
        sealed = header.log_number;
    }
    if logs.first().is_none_or(|log| log.0 > sealed + 1) {
        gap(next, None);
    }
    Ok(told)
}

/// The segment files that are there, by the ordinal of their first record.
pub struct SegmentFiles(BTreeMap<u64, Vec<PathBuf>>);

impl SegmentFiles {
    pub fn list(layout: &Layout) -> io::Result<Self> {
        let mut files: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
        for entry in std::fs::read_dir(layout.segments())? {
            let path = entry?.path();
            if let Some((first, _)) = segment_name(&path) {
                files.entry(first).or_default().push(path);
            }
        }
        files.values_mut().for_each(|paths| paths.sort());
        Ok(Self(files))
    }

    /// Those that hold the same records as one of the store's and are not it.
    pub fn superseded(&self, segment: &Segment) -> impl Iterator<Item = &Path> {
        let same = self.0.get(&segment.header().first_ordinal).into_iter().flatten();
        same.map(PathBuf::as_path).filter(|path| *path != segment.path())
    }
}
