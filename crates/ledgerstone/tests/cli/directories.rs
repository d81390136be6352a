//! Directories that are none, are someone else's, cannot be written, or were left half made.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Options};
use ledgerstone_testkit::{MockClock, SeededEntropy};

use crate::program::{Program, numbered, text};

#[test]
fn what_is_no_data_directory_stays_as_it_is() {
    let program = Program::new("foreign");
    program.place().write("photos/cat.txt", "meow");
    let event = numbered(1);
    program.feed(&["append", "--data", "photos"], &event).failed(2, "NOT_A_DATA_DIRECTORY");
    program.run(&["init", "--data", "photos"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    for command in ["list", "verify", "doctor", "checkpoint"] {
        program.run(&[command, "--data", "photos"]).failed(2, "NOT_A_DATA_DIRECTORY");
        program.run(&[command, "--data", "none"]).failed(2, "NOT_A_DATA_DIRECTORY");
        program.run(&[command, "--data", "photos/cat.txt"]).failed(2, "NOT_A_DATA_DIRECTORY");
    }
    program.feed(&["append", "--data", "photos/cat.txt"], &event).failed(2, "NOT_A_DATA_DIRECTORY");
    let found: Vec<_> = fs::read_dir(program.place().join("photos")).unwrap().collect();
    assert_eq!(found.len(), 1);
    assert!(!program.place().join("none").exists());
}

/// Kills `init` a little later each time, from its start to beyond its end.
#[test]
fn an_init_killed_at_any_moment_is_completed() {
    const KILLS: u32 = 24;
    let whole = Program::new("whole-init");
    let begun = Instant::now();
    whole.run(&["init"]).ok();
    let lasts = begun.elapsed();
    let mut half_made = 0;
    for kill in 0..KILLS {
        let program = Program::new("killed-init");
        let mut child = program.start(&["init"]);
        std::thread::sleep(lasts * kill / KILLS);
        child.kill().unwrap();
        child.wait().unwrap();
        let is_begun = program.data("LOCK").exists();
        half_made += u32::from(is_begun && !program.data("FORMAT").exists());
        program.append_numbered(0, 2);
        program.run(&["verify"]).ok();
        program.run(&["init"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    }
    eprintln!("{half_made} of {KILLS} kills left a directory without FORMAT");
}

#[test]
fn a_half_made_directory_with_a_foreign_file_is_left_alone() {
    let program = Program::new("half-foreign");
    program.place().write("ledgerstone-data/LOCK", "");
    program.place().write("ledgerstone-data/HEAD", vec![0; 8192]);
    program.place().write("ledgerstone-data/log/notes.txt", "mine");
    program.run(&["init"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    program.feed(&["append"], numbered(1)).failed(2, "NOT_A_DATA_DIRECTORY");
    assert_eq!(fs::read(program.data("log/notes.txt")).unwrap(), b"mine");
    fs::remove_file(program.data("log/notes.txt")).unwrap();
    program.append_numbered(0, 2);
}

#[test]
fn a_store_without_a_ledger_is_completed() {
    for command in ["init", "append"] {
        let program = Program::new("begun");
        let store = EmbeddedStore::create(
            &program.data(""),
            Options::default(),
            Files::new(),
            Arc::new(MockClock::default()),
            Arc::new(SeededEntropy::new(1)),
        );
        drop(store.unwrap());
        if command == "init" {
            program.run(&["init", "--log-name", "named"]).ok();
        }
        program.append_numbered(0, 2);
        program.run(&["verify"]).ok();
        program.run(&["init"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    }
}

#[test]
fn a_directory_that_lost_its_log_is_not_made_anew() {
    let program = Program::new("lost-log");
    program.append_numbered(0, 2);
    fs::remove_dir_all(program.data("log")).unwrap();
    fs::create_dir(program.data("log")).unwrap();
    program.run(&["init"]).failed(2, "STORE_DAMAGED");
    program.feed(&["append"], numbered(3)).failed(2, "STORE_DAMAGED");
    program.run(&["verify"]).ended(1);
}

#[test]
fn a_directory_that_lost_its_format_file_is_a_finding() {
    let program = Program::new("lost");
    program.append_numbered(0, 2);
    fs::remove_file(program.data("FORMAT")).unwrap();
    let run = program.run(&["verify"]).ended(1);
    assert!(run.text().contains("format: (FORMAT at byte 0)"), "{run}");
    program.run(&["doctor"]).ended(1);
    program.run(&["list"]).failed(2, "STORE_DAMAGED");
    program.feed(&["append"], numbered(3)).failed(2, "STORE_DAMAGED");
    program.run(&["init"]).failed(2, "STORE_DAMAGED");
}

#[test]
fn a_copy_without_keys_is_read_and_verified() {
    let program = Program::new("original");
    program.append_numbered(0, 30);
    let key = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    let copy = program.copy("auditor");
    fs::remove_dir_all(copy.data("keys")).unwrap();
    assert_eq!(copy.run(&["list"]).ok().lines().len(), 32);
    assert_eq!(copy.run(&["get", "e-3"]).ok().line(), program.run(&["get", "e-3"]).ok().line());
    copy.run(&["verify", "--key", &key]).ok();
    copy.run(&["proof", "e-3"]).ok();
    copy.run(&["tlog", "export", "out"]).ok();
    copy.run(&["signing-keys", "list"]).ok();
    let seen = copy.run(&["doctor"]).ok();
    assert!(seen.text().contains("private keys are not here"), "{seen}");
    copy.feed(&["append"], numbered(99)).failed(2, "INVALID_KEY");
    copy.run(&["checkpoint"]).failed(2, "INVALID_KEY");
    assert_eq!(copy.run(&["list"]).ok().lines().len(), 32);
}

/// Makes a directory unwritable even for the superuser; answers whether that was possible.
fn make_read_only(path: &Path) -> bool {
    let mount = |arguments: &[&str]| {
        Command::new("mount")
            .args(arguments)
            .arg(path)
            .output()
            .is_ok_and(|run| run.status.success())
    };
    let here = path.to_str().unwrap();
    mount(&["--bind", here]) && mount(&["-o", "remount,bind,ro"])
}

#[test]
fn a_read_only_disk_is_read_and_not_written() {
    let program = Program::new("read-only");
    program.append_numbered(0, 3);
    program.run(&["checkpoint"]).ok();
    let before = program.sizes();
    let data = program.data("");
    if !make_read_only(&data) {
        eprintln!("\n*** SKIPPED: no right to mount a directory read-only\n");
        return;
    }
    let runs = [
        program.feed(&["append"], numbered(7)),
        program.run(&["tenants", "create", "acme"]),
        program.run(&["list"]),
        program.run(&["verify"]),
        program.run(&["proof", "e-1"]),
        program.run(&["doctor"]),
    ];
    let init = program.run(&["init", "--data", "ledgerstone-data/inner"]);
    assert!(Command::new("umount").arg(&data).status().unwrap().success());
    let [append, create, list, verify, proof, doctor] = runs;
    append.failed(2, "READ_ONLY_STORAGE");
    create.failed(2, "READ_ONLY_STORAGE");
    init.failed(2, "READ_ONLY_STORAGE");
    for run in [list, verify, proof, doctor] {
        run.ok();
    }
    assert_eq!(program.sizes(), before);
}

#[test]
fn nobody_but_owner_and_group_may_read_a_data_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new("modes");
    program.append_numbered(0, 3);
    let mut open = vec![program.data("")];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let about = std::fs::metadata(&path).unwrap();
        let mode = about.permissions().mode() & 0o7777;
        let most = if about.is_dir() { 0o750 } else { 0o640 };
        assert_eq!(mode & !most, 0, "{} is {mode:04o}", path.display());
        seen += 1;
        if about.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen > 12, "{seen}");
}
