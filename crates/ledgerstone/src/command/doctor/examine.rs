//! Looks at a directory from all sides, without changing it.

use std::path::Path;

use ledgerstone_store::embedded::{EmbeddedStore, Layout, Mode, OpenError};
use ledgerstone_store::{Check, ContainerFinding, LedgerStore as _, key_file};

use super::{Observation, Weight};
use crate::data_dir::{damaged_file, in_directory, key_files, open_store};
use crate::failure::Failure;
use crate::system::System;

/// Less room than this will be full soon: the store makes files of up to 96 MiB ahead.
const LITTLE_ROOM_BYTES: u64 = 512 * 1024 * 1024;

/// What damage leaves to do, wherever it sits.
const WAYS_BACK: &str = "Keep this directory as it is, as evidence. Way back 1: put the named file \
    back from a copy of this directory, then run `ledgerstone verify`. Way back 2: begin a new \
    directory and import again what was lost; events that are still readable here \
    (`ledgerstone list`, `get`, `proof`) keep their proofs.";

/// Everything that is worth telling.
pub fn examine(path: &Path) -> Result<Vec<Observation>, Failure> {
    let mut seen = Vec::new();
    match open_store(path, Mode::Read, &System::new()) {
        Ok(store) => look_at_store(&store, &mut seen)?,
        Err(error) => seen.push(unopened(path, &error)?),
    }
    look_at_keys(path, &mut seen);
    look_at_room(path, &mut seen);
    Ok(seen)
}

fn note(subject: &'static str, what: impl Into<String>) -> Observation {
    Observation { weight: Weight::Note, subject, what: what.into(), remedy: String::new() }
}

fn problem(subject: &'static str, what: String, remedy: impl Into<String>) -> Observation {
    Observation { weight: Weight::Problem, subject, what, remedy: remedy.into() }
}

fn unopened(path: &Path, error: &OpenError) -> Result<Observation, Failure> {
    let Some(file) = damaged_file(path, error) else {
        return Err(in_directory(path, error));
    };
    let failure = in_directory(path, error);
    let remedy = format!(
        "Put {file} back from a copy of this directory: it never changes. Without its keys a \
         directory can be read and verified."
    );
    Ok(problem("opening", failure.message().to_owned(), remedy))
}

fn look_at_store(store: &EmbeddedStore, seen: &mut Vec<Observation>) -> Result<(), Failure> {
    let (report, status) = (store.report(), store.status());
    seen.push(note(
        "contents",
        format!(
            "{} records in {} ledgers; {} sealed segments, {} unsealed logs; {}",
            status.records,
            status.ledgers,
            status.sealed_segments,
            status.unsealed_logs,
            status.protection
        ),
    ));
    if report.living_writer {
        seen.push(note("writer", "a process is writing; its last second may not be shown"));
    } else if report.unclean {
        let what = "the last process did not stop in order; the next one that writes repairs that";
        seen.push(note("stop", what));
    }
    for torn in &report.torn {
        seen.push(note(
            "tail",
            format!(
                "{} ends in {} torn bytes at byte {}: a write that was never acknowledged; the \
                 next process that writes cuts them off, keeps them in cut/ and records it",
                torn.file.display(),
                torn.bytes,
                torn.offset
            ),
        ));
    }
    let (_, findings) = store.parts()?;
    seen.extend(findings.iter().map(damage));
    if let Some(reason) = &report.read_only {
        let what = format!("nothing can be written: {reason}");
        seen.push(problem("writing", what, "Writing goes on when that is repaired."));
    }
    let heals = "It is tried again when a process writes; look for room and rights on the disk.";
    seen.extend(status.degraded.into_iter().map(|what| problem("derived", what, heals)));
    Ok(())
}

fn damage(finding: &ContainerFinding) -> Observation {
    let file = finding.location.file.display();
    let place = match finding.location.offset {
        0 => file.to_string(),
        offset => format!("{file} at byte {offset}"),
    };
    let what = format!(
        "{} in {place}: expected {}, found {}",
        finding.check, finding.expected, finding.found
    );
    let remedy = match finding.check {
        Check::Head if finding.location.file == Path::new("HEAD") => {
            "The other block of HEAD serves; the next process that writes replaces this one. If \
             both are damaged, put HEAD back from a copy."
        }
        _ if is_derived(&finding.location.file) => {
            "Somebody has written this file who had not the store key. It is not believed, and a \
             process that writes makes it again. Run `ledgerstone verify`."
        }
        _ => WAYS_BACK,
    };
    problem("damage", what, remedy)
}

/// Whether a file, relative to the directory, is an index of event ids.
fn is_derived(file: &Path) -> bool {
    file.starts_with("ids") || file.extension().is_some_and(|extension| extension == "idx")
}

fn look_at_keys(path: &Path, seen: &mut Vec<Observation>) {
    let keys = key_files(path, &System::new());
    if !keys.exists() {
        let what =
            "the private keys are not here: the directory can be read and verified, not written";
        seen.push(note("keys", what));
    }
    let store_key = Layout::new(path).store_key();
    let exposed_store_key = key_file::is_exposed(&store_key).then_some(store_key);
    for file in keys.exposed().into_iter().chain(exposed_store_key) {
        let what = format!(
            "others than the owner may read or write {}; nothing can be written until they may not",
            file.display()
        );
        let remedy = format!(
            "Run `chmod 600 {}`. If somebody may have read a log or record key, replace it: \
             `ledgerstone signing-keys rotate --use log|record --reason compromise`.",
            file.display()
        );
        seen.push(problem("keys", what, remedy));
    }
}

fn look_at_room(path: &Path, seen: &mut Vec<Observation>) {
    let Ok(disk) = rustix::fs::statvfs(path) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let what = format!("{} MiB are free on its disk", free / (1024 * 1024));
    seen.push(if free < LITTLE_ROOM_BYTES {
        let remedy = "Make room: writing is refused when the next log file cannot be made, and \
                      goes on by itself when there is room again.";
        problem("room", what, remedy)
    } else {
        note("room", what)
    });
}
