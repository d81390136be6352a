//! Finds the foreign vectors, which lie beside the project, and says so when they are absent.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of foreign vectors of that name, if it is there.
pub fn foreign(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LEDGERSTONE_FOREIGN_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join("vectors").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: foreign vectors are absent at {}; set LEDGERSTONE_FOREIGN_DATA",
        folder.display()
    );
    None
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("folder can be read") {
        let path = entry.expect("entry can be read").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn read_text(path: &Path) -> String {
    String::from_utf8(read(path)).expect("file is UTF-8")
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).expect("file is JSON")
}

/// The last part of a path.
pub fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("file name is UTF-8")
}

pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("member is a string")
}

pub fn number(value: &Value, member: &str) -> u64 {
    value[member].as_u64().expect("member is a number")
}

pub fn bytes_of_hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}
