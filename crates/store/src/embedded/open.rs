//! Opening a data directory: for what, why it may be refused, and what is told of it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Hash, VerifyingKey};
use thiserror::Error;

use super::StoreId;
use super::files::Files;
use super::format_file::{FormatFault, FormatFile};
use super::layout::Layout;
use super::shared::Shared;
use super::{unfinished, writer_lock};
use crate::key_file::KeyFileError;
use crate::record::ContainerFinding;

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
    #[error(
        "its {container} files are of version {version}, which this program does not know: use a \
         Ledgerstone that does; docs/format.md says which, and how to move a directory"
    )]
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
            Self::Key(error) => error.code(),
            Self::KeyMissing => ErrorCode::InvalidKey,
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

/// Identity and key of a store that is about to be created.
pub fn format_of(store: StoreId, store_key: VerifyingKey) -> FormatFile {
    FormatFile { store, store_key }
}

/// Makes the name of a new directory durable, where the directory above may be opened at all.
pub fn sync_parent(files: &Files, path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match files.sync_directory(parent.unwrap_or(Path::new("."))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Makes a place ready for a new data directory, and takes the writer's lock there: nothing may stand
/// there but what a creation left that was stopped before its end, and that is removed.
pub fn prepare_place(files: &Files, layout: &Layout) -> Result<File, OpenError> {
    let path = layout.root();
    let failed = |error| OpenError::io(format!("opening {} failed", path.display()), error);
    let not_empty = || OpenError::NotEmpty { path: path.to_owned() };
    if !unfinished::may_begin(path).map_err(failed)? {
        return Err(not_empty());
    }
    let made = |error| OpenError::io(format!("making {} failed", path.display()), error);
    super::files::make_directory(path).map_err(made)?;
    let lock = writer_lock::take_lock(layout)?;
    // Looked at again under the lock: another process may have been making it.
    let cleared = unfinished::clear(files, layout).map_err(|error| {
        OpenError::io(format!("removing what is half made in {} failed", path.display()), error)
    })?;
    if cleared { Ok(lock) } else { Err(not_empty()) }
}
