//! Directories for tests: empty at the start, gone at the end unless somebody wants to look.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Set to anything, it keeps the directories of tests and prints where they are.
const KEEP: &str = "LEDGERSTONE_KEEP_TEST_DIRECTORIES";

/// A directory of its own for one test.
#[derive(Debug)]
pub struct TestDirectory {
    inner: TempDir,
}

impl TestDirectory {
    /// Makes an empty directory. The name is only for people who look at kept ones.
    ///
    /// # Panics
    /// When the system's temporary directory cannot be written.
    pub fn new(name: &str) -> Self {
        let prefix = format!("ledgerstone-{name}-");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        if std::env::var_os(KEEP).is_some() {
            builder.disable_cleanup(true);
        }
        match builder.tempdir() {
            Ok(inner) => {
                if std::env::var_os(KEEP).is_some() {
                    eprintln!("test directory kept: {}", inner.path().display());
                }
                Self { inner }
            }
            Err(error) => panic!("cannot make a test directory: {error}"),
        }
    }

    pub fn path(&self) -> &Path {
        self.inner.path()
    }

    /// A path inside; nothing is created.
    pub fn join(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    /// Writes a file inside, making the folders on the way, and says where it is.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(relative);
        let folder = path.parent().unwrap_or(self.path());
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes));
        if let Err(error) = written {
            panic!("cannot write {}: {error}", path.display());
        }
        path
    }

    /// Copies everything inside to a new directory, as a backup would.
    ///
    /// # Panics
    /// When something cannot be read or written.
    #[must_use]
    pub fn copy(&self, name: &str) -> Self {
        let copy = Self::new(name);
        if let Err(error) = copy_tree(self.path(), copy.path()) {
            panic!("cannot copy {}: {error}", self.path().display());
        }
        copy
    }
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{KEEP, TestDirectory};

    #[test]
    fn a_directory_is_empty_and_goes_away() {
        let directory = TestDirectory::new("own");
        let path = directory.path().to_owned();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        drop(directory);
        let kept = std::env::var_os(KEEP).is_some();
        assert_eq!(path.exists(), kept);
    }

    #[test]
    fn a_copy_holds_the_same_and_is_its_own() {
        let first = TestDirectory::new("first");
        let file = first.write("a/b.txt", "one");
        let second = first.copy("second");
        fs::write(&file, "two").unwrap();
        let copied = fs::read_to_string(second.join("a/b.txt")).unwrap();
        assert_eq!(copied, "one");
    }
}
