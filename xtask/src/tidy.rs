//! `cargo xtask tidy`: the house rules that neither compiler nor clippy knows, as a test.
//!
//! A rule about one file is one line of [`FILE_RULES`]; rules about crates are in `tidy/crates.rs`.

mod crates;
mod files;
mod functions;
mod links;
mod rust_text;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::arguments::Arguments;
use crate::project::{Project, SourceFile};

/// One breach of a house rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    path: String,
    /// Counted from 1; 0 where the whole file is meant.
    line: usize,
    message: String,
}

impl Fault {
    fn in_line(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }

    fn in_file(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: 0, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.message),
            line => write!(out, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// A rule that looks at one text file.
type FileRule = fn(&SourceFile) -> Vec<Fault>;

const FILE_RULES: &[FileRule] = &[
    files::length,
    files::opening,
    files::name,
    files::crate_root,
    files::manifest,
    files::lock,
    functions::length,
    words::check,
];

pub fn run(project: &Project, arguments: Arguments) -> Result<()> {
    arguments.finish()?;
    check(project)
}

/// Prints every fault of the tree and fails when there is one.
pub fn check(project: &Project) -> Result<()> {
    println!("== tidy");
    let files = project.text_files()?;
    let mut faults: Vec<Fault> =
        files.iter().flat_map(|file| FILE_RULES.iter().flat_map(|rule| rule(file))).collect();
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    faults.extend(files.iter().flat_map(|file| links::check(file, &paths)));
    faults.extend(crates::check(&cargo_metadata(project)?)?);
    for fault in &faults {
        println!("   {fault}");
    }
    if !faults.is_empty() {
        bail!("{} faults against the house rules", faults.len());
    }
    println!("   ok, {} files", files.len());
    Ok(())
}

fn cargo_metadata(project: &Project) -> Result<String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(project.root())
        .output()
        .context("cannot start `cargo metadata`")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("`cargo metadata` failed: {told}");
    }
    String::from_utf8(output.stdout).context("`cargo metadata` did not answer in UTF-8")
}
