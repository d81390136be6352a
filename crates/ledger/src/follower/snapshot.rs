//! Derived files: replaced whole, and believed only with the hash they end in.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use ledgerstone_proof::sha256;

/// Bytes of the hash at a file's end.
const TRAILER: usize = 32;

/// Writes a file beside its place, syncs it and moves it there. The file ends with the SHA-256 of
/// what is before.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(directory)?;
    let beside = path.with_extension("tmp");
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.write_all(sha256(content).as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}

/// Reads what [`write`] wrote; `None` when the file is missing or is not what was written.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(length) = bytes.len().checked_sub(TRAILER) else {
        return Ok(None);
    };
    let trailer = bytes.split_off(length);
    Ok((trailer == sha256(&bytes).as_bytes()).then_some(bytes))
}
