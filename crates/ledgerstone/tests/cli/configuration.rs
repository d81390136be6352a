//! Settings: who says them, who comes first, and what is wrong with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::program::Program;

/// What `config` prints with these variables and arguments, by key.
fn in_force(
    program: &Program,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> BTreeMap<String, (Value, Value)> {
    let mut command = program.command(&["config"]);
    command.args(arguments).env_clear().envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        (line["key"].as_str().unwrap().to_owned(), (line["value"].take(), line["from"].take()))
    };
    text.lines().map(line).collect()
}

#[test]
fn flags_come_first_then_the_environment_then_the_file() {
    let program = Program::new("config");
    program
        .place()
        .write("l.toml", "listen = \"127.0.0.1:1\"\ndata = \"f\"\n[limits]\nheaders = 9\n");
    let all = in_force(
        &program,
        &[
            ("LEDGERSTONE_CONFIG", "l.toml"),
            ("LEDGERSTONE_LISTEN", "127.0.0.1:2"),
            ("LEDGERSTONE_DATA", "e"),
        ],
        &["--listen", "127.0.0.1:3"],
    );
    assert_eq!(all["listen"], (json!("127.0.0.1:3"), json!("--listen")));
    assert_eq!(all["data"], (json!("e"), json!("$LEDGERSTONE_DATA")));
    assert_eq!(all["limits.headers"], (json!(9), json!("l.toml")));
    assert_eq!(all["limits.streams"], (json!(64), json!("default")));
    assert_eq!(all["tls.key"], (Value::Null, Value::Null));
}

#[test]
fn names_of_earlier_services_are_understood() {
    let program = Program::new("names");
    let variables = [
        ("CORS_ORIGINS", "[\"http://localhost:3000\"]"),
        ("ENVIRONMENT", "staging"),
        ("PORT", "9000"),
        ("DATABASE_URL", "postgres://user:hunter2@db/audit"),
    ];
    let all = in_force(&program, &variables, &[]);
    assert_eq!(all["cors.origins"].0, json!(["http://localhost:3000"]));
    assert_eq!(all["environment"], (json!("staging"), json!("$ENVIRONMENT")));
    assert_eq!(all["port"].0, json!(9000));
    let mut command = program.command(&["config"]);
    let output = command.env_clear().envs(variables).output().unwrap();
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(
        notes.contains("DATABASE_URL") && notes.contains("not used by this version"),
        "{notes}"
    );
    assert!(!notes.contains("hunter2"));
}

#[test]
fn secrets_are_not_printed() {
    let program = Program::new("secrets");
    let key = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let all = in_force(&program, &[("LEDGERSTONE_OPERATOR_KEY", &key)], &[]);
    assert_eq!(all["operator.key"].0, json!("(secret)"));
}

#[test]
fn what_is_wrong_is_named() {
    let program = Program::new("wrong");
    let issuer = "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n";
    let source = |of: &str| format!("[[sources]]\n{of}\nnumbers = \"quote\"\n");
    for (file, says) in [
        ("lissten = \"x\"".to_owned(), "listen"),
        ("[limits]\nheaders = 1".to_owned(), "limits.headers"),
        ("[tls]\ncertificate = \"x\"".to_owned(), "tls.key"),
        ("[tls]\nclient_ca = \"x\"".to_owned(), "tls.client_ca"),
        ("[cors]\norigins = [\"a b\"]".to_owned(), "cors.origins"),
        ("[bootstrap]\nkey = \"lsk_x\"".to_owned(), "bootstrap.key"),
        ("[bootstrap]\nkey_file = \"nowhere\"".to_owned(), "bootstrap.key_file"),
        (issuer.to_owned(), "auth.issuers[0]"),
        (format!("{issuer}jwks_file = \"f\"\ntenant = \"acme\"\nroles = [\"king\"]\n"), "king"),
        (format!("{issuer}jwks = \"f\"\n"), "there is no jwks in it"),
        ("[[sources]]\ntenant = \"acme\"\n".to_owned(), "sources[0].numbers"),
        ("[[sources]]\nnumbers = \"quote\"\n".to_owned(), "sources[0].principal"),
        (source("tenant = \"acme\"\nprincipal = \"key:abcdefghij234567\""), "sources[0].principal"),
        (source("principal = \"abcdefghij234567\""), "sources[0].principal"),
        (source("tenant = \"acme\"").repeat(2), "sources[1].tenant"),
        ("[[sources]]\ntenant = \"a\"\nnumbers = \"round\"\n".to_owned(), "sources[0].numbers"),
        ("[[auth.certificates]]\nname = \"a.example\"\ntenant = \"acme\"\n".to_owned(), "roles"),
    ] {
        program.place().write("l.toml", &file);
        let run = program.run(&["config", "--check", "--config", "l.toml"]);
        let run = run.failed(2, "INVALID_SETTINGS");
        assert!(run.errors().contains(says), "{file}: {run}");
    }
    program.run(&["config", "--check", "--config", "nowhere.toml"]).failed(2, "INVALID_SETTINGS");
    // All of it is told at once: what is no value, and then what does not go together.
    let file = "lissten = \"x\"\n[limits]\nheaders = 1\nconnections = \"many\"\n";
    program.place().write("l.toml", file);
    let check = ["config", "--check", "--config", "l.toml"];
    let mut command = program.command(&check);
    command.env("LEDGERSTONE_PORT", "high").env("LEDGERSTONE_LIMITS_EVENT_BYTES", "big");
    let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
    for says in
        ["lissten", "limits.headers", "limits.connections", "$LEDGERSTONE_PORT", "event_bytes"]
    {
        assert!(told.contains(says), "{says}: {told}");
    }
    let file =
        "[tls]\ncertificate = \"x\"\n[cors]\norigins = [\"a b\"]\n[bootstrap]\nkey = \"lsk_x\"\n";
    program.place().write("l.toml", file);
    let told = program.run(&check).failed(2, "INVALID_SETTINGS").errors();
    for says in ["tls.key", "cors.origins", "bootstrap.key"] {
        assert_eq!(told.matches(says).count(), 1, "{says}: {told}");
    }
    let good = format!(
        "{issuer}jwks_url = \"https://a.example/jwks\"\ntenant_claim = \"org\"\nroles_claim = \"/realm/roles\"\n"
    );
    program.place().write("l.toml", good);
    program.run(&["config", "--check", "--config", "l.toml"]).ok();
}

#[test]
fn the_check_refuses_what_serve_refuses_and_serve_makes_nothing_before() {
    let program = Program::new("check-as-serve");
    let issuer = "[[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n\
                  tenant = \"acme\"\nroles = [\"viewer\"]\n";
    for (file, code, says) in [
        ("listen = \"0.0.0.0:0\"".to_owned(), "UNPROTECTED_LISTENER", "0.0.0.0:0"),
        ("listen = \"0.0.0.0:1\"\nport = 0".to_owned(), "UNPROTECTED_LISTENER", "0.0.0.0:0"),
        (
            "listen = \"127.0.0.1:0\"\n[tls]\ncertificate = \"no.pem\"\nkey = \"no.key\""
                .to_owned(),
            "INVALID_TLS_SETTINGS",
            "no.pem",
        ),
        (
            format!("listen = \"127.0.0.1:0\"\n{issuer}pem_file = \"nope.pem\"\n"),
            "INVALID_AUTH_SETTINGS",
            "nope.pem",
        ),
        (
            format!("listen = \"127.0.0.1:0\"\n{issuer}jwks_url = \"http://a.example/jwks\"\n"),
            "INVALID_AUTH_SETTINGS",
            "https",
        ),
    ] {
        program.place().write("l.toml", &file);
        for arguments in
            [&["config", "--check", "--config", "l.toml"][..], &["serve", "--config", "l.toml"][..]]
        {
            let run = program.run(arguments).ended(2);
            assert!(run.errors().contains(code) && run.errors().contains(says), "{file}: {run}");
            assert_eq!(run.text(), "", "{file}: {run}");
        }
        assert!(!program.data("").exists(), "{file}: a data directory was made");
    }
    program.place().write("l.toml", "listen = \"0.0.0.0:0\"\nbehind_proxy = true\n");
    program.run(&["config", "--check", "--config", "l.toml"]).ok();
}
