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
            "public_key",
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
        assert_eq!(names(&done), ["algorithm", "ledgers", "new", "old", "use"]);
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
fn what_an_operator_does_on_a_directory_is_recorded_with_who_did_it() {
    let program = Program::new("acts");
    let rotate = ["signing-keys", "rotate", "--use", "record", "--reason", "compromise"];
    program.run(&["tenants", "create", "acme"]).ok();
    let replaced = text(&program.run(&rotate).ok().line(), "/old");
    let listed = program.run(&["list", "--tenant", "_system", "--order", "sequence"]).ok().lines();
    let acts: Vec<_> = listed.iter().filter(|line| text(line, "/record/kind") == "audit").collect();
    let expected = [("create", "acme".to_owned()), ("rotate", replaced)];
    assert_eq!(acts.len(), expected.len());
    for (act, (verb, target)) in acts.into_iter().zip(expected) {
        assert_eq!(
            (text(act, "/event/action/verb"), text(act, "/event/target/id")),
            (verb.into(), target)
        );
        assert_eq!(text(act, "/event/actor/type"), "operator");
        let user = format!("uid:{}", rustix::process::getuid().as_raw());
        assert_eq!(text(act, "/event/actor/id"), user);
        let led_to = number(act, "/event/data/metadata/system_record");
        let system = listed.iter().find(|line| number(line, "/record/sequence_number") == led_to);
        let system = &system.unwrap()["event"];
        let said = system.get("tenant").or(system.get("signing_key")).unwrap();
        assert_eq!(said["audit_record"], act["record"]["sequence_number"]);
    }
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
    assert_eq!(program.run(&["list"]).ok().lines().len(), 3);
}

#[test]
fn another_old_key_does_not_sign_beside_the_new_one() {
    let (program, other) = (Program::new("overlap"), Program::new("overlap-other"));
    program.append_numbered(0, 1);
    other.run(&["init"]).ok();
    program.run(&["signing-keys", "rotate", "--use", "log"]).ok();
    let previous = program.data("keys/log.previous.key");
    let own = fs::read(&previous).unwrap();
    fs::copy(other.data("keys/log.key"), &previous).unwrap();
    let run = program.feed(&["append"], numbered(2)).failed(2, "INVALID_KEY");
    assert!(run.errors().contains("log.previous.key"), "{run}");
    let doctor = program.run(&["doctor"]).ended(1);
    assert!(doctor.text().contains("log.previous.key"), "{doctor}");
    fs::write(&previous, own).unwrap();
    program.append_numbered(2, 3);
    program.run(&["verify"]).ok();
}

#[test]
fn doctor_looks_into_the_key_files() {
    let (program, other) = (Program::new("look-in"), Program::new("look-in-other"));
    program.append_numbered(0, 1);
    other.run(&["init"]).ok();
    for file in ["log.key", "record.key", "store.key"] {
        let path = program.data("keys").join(file);
        let own = fs::read(&path).unwrap();
        let use_of = file.strip_suffix(".key").unwrap();
        for wrong in [b"x\n".to_vec(), fs::read(other.data("keys").join(file)).unwrap()] {
            fs::write(&path, wrong).unwrap();
            let seen = program.run(&["doctor"]).ended(1).lines();
            let problem = seen
                .iter()
                .find(|one| one["problem"] == json!(true) && text(one, "/what").contains(use_of));
            assert!(problem.is_some(), "{file}: {seen:?}");
        }
        fs::write(&path, own).unwrap();
    }
    program.run(&["doctor"]).ok();
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

#[test]
fn rights_of_others_to_the_folder_of_keys_are_told() {
    let program = Program::new("open-folder");
    program.append_numbered(0, 1);
    let folder = program.data("keys");
    let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "as it is made");
    program.run(&["doctor"]).ok();
    for mode in [0o770, 0o755] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let run = program.feed(&["append"], numbered(u64::from(mode))).ok();
        let told = run.errors();
        assert!(told.contains(&format!("{mode:04o}")) && told.contains("chmod 700"), "{told}");
        let doctor = program.run(&["doctor"]);
        assert_eq!(doctor.status(), 1, "{doctor}");
        assert!(doctor.text().contains("chmod 700"), "{doctor}");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let quiet = program.feed(&["append"], numbered(5)).ok().errors();
    assert!(!quiet.contains("chmod"), "{quiet}");
}
