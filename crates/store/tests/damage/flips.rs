//! A flipped bit anywhere in `FORMAT`, `HEAD`, a log up to its last frame's end, or a segment is
//! found and its file is named.
//!
//! Zeros behind the last frame are left out here: nothing stands in them, so nothing can be lost,
//! and a bit that appears there is cut off as a torn write or named as damage, which a test of its
//! own shows.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::builder::{source, tenant};
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};

use crate::observed::Observed;
use crate::place::{Place, frame_borders, options};

/// Set to anything, every byte of every file is flipped instead of a fixed sample of the larger.
const LONG: &str = "LEDGERSTONE_LONG";

/// A directory with two sealed segments and two frames behind them, few kilobytes in all.
fn small(name: &str) -> Place {
    let mut place = Place::new(name, 7);
    let store = place.create();
    let acme = tenant("acme");
    place.fill(&store, 2);
    let batch = place.chain.batch().event(&acme).checkpoint(&acme, true);
    store.append(&batch.position(&source("topic/1"), 4).build()).unwrap();
    place.write(&store, 2);
    drop(store);
    place
}

fn stopped(name: &str) -> Place {
    let place = small(name);
    place.open(Mode::Write).unwrap().close().unwrap();
    place
}

/// The files that are believed, and how many of their bytes count.
fn truth(place: &Place) -> Vec<(PathBuf, usize)> {
    let mut files = vec![PathBuf::from("FORMAT"), PathBuf::from("HEAD")];
    files.extend(place.files("segments", "seg"));
    let mut files: Vec<(PathBuf, usize)> =
        files.into_iter().map(|file| (file.clone(), place.read_file(file).len())).collect();
    for log in place.files("log", "log") {
        let end = *frame_borders(&place.read_file(&log)).last().unwrap();
        files.push((log, end));
    }
    files
}

/// Which bytes of a file are flipped: the first and last of it, and every `stride`-th between.
fn sample(file: &Path, bytes: &[u8]) -> Vec<usize> {
    let long = std::env::var_os(LONG).is_some();
    // The unused part of HEAD's blocks is looked at byte by byte in the block's own test.
    let dense = |at: &usize| file != Path::new("HEAD") || at % 4096 < 230;
    let stride = if long { 1 } else { 3 + bytes.len() / 1_000 };
    let edge = bytes.len().saturating_sub(24);
    (0..bytes.len())
        .filter(|at| {
            let spread = if dense(at) { stride.min(5) } else { stride * 16 + 1 };
            at % spread == 0 || *at < 24 || *at >= edge
        })
        .collect()
}

fn assert_every_flip_is_found(place: &Place) {
    assert!(Observed::of(place).is_clean());
    let mut flips = 0;
    for (file, end) in truth(place) {
        let good = place.read_file(&file);
        for at in sample(&file, &good[..end]) {
            place.change(&file, |bytes| bytes[at] ^= 1 << (at % 8));
            let observed = Observed::of(place);
            assert!(!observed.is_clean(), "byte {at} of {} is not found", file.display());
            assert!(observed.names(&file), "byte {at} of {}: {observed:?}", file.display());
            place.write_file(&file, &good);
            flips += 1;
        }
    }
    assert!(Observed::of(place).is_clean());
    assert!(flips > 1_000, "only {flips} bytes were flipped");
}

#[test]
fn every_flip_in_a_stopped_directory_is_found() {
    assert_every_flip_is_found(&stopped("flips-stopped"));
}

#[test]
fn every_flip_in_a_crashed_directory_is_found() {
    assert_every_flip_is_found(&small("flips-crashed"));
}

/// Opening for writing makes nothing good that is not: the finding stays, and nothing of what can
/// still be read is other than what was written.
#[test]
fn a_writer_does_not_paint_over_a_flip() {
    for original in [small("writer-crashed"), stopped("writer-stopped")] {
        for (file, end) in truth(&original) {
            for at in (5..end).step_by(end / 6 + 1) {
                let place = original.copy("writer-flip");
                place.change(&file, |bytes| bytes[at] ^= 0x10);
                let Ok(store) = place.open(Mode::Write) else { continue };
                let named =
                    |finding: &ledgerstone_store::ContainerFinding| finding.location.file == file;
                let by_opening = store.report().findings.iter().any(named);
                let by_reading = Observed::of_store(&store).findings.iter().any(named);
                assert!(by_opening || by_reading, "byte {at} of {}", file.display());
                assert_reads_are_true(&store, &place);
                drop(store);
                let again = Observed::of(&place);
                let healed = file == Path::new("HEAD");
                assert!(healed || again.names(&file), "byte {at} of {} again", file.display());
            }
        }
    }
}

/// Every record that can be read is the one that was written.
fn assert_reads_are_true(store: &dyn LedgerStore, place: &Place) {
    for name in place.chain.tenants() {
        for record in place.chain.records(name) {
            if let Ok(found) = store.read(name, record.sequence_number, 1)
                && let Some(found) = found.first()
            {
                assert_eq!(found, record);
            }
        }
    }
}

/// Nothing can be sealed.
struct NoSegments;

impl FileFault for NoSegments {
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()> {
        let is_segment = path.extension().is_some_and(|extension| extension == "tmp")
            && path.parent().is_some_and(|folder| folder.ends_with("segments"));
        if op == FileOp::Create && is_segment {
            return Err(io::Error::other("no segments in this test"));
        }
        Ok(())
    }

    fn after(&self, _: FileOp, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// A crashed directory with several log files that hold frames, and no segment.
fn unsealed(name: &str) -> Place {
    let mut place = Place::new(name, 7);
    let store = place.create_with(options(), Files::with_fault(Arc::new(NoSegments)));
    while store.status().unsealed_logs < 3 {
        place.write(&store, 1);
    }
    drop(store);
    place
}

/// A bit that appears in the zeros behind the last frame costs no record: it is cut as a torn
/// write, or named.
#[test]
fn a_flip_behind_the_last_frame_costs_no_record() {
    let unsealed = unsealed("behind-unsealed");
    assert!(unsealed.files("log", "log").len() >= 3);
    for original in [small("behind-crashed"), stopped("behind-stopped"), unsealed] {
        for log in original.files("log", "log") {
            let good = original.read_file(&log);
            let end = *frame_borders(&good).last().unwrap();
            for at in (end..good.len()).step_by(1_021) {
                let mut place = original.copy("behind");
                place.change(&log, |bytes| bytes[at] ^= 8);
                let observed = Observed::of(&place);
                assert_eq!(observed.records, place.chain.record_count());
                assert!(observed.torn == 1 || observed.names(&log), "byte {at}: {observed:?}");
                if observed.torn == 1 {
                    place.assert_sound_and_goes_on();
                }
            }
        }
    }
}
