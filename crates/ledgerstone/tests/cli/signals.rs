//! SIGINT and SIGTERM end a command that writes in order: nothing acknowledged is missing, nothing
//! else is there, and the next process finds a clean stop. A second signal kills.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Program, numbered, text};

fn send(signal: &str, child: &Child) {
    let command = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
}

/// Writes numbered events to a program until it ends.
fn feed_for_ever(child: &mut Child) -> std::thread::JoinHandle<()> {
    let mut stdin = child.stdin.take().unwrap();
    std::thread::spawn(move || {
        for number in 0.. {
            if writeln!(stdin, "{}", numbered(number)).is_err() {
                return;
            }
        }
    })
}

/// The ids of everything but the server's own records.
fn recorded(program: &Program) -> BTreeSet<String> {
    let lines = program.run(&["list"]).ok().lines();
    let ids = lines.iter().map(|line| text(line, "/record/event_id"));
    ids.filter(|id| !id.starts_with('_')).collect()
}

fn assert_stopped_in_order(program: &Program) {
    program.run(&["verify"]).ok();
    let seen = program.run(&["doctor"]).ok().lines();
    assert!(seen.iter().all(|one| one["subject"] != json!("stop")), "{seen:?}");
}

#[test]
fn append_finishes_what_it_has_taken() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let program = Program::new("signalled-append");
        let mut child = program.start(&["append"]);
        let feeder = feed_for_ever(&mut child);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut receipts = BTreeSet::new();
        let mut line = String::new();
        while stdout.read_line(&mut line).unwrap() > 0 {
            let receipt: Value = serde_json::from_str(&line).unwrap();
            receipts.insert(text(&receipt, "/id"));
            if receipts.len() == 500 {
                send(signal, &child);
            }
            line.clear();
        }
        let ended = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(status), "{told}");
        assert!(told.contains(&format!("stopped by SIG{signal}")), "{told}");
        assert!(receipts.len() >= 500 && receipts == recorded(&program));
        assert_stopped_in_order(&program);
    }
}

/// While it waits for input that never comes, nothing is under way.
#[test]
fn append_that_waits_for_input_ends_at_once() {
    let program = Program::new("signalled-idle");
    let mut child = program.start(&["append"]);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", numbered(7)).unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let begun = Instant::now();
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(stdin);
    assert_eq!(recorded(&program), ["e-7".to_owned()].into());
    assert_stopped_in_order(&program);
}

#[test]
fn import_tells_what_it_has_taken() {
    let program = Program::new("signalled-import");
    program.run(&["init"]).ok();
    let mut child = program.start(&["import", "--format", "ndjson", "-"]);
    let feeder = feed_for_ever(&mut child);
    let begun = Instant::now();
    while recorded(&program).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is recorded");
        std::thread::sleep(Duration::from_millis(50));
    }
    send("INT", &child);
    let ended = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(summary["recorded"], json!(recorded(&program).len()));
    assert_stopped_in_order(&program);
}

#[test]
fn a_second_signal_kills() {
    let program = Program::new("signalled-twice");
    let mut child = program.start(&["append"]);
    let feeder = feed_for_ever(&mut child);
    // Nobody reads the receipts after the first, so that handing them over never ends.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    send("INT", &child);
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
    send("TERM", &child);
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(15), "{ended}");
    feeder.join().unwrap();
    drop(stdout);
    program.run(&["verify"]).ok();
    program.append_numbered(0, 2);
}
