//! What stands at the path of a data directory, before anything is opened or made there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ledgerstone_model::ErrorCode;
use ledgerstone_store::embedded::Layout;

use crate::failure::Failure;

/// The first bytes of a log file that hold its own header and no record.
const LOG_HEADER_BYTES: usize = 512;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing, or what an interrupted making of a data directory left: no record was ever in it.
    Free,
    /// A data directory, be it damaged.
    DataDirectory,
    /// Something else.
    Foreign,
}

/// Looks at what stands at a path.
pub fn look_at(path: &Path) -> Result<Place, Failure> {
    let failed = |error: io::Error| Failure::file("opening", path, &error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("{} is not a directory", path.display());
            return Err(Failure::new(ErrorCode::NotADataDirectory, message));
        }
        Err(error) => return Err(failed(error)),
    };
    let layout = Layout::new(path);
    if layout.format().exists() {
        return Ok(Place::DataDirectory);
    }
    let is_projection = |path: &Path| {
        let (name, admin) = (path.as_os_str(), layout.admin());
        name.as_encoded_bytes().starts_with(admin.as_os_str().as_encoded_bytes())
    };
    let ours = own_names(&layout);
    if !entries.iter().all(|entry| ours.contains(&entry.path()) || is_projection(&entry.path())) {
        return Ok(Place::Foreign);
    }
    if layout.admin().exists() {
        return Ok(Place::DataDirectory);
    }
    Ok(if holds_records(&layout).map_err(failed)? { Place::DataDirectory } else { Place::Free })
}

/// Everything that stands in a data directory before `FORMAT`, which comes last.
fn own_names(layout: &Layout) -> Vec<PathBuf> {
    let mut names = layout.directories().to_vec();
    names.extend([layout.head(), layout.lock()]);
    // `FORMAT` is written beside its place and renamed.
    names.push(layout.format().with_extension("tmp"));
    names
}

/// Whether a directory without `FORMAT` was more than begun: then it lost `FORMAT`.
fn holds_records(layout: &Layout) -> io::Result<bool> {
    let [logs, keys] = [layout.logs(), layout.keys()];
    for directory in layout.directories() {
        for file in files_in(&directory)? {
            let harmless = match &directory {
                keys_directory if *keys_directory == keys => file.starts_with(layout.store_key()),
                log_directory if *log_directory == logs => is_empty_log(&file)?,
                _ => false,
            };
            let half_written = file.extension().is_some_and(|ending| ending == "tmp");
            if !harmless && !half_written {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_empty_log(path: &Path) -> io::Result<bool> {
    Ok(fs::read(path)?.iter().skip(LOG_HEADER_BYTES).all(|byte| *byte == 0))
}

/// Removes what an interrupted making left at a free place.
pub fn clear(path: &Path) -> Result<(), Failure> {
    for leftover in own_names(&Layout::new(path)) {
        let removed = if leftover.is_dir() {
            fs::remove_dir_all(&leftover)
        } else {
            fs::remove_file(&leftover)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::file("removing", &leftover, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Leaves the directory of the keys to its owner.
pub fn hide_keys(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let keys = Layout::new(path).keys();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::file("hiding", &keys, &error))
}

#[cfg(test)]
mod tests {
    use ledgerstone_testkit::TestDirectory;

    use super::{Place, clear, look_at};

    #[test]
    fn what_stands_there_is_told_apart() {
        let directory = TestDirectory::new("place");
        assert_eq!(look_at(&directory.join("none")).unwrap(), Place::Free);
        assert_eq!(look_at(directory.path()).unwrap(), Place::Free);
        let file = directory.write("file", "x");
        assert!(look_at(&file).is_err());
        assert_eq!(look_at(directory.path()).unwrap(), Place::Foreign);
    }

    #[test]
    fn an_interrupted_making_is_cleared_and_records_never_are() {
        let directory = TestDirectory::new("place");
        directory.write("keys/store.key", "x");
        directory.write("HEAD", vec![0; 8192]);
        directory.write("LOCK", "");
        let log = directory.write("log/000000000001.log", vec![0; 4096]);
        assert_eq!(look_at(directory.path()).unwrap(), Place::Free);
        let mut bytes = vec![0; 4096];
        bytes[600] = 1;
        std::fs::write(&log, bytes).unwrap();
        assert_eq!(look_at(directory.path()).unwrap(), Place::DataDirectory);
        std::fs::write(&log, vec![0; 4096]).unwrap();
        directory.write("keys/log.key", "x");
        assert_eq!(look_at(directory.path()).unwrap(), Place::DataDirectory);
        std::fs::remove_file(directory.join("keys/log.key")).unwrap();
        clear(directory.path()).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
