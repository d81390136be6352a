//! Where test data of other projects is. It stands beside this project, not in it; a test that
//! needs it is skipped where it is absent, and says so.

use std::path::{Path, PathBuf};

/// Names another place for the foreign data than `../shared/data` beside the project.
const PLACE: &str = "LEDGERSTONE_FOREIGN_DATA";

/// The path of a file or folder of the foreign data, such as `vectors/merkle`; none where it is
/// absent, after saying on standard error that the test is skipped.
///
/// # Panics
/// When `LEDGERSTONE_FOREIGN_DATA` is set and the path is not there: who names the place means the
/// tests to run.
pub fn foreign_data(relative: &str) -> Option<PathBuf> {
    let named = std::env::var_os(PLACE).map(PathBuf::from);
    let is_named = named.is_some();
    let path = named.unwrap_or_else(default_place).join(relative);
    if path.exists() {
        return Some(path);
    }
    assert!(!is_named, "{PLACE} is set, but {} does not exist", path.display());
    // One write, so that tests running side by side do not mix their lines.
    eprintln!(
        "\n*** SKIPPED: no foreign test data at {}\n*** set {PLACE} to the folder that holds `{relative}` to run this test\n",
        path.display()
    );
    None
}

fn default_place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

#[cfg(test)]
mod tests {
    use super::{default_place, foreign_data};

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_none() {
        if std::env::var_os(super::PLACE).is_none() {
            assert_eq!(foreign_data("no/such/folder"), None);
        }
        let present = default_place().join("vectors").exists();
        if present {
            assert!(foreign_data("vectors").is_some_and(|path| path.is_dir()));
        }
    }
}
