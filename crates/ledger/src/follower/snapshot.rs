//! Derived files: replaced whole, and believed only with the hash they end in, which is over the
//! ledger and the place that they belong to as well: a file from elsewhere is none.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ledgerstone_proof::{Hash, sha256};

/// Bytes of the hash at a file's end.
const TRAILER: usize = 32;

/// Writes a file beside its place, syncs it and moves it there. The file ends with the SHA-256 of
/// what it belongs to, a line end, and what is before.
pub(super) fn write(path: &Path, belongs: &str, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    let beside = path.with_extension("tmp");
    let options =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o640).clone();
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.write_all(trailer(belongs, content).as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}

/// Reads what [`write`] wrote; `None` when the file is missing, is not what was written, or belongs to
/// something else.
pub(super) fn read(path: &Path, belongs: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(length) = bytes.len().checked_sub(TRAILER) else {
        return Ok(None);
    };
    let found = bytes.split_off(length);
    Ok((found == trailer(belongs, &bytes).as_bytes()).then_some(bytes))
}

fn trailer(belongs: &str, content: &[u8]) -> Hash {
    sha256(&[belongs.as_bytes(), b"\n", content].concat())
}
