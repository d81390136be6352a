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

const OTHER_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

/// An event of somebody whose name is sealed by the preset `standard`.
const OF_ADA: &str = concat!(
    r#"{"id":"e-1","event_type":"user.login","timestamp":"2024-05-01T12:00:00Z","#,
    r#""actor":{"id":"u-1","type":"user","name":"Ada Example"},"#,
    r#""action":{"verb":"login","status":"success"}}"#
);

/// Seals what `standard` does, and has the root key where `variables` say.
fn sealing<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&mut Command) + 'a {
    move |command| {
        command.env("LEDGERSTONE_SEALING_DEFAULT_POLICY", "standard");
        for (name, value) in variables {
            command.env(format!("LEDGERSTONE_ROOT_{name}"), value);
        }
    }
}

/// Whether a text stands in a file of the logs.
fn is_in_the_log(program: &Program, text: &str) -> bool {
    let files = std::fs::read_dir(program.data("log")).unwrap();
    let read = |file: std::io::Result<std::fs::DirEntry>| std::fs::read(file.unwrap().path());
    files
        .map(|file| read(file).unwrap())
        .any(|bytes| bytes.windows(text.len()).any(|piece| piece == text.as_bytes()))
}

#[test]
fn another_root_key_is_refused_before_anything_is_wrapped_by_it() {
    let program = Program::new("root-other");
    let with = |key: &'static str| move |command: &mut Command| sealing(&[("KEY", key)])(command);
    program.run_with(&["init"], with(KEY)).ok();
    program.feed_with(&["append"], OF_ADA, with(KEY)).ok();
    assert!(is_in_the_log(&program, "u-1") && !is_in_the_log(&program, "Ada Example"));
    let before = program.sizes();
    for other in [&[("KEY", OTHER_KEY)][..], &[("SERVICE", "file")]] {
        let run = program.run_with(&["tenants", "create", "acme"], sealing(other));
        run.failed(2, "WRONG_ROOT_KEY");
        let run = program.run_with(&["serve"], sealing(other)).ended(2);
        assert!(run.errors().contains("WRONG_ROOT_KEY"), "{run}");
    }
    assert!(!program.data("keys/root.key").exists());
    assert_eq!(program.sizes(), before);
    program.run_with(&["tenants", "create", "acme"], with(KEY)).ok();

    // The doctor says which it is: the right one, another, or none at all.
    let sound = program.run_with(&["doctor"], with(KEY)).ok();
    assert!(sound.text().contains("opens the sealing keys"), "{sound}");
    for other in [&[("KEY", OTHER_KEY)][..], &[("SERVICE", "file")]] {
        let found = program.run_with(&["doctor"], sealing(other)).ended(1);
        assert!(found.text().contains("WRONG_ROOT_KEY"), "{found}");
    }
    assert!(!program.data("keys/root.key").exists());

    // A service that wraps in another way is told by name.
    let vault = [
        ("SERVICE", "vault"),
        ("VAULT_ADDRESS", "http://127.0.0.1:1"),
        ("VAULT_KEY", "ledger"),
        ("VAULT_TOKEN", "t"),
    ];
    let run = program.run_with(&["tenants", "create", "b"], sealing(&vault));
    let run = run.failed(2, "WRONG_ROOT_KEY");
    assert!(run.errors().contains("file or secret") && run.errors().contains("vault"), "{run}");
}

#[test]
fn a_service_that_is_away_keeps_nobody_from_starting() {
    let program = Program::new("root-away");
    // Nobody listens there.
    let vault = [
        ("SERVICE", "vault"),
        ("VAULT_ADDRESS", "http://127.0.0.1:1"),
        ("VAULT_KEY", "ledger"),
        ("VAULT_TOKEN", "t"),
    ];
    let server = start(&program, sealing(&vault));
    let key = server.first_key();
    let (status, problem) = server.request("POST", "/v1/events", Some(&key), OF_ADA);
    assert_eq!(
        (status, problem["code"].as_str()),
        (503, Some("KEY_SERVICE_UNAVAILABLE")),
        "{problem}"
    );
    let plain = OF_ADA.replace(r#","name":"Ada Example""#, "");
    let (status, answer) = server.request("POST", "/v1/events", Some(&key), &plain);
    assert_eq!(status, 201, "nothing of it is sealed: {answer}");
    server.stop();
}
