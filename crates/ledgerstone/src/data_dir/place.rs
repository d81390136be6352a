//! What stands at the path of a data directory, before anything is opened or made there.

use std::fs;
use std::io;
use std::path::Path;

use ledgerstone_model::ErrorCode;
use ledgerstone_store::embedded::{Layout, may_begin};

use crate::failure::Failure;

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
    let layout = Layout::new(path);
    if layout.format().exists() {
        return Ok(Place::DataDirectory);
    }
    match may_begin(path) {
        Ok(true) => Ok(Place::Free),
        Ok(false) if lost_its_format(&layout) => Ok(Place::DataDirectory),
        Ok(false) => Ok(Place::Foreign),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("{} is not a directory", path.display());
            Err(Failure::new(ErrorCode::NotADataDirectory, message))
        }
        Err(error) => Err(Failure::file("opening", path, &error)),
    }
}

/// Whether a directory without `FORMAT` was more than begun: files stand in it that no other
/// program writes there.
fn lost_its_format(layout: &Layout) -> bool {
    layout.store_key().exists()
        || layout.admin().exists()
        || holds(&layout.logs(), "log")
        || holds(&layout.segments(), "seg")
}

/// Whether a directory holds a file that is named by a number, as logs and segments are.
fn holds(directory: &Path, extension: &str) -> bool {
    let is_numbered = |name: &str| {
        let stem = name.strip_suffix(extension).and_then(|name| name.strip_suffix('.'));
        let number = stem.and_then(|stem| stem.split('.').next());
        number.is_some_and(|number| {
            number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.to_str().is_some_and(is_numbered))
}

/// Leaves the directory of the keys to its owner.
pub fn hide_keys(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let keys = Layout::new(path).keys();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700))
        .map_err(|error| Failure::file("hiding", &keys, &error))
}

/// Rights that others than the owner have to the directory of the keys, as `chmod` writes them; none
/// where it is as it was made. The key files are each their owner's alone, but whoever may write
/// here can put other files in their place.
pub fn rights_to_keys(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(Layout::new(path).keys()).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then(|| format!("{mode:04o}"))
}

#[cfg(test)]
mod tests {
    use ledgerstone_testkit::TestDirectory;

    use super::{Place, look_at};

    #[test]
    fn what_stands_there_is_told_apart() {
        let directory = TestDirectory::new("place");
        assert_eq!(look_at(&directory.join("none")).unwrap(), Place::Free);
        assert_eq!(look_at(directory.path()).unwrap(), Place::Free);
        directory.write("LOCK", "");
        directory.write("HEAD", vec![0; 8192]);
        assert_eq!(look_at(directory.path()).unwrap(), Place::Free);
        let foreign = directory.write("log/server.log", "mine");
        assert_eq!(look_at(directory.path()).unwrap(), Place::Foreign);
        assert!(look_at(&foreign).is_err(), "a file is no directory");
        for ours in ["log/000000000007.log", "segments/0000000000000007.1.seg", "keys/store.key"] {
            let file = directory.write(ours, "x");
            assert_eq!(look_at(directory.path()).unwrap(), Place::DataDirectory, "{ours}");
            std::fs::remove_file(file).unwrap();
        }
    }
}
