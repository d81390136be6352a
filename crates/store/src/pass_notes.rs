//! What a pass of the background verification has read and found, kept so that it goes on after a restart:
//! the port, one in memory and one in a file.
//!
//! Nothing in it is truth. What is lost or damaged is read again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::embedded::files::Files;

/// Findings name files and tenants.
const FILE_MODE: u32 = 0o640;

/// Hexadecimal digits of a line's checksum.
const SUM_DIGITS: usize = 8;

/// Keeps notes, each a text in one line.
pub trait PassNotes: Send + Sync {
    /// What was noted since the last [`begin`](Self::begin), in order, up to where it is whole.
    fn notes(&self) -> io::Result<Vec<String>>;

    /// Forgets everything, and notes these.
    fn begin(&self, notes: &[String]) -> io::Result<()>;

    /// Notes one thing more. A crash may lose it.
    fn note(&self, note: &str) -> io::Result<()>;
}

/// Notes that end with the process.
#[derive(Debug, Default)]
pub struct MemoryNotes(Mutex<Vec<String>>);

impl MemoryNotes {
    // Nothing is left half done under the lock.
    fn hold(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PassNotes for MemoryNotes {
    fn notes(&self) -> io::Result<Vec<String>> {
        Ok(self.hold().clone())
    }

    fn begin(&self, notes: &[String]) -> io::Result<()> {
        notes.clone_into(&mut self.hold());
        Ok(())
    }

    fn note(&self, note: &str) -> io::Result<()> {
        self.hold().push(note.to_owned());
        Ok(())
    }
}

/// Notes in a file that one process writes: each a line, led by its CRC-32C.
#[derive(Debug)]
pub struct FileNotes {
    path: PathBuf,
    files: Files,
}

impl FileNotes {
    /// The file is made with the first notes.
    pub fn new(path: &Path, files: Files) -> Self {
        Self { path: path.to_owned(), files }
    }
}

impl PassNotes for FileNotes {
    fn notes(&self) -> io::Result<Vec<String>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(bytes.split_inclusive(|byte| *byte == b'\n').map_while(read).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn begin(&self, notes: &[String]) -> io::Result<()> {
        let text: String = notes.iter().map(|note| line(note)).collect();
        self.files.replace(&self.path, text.as_bytes(), FILE_MODE)
    }

    fn note(&self, note: &str) -> io::Result<()> {
        let file = self.files.open_for_writing(&self.path)?;
        file.write_all_at(line(note).as_bytes(), file.byte_len()?)
    }
}

fn line(note: &str) -> String {
    format!("{:08x} {note}\n", crc32c::crc32c(note.as_bytes()))
}

/// The note of a line; `None` where it is not whole.
fn read(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, note) = line.split_at_checked(SUM_DIGITS)?;
    let note = note.strip_prefix(' ')?;
    let is_whole = u32::from_str_radix(sum, 16).ok()? == crc32c::crc32c(note.as_bytes());
    is_whole.then(|| note.to_owned())
}

#[cfg(test)]
mod tests {
    use ledgerstone_testkit::TestDirectory;

    use super::{FileNotes, MemoryNotes, PassNotes};
    use crate::embedded::files::Files;

    fn texts(notes: &[&str]) -> Vec<String> {
        notes.iter().map(|note| (*note).to_owned()).collect()
    }

    #[test]
    fn what_was_noted_since_the_beginning_is_kept() {
        let directory = TestDirectory::new("notes");
        let file = FileNotes::new(&directory.path().join("notes"), Files::new());
        let stores: [&dyn PassNotes; 2] = [&MemoryNotes::default(), &file];
        for notes in stores {
            assert_eq!(notes.notes().unwrap(), texts(&[]));
            notes.begin(&texts(&["a", "{\"b\":\"ü\"}"])).unwrap();
            notes.note("c").unwrap();
            assert_eq!(notes.notes().unwrap(), texts(&["a", "{\"b\":\"ü\"}", "c"]));
            notes.begin(&texts(&["d"])).unwrap();
            assert_eq!(notes.notes().unwrap(), texts(&["d"]));
        }
    }

    #[test]
    fn what_is_not_whole_is_left_out_with_what_follows() {
        let directory = TestDirectory::new("torn-notes");
        let path = directory.path().join("notes");
        let notes = FileNotes::new(&path, Files::new());
        notes.begin(&texts(&["first", "second", "third"])).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let kept = notes.notes().unwrap();
            assert_eq!(kept, texts(&["first", "second", "third"])[..kept.len()], "{length}");
            assert!(kept.len() < 3, "{length}");
        }
        let mut changed = whole.clone();
        changed[20] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(notes.notes().unwrap(), texts(&["first"]));
    }
}
