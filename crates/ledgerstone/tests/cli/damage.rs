//! Damaged directories: named by `verify`, explained by `doctor`, never written to, and read as far
//! as they can be.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Program, flip, numbered, offset_of, text};

const LOG: &str = "log/000000000001.log";

#[test]
fn a_flipped_bit_is_named_and_the_directory_is_not_written() {
    let program = Program::new("flip");
    program.append_numbered(0, 5);
    program.append_numbered(5, 10);
    let at = offset_of(&program.data(LOG), "\"e-5\"");
    flip(&program.data(LOG), at + 2);
    let run = program.run(&["verify"]).ended(1);
    assert!(run.text().contains(&format!("({LOG} at byte ")), "{run}");
    assert!(run.text().contains("DOES NOT HOLD: "), "{run}");
    let report = program.run(&["verify", "--json"]).ended(1).line();
    assert_eq!(report["holds"], json!(false));
    assert_eq!(text(&report, "/findings/0/check"), "frame");
    assert_eq!(text(&report, "/findings/0/file"), LOG);
    let doctor = program.run(&["doctor"]).ended(1);
    assert!(doctor.text().contains(LOG) && doctor.text().contains("Way back"), "{doctor}");
    for run in [
        program.feed(&["append"], numbered(20)),
        program.run(&["checkpoint"]),
        program.run(&["tenants", "create", "acme"]),
        program.run(&["signing-keys", "rotate", "--use", "log"]),
    ] {
        let run = run.failed(2, "STORE_DAMAGED");
        assert!(run.errors().contains("ledgerstone doctor"), "{run}");
    }
    // What comes before the damage is read, and it is said that there is more.
    program.run(&["get", "e-3"]).ok();
    program.run(&["get", "e-8"]).failed(2, "STORE_DAMAGED");
    let listed = program.run(&["list"]).ended(1);
    assert_eq!(listed.lines().len(), 7);
    assert!(listed.errors().contains("is damaged"), "{listed}");
}

#[test]
fn a_damaged_format_file_is_a_finding() {
    let program = Program::new("format");
    program.append_numbered(0, 2);
    flip(&program.data("FORMAT"), 40);
    let report = program.run(&["verify", "--json"]).ended(1).line();
    assert_eq!(text(&report, "/findings/0/check"), "format");
    assert_eq!(text(&report, "/findings/0/file"), "FORMAT");
    program.run(&["doctor"]).ended(1);
    program.run(&["list"]).failed(2, "STORE_DAMAGED");
    program.feed(&["append"], numbered(3)).failed(2, "STORE_DAMAGED");
}

#[test]
fn one_damaged_block_of_head_is_named_and_replaced() {
    let program = Program::new("head");
    program.append_numbered(0, 2);
    flip(&program.data("HEAD"), 100);
    let run = program.run(&["verify"]).ended(1);
    assert!(run.text().contains("head: (HEAD at byte "), "{run}");
    let doctor = program.run(&["doctor"]).ended(1);
    assert!(doctor.text().contains("other block of HEAD"), "{doctor}");
    program.append_numbered(2, 3);
    program.run(&["verify"]).ok();
}

#[test]
fn a_head_of_which_nothing_is_left_is_not_said_to_serve() {
    let program = Program::new("no-head");
    program.append_numbered(0, 2);
    let whole = fs::read(program.data("HEAD")).unwrap();
    fs::write(program.data("HEAD"), vec![0; whole.len()]).unwrap();
    let doctor = program.run(&["doctor"]).ended(1);
    for untrue in ["other block of HEAD", "next one that writes", "next process that writes"] {
        assert!(!doctor.text().contains(untrue), "{doctor}");
    }
    assert!(doctor.text().contains("HEAD back from a copy"), "{doctor}");
    program.feed(&["append"], numbered(3)).failed(2, "STORE_DAMAGED");
    fs::write(program.data("HEAD"), whole).unwrap();
    program.run(&["doctor"]).ok();
}

#[test]
fn an_earlier_state_put_back_is_noticed_before_anything_is_written() {
    let program = Program::new("rolled-back");
    program.append_numbered(0, 2);
    let early = program.copy("early");
    program.append_numbered(2, 4);
    for entry in fs::read_dir(early.data("log")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), program.data("log").join(entry.file_name())).unwrap();
    }
    fs::copy(early.data("HEAD"), program.data("HEAD")).unwrap();
    let before = fs::read(program.data(LOG)).unwrap();
    program.feed(&["append"], numbered(5)).failed(2, "LEDGER_ROLLED_BACK");
    let same = fs::read(program.data(LOG)).unwrap() == before;
    assert!(same, "nothing is written to a ledger that was rolled back");
}

#[test]
fn a_lost_or_damaged_projection_is_built_again() {
    let program = Program::new("projection");
    program.run(&["tenants", "create", "acme"]).ok();
    let whole = fs::read(program.data("admin.sqlite")).unwrap();
    fs::remove_file(program.data("admin.sqlite")).unwrap();
    program.append_numbered(0, 1);
    assert!(program.data("admin.sqlite").exists());
    fs::write(program.data("admin.sqlite"), vec![7; whole.len()]).unwrap();
    let run = program.feed(&["append"], numbered(1)).ok();
    assert!(run.errors().contains("admin.sqlite was damaged"), "{run}");
    // An older one is behind, and catches up.
    fs::write(program.data("admin.sqlite"), whole).unwrap();
    let run = program.feed(&["append"], numbered(2)).ok();
    assert_eq!(run.errors(), "");
    let before = fs::read(program.data("admin.sqlite")).unwrap();
    program.run(&["checkpoint"]).ok();
    assert_eq!(fs::read(program.data("admin.sqlite")).unwrap(), before);
}

/// Whether system calls can be made to fail here.
fn can_inject() -> bool {
    let run = Command::new("strace").args(["-e", "trace=none", "true"]).output();
    run.is_ok_and(|run| run.status.success())
}

#[test]
fn a_disk_that_fails_ends_the_writer_with_its_own_status() {
    if !can_inject() {
        eprintln!("\n*** SKIPPED: strace is absent or may not trace here\n");
        return;
    }
    let program = Program::new("failing-disk");
    program.run(&["init"]).ok();
    let mut lost = 0;
    for call in 1..9 {
        let inject = format!("inject=fdatasync:error=EIO:when={call}+");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", &inject]);
        strace.args([env!("CARGO_BIN_EXE_ledgerstone"), "append"]);
        strace.current_dir(program.place().path());
        strace.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = strace.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for event in 0..4 {
            let _ = writeln!(stdin, "{}", numbered(100 * call + event));
            std::thread::sleep(Duration::from_millis(30));
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let status = output.status.code().unwrap();
        assert!([0, 2, 70].contains(&status), "{status}");
        lost += u64::from(status == 70);
        for receipt in String::from_utf8_lossy(&output.stdout).lines() {
            let receipt: Value = serde_json::from_str(receipt).unwrap();
            let kept = program.run(&["get", &text(&receipt, "/id")]).ok().line();
            assert_eq!(kept["record"]["record_hash"], receipt["record_hash"]);
        }
        program.run(&["verify"]).ok();
    }
    assert!(lost > 0, "no failure met the writing of events");
}
