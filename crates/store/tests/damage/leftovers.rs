//! What a crash leaves half done: files written beside, a segment next to its log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_testkit::TestDirectory;

use crate::observed::Observed;
use crate::place::{Place, options};

/// Copies the directory whenever the wanted operation has happened.
struct Photographer {
    data: PathBuf,
    wanted: fn(FileOp, &Path) -> bool,
    taken: Mutex<Vec<Place>>,
}

impl FileFault for Photographer {
    fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        let mut taken = self.taken.lock().unwrap();
        // Other threads go on meanwhile; a file that vanishes under the copy is tried again later.
        if taken.len() < 4
            && (self.wanted)(op, path)
            && let Some(copy) = copy_still(&self.data)
        {
            taken.push(copy);
        }
        Ok(())
    }
}

/// A copy during which nothing was renamed or removed.
fn copy_still(data: &Path) -> Option<Place> {
    let names = || {
        let mut all: Vec<_> = ["log", "segments", "ids"]
            .iter()
            .flat_map(|folder| std::fs::read_dir(data.join(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        all.sort();
        all
    };
    let before = names();
    let target = TestDirectory::new("photograph");
    copy_tree(data, &target.join("data")).ok()?;
    (names() == before).then(|| Place::of_copy(target, ChainBuilder::new()))
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Directories as they were right after an operation, and everything that was written in the end.
fn photographs(name: &str, wanted: fn(FileOp, &Path) -> bool) -> (Vec<Place>, ChainBuilder) {
    let mut place = Place::new(name, 7);
    drop(place.create());
    let watched = Arc::new(Photographer { data: place.data(), wanted, taken: Mutex::default() });
    let files = Files::with_fault(watched.clone());
    let store = place.open_with(Mode::Write, options(), files).unwrap();
    for _ in 0..40 {
        // The writer waits for each sealing, so that a photograph shows a moment and no movement.
        place.write(&store, 1);
        store.wait_until_sealed();
    }
    drop(store);
    let taken = std::mem::take(&mut *watched.taken.lock().unwrap());
    assert!(taken.len() > 2, "{} photographs of {name}", taken.len());
    (taken, place.chain)
}

/// Each photograph holds a beginning of what was written, and goes on.
fn assert_all_go_on(photographs: Vec<Place>, all: &ChainBuilder) {
    for mut place in photographs {
        let reader = place.open(Mode::Read).unwrap();
        assert!(Observed::of_store(&reader).is_clean());
        let held = beginning(&reader, all);
        assert_holds(&reader, &held);
        drop(reader);
        place.chain = held;
        place.assert_sound_and_goes_on();
        let left = |folder: &str| place.files(folder, "tmp").len();
        assert_eq!(left("log") + left("segments") + left("ids"), 0, "half-made files stay");
    }
}

/// The chain of the fixed sequence of batches, as far as the store holds it.
fn beginning(store: &dyn LedgerStore, all: &ChainBuilder) -> ChainBuilder {
    let records = store.status().records;
    assert!(records <= all.record_count());
    let mut chain = Place::new("replay", 7).chain;
    while chain.record_count() < records {
        drop(crate::place::next_batch(&mut chain));
    }
    assert_eq!(chain.record_count(), records, "half a batch is held");
    chain
}

fn extension_is(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension == wanted)
}

#[test]
fn a_segment_beside_its_log_before_head_knows_it() {
    let renamed = |op, path: &Path| op == FileOp::Rename && extension_is(path, "seg");
    let (photographs, all) = photographs("seg-before-head", renamed);
    for place in &photographs {
        let segment = place.files("segments", "seg").pop().unwrap();
        assert!(place.files("log", "log").len() >= 2, "{} has no log", segment.display());
    }
    assert_all_go_on(photographs, &all);
}

#[test]
fn a_segment_beside_its_log_after_head_knows_it() {
    // HEAD is synced last of all before the log goes.
    let head_synced = |op, path: &Path| {
        let sealed = path.parent().is_some_and(|data| {
            let logs = std::fs::read_dir(data.join("log")).map_or(0, Iterator::count);
            let mut segments = std::fs::read_dir(data.join("segments")).into_iter().flatten();
            logs > 2 && segments.any(|entry| entry.is_ok())
        });
        op == FileOp::Sync && path.ends_with("HEAD") && sealed
    };
    let (photographs, all) = photographs("seg-after-head", head_synced);
    assert_all_go_on(photographs, &all);
}

#[test]
fn a_half_written_segment() {
    let written =
        |op, path: &Path| op == FileOp::Write && path.to_string_lossy().ends_with(".seg.tmp");
    let (photographs, all) = photographs("seg-tmp", written);
    assert!(photographs.iter().all(|place| place.files("segments", "tmp").len() == 1));
    assert_all_go_on(photographs, &all);
}

#[test]
fn a_log_file_being_made() {
    let zeroing = |op, path: &Path| {
        op == FileOp::Write
            && extension_is(path, "tmp")
            && path.parent().is_some_and(|p| p.ends_with("log"))
    };
    let (photographs, all) = photographs("log-tmp", zeroing);
    assert_all_go_on(photographs, &all);
}

/// Garbage under the names that half-made files have.
#[test]
fn garbage_under_names_of_half_made_files_is_removed() {
    let mut place = Place::crashed("garbage");
    for name in ["log/000000000999.tmp", "segments/0000000000000999.1.seg.tmp", "ids/x.tmp"] {
        place.write_file(name, b"garbage");
    }
    place.write_file("HEAD.tmp", b"garbage");
    place.assert_sound_and_goes_on();
}
