//! Where the project's tree is and what text it holds, so that no task walks it by itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Directories that are not part of the project although they may stand in its tree.
const NOT_OURS: &[&str] = &[".git", "target", "ledgerstone-data", "node_modules"];

/// The checkout that this task works on.
pub struct Project {
    root: PathBuf,
}

/// One text file of the project.
pub struct SourceFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl Project {
    /// The directory above this crate, as cargo tells it at run time: a target directory may be
    /// shared between checkouts.
    pub fn find() -> Result<Self> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set; call this as `cargo xtask`")?;
        let root =
            Path::new(&own).parent().context("this crate has no directory above it")?.to_owned();
        Ok(Self { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every file that is UTF-8 text, sorted by path.
    pub fn text_files(&self) -> Result<Vec<SourceFile>> {
        let mut found = Vec::new();
        self.walk(&self.root, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn walk(&self, directory: &Path, found: &mut Vec<SourceFile>) -> Result<()> {
        let entries = fs::read_dir(directory)
            .with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if kind.is_dir() {
                self.walk(&path, found)?;
            } else if kind.is_file() {
                self.read(&path, found)?;
            }
        }
        Ok(())
    }

    fn read(&self, path: &Path, found: &mut Vec<SourceFile>) -> Result<()> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        // Fixtures may be binary; the rules are about text.
        if let Ok(text) = String::from_utf8(bytes) {
            let relative = path.strip_prefix(&self.root)?;
            let path = relative.to_string_lossy().replace('\\', "/");
            found.push(SourceFile { path, text });
        }
        Ok(())
    }
}

impl SourceFile {
    #[cfg(test)]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// What follows the last dot of the file's name, or nothing.
    pub fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }
}
