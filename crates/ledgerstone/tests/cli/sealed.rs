//! Sealed events at the command line: as they are stored, opened by the operator, and as a server
//! shows them to its callers.

use std::path::Path;
use std::process::Command;

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, text};
use crate::served::start;

fn sealing_nothing(command: &mut Command) {
    command.env("LEDGERSTONE_SEALING_DEFAULT_POLICY", "none");
}

fn login(id: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/id", "ana".into())
        .set("/actor/type", "user".into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

/// Names and bytes of the key files.
fn keys(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn the_operator_sees_what_is_stored_and_opens_it_where_wanted() {
    let program = Program::new("sealed-open");
    program.run(&["init"]).ok();
    let many: Vec<String> = (0..70).map(|number| login(&format!("e-{number}"))).collect();
    program.feed(&["append"], many.join("\n")).ok();
    let before = keys(&program.data("keys"));

    let stored = program.run(&["get", "e-7"]).ok().line();
    assert_eq!(stored["event"]["actor"]["name"], json!({"$sealed": 0}));
    assert!(stored["event"]["sealed"].is_array() && stored.get("hidden").is_none());
    let opened = program.run(&["get", "e-7", "--open"]).ok().line();
    assert_eq!(opened["event"]["actor"]["name"], "Ana Lima");
    assert!(opened["event"].get("sealed").is_none() && opened.get("hidden").is_none());
    assert_eq!(opened["record"], stored["record"]);

    assert!(!program.run(&["list"]).ok().text().contains("Ana Lima"));
    let all = program.run(&["list", "--open", "--order", "sequence"]).ok().lines();
    let events: Vec<&Value> = all.iter().filter(|line| line["record"]["kind"] == "event").collect();
    assert_eq!(events.len(), 70);
    assert!(events.iter().all(|line| line["event"]["actor"]["name"] == "Ana Lima"));
    assert_eq!(program.run(&["list", "--open", "--limit", "3"]).ok().lines().len(), 3);
    assert_eq!(keys(&program.data("keys")), before, "opening writes nothing");

    program.run(&["get", "e-7", "--open", "--content"]).ended(2);
    std::fs::remove_file(program.data("keys/root.key")).unwrap();
    program.run(&["list", "--open"]).failed(2, "WRONG_ROOT_KEY");
    assert!(!program.data("keys/root.key").exists());
    program.run(&["list"]).ok();
}

#[test]
fn where_nothing_is_sealed_there_is_nothing_to_open() {
    let program = Program::new("sealed-none");
    program.run_with(&["init"], sealing_nothing).ok();
    program.feed_with(&["append"], login("e-1"), sealing_nothing).ok();
    std::fs::remove_file(program.data("keys/root.key")).unwrap();
    let plain = program.run(&["get", "e-1"]).ok().line();
    assert_eq!(program.run(&["get", "e-1", "--open"]).ok().line(), plain);
    assert_eq!(plain["event"]["actor"]["name"], "Ana Lima");
}

#[test]
fn a_server_shows_what_the_credential_sees() {
    let program = Program::new("sealed-server");
    let server = start(&program, |_| {});
    let admin = server.first_key();
    let (status, _) = server.request("POST", "/v1/events", Some(&admin), &login("e-1"));
    assert_eq!(status, 201);
    let wanted = json!({"label": "reader", "roles": ["viewer"]}).to_string();
    let (_, granted) = server.request("POST", "/v1/api-keys", Some(&admin), &wanted);
    let viewer = text(&granted, "/api_key");
    let ask = |key: &str, arguments: &[&str]| {
        program.run_with(arguments, |command| {
            command.env("LEDGERSTONE_SERVER", server.url()).env("LEDGERSTONE_API_KEY", key);
        })
    };
    let whole = ask(&admin, &["get", "e-1"]).ok().line();
    assert_eq!(whole["event"]["actor"]["name"], "Ana Lima");
    let seen = ask(&viewer, &["get", "e-1"]).ok().line();
    assert_eq!(seen["event"]["actor"]["name"], "A. L.");
    assert_eq!(seen["hidden"][0]["pointer"], "/actor/name");
    assert!(!ask(&viewer, &["list"]).ok().text().contains("Ana Lima"));
    ask(&admin, &["list", "--open"]).failed(2, "INVALID_ARGUMENT");
    server.stop();
    assert_eq!(program.run(&["get", "e-1", "--open"]).ok().line(), whole);
}
