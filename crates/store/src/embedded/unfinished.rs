//! What a creation that was stopped half-way leaves behind, told apart from everything else.
//!
//! `FORMAT` is written last, so whatever lacks it was never a data directory. It may still be
//! somebody else's, or one that lost its `FORMAT`: only files that hold exactly what a creation writes
//! before any record are leftovers, and only these are ever removed.

use std::fs::{DirEntry, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::files::Files;
use super::format_file;
use super::frame::SECTOR;
use super::head_file::{self, BLOCK_BYTES};
use super::layout::Layout;
use super::log_file;
use crate::key_file::{self, PrivateKeyUse};

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Whether a data directory may be made at a path: nothing stands there, or nothing but what a
/// creation leaves that was stopped before its end.
pub fn may_begin(path: &Path) -> io::Result<bool> {
    Ok(leftovers(&Layout::new(path))?.is_some())
}

/// Removes what a stopped creation left, but for the lock and empty directories. Answers whether
/// there was nothing else; otherwise nothing is removed. The caller holds the lock.
pub fn clear(files: &Files, layout: &Layout) -> io::Result<bool> {
    let Some(leftovers) = leftovers(layout)? else { return Ok(false) };
    let lock = layout.lock();
    for leftover in leftovers.iter().filter(|path| **path != lock) {
        files.unlink(leftover)?;
    }
    Ok(true)
}

/// All files at a place, if each of them is a leftover.
fn leftovers(layout: &Layout) -> io::Result<Option<Vec<PathBuf>>> {
    let directories = layout.directories();
    let mut found = Vec::new();
    for entry in entries(layout.root())? {
        let path = entry.path();
        if entry.file_type()?.is_dir() && directories.contains(&path) {
            found.extend(entries(&path)?);
        } else {
            found.push(entry);
        }
    }
    let mut leftovers = Vec::with_capacity(found.len());
    for entry in found {
        let path = entry.path();
        if !entry.file_type()?.is_file() || !is_leftover(layout, &path)? {
            return Ok(None);
        }
        leftovers.push(path);
    }
    Ok(Some(leftovers))
}

fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Whether a file has a name and a content that a creation gives it. Those that are written beside
/// their place may be cut short anywhere.
fn is_leftover(layout: &Layout, path: &Path) -> io::Result<bool> {
    let beside = |place: PathBuf| path == place.with_extension("tmp");
    let start = || read_start(path, 2 * BLOCK_BYTES + 1);
    if path == layout.lock() {
        Ok(start()?.is_empty())
    } else if path == layout.head() {
        Ok(head_file::is_of_new_store(&start()?))
    } else if path == layout.store_key() {
        Ok(key_file::is_text_of(&start()?, PrivateKeyUse::Store))
    } else if beside(layout.store_key()) {
        Ok(is_cut_from(&start()?, key_file::beginning(PrivateKeyUse::Store).as_bytes()))
    } else if beside(layout.format()) {
        Ok(is_cut_from(&start()?, format_file::TITLE.as_bytes()))
    } else if path == layout.log(1) || beside(layout.log(1)) {
        is_log_without_frames(path)
    } else {
        Ok(false)
    }
}

/// Whether a text begins so, or is itself a beginning of it, or zeros, which a disk that lost power
/// may give in place of what was not synced.
fn is_cut_from(text: &[u8], beginning: &[u8]) -> bool {
    text.starts_with(beginning) || beginning.starts_with(text) || is_zero(text)
}

fn read_start(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file holds the header of a log file, or zeros in its place, and zeros behind it.
fn is_log_without_frames(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut header = Vec::with_capacity(SECTOR);
    file.by_ref().take(SECTOR as u64).read_to_end(&mut header)?;
    if !is_zero(&header) && !header.starts_with(log_file::MAGIC) {
        return Ok(false);
    }
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(true),
            read if is_zero(chunk.get(..read).unwrap_or_default()) => {}
            _ => return Ok(false),
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory};

    use super::*;
    use crate::conformance::ChainBuilder;
    use crate::conformance::builder::tenant;
    use crate::contract::LedgerStore as _;
    use crate::embedded::files::{FileFault, FileOp};
    use crate::embedded::{EmbeddedStore, Mode, OpenError, Options};

    fn options() -> Options {
        Options { log_bytes_first: 8 << 10, log_bytes_max: 8 << 10, ..Options::default() }
    }

    fn create(path: &Path, files: Files) -> Result<EmbeddedStore, OpenError> {
        let (clock, entropy) = (MockClock::default(), SeededEntropy::new(1));
        EmbeddedStore::create(path, options(), files, Arc::new(clock), Arc::new(entropy))
    }

    fn open(path: &Path) -> Result<EmbeddedStore, OpenError> {
        let (clock, entropy) = (Arc::new(MockClock::default()), Arc::new(SeededEntropy::new(2)));
        EmbeddedStore::open(path, Mode::Write, options(), Files::new(), clock, entropy)
    }

    /// Lets so many changes happen and then none, as a process that is killed; the last of them may
    /// still have happened.
    struct Stop {
        left: AtomicUsize,
        happens: bool,
    }

    impl Stop {
        fn at(step: usize, happens: bool) -> Files {
            Files::with_fault(Arc::new(Self { left: step.into(), happens }))
        }

        fn stopped(left: usize) -> io::Result<()> {
            if left == 0 { Err(io::Error::other("stopped here")) } else { Ok(()) }
        }
    }

    impl FileFault for Stop {
        fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
            let left = self.left.load(Ordering::SeqCst);
            if left > 0 {
                self.left.store(left - 1, Ordering::SeqCst);
            }
            Self::stopped(if self.happens && left == 1 { 1 } else { left })
        }

        fn after(&self, _: FileOp, _: &Path) -> io::Result<()> {
            let left = self.left.load(Ordering::SeqCst);
            Self::stopped(if self.happens { left } else { 1 })
        }
    }

    #[test]
    fn a_creation_stopped_at_any_step_begins_again() {
        for happens in [false, true] {
            let mut half_made = 0;
            for step in 1.. {
                let directory = TestDirectory::new("stopped");
                let path = directory.join("data");
                if create(&path, Stop::at(step, happens)).is_ok() {
                    break;
                }
                // Once `FORMAT` has its name, the directory is a whole one.
                if path.join("FORMAT").exists() {
                    assert!(!may_begin(&path).unwrap());
                } else {
                    assert!(may_begin(&path).unwrap(), "step {step}");
                    drop(create(&path, Files::new()).unwrap_or_else(|e| panic!("{step}: {e}")));
                    half_made += 1;
                }
                let store = open(&path).unwrap_or_else(|error| panic!("step {step}: {error}"));
                let acme = tenant("acme");
                let batch = ChainBuilder::new().batch().events(&acme, 2).build();
                store.append(&batch).unwrap();
                store.close().unwrap();
            }
            assert!(half_made > 15, "only {half_made} steps");
        }
    }

    #[test]
    fn files_cut_short_begin_again() {
        let directory = TestDirectory::new("cut");
        drop(create(&directory.join("whole"), Files::new()).unwrap());
        let read = |name: &str| std::fs::read(directory.join("whole").join(name)).unwrap();
        for (from, name) in [
            ("keys/store.key", "keys/store.tmp"),
            ("FORMAT", "FORMAT.tmp"),
            ("HEAD", "HEAD"),
            ("log/000000000001.log", "log/000000000001.tmp"),
        ] {
            let bytes = read(from);
            for length in (0..bytes.len()).step_by(1 + bytes.len() / 60) {
                let is_head_in_part = name == "HEAD" && length % BLOCK_BYTES < 200 && length > 0;
                let path = directory.write(&format!("cut/{name}"), &bytes[..length]);
                // A block of HEAD is one sector: it is written as a whole or not at all.
                assert!(may_begin(&directory.join("cut")).unwrap() || is_head_in_part, "{name}");
                std::fs::write(path, vec![0; length]).unwrap();
                assert!(may_begin(&directory.join("cut")).unwrap(), "zeros in {name}");
            }
            drop(create(&directory.join("cut"), Files::new()).unwrap());
            std::fs::remove_dir_all(directory.join("cut")).unwrap();
        }
    }

    /// Everything in a directory, with contents.
    fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in entries(path).unwrap() {
            let path = entry.path();
            if path.is_dir() {
                all.extend(contents(&path));
            } else {
                all.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
        all.sort();
        all
    }

    fn assert_untouched(path: &Path, told: &str) {
        let before = contents(path);
        assert!(!may_begin(path).unwrap(), "{told}");
        let error = create(path, Files::new()).err().unwrap();
        assert!(matches!(error, OpenError::NotEmpty { .. }), "{told}: {error}");
        assert_eq!(contents(path), before, "{told}");
    }

    #[test]
    fn a_foreign_file_keeps_everything_from_being_removed() {
        let foreign: &[(&str, &[u8])] = &[
            ("notes.txt", b""),
            ("HEAD", b"ref: refs/heads/main\n"),
            ("HEAD", &[0; 2 * BLOCK_BYTES + 1]),
            ("LOCK", b"pid 7\n"),
            ("FORMAT.tmp", b"mine"),
            ("admin.sqlite", b""),
            ("log/notes.txt", b"mine"),
            ("log/000000000001.log", b"mine"),
            ("log/000000000002.log", b""),
            ("log/1.tmp", b""),
            ("log/deeper/000000000001.log", b""),
            ("keys/log.key", b""),
            ("keys/record.tmp", b""),
            ("keys/store.key", b""),
            ("keys/store.tmp", b"mine"),
            ("segments/0000000000000000.1.seg", b""),
            ("segments/some.tmp", b""),
            ("ids/MANIFEST", b""),
            ("tiles/some.png", b""),
            ("tiles/empty/x", b""),
        ];
        for (name, bytes) in foreign {
            let directory = TestDirectory::new("foreign");
            let stopped = create(&directory.join("data"), Stop::at(12, false));
            assert!(stopped.is_err());
            directory.write(&format!("data/{name}"), bytes);
            assert_untouched(&directory.join("data"), name);
        }
        let directory = TestDirectory::new("foreign-link");
        let kept = directory.write("elsewhere/store.key", "");
        std::fs::create_dir_all(directory.join("data")).unwrap();
        let link = directory.join("data/keys");
        std::os::unix::fs::symlink(directory.join("elsewhere"), link).unwrap();
        assert_untouched(&directory.join("data"), "a link to a directory");
        assert!(kept.exists());
    }

    #[test]
    fn a_directory_that_lost_its_format_is_never_begun_again() {
        let directory = TestDirectory::new("lost");
        let path = directory.join("data");
        let store = create(&path, Files::new()).unwrap();
        let acme = tenant("acme");
        store.append(&ChainBuilder::new().batch().events(&acme, 2).build()).unwrap();
        store.close().unwrap();
        drop(store);
        std::fs::remove_file(path.join("FORMAT")).unwrap();
        assert_untouched(&path, "with everything else");
        std::fs::remove_dir_all(path.join("log")).unwrap();
        assert_untouched(&path, "with HEAD, which speaks of records");
    }

    #[test]
    fn what_another_process_is_making_is_left_alone() {
        let directory = TestDirectory::new("two");
        let path = directory.join("data");
        assert!(create(&path, Stop::at(12, false)).is_err());
        let before = contents(&path);
        let held = super::super::writer_lock::take_lock(&Layout::new(&path)).unwrap();
        let error = create(&path, Files::new()).err().unwrap();
        assert!(matches!(error, OpenError::Locked { .. }), "{error}");
        assert_eq!(contents(&path), before);
        drop(held);
        drop(create(&path, Files::new()).unwrap());
    }
}
