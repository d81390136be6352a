//! Rules about a file as a whole: how long, how it opens, what it is called, what a manifest and
//! the lock file must say.

use super::Fault;
use crate::project::SourceFile;

/// Beyond this a file has more than one reason to exist.
const LINES_MAX: usize = 600;

/// What people write by hand and must be able to read in one sitting.
const WRITTEN: &[&str] = &["rs", "py", "sh", "sql", "js", "ts", "css", "html", "proto"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

/// Crates whose roots forbid `unsafe` for ever, so that not even a module can allow it.
const FORBID_UNSAFE: &[&str] = &["crates/proof/src/lib.rs", "crates/model/src/lib.rs"];

/// Where every foreign crate must come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn length(file: &SourceFile) -> Vec<Fault> {
    let lines = file.text.lines().count();
    if !WRITTEN.contains(&file.extension()) || lines <= LINES_MAX {
        return Vec::new();
    }
    let told = format!("{lines} lines, the limit is {LINES_MAX}; split it by what it does");
    vec![Fault::in_file(&file.path, told)]
}

pub fn opening(file: &SourceFile) -> Vec<Fault> {
    let opens = file.text.trim_start().starts_with("//!");
    if !file.is_rust() || opens {
        return Vec::new();
    }
    let told = "does not open with `//!` saying why it exists";
    vec![Fault::in_file(&file.path, told)]
}

pub fn name(file: &SourceFile) -> Vec<Fault> {
    let empty = file.path.split('/').find(|part| {
        let stem = part.split_once('.').map_or(*part, |(stem, _)| stem);
        EMPTY_NAMES.contains(&stem)
    });
    let Some(part) = empty else {
        return Vec::new();
    };
    let told = format!("`{part}` names no purpose; call it after what it does");
    vec![Fault::in_file(&file.path, told)]
}

pub fn crate_root(file: &SourceFile) -> Vec<Fault> {
    let bound = FORBID_UNSAFE.contains(&file.path.as_str());
    if !bound || file.text.contains("#![forbid(unsafe_code)]") {
        return Vec::new();
    }
    let told = "must say `#![forbid(unsafe_code)]`";
    vec![Fault::in_file(&file.path, told)]
}

pub fn manifest(file: &SourceFile) -> Vec<Fault> {
    let member = file.path.ends_with("/Cargo.toml");
    if !member || file.text.contains("[lints]\nworkspace = true") {
        return Vec::new();
    }
    let told = "does not take the workspace's lints; add `[lints]` with `workspace = true`";
    vec![Fault::in_file(&file.path, told)]
}

/// Everything in the lock file comes from the public registry, whatever mirror wrote it.
pub fn lock(file: &SourceFile) -> Vec<Fault> {
    if !file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    let sources = lines.filter_map(|(number, line)| {
        let source = line.strip_prefix("source = ")?.trim_matches('"');
        (source != REGISTRY).then(|| {
            let told = format!("`{source}` is not the public registry");
            Fault::in_line(file, number + 1, told)
        })
    });
    sources.collect()
}

#[cfg(test)]
mod tests {
    use super::{crate_root, length, lock, manifest, name, opening};
    use crate::project::SourceFile;
    use crate::tidy::FileRule;

    fn count(rule: FileRule, path: &str, text: &str) -> usize {
        rule(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn length_is_limited_for_what_is_written_by_hand() {
        let full = "x\n".repeat(600);
        let over = "x\n".repeat(601);
        for (path, text, faults) in [
            ("crates/a/src/b.rs", &full, 0),
            ("crates/a/src/b.rs", &over, 1),
            ("clients/python/a.py", &over, 1),
            ("Cargo.lock", &over, 0),
            ("docs/errors.md", &over, 0),
            ("fixtures/a.json", &over, 0),
        ] {
            assert_eq!(count(length, path, text), faults, "{path}");
        }
    }

    #[test]
    fn every_rust_file_says_why_it_exists() {
        for (path, text, faults) in [
            ("a.rs", "//! Why.\n", 0),
            ("a.rs", "\n//! Why.\n", 0),
            ("a.rs", "// Why.\n", 1),
            ("a.rs", "fn a() {}\n//! late\n", 1),
            ("a.py", "import os\n", 0),
        ] {
            assert_eq!(count(opening, path, text), faults, "{text:?}");
        }
    }

    #[test]
    fn names_that_say_nothing() {
        for (path, faults) in [
            ("crates/a/src/utils.rs", 1),
            ("crates/common/src/lib.rs", 1),
            ("crates/a/tests/helpers/mod.rs", 1),
            ("misc.py", 1),
            ("crates/a/src/common_prefix.rs", 0),
            ("crates/a/src/commonly.rs", 0),
        ] {
            assert_eq!(count(name, path, ""), faults, "{path}");
        }
    }

    #[test]
    fn the_core_forbids_unsafe_code() {
        let root = "crates/proof/src/lib.rs";
        assert_eq!(count(crate_root, root, "//! Proofs.\n"), 1);
        assert_eq!(count(crate_root, root, "#![forbid(unsafe_code)]"), 0);
        assert_eq!(count(crate_root, "crates/edge/src/lib.rs", ""), 0);
    }

    #[test]
    fn manifests_take_the_lints() {
        let with = "[package]\n\n[lints]\nworkspace = true\n";
        assert_eq!(count(manifest, "crates/a/Cargo.toml", with), 0);
        assert_eq!(count(manifest, "crates/a/Cargo.toml", "[package]\n"), 1);
        assert_eq!(count(manifest, "Cargo.toml", "[workspace]\n"), 0);
    }

    #[test]
    fn the_lock_file_names_one_registry() {
        let good = format!("source = \"{}\"\n", super::REGISTRY);
        assert_eq!(count(lock, "Cargo.lock", &good), 0);
        let bad = "name = \"a\"\nsource = \"sparse+https://mirror.example/index/\"\n";
        assert_eq!(count(lock, "Cargo.lock", bad), 1);
        assert_eq!(count(lock, "notes.txt", bad), 0);
    }
}
