//! Looks at a directory from all sides, without changing it.

use std::path::Path;
use std::sync::Arc;

use ledgerstone_ledger::{KeyHome as _, LedgerError, Reader, check_keys};
use ledgerstone_proof::SigningKey;
use ledgerstone_store::embedded::{EmbeddedStore, Layout, Mode, OpenError, Options};
use ledgerstone_store::key_file::{KeyFileError, PrivateKeyUse};
use ledgerstone_store::{Check, ContainerFinding, LedgerStore as _, key_file};

use super::{Observation, sealing_keys};
use crate::data_dir::{
    damaged_file, in_directory, in_directory_to_read, key_files, open_store, rights_to_keys,
};
use crate::failure::Failure;
use crate::output::{Console, counted};
use crate::system::System;

/// Files of the size of a log for which there should be room: the next log, which is made ahead, the
/// segment that a full log is sealed into, and one more for indexes and tiles.
const FILES_AHEAD: u64 = 3;

/// `HEAD` is written twice, into two blocks in turn.
const BLOCKS_OF_HEAD: usize = 2;

/// What damage leaves to do, wherever it sits.
const WAYS_BACK: &str = "Keep this directory as it is, as evidence. Way back 1: put the named file \
    back from a copy of this directory, then run `ledgerstone verify`. Way back 2: begin a new \
    directory and import again what was lost. Events before the damage can still be read here \
    (`ledgerstone list`, `get`), and proved (`ledgerstone proof`) where a checkpoint before the \
    damage covers them; a proof file that was made earlier holds as before.";

/// Everything that is worth telling.
pub fn examine(path: &Path, console: &mut Console) -> Result<Vec<Observation>, Failure> {
    let mut seen = Vec::new();
    match open_store(path, Mode::Read, &System::new()) {
        Ok(store) => {
            look_at_store(&store, &mut seen)?;
            sealing_keys::look_at_files(path, &store, &mut seen);
            look_into_keys(path, store, &mut seen);
        }
        Err(error) => seen.push(unopened(path, &error)?),
    }
    sealing_keys::look_at_root_key(path, console, &mut seen);
    look_at_keys(path, &mut seen);
    look_at_room(path, &mut seen);
    Ok(seen)
}

fn unopened(path: &Path, error: &OpenError) -> Result<Observation, Failure> {
    let Some(file) = damaged_file(path, error) else {
        return Err(in_directory_to_read(path, error));
    };
    let failure = in_directory(path, error);
    let remedy = format!(
        "Put {file} back from a copy of this directory: it never changes. Without its keys a \
         directory can be read and verified."
    );
    Ok(Observation::problem("opening", failure.message().to_owned(), remedy))
}

fn look_at_store(store: &EmbeddedStore, seen: &mut Vec<Observation>) -> Result<(), Failure> {
    let (report, status) = (store.report(), store.status());
    let (_, findings) = store.parts()?;
    let is_head = |finding: &&ContainerFinding| finding.location.file == Path::new("HEAD");
    // A log is not read beyond damage, so what stands behind it is not among the counted.
    let is_cut = findings.iter().any(|finding| finding.location.file.starts_with("log"));
    seen.push(Observation::note(
        "contents",
        format!(
            "{} in {}{}; {}, {}; {}",
            counted(status.records, "record"),
            counted(status.ledgers, "ledger"),
            if is_cut { " up to the damage" } else { "" },
            counted(status.sealed_segments, "sealed segment"),
            counted(status.unsealed_logs, "unsealed log"),
            status.protection
        ),
    ));
    if report.living_writer {
        seen.push(Observation::note(
            "writer",
            "a process is writing; its last second may not be shown",
        ));
    } else if report.unclean && report.read_only.is_none() {
        let what = "the last process did not stop in order; the next one that writes repairs that";
        seen.push(Observation::note("stop", what));
    }
    for torn in &report.torn {
        seen.push(Observation::note(
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
    let has_head = findings.iter().filter(is_head).count() < BLOCKS_OF_HEAD;
    seen.extend(findings.iter().map(|finding| damage(finding, has_head)));
    if let Some(reason) = &report.read_only {
        let what = format!("nothing can be written: {reason}");
        seen.push(Observation::problem("writing", what, "Writing goes on when that is repaired."));
    }
    let heals = "It is tried again when a process writes; look for room and rights on the disk.";
    seen.extend(
        status.degraded.into_iter().map(|what| Observation::problem("derived", what, heals)),
    );
    Ok(())
}

fn damage(finding: &ContainerFinding, has_head: bool) -> Observation {
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
            if has_head {
                "The other block of HEAD serves; the next process that writes replaces this one."
            } else {
                "No block of HEAD is left, so nothing can be written; records can be read. Put \
                 HEAD back from a copy of this directory, then run `ledgerstone verify`."
            }
        }
        Check::KeySlot => {
            "What was sealed under the key in this slot cannot be opened; everything else can, and \
             every proof holds. Put the newest copy of keys/ back."
        }
        _ if is_derived(&finding.location.file) => {
            "Somebody has written this file who had not the store key. It is not believed, and a \
             process that writes makes it again. Run `ledgerstone verify`."
        }
        _ => WAYS_BACK,
    };
    Observation::problem("damage", what, remedy)
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
        seen.push(Observation::note("keys", what));
    }
    let store_key = Layout::new(path).store_key();
    if keys.exists() && !store_key.exists() {
        let what = format!("{} is missing; nothing can be written without it", store_key.display());
        let remedy = "Put it back from a copy of this directory: it never changes.";
        seen.push(Observation::problem("keys", what, remedy));
    }
    if let Some(mode) = rights_to_keys(path) {
        let folder = Layout::new(path).keys();
        let what = format!(
            "others than the owner may look into {} or write there (mode {mode})",
            folder.display()
        );
        seen.push(Observation::problem(
            "keys",
            what,
            format!("Run `chmod 700 {}`.", folder.display()),
        ));
    }
    let others = [store_key, Layout::new(path).root_key()].into_iter();
    let others = others.filter(|file| key_file::is_exposed(file));
    for file in keys.exposed().into_iter().chain(others) {
        let what = format!(
            "others than the owner may read or write {}; nothing can be written until they may not",
            file.display()
        );
        let remedy = format!(
            "Run `chmod 600 {}`. If somebody may have read a log or record key, replace it: \
             `ledgerstone signing-keys rotate --use log|record --reason compromise`.",
            file.display()
        );
        seen.push(Observation::problem("keys", what, remedy));
    }
}

/// Whether the key files can be read, and hold the keys of this ledger.
fn look_into_keys(path: &Path, store: EmbeddedStore, seen: &mut Vec<Observation>) {
    let keys = key_files(path, &System::new());
    let (store_key, layout) = (store.store_key(), store.layout().clone());
    // Behind damage another key may have been announced.
    let is_whole = store.report().read_only.is_none();
    let mut wrong = |file: Option<&Path>, what: String| {
        let file = file.map_or_else(String::new, |file| format!("{}: ", file.display()));
        let remedy = "Put the right file back from a copy of the keys. Until then nothing can be \
                      written; the directory can be read and verified.";
        seen.push(Observation::problem("keys", format!("{file}{what}"), remedy));
    };
    // Files that others may read are told by their rights alone.
    let is_told = |error: &KeyFileError| matches!(error, KeyFileError::Exposed { .. });
    for (file, usage) in [
        (layout.store_key(), PrivateKeyUse::Store),
        (layout.cursor_key(), PrivateKeyUse::Cursor),
        (layout.root_key(), PrivateKeyUse::Root),
    ] {
        match key_file::read::<SigningKey>(&file, usage) {
            Ok(Some(key)) if usage == PrivateKeyUse::Store && key.verifying_key() != store_key => {
                wrong(Some(&file), "the store key of another directory".to_owned());
            }
            Err(error) if !is_told(&error) => wrong(Some(&file), error.to_string()),
            Ok(_) | Err(_) => {}
        }
    }
    if !keys.exists() {
        return;
    }
    let checked = match Reader::new(Arc::new(store)).history() {
        Ok(history) if is_whole => check_keys(&keys, &history),
        _ => keys.load().map(drop).map_err(LedgerError::from),
    };
    match checked {
        Err(LedgerError::Keys(error)) if is_told(&error.source) => {}
        Err(error) => wrong(None, error.to_string()),
        Ok(()) => {}
    }
}

fn look_at_room(path: &Path, seen: &mut Vec<Observation>) {
    let Ok(disk) = rustix::fs::statvfs(path) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    seen.push(room(free, Options::default().log_bytes_max));
}

fn room(free: u64, log_bytes: u64) -> Observation {
    let wanted = FILES_AHEAD * log_bytes;
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    let what = format!("{} MiB are free on its disk", mebibytes(free));
    if free >= wanted {
        return Observation::note("room", what);
    }
    let what = format!(
        "{what}; a busy store needs {} MiB: for {FILES_AHEAD} files of {} MiB, the next log, the \
         segment that a full one is sealed into, and indexes",
        mebibytes(wanted),
        mebibytes(log_bytes)
    );
    let remedy = "Make room: writing is refused when the next log file cannot be made; a server \
                  goes on by itself when there is room again.";
    Observation::problem("room", what, remedy)
}

#[cfg(test)]
mod tests {
    use super::room;
    use crate::command::doctor::Weight;

    #[test]
    fn room_is_little_when_the_next_files_do_not_fit() {
        let mebibyte = 1024 * 1024;
        assert_eq!(room(375 * mebibyte, 72 * mebibyte).weight, Weight::Note);
        let little = room(215 * mebibyte, 72 * mebibyte);
        assert_eq!(little.weight, Weight::Problem);
        assert!(little.what.starts_with("215 MiB are free") && little.what.contains("216 MiB"));
    }
}
