//! A data directory from before anything was sealed opens unchanged, goes on, and seals from then on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, text};
use crate::served::plainly;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/before-sealing").join(name)
}

/// The directory as it was, with the modes that version control does not keep.
fn old_directory(name: &str) -> Program {
    let program = Program::new(name);
    copy(&fixture("data"), &program.data(""));
    program
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), &place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn login(id: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/id", "ana".into())
        .set("/actor/type", "user".into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

/// What the policy `sealing` of the tenant is, and how many contents lie in clear.
fn sealing(program: &Program) -> (Value, Value) {
    let rows = program.run(&["policies", "list", "--tenant", "acme"]).ok().lines();
    let row = rows.into_iter().find(|row| row["policy"] == "sealing").unwrap();
    (row["version"].clone(), row["contents_in_clear"]["contents"].clone())
}

#[test]
fn it_verifies_and_its_checkpoints_and_proofs_hold() {
    let program = old_directory("before-sealing-read");
    let known = fixture("acme.checkpoint").to_string_lossy().into_owned();
    let verified = program.run(&["verify", "--known", &known]).ok();
    assert!(verified.text().contains("62 records"), "{}", verified.text());
    program.run(&["doctor"]).ok();
    let event = program.run(&["get", "old-7", "--tenant", "acme"]).ok().line();
    assert_eq!(text(&event, "/event/actor/name"), "Bo Berg");
    assert_eq!(sealing(&program), (json!(0), json!(50)));
    // Reading has changed nothing.
    for file in ["FORMAT", "HEAD", "admin.sqlite", "log/000000000005.log"] {
        let was = fs::read(fixture("data").join(file)).unwrap();
        assert_eq!(fs::read(program.data(file)).unwrap(), was, "{file}");
    }
    assert!(!program.data("keys/root.key").exists());
}

#[test]
fn it_goes_on_and_seals_from_its_next_record_on() {
    let program = old_directory("before-sealing-goes-on");
    let append = ["append", "--tenant", "acme"];
    let receipt = program.feed(&append, login("new-1")).ok().line();
    assert_eq!(receipt["sequence_number"], 52, "{receipt}");
    // The record between is the policy, and nobody but the server put it there.
    let policy = program.run(&["get", "_51", "--tenant", "acme"]).ok().line();
    assert_eq!(text(&policy, "/event/event_type"), "system.policy");
    assert_eq!(text(&policy, "/event/policy/document/preset"), "standard");
    assert_eq!(sealing(&program), (json!(1), json!(50)));
    let stored = program.run(&["get", "new-1", "--tenant", "acme"]).ok().text();
    assert!(stored.contains("$sealed") && !stored.contains("Ana Lima"), "{stored}");
    let opened = program.run(&["get", "new-1", "--tenant", "acme", "--open"]).ok().text();
    assert!(opened.contains("Ana Lima"), "{opened}");
    // An event of that time that comes again has its receipt of that time.
    let old = r#"{"id":"old-7","event_type":"user.login","timestamp":"2024-05-01T12:07:00Z",
        "actor":{"id":"bo","type":"user","name":"Bo Berg","email":"bo.berg@example.com",
        "ip_address":"198.51.100.8"},"action":{"verb":"login","status":"success"},
        "data":{"note":"login number 7"}}"#;
    let again = program.feed(&append, old.replace('\n', "")).ok().line();
    assert_eq!((&again["status"], &again["sequence_number"]), (&json!("duplicate"), &json!(8)));
    // A tenant that gets no event gets no policy.
    let listed = program.run(&["list", "--tenant", "default"]).ok().text();
    assert!(!listed.contains("system.policy"), "{listed}");
    let known = fixture("acme.checkpoint").to_string_lossy().into_owned();
    program.run(&["verify", "--known", &known]).ok();
}

#[test]
fn a_server_takes_it_over() {
    let program = old_directory("before-sealing-served");
    let create = ["api-keys", "create", "--tenant", "acme", "--role", "admin", "--label", "a"];
    let key = text(&program.run(&create).ok().line(), "/api_key");
    let server = plainly(&program);
    let (status, receipt) = server.request("POST", "/v1/events", Some(&key), &login("new-1"));
    assert_eq!(status, 201, "{receipt}");
    let (_, policies) = server.request("GET", "/v1/policies", Some(&key), "");
    assert_eq!(policies["contents_in_clear"]["contents"], 50, "{policies}");
    let (_, sealing) = server.request("GET", "/v1/policies/sealing", Some(&key), "");
    assert_eq!(
        (&sealing["version"], &sealing["document"]["preset"]),
        (&json!(1), &json!("standard"))
    );
    let (_, old) = server.request("GET", "/v1/events/old-7", Some(&key), "");
    assert!(old.to_string().contains("Bo Berg"), "{old}");
    server.stop();
    program.run(&["verify"]).ok();
}
