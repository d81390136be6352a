//! Names of everything in a data directory.

use std::path::{Path, PathBuf};

/// The paths of one data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Directories that exist from the beginning.
    pub fn directories(&self) -> [PathBuf; 6] {
        [self.logs(), self.segments(), self.ids(), self.tiles(), self.cut(), self.keys()]
    }

    pub fn format(&self) -> PathBuf {
        self.root.join("FORMAT")
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    pub fn head(&self) -> PathBuf {
        self.root.join("HEAD")
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    pub fn log(&self, number: u64) -> PathBuf {
        self.logs().join(format!("{number:012}.log"))
    }

    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub fn segment(&self, first: u64, generation: u32) -> PathBuf {
        self.segments().join(format!("{first:016}.{generation}.seg"))
    }

    pub fn ids(&self) -> PathBuf {
        self.root.join("ids")
    }

    pub fn tiles(&self) -> PathBuf {
        self.root.join("tiles")
    }

    pub fn cut(&self) -> PathBuf {
        self.root.join("cut")
    }

    /// Refused submissions; made when the first one is kept.
    pub fn dead(&self) -> PathBuf {
        self.root.join("dead")
    }

    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub fn store_key(&self) -> PathBuf {
        self.keys().join("store.key")
    }

    /// The secret of cursors, made when a server first needs it.
    pub fn cursor_key(&self) -> PathBuf {
        self.keys().join("cursor.key")
    }

    /// The root key, where a file holds it; made when something is first written.
    pub fn root_key(&self) -> PathBuf {
        self.keys().join("root.key")
    }

    pub fn admin(&self) -> PathBuf {
        self.root.join("admin.sqlite")
    }

    /// What the verification in the background has read; made when it first notes something.
    pub fn verification(&self) -> PathBuf {
        self.root.join("verification")
    }

    /// A path as findings name it: relative to the data directory.
    pub fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap_or(path).to_owned()
    }
}

/// The number in a log file's name.
pub fn log_number(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".log")?;
    (stem.len() == 12 && stem.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| stem.parse().ok())
        .flatten()
}

/// First ordinal and generation in a segment file's name.
pub fn segment_name(path: &Path) -> Option<(u64, u32)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".seg")?;
    let (first, generation) = stem.split_once('.')?;
    if first.len() != 16 || !first.bytes().chain(generation.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((first.parse().ok()?, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let layout = Layout::new(Path::new("data"));
        assert_eq!(log_number(&layout.log(7)), Some(7));
        assert_eq!(segment_name(&layout.segment(65_536, 2)), Some((65_536, 2)));
        assert_eq!(log_number(Path::new("7.log")), None);
        assert_eq!(segment_name(Path::new("0000000000065536.seg")), None);
        assert_eq!(segment_name(Path::new("0000000000065536.1.seg.tmp")), None);
    }
}
