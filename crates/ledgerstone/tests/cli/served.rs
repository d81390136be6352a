//! The program's own server, as the tests of this binary start and ask it.

use std::process::Command;

use ledgerstone_testkit::Served;
use serde_json::{Value, json};

use crate::program::Program;

pub fn start(program: &Program, change: impl FnOnce(&mut Command)) -> Served {
    let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
    change(&mut command);
    Served::start(command)
}

pub fn plainly(program: &Program) -> Served {
    start(program, |_| {})
}

pub fn append(server: &Served, key: &str, id: &str) -> (u16, Value) {
    server.request("POST", "/v1/events", Some(key), &event(id))
}

pub fn event(id: &str) -> String {
    json!({
        "id": id, "event_type": "user.login", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"id": "u-secret-name", "type": "user"},
        "action": {"verb": "login", "status": "success"}
    })
    .to_string()
}
