//! A server whose disk fails while it serves.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::place::{Place, event};

/// The status of a process whose disk failed while it wrote.
const WRITER_LOST: i32 = 70;

/// From now on every sync of this process fails; none where that cannot be done here.
fn break_disk_of(process: u32) -> Option<Child> {
    let id = process.to_string();
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "inject=fdatasync,fsync:error=EIO", "-p", &id]);
    let mut strace = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    let mut told = BufReader::new(strace.stderr.take()?);
    let mut line = String::new();
    told.read_line(&mut line).ok()?;
    if !line.contains("attached") {
        let _ = strace.wait();
        return None;
    }
    // It goes on telling, of every thread.
    std::thread::spawn(move || told.lines().for_each(drop));
    std::thread::sleep(Duration::from_millis(500));
    Some(strace)
}

#[test]
fn a_failed_sync_ends_the_server_and_takes_nothing_back() {
    let place = Place::new("served-failing-disk");
    let server = place.serve(|_| {});
    let key = server.first_key();
    let append = |server: &ledgerstone_testkit::Served, id: &str| {
        server.request("POST", "/v1/events", Some(&key), &event(id).to_string())
    };
    let acknowledged: Vec<String> = (0..20).map(|number| format!("e-{number}")).collect();
    for id in &acknowledged {
        assert_eq!(append(&server, id).0, 201);
    }
    let Some(mut strace) = break_disk_of(server.id()) else {
        eprintln!("\n*** SKIPPED: strace is absent or may not trace here\n");
        return;
    };
    let (status, answer) = append(&server, "unknown");
    assert_eq!((status, answer["code"].as_str()), (503, Some("OUTCOME_UNKNOWN")), "{answer}");
    assert_eq!(answer["id"], "unknown", "it says under which id to send again: {answer}");
    let (status, log) = server.ended();
    strace.wait().unwrap();
    assert_eq!(status.code(), Some(WRITER_LOST), "{log}");
    assert!(log.contains("OUTCOME_UNKNOWN"), "{log}");
    // A disk that works again: what was acknowledged is there, and what was not may be sent again.
    let server = place.serve(|_| {});
    for id in &acknowledged {
        let (status, answer) = append(&server, id);
        assert_eq!((status, answer["status"].as_str()), (200, Some("duplicate")), "{answer}");
    }
    let (status, answer) = append(&server, "unknown");
    assert!([200, 201].contains(&status), "{answer}");
    server.stop();
    place.run(&["verify", "--level", "full"]);
    assert_eq!(place.events().len(), acknowledged.len() + 1);
}
