//! `sealing-keys`, on a data directory and through a server.

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, number, text};
use crate::served::plainly;

fn login(number: u64) -> String {
    TestEvent::new("user.login")
        .id(&format!("e-{number}"))
        .set("/actor/type", "user".into())
        .set("/actor/id", format!("u-{number}").into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

fn logins(count: u64) -> String {
    (0..count).map(login).collect::<Vec<_>>().join("\n")
}

/// All records, the oldest first.
fn records(program: &Program) -> Vec<Value> {
    program.run(&["list", "--order", "sequence"]).ok().lines()
}

#[test]
fn keys_are_wrapped_anew_and_no_record_changes() {
    let program = Program::new("sealing-keys");
    program.run(&["init"]).ok();
    assert_eq!(program.run(&["sealing-keys", "list"]).ok().lines(), Vec::<Value>::new());
    program.run(&["sealing-keys", "rotate"]).failed(2, "NOT_FOUND");
    program.feed(&["append"], logins(5)).ok();
    let listed = program.run(&["sealing-keys", "list"]).ok();
    // One for each batch that brought somebody new.
    assert!(listed.errors().contains("the key files have generation "), "{listed}");
    let keys = listed.line();
    assert_eq!((number(&keys, "/live_keys"), number(&keys, "/erased_keys")), (5, 0));
    assert_eq!(text(&keys, "/root_service"), "file");
    assert_eq!(text(&keys, "/root_key_id").len(), 16);
    let before = records(&program);
    let done = program.run(&["sealing-keys", "rotate"]).ok().line();
    assert_eq!(
        (number(&done, "/rewrapped_keys"), text(&done, "/tenant_id")),
        (5, "default".into())
    );
    // The rotation is told at the end, and nothing before that changes.
    let now = records(&program);
    assert_eq!((now.len(), &now[..before.len()]), (before.len() + 1, &before[..]));
    assert_eq!(text(&now[before.len()], "/event/target/id"), text(&done, "/key_id"));
    let after = program.run(&["sealing-keys", "list"]).ok().line();
    assert_eq!(after["key_id"], done["key_id"]);
    assert_ne!(after["key_id"], keys["key_id"]);
    let opened = program.run(&["get", "e-3", "--open"]).ok().line();
    assert_eq!(opened["event"]["actor"]["name"], "Ana Lima");
    let all = program.run(&["sealing-keys", "rotate", "--all"]).ok().lines();
    assert_eq!(all.len(), 1);
    program.run(&["sealing-keys", "rotate", "--tenant", "nobody"]).failed(2, "UNKNOWN_TENANT");
    program.run(&["verify"]).ok();
}

#[test]
fn a_server_tells_each_of_its_own_keys() {
    let program = Program::new("sealing-keys-server");
    let server = plainly(&program);
    let key = server.first_key();
    let (status, _) = server.request("POST", "/v1/events", Some(&key), &login(1));
    assert_eq!(status, 201);
    let ask = |arguments: &[&str]| {
        program.run_with(arguments, |command| {
            command.env("LEDGERSTONE_SERVER", server.url()).env("LEDGERSTONE_API_KEY", &key);
        })
    };
    let listed = ask(&["sealing-keys", "list"]).ok().line();
    assert_eq!((text(&listed, "/tenant_id"), number(&listed, "/live_keys")), ("default".into(), 1));
    let done = ask(&["sealing-keys", "rotate"]).ok().line();
    assert_eq!(ask(&["sealing-keys", "list"]).ok().line()["key_id"], done["key_id"]);
    ask(&["sealing-keys", "rotate", "--tenant", "_system"]).failed(2, "UNKNOWN_TENANT");
    let wanted = json!({"label": "reader", "roles": ["viewer"]}).to_string();
    let (_, viewer) = server.request("POST", "/v1/api-keys", Some(&key), &wanted);
    let viewer = text(&viewer, "/api_key");
    let refused = server.request("GET", "/v1/sealing-keys", Some(&viewer), "");
    assert_eq!(refused.0, 403);
    server.stop();
    assert_eq!(program.run(&["sealing-keys", "list"]).ok().line()["key_id"], done["key_id"]);
}
