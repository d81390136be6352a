//! The directory that an export goes into.
//!
//! The checkpoint is written last, when everything under it is on the disk: what lies below an
//! earlier export's checkpoint is whole, and of the rest nothing is believed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Checkpoint, TilePath};

use crate::failure::Failure;

/// The file that says which tree the tiles are of (C2SP tlog-tiles).
const CHECKPOINT: &str = "checkpoint";

/// A directory of tiles.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Size of the tree that an earlier export left here.
    exported: u64,
}

impl Folder {
    /// Opens a new or empty directory, or an earlier export of the log with this origin.
    pub fn open(path: &Path, origin: &str) -> Result<Self, Failure> {
        let refuse = |what: &str| {
            let message = format!("{} {what}", path.display());
            Failure::new(ErrorCode::DataDirectoryNotEmpty, message).with_remedy(
                "Export into a new directory, or into an earlier export of this ledger.",
            )
        };
        let exported = match fs::read(path.join(CHECKPOINT)) {
            Ok(note) => match Checkpoint::parse_note(&note) {
                Ok((checkpoint, _)) if checkpoint.origin() == origin => checkpoint.size().value(),
                _ => return Err(refuse("holds another log")),
            },
            // A `tile` without a checkpoint is an export that was interrupted.
            Err(_) if holds_only_tiles(path)? => 0,
            Err(_) => return Err(refuse("holds something else")),
        };
        Ok(Self { path: path.to_owned(), exported })
    }

    /// A tile of the earlier export, if it is one of its full tiles.
    pub fn exported(&self, tile: &TilePath, end: u64) -> Option<Vec<u8>> {
        if end > self.exported || !tile.is_full() {
            return None;
        }
        fs::read(self.path.join(tile.to_string())).ok()
    }

    /// Writes a tile.
    pub fn write(&self, tile: &TilePath, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(tile.to_string());
        let inner = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(inner).map_err(|error| Failure::file("making", inner, &error))?;
        replace(&path, bytes, false)
    }

    /// Everything is written: the checkpoint follows.
    pub fn finish(&self, note: &str) -> Result<(), Failure> {
        let synced = File::open(&self.path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
        synced.map_err(|error| Failure::file("syncing", &self.path, &error))?;
        replace(&self.path.join(CHECKPOINT), note.as_bytes(), true)
    }
}

/// Whether a directory is absent, empty, or holds tiles and nothing else.
fn holds_only_tiles(path: &Path) -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::file("opening", path, &error);
    match fs::read_dir(path) {
        Ok(mut entries) => entries.try_fold(true, |only_tiles, entry| {
            let name = entry.map_err(failed)?.file_name();
            Ok(only_tiles && (name == "tile" || name == "checkpoint.tmp"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file beside its place and renames it, so that no reader meets half of it.
fn replace(path: &Path, bytes: &[u8], sync: bool) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let beside = PathBuf::from(name);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&beside, path)
    };
    write().map_err(|error| Failure::file("writing", path, &error))
}
