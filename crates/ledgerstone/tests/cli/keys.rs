//! Signing keys: listed, replaced, lost, and left open to others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::program::{Program, names, number, numbered, text};

#[test]
fn keys_are_listed_and_replaced() {
    let program = Program::new("keys");
    program.append_numbered(0, 3);
    let keys = program.run(&["signing-keys", "list"]).ok().lines();
    assert_eq!(keys.len(), 2);
    assert_eq!(
        names(&keys[0]),
        [
            "algorithm",
            "announced_at",
            "announced_by",
            "key_id",
            "state",
            "tenant_id",
            "use",
            "vkey"
        ]
    );
    let first = text(&keys[0], "/vkey");
    let old_proof = program.run(&["proof", "e-1"]).ok();
    for usage in ["log", "record"] {
        let done = program.run(&["signing-keys", "rotate", "--use", usage]).ok().line();
        assert_eq!(names(&done), ["ledgers", "new", "old", "use"]);
        assert_eq!(number(&done, "/ledgers"), 2);
    }
    let keys = program.run(&["signing-keys", "list"]).ok().lines();
    let states: Vec<String> = keys.iter().map(|key| text(key, "/state")).collect();
    assert_eq!(states, ["outgoing", "replaced", "current", "current"]);
    let until = text(&keys[0], "/signs_until");
    assert_eq!(until[10..], text(&keys[2], "/announced_at")[10..], "24 hours later");
    assert!(until > text(&keys[2], "/announced_at"));
    assert!(keys[1..].iter().all(|key| key.get("signs_until").is_none()));
    assert_eq!(text(&keys[2], "/reason"), "rotation");
    let receipts = program.append_numbered(3, 5);
    assert_eq!(text(&receipts[0], "/key_id"), text(&keys[3], "/key_id"));
    program.run(&["verify"]).ok();
    for key in [first.clone(), text(&keys[2], "/vkey")] {
        program.run(&["verify", "--key", &key]).ok();
    }
    program.place().write("old.proof", old_proof.bytes());
    program.run(&["verify", "--proof", "old.proof", "--key", &first]).ok();
}

#[test]
fn other_keys_than_the_ledgers_are_refused() {
    let (program, other) = (Program::new("mine"), Program::new("theirs"));
    program.append_numbered(0, 1);
    other.run(&["init"]).ok();
    fs::copy(other.data("keys/record.key"), program.data("keys/record.key")).unwrap();
    program.feed(&["append"], numbered(2)).failed(2, "INVALID_KEY");
    fs::write(program.data("keys/record.key"), "x\n").unwrap();
    program.feed(&["append"], numbered(2)).failed(2, "INVALID_KEY");
    assert_eq!(program.run(&["list"]).ok().lines().len(), 2);
}

#[test]
fn keys_that_others_may_read_are_a_problem() {
    let program = Program::new("exposed");
    program.run(&["init"]).ok();
    let mode = |file: &str| fs::metadata(program.data(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("keys"), 0o700);
    for file in ["keys/log.key", "keys/record.key", "keys/store.key"] {
        assert_eq!(mode(file), 0o600, "{file}");
        let set = |mode| fs::set_permissions(program.data(file), fs::Permissions::from_mode(mode));
        set(0o644).unwrap();
        let seen = program.run(&["doctor"]).ended(1).lines();
        let problem = seen.iter().find(|one| one["problem"] == json!(true)).unwrap();
        assert!(text(problem, "/what").contains(file), "{problem}");
        assert!(text(problem, "/remedy").contains("chmod 600"), "{problem}");
        let refused = program.feed(&["append"], numbered(1)).failed(2, "INVALID_KEY");
        assert!(refused.errors().contains(file), "{refused}");
        assert!(refused.errors().contains("chmod 600"), "{refused}");
        assert!(!refused.errors().contains("signing-keys list"), "{refused}");
        set(0o600).unwrap();
    }
    let (here, away) = (program.data("keys/store.key"), program.place().join("store.key"));
    fs::rename(&here, &away).unwrap();
    let refused = program.feed(&["append"], numbered(1)).failed(2, "INVALID_KEY");
    assert!(refused.errors().contains("store.key back from a copy"), "{refused}");
    let doctor = program.run(&["doctor"]).ended(1);
    assert!(doctor.text().contains("store.key is missing"), "{doctor}");
    fs::rename(&away, &here).unwrap();
    program.feed(&["append"], numbered(1)).ok();
}
