//! Who read what is in the ledger of a server that was stopped, and of one that was killed.

use ledgerstone_testkit::Served;
use serde_json::{Value, json};

use crate::program::Program;
use crate::served::plainly;

/// A server with one event about a person, whose name is sealed.
fn server(name: &str) -> (Program, Served, String) {
    let program = Program::new(name);
    let server = plainly(&program);
    let key = server.first_key();
    let event = json!({
        "id": "e-1", "event_type": "user.login",
        "actor": {"id": "u-1", "type": "user", "name": "Ada Example"}
    });
    assert_eq!(server.request("POST", "/v1/events", Some(&key), &event.to_string()).0, 201);
    (program, server, key)
}

fn get(server: &Served, key: &str, path: &str) -> Value {
    let (status, answer) = server.request("GET", path, Some(key), "");
    assert_eq!(status, 200, "{answer}");
    answer
}

/// What the records of accesses say was asked, and how often.
fn asked(program: &Program) -> Vec<(String, u64)> {
    let lines = program.run(&["list", "--order", "sequence", "--open"]).ok().lines();
    let accesses = lines.iter().filter(|line| line["event"]["event_type"] == "audit.access");
    let brief = accesses.map(|line| {
        let event = &line["event"];
        let shape = event["target"]["id"].as_str().unwrap().to_owned();
        (shape, event["data"]["metadata"]["calls"].as_u64().unwrap())
    });
    brief.collect()
}

#[test]
fn a_kill_loses_no_access_to_what_was_opened() {
    let (program, server, key) = server("access-killed");
    let shown = get(&server, &key, "/v1/events/e-1");
    assert_eq!(shown["event"]["actor"]["name"], "Ada Example");
    server.signal("KILL");
    drop(server.ended());
    assert_eq!(asked(&program), [("GET /v1/events/{id}".to_owned(), 1)]);
    program.run(&["verify"]).ok();
}

#[test]
fn a_stop_writes_what_was_gathered() {
    let (program, server, key) = server("access-stopped");
    for _ in 0..3 {
        get(&server, &key, "/v1/events/e-1/content");
    }
    assert_eq!(server.request("GET", "/v1/events/e-1", None, "").0, 401);
    server.stop();
    let calls: u64 = asked(&program).iter().map(|(_, calls)| calls).sum();
    assert_eq!(calls, 3, "{:?}", asked(&program));
    let system = program.run(&["list", "--tenant", "_system"]).ok().text();
    assert_eq!(system.matches("audit.denied").count(), 1, "{system}");
    program.run(&["verify"]).ok();
}
