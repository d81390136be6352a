//! The interface as tools of others see it, in the long suite: an attacker that reads the `OpenAPI`
//! document, a client that was generated from it, and a verifier of transparency logs.
//!
//! Each is looked for where a variable says, and its test is skipped, loudly, where there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ledgerstone_testkit::Served;
use serde_json::json;

use crate::program::{Program, text};
use crate::served::{plainly, start};

const LONG: &str = "LEDGERSTONE_LONG";

/// The tool that a variable names, if the long suite runs.
fn tool(variable: &str, what: &str) -> Option<PathBuf> {
    std::env::var_os(LONG)?;
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("\n*** SKIPPED: set {variable} to {what} to run this test\n");
    }
    found
}

fn succeeded(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{errors}");
    said + &errors
}

fn base(server: &Served) -> String {
    server.url().to_owned()
}

/// What the schemas cannot say (that one number is below another, that an event has a type) is refused
/// all the same, so that valid data is accepted is not asked. Nor does it revoke the key it works with.
#[test]
fn schemathesis_finds_nothing() {
    let Some(program) = tool("LEDGERSTONE_SCHEMATHESIS", "the program `schemathesis`") else {
        return;
    };
    let place = Program::new("schemathesis");
    let operator = place.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let server = start(&place, |command| {
        command.env("LEDGERSTONE_OPERATOR_KEY", &operator);
    });
    let admin = server.first_key();
    for key in [&admin, &operator] {
        let settings = format!("[auth.openapi.api_key]\napi_key = \"{key}\"\n");
        let settings = place.place().write("schemathesis.toml", settings);
        let mut command = Command::new(&program);
        command.current_dir(place.place().path()).arg("--config-file").arg(settings);
        command.args(["run", &format!("{}/openapi.json", base(&server))]);
        command.args(["--phases", "examples,coverage,fuzzing", "--max-time", "120"]);
        // The routes of other services wait 30 s for a verification.
        command.args(["--request-timeout", "60"]);
        command.args(["--exclude-checks", "positive_data_acceptance"]);
        command.args(["--exclude-path-regex", "revoke", "--continue-on-failure", "--seed", "1"]);
        succeeded(&mut command);
    }
    server.stop();
    let log = std::fs::read_to_string(place.place().join("log")).unwrap();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("\"ERROR\"")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    place.run(&["verify"]).ok();
}

#[test]
fn a_generated_client_posts_lists_and_proves() {
    let what = "a Python with openapi-python-client beside it";
    let Some(python) = tool("LEDGERSTONE_OPENAPI_PYTHON", what) else { return };
    let place = Program::new("generated-client");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut generate = Command::new(python.with_file_name("openapi-python-client"));
    generate.args(["generate", "--meta", "none", "--path"]);
    generate.arg(manifest.join("../../docs/openapi.json"));
    generate.arg("--output-path").arg(place.place().join("generated"));
    succeeded(&mut generate);
    let server = plainly(&place);
    let key = server.first_key();
    let mut script = Command::new(&python);
    script.arg(manifest.join("tests/cli/generated_client.py")).arg(place.place().path());
    let said = succeeded(script.args([base(&server), key]));
    assert!(said.contains("posted, listed, proved"), "{said}");
    server.stop();
}

#[test]
fn tesseras_fsck_reads_a_ledger_over_http() {
    let Some(fsck) = tool("LEDGERSTONE_TESSERA_FSCK", "Tessera's `fsck`") else { return };
    let place = Program::new("fsck");
    let server = plainly(&place);
    let key = server.first_key();
    let events: Vec<_> =
        (0..700).map(|n| json!({"id": format!("f-{n}"), "event_type": "a.b"})).collect();
    let body = serde_json::Value::from(events).to_string();
    assert_eq!(server.request("POST", "/v1/events", Some(&key), &body).0, 200);
    let (_, checkpoint) = server.request("GET", "/v1/checkpoint", Some(&key), "");
    let vkey = place.place().write("vkey", text(&checkpoint, "/vkey"));
    let mut command = Command::new(fsck);
    command.args(["-ui=false", &format!("-storage_url={}/v1/tlog/default/", base(&server))]);
    command.arg(format!("-public_key={}", vkey.display()));
    let said = succeeded(command.arg(format!("-bearer_token={key}")));
    assert!(said.contains("Successfully fsck'd log"), "{said}");
    server.stop();
}
