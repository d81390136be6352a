//! `cargo xtask fuzz`: the fuzz tests that every `cargo test` runs for a moment, run for minutes.
//!
//! A crate's fuzz targets are the tests in its `tests/fuzz.rs`. Each draws its inputs from a fixed
//! seed and reads how many to try from `LEDGERSTONE_FUZZ_ITERATIONS`, so a finding is met again by
//! typing the printed line.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::arguments::Arguments;
use crate::project::Project;
use crate::steps::run_command;

const MINUTES_DEFAULT: u64 = 5;
/// Inputs per target in the first round. Each round tries twice as many as the one before: it
/// begins with the same ones, and goes as far again.
const ITERATIONS_FIRST: u64 = 100_000;

pub fn run(project: &Project, mut arguments: Arguments) -> Result<()> {
    let minutes = arguments.number("--minutes")?.unwrap_or(MINUTES_DEFAULT);
    let target = arguments.word();
    arguments.finish()?;
    let packages = fuzzed_packages(project)?;
    if packages.is_empty() {
        bail!("no crate has a tests/fuzz.rs");
    }
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let mut iterations = ITERATIONS_FIRST;
    loop {
        for package in &packages {
            one_round(project, package, target.as_deref(), iterations)?;
        }
        if Instant::now() >= end {
            println!("== nothing found in {iterations} inputs per target");
            return Ok(());
        }
        iterations = iterations.saturating_mul(2);
    }
}

/// Runs the targets of one crate; only those whose names contain `target` where one is given.
fn one_round(
    project: &Project,
    package: &str,
    target: Option<&str>,
    iterations: u64,
) -> Result<()> {
    let mut words = vec!["test", "--release", "--locked", "-p", package];
    words.extend(["--test", "fuzz"]);
    words.extend(target);
    let variable = "LEDGERSTONE_FUZZ_ITERATIONS";
    let line = format!("{variable}={iterations} cargo {}", words.join(" "));
    let mut command = Command::new("cargo");
    command.args(words).env(variable, iterations.to_string());
    let about = format!("fuzz {package}");
    run_command(project, &about, &line, &mut command)
}

/// The packages with a `tests/fuzz.rs`, named after their directory as all our crates are.
fn fuzzed_packages(project: &Project) -> Result<Vec<String>> {
    let crates = project.root().join("crates");
    let mut found = Vec::new();
    let listing = std::fs::read_dir(&crates).context("cannot list the crates directory")?;
    for entry in listing {
        let entry = entry?;
        if entry.path().join("tests/fuzz.rs").is_file() {
            let name = entry.file_name();
            found.push(format!("ledgerstone-{}", name.to_string_lossy()));
        }
    }
    found.sort();
    Ok(found)
}
