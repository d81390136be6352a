//! The root key: made where a file holds it, and nowhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::program::Program;
use crate::served::start;

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn given(command: &mut Command) {
    command.env("LEDGERSTONE_ROOT_KEY", KEY);
}

#[test]
fn a_root_key_is_made_by_whoever_writes_first() {
    let program = Program::new("root-key");
    let file = program.data("keys/root.key");
    program.run(&["init"]).ok();
    let made = std::fs::read_to_string(&file).unwrap();
    assert!(made.starts_with("ledgerstone-key-v1 root "), "{made}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);

    // A directory that an earlier version made has none.
    std::fs::remove_file(&file).unwrap();
    for reading in [&["verify"][..], &["list"], &["doctor"], &["tenants", "list"]] {
        program.run(reading).ok();
        assert!(!file.exists(), "{reading:?}");
    }
    program.run(&["tenants", "create", "acme"]).ok();
    let again = std::fs::read_to_string(&file).unwrap();
    assert_ne!(again, made);
    program.run(&["tenants", "create", "other"]).ok();
    start(&program, |_| {}).stop();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), again, "it is made once");
    std::fs::remove_file(&file).unwrap();
    start(&program, |_| {}).stop();
    assert!(file.exists(), "a server makes it too");
}

#[test]
fn a_root_key_that_is_given_is_in_no_file() {
    let program = Program::new("root-secret");
    let file = program.data("keys/root.key");
    program.run_with(&["init"], given).ok();
    let log = start(&program, given).stop();
    assert!(log.contains("\"service\":\"secret\"") && !log.contains(KEY), "{log}");
    program.run_with(&["tenants", "create", "acme"], given).ok();
    assert!(!file.exists());
    let printed = program.run_with(&["config"], given).ok().text();
    assert!(printed.contains("root.key") && !printed.contains(KEY), "{printed}");

    program.place().write("root", KEY);
    program.place().write("l.toml", "[root]\nkey_file = \"root\"\n");
    let of_file = |command: &mut Command| {
        command.env("LEDGERSTONE_CONFIG", "l.toml");
    };
    program.run_with(&["tenants", "create", "second"], of_file).ok();
    assert!(!file.exists());
    // What a server would refuse elsewhere in its settings is no matter of this command.
    program.place().write("l.toml", "[root]\nkey_file = \"root\"\n[tls]\nkey = \"none\"\n");
    program.run_with(&["tenants", "create", "third"], of_file).ok();
}

#[test]
fn a_root_key_that_cannot_be_used_stops_whoever_would_write() {
    let program = Program::new("root-wrong");
    program.run(&["init"]).ok();
    let wrong = |command: &mut Command| {
        command.env("LEDGERSTONE_ROOT_KEY", "geheim");
    };
    for arguments in [&["tenants", "create", "acme"][..], &["config", "--check"], &["serve"]] {
        let run = program.run_with(arguments, wrong).ended(2);
        let told = run.errors();
        assert!(told.contains("INVALID_SETTINGS") && told.contains("root.key: it is"), "{run}");
        assert!(!told.contains("geheim"), "{run}");
    }
    program.run_with(&["verify"], wrong).ok();

    let file = program.data("keys/root.key");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = program.run(&["tenants", "create", "acme"]).failed(2, "INVALID_KEY");
    assert!(run.errors().contains("root.key") && run.errors().contains("0644"), "{run}");
    let found = program.run(&["doctor"]);
    assert!(found.text().contains("root.key"), "{found}");
}
