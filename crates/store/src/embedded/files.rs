//! Every change to a file or directory goes through here, so that tests can make each one fail.
//!
//! A fault is asked before and after the effect: failing before means the effect did not happen,
//! failing after means that it did and the caller is told otherwise. Both happen to real disks.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that background writers hand to the disk at once.
const CHUNK: usize = 1 << 20;

/// What is done to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileOp {
    Create,
    Write,
    Sync,
    SyncDirectory,
    Rename,
    Unlink,
    Truncate,
}

/// Decides whether an operation fails; implemented by tests.
pub trait FileFault: Send + Sync {
    /// An error here keeps the effect from happening.
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()>;
    /// An error here comes after the effect has happened.
    fn after(&self, op: FileOp, path: &Path) -> io::Result<()>;
}

/// The file layer of one store.
#[derive(Clone, Default)]
pub struct Files {
    fault: Option<Arc<dyn FileFault>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("faulty", &self.fault.is_some()).finish()
    }
}

impl Files {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn with_fault(fault: Arc<dyn FileFault>) -> Self {
        Self { fault: Some(fault) }
    }

    fn run<T>(
        &self,
        op: FileOp,
        path: &Path,
        effect: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(fault) = &self.fault else {
            return effect();
        };
        fault.before(op, path)?;
        let value = effect()?;
        fault.after(op, path)?;
        Ok(value)
    }

    /// Creates a file that must not exist, readable by its owner's group and nobody else.
    pub fn create(&self, path: &Path) -> io::Result<DataFile> {
        self.create_with_mode(path, 0o640)
    }

    pub fn create_with_mode(&self, path: &Path, mode: u32) -> io::Result<DataFile> {
        let file = self.run(FileOp::Create, path, || {
            OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
        })?;
        Ok(self.wrap(file, path))
    }

    pub fn open_for_writing(&self, path: &Path) -> io::Result<DataFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(self.wrap(file, path))
    }

    pub fn open_for_reading(&self, path: &Path) -> io::Result<DataFile> {
        Ok(self.wrap(File::open(path)?, path))
    }

    fn wrap(&self, file: File, path: &Path) -> DataFile {
        DataFile { file, path: path.to_owned(), files: self.clone() }
    }

    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(FileOp::Rename, to, || std::fs::rename(from, to))
    }

    pub fn unlink(&self, path: &Path) -> io::Result<()> {
        self.run(FileOp::Unlink, path, || std::fs::remove_file(path))
    }

    pub fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.run(FileOp::SyncDirectory, path, || File::open(path)?.sync_all())
    }

    /// Writes a whole file so that a crash leaves the old one or the new one: beside, synced,
    /// renamed, directory synced.
    pub fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let beside = path.with_extension("tmp");
        match self.unlink(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.create_with_mode(&beside, mode)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()?;
        self.rename(&beside, path)?;
        match path.parent() {
            Some(directory) => self.sync_directory(directory),
            None => Ok(()),
        }
    }
}

/// Makes a directory of the store, and those above it, that others than owner and group may not
/// look into; one that is there keeps its mode.
pub fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(path)
}

/// An open file whose changes can be made to fail.
#[derive(Debug)]
pub struct DataFile {
    file: File,
    path: PathBuf,
    files: Files,
}

impl DataFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn byte_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.files.run(FileOp::Write, &self.path, || self.file.write_all_at(bytes, offset))
    }

    pub fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    /// Reads `len` bytes at `offset`.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Makes the data of the file durable (`fdatasync`).
    pub fn sync_data(&self) -> io::Result<()> {
        self.files.run(FileOp::Sync, &self.path, || self.file.sync_data())
    }

    pub fn sync_all(&self) -> io::Result<()> {
        self.files.run(FileOp::Sync, &self.path, || self.file.sync_all())
    }

    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.files.run(FileOp::Truncate, &self.path, || self.file.set_len(len))
    }

    /// Takes away everybody's right to write, and that of others than owner and group to read, as
    /// sealed files have it.
    pub fn make_read_only(&self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        self.file.set_permissions(std::fs::Permissions::from_mode(0o440))
    }

    /// Writes zeros over `from..to`, so that later writes need no new blocks.
    pub fn fill_with_zeros(&self, from: u64, to: u64) -> io::Result<()> {
        let zeros = vec![0_u8; CHUNK.min(to.saturating_sub(from) as usize)];
        let mut at = from;
        while at < to {
            let len = (CHUNK as u64).min(to - at);
            self.write_and_sync(&zeros[..len as usize], at)?;
            at += len;
        }
        Ok(())
    }

    /// Writes much in small synced pieces, so that a commit to the log that comes between waits
    /// for one piece and not for all of it.
    pub fn write_in_pieces(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut at = offset;
        for piece in bytes.chunks(CHUNK) {
            self.write_and_sync(piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn write_and_sync(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)?;
        if bytes.len() == CHUNK { self.sync_data() } else { Ok(()) }
    }
}
