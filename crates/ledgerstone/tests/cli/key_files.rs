//! Key files that are damaged, or older than the ledger.

use std::fs;

use ledgerstone_testkit::TestEvent;
use serde_json::json;

use crate::erased_bytes::{ask, erase};
use crate::program::{Program, text};
use crate::served::plainly;

const FILES: [&str; 2] = ["subjects.a", "subjects.b"];

/// Bytes of a slot of these files; the first is their header.
const SLOT_BYTES: usize = 128;

/// The bytes of files, by name.
type KeyFiles = Vec<(&'static str, Vec<u8>)>;

fn login(number: u64) -> String {
    TestEvent::new("user.login")
        .id(&format!("e-{number}"))
        .set("/actor/type", "user".into())
        .set("/actor/id", format!("u-{number}").into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

fn change(program: &Program, name: &str, at: usize) {
    let path = program.data("keys").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_slot_that_is_lost_is_found_and_named() {
    let program = Program::new("key-slot");
    program.run(&["init"]).ok();
    // One after the other, so that it is known whose slot is which, and that it is not the newest.
    for number in 1..=3 {
        program.feed(&["append"], login(number)).ok();
    }
    change(&program, "subjects.a", 2 * 128 + 20);
    program.run(&["verify"]).ok();
    change(&program, "subjects.b", 2 * 128 + 40);
    let found = program.run(&["verify", "--level", "tree", "--json"]).ended(1).text();
    assert!(found.contains("\"key_slot\"") && found.contains("keys/subjects.a"), "{found}");
    let seen = program.run(&["doctor"]).ended(1).text();
    assert!(seen.contains("key_slot") && seen.contains("newest copy of keys/"), "{seen}");
    // Everything else is read and opened as before.
    let shown = program.run(&["get", "e-1", "--open"]).ok().line();
    assert_eq!(shown["event"]["actor"]["name"], "Ana Lima");
    program.run(&["sealing-keys", "rotate"]).failed(2, "STORE_DAMAGED");
}

#[test]
fn older_key_files_are_told_with_their_generation_and_what_to_do() {
    let program = Program::new("keys-behind");
    program.run(&["init"]).ok();
    program.feed(&["append"], login(1)).ok();
    let doctor = || program.run(&["doctor"]);
    assert!(doctor().ok().text().contains("generation 2, the ledger relies on 2"));
    let older = ["subjects.a", "subjects.b"].map(|name| {
        let path = program.data("keys").join(name);
        (std::fs::read(&path).unwrap(), path)
    });
    program.feed(&["append"], login(2)).ok();
    for (bytes, path) in &older {
        std::fs::write(path, bytes).unwrap();
    }
    program.run(&["get", "e-1"]).ok();
    program.run(&["get", "e-1", "--open"]).failed(2, "KEYS_BEHIND");
    let seen = doctor().ended(1).lines();
    let problem = seen.iter().find(|line| text(line, "/subject") == "sealing keys").unwrap();
    assert!(
        text(problem, "/what").contains("generation 2, and the ledger relies on 3"),
        "{problem}"
    );
    assert!(text(problem, "/remedy").contains("of generation 3 or later"), "{problem}");
    program.feed(&["append"], login(3)).failed(2, "KEYS_BEHIND");
    program.run(&["verify"]).ok();
}

#[test]
fn a_key_file_that_is_older_than_the_one_beside_it_is_named() {
    let program = Program::new("key-file-stale");
    program.run(&["init"]).ok();
    program.feed(&["append"], login(1)).ok();
    for name in ["subjects.a", "subjects.b"] {
        let path = program.data("keys").join(name);
        let older = std::fs::read(&path).unwrap();
        program.feed(&["append"], login(2 + u64::from(name.as_bytes()[9]))).ok();
        assert!(!program.run(&["doctor"]).ok().text().contains("beside it"));
        std::fs::write(&path, &older).unwrap();
        let seen = program.run(&["doctor"]).ended(1).lines();
        let named = seen.iter().find(|line| line["problem"] == true).unwrap();
        assert!(text(named, "/what").contains(&format!("{name} is not as the file")), "{named}");
        assert!(text(named, "/what").contains("1 slot"), "{named}");
        // Whoever writes next makes them equal.
        program.feed(&["append"], login(1)).ok();
        program.run(&["doctor"]).ok();
    }
}

/// A directory whose first customer, Bo Karlsson, was erased after two others came, and the key files from before.
fn with_an_erased_person(name: &str) -> (Program, Vec<Vec<u8>>) {
    let program = Program::new(name);
    let server = plainly(&program);
    let admin = server.first_key();
    let bo = json!({"type": "customer", "id": "cus-1", "name": "Bo Karlsson"});
    ask(&server, &admin, "/v1/events", &json!({"id": "b-1", "event_type": "a.b", "actor": bo}));
    let before: serde_json::Value = serde_json::from_str(&login(1)).unwrap();
    ask(&server, &admin, "/v1/events", &before);
    let older = FILES.map(|file| fs::read(program.data("keys").join(file)).unwrap());
    erase(&server, &admin, &json!({"type": "customer", "id": "cus-1"}));
    server.stop();
    (program, older.to_vec())
}

fn assert_stays_erased(program: &Program) {
    for command in [vec!["get", "b-1", "--open"], vec!["list", "--open", "--limit", "1000"]] {
        let shown = program.run(&command).ok();
        assert!(!shown.text().contains("Karlsson"), "{}", shown.text());
    }
    let other = program.run(&["get", "e-1", "--open"]).ok().line();
    assert_eq!(other["event"]["actor"]["name"], "Ana Lima");
}

#[test]
fn an_older_slot_among_newer_ones_brings_nobody_back() {
    let (program, older) = with_an_erased_person("keys-older-slot");
    assert_stays_erased(&program);
    program.feed(&["append"], login(7)).ok();
    program.run(&["doctor"]).ok();
    for (file, older) in FILES.iter().zip(older) {
        let path = program.data("keys").join(file);
        let mut now = fs::read(&path).unwrap();
        let slots = older.chunks_exact(SLOT_BYTES).enumerate().skip(1);
        for (slot, bytes) in slots.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)) {
            now[slot * SLOT_BYTES..][..SLOT_BYTES].copy_from_slice(bytes);
        }
        fs::write(path, now).unwrap();
    }
    assert_stays_erased(&program);
    let seen = program.run(&["doctor"]).ended(1).lines();
    let problem = seen.iter().find(|line| line["problem"] == true).unwrap();
    assert!(
        text(problem, "/what").contains("still hold 1 key of tenant default that an erasure"),
        "{problem}"
    );
    // Whoever writes next destroys it again.
    program.feed(&["append"], login(8)).ok();
    program.run(&["doctor"]).ok();
}

#[test]
fn older_key_files_open_nothing_although_a_slot_of_them_is_damaged() {
    let (program, older) = with_an_erased_person("keys-older-damaged");
    for (file, mut older) in FILES.iter().zip(older) {
        older[2 * SLOT_BYTES + 20] ^= 1;
        fs::write(program.data("keys").join(file), older).unwrap();
    }
    for command in [vec!["get", "b-1", "--open"], vec!["list", "--open"]] {
        let refused = program.run(&command).failed(2, "KEYS_BEHIND");
        assert!(refused.errors().contains("1 slot damaged in both files"));
    }
    let seen = program.run(&["doctor"]).ended(1).text();
    assert!(seen.contains("that an erasure named"), "{seen}");
}

const TENANTS: [&str; 2] = ["tenants.a", "tenants.b"];

fn read(program: &Program, files: &[&'static str]) -> KeyFiles {
    let read = |name| (name, fs::read(program.data("keys").join(name)).unwrap());
    files.iter().copied().map(read).collect()
}

fn put_back(program: &Program, files: &[(&'static str, Vec<u8>)]) {
    for (name, bytes) in files {
        fs::write(program.data("keys").join(name), bytes).unwrap();
    }
}

/// What doctor finds wrong with the sealing keys.
fn problems(program: &Program) -> Vec<String> {
    let seen = program.run(&["doctor"]).ended(1).lines();
    let own = seen.iter().filter(|line| line["problem"] == true);
    own.map(|line| format!("{} {}", text(line, "/what"), text(line, "/remedy"))).collect()
}

/// Nothing is written, opened or erased, and doctor says why.
fn assert_is_refused(program: &Program, said: &str) {
    program.feed(&["append"], login(2)).failed(2, "KEYS_BEHIND");
    program.run(&["sealing-keys", "rotate"]).failed(2, "KEYS_BEHIND");
    // Only a server erases.
    let served = program.run(&["serve", "--listen", "127.0.0.1:0"]).ended(2);
    assert!(served.errors().contains("KEYS_BEHIND"), "{served}");
    let problems = problems(program);
    assert!(problems.iter().any(|one| one.contains(said)), "{problems:?}");
    program.run(&["verify"]).ok();
}

/// A directory with one person, and the files of its keys from before and after a rotation.
fn rotated(name: &str) -> (Program, [KeyFiles; 2]) {
    let program = Program::new(name);
    program.run(&["init"]).ok();
    program.feed(&["append"], login(1)).ok();
    let all = [FILES, TENANTS].concat();
    let before = read(&program, &all);
    program.run(&["sealing-keys", "rotate"]).ok();
    let after = read(&program, &all);
    (program, [before, after])
}

fn assert_is_well(program: &Program) {
    program.feed(&["append"], login(3)).ok();
    program.run(&["doctor"]).ok();
    for number in [1, 3] {
        let shown = program.run(&["get", &format!("e-{number}"), "--open"]).ok().line();
        assert_eq!(shown["event"]["actor"]["name"], "Ana Lima");
    }
}

#[test]
fn keys_of_tenants_from_before_a_rotation_are_refused() {
    let (program, [before, after]) = rotated("keys-older-tenants");
    put_back(&program, &before[2..]);
    program.run(&["get", "e-1", "--open"]).failed(2, "KEYS_BEHIND");
    assert_is_refused(&program, "tenants.* is older than the files beside it, or missing: 1 key");
    put_back(&program, &after);
    assert_is_well(&program);
}

#[test]
fn keys_of_people_from_before_a_rotation_are_refused() {
    let (program, [before, after]) = rotated("keys-older-people");
    put_back(&program, &before[..2]);
    program.run(&["get", "e-1", "--open"]).failed(2, "KEYS_BEHIND");
    assert_is_refused(&program, "subjects.* is older than the files beside it, or missing: 1 key");
    put_back(&program, &after);
    assert_is_well(&program);
}

#[test]
fn all_keys_from_before_a_rotation_are_refused_since_a_record_tells_of_it() {
    let (program, [before, after]) = rotated("keys-from-before");
    let newest = program.run(&["list", "--limit", "1"]).ok().line();
    let event = &newest["event"];
    assert_eq!(event["event_type"], "audit.administration");
    assert_eq!(
        (&event["action"]["verb"], &event["target"]["type"]),
        (&json!("rotate"), &json!("sealing_key"))
    );
    assert!(text(&newest, "/event/actor/id").starts_with("uid:"), "{newest}");
    put_back(&program, &before);
    program.run(&["get", "e-1", "--open"]).failed(2, "KEYS_BEHIND");
    assert_is_refused(&program, "and the ledger relies on");
    put_back(&program, &after);
    assert_is_well(&program);
}

#[test]
fn a_tenant_whose_keys_are_missing_gets_no_others() {
    let program = Program::new("keys-no-tenants");
    program.run(&["init"]).ok();
    program.feed(&["append"], login(1)).ok();
    let kept = read(&program, &TENANTS);
    for name in TENANTS {
        fs::remove_file(program.data("keys").join(name)).unwrap();
    }
    assert_is_refused(&program, "tenants.* is older than the files beside it, or missing: 1 key");
    let made = fs::read(program.data("keys").join(TENANTS[0])).unwrap();
    assert!(made[512..].iter().all(|byte| *byte == 0), "no key was drawn");
    put_back(&program, &kept);
    assert_is_well(&program);
}
