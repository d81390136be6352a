//! The interface as tools of others see it, in the long suite: an attacker that reads the `OpenAPI`
//! document, a client that was generated from it, and a verifier of transparency logs.
//!
//! Each is looked for where a variable says. Where there is none the test fails, unless
//! `LEDGERSTONE_SKIP` names the variable: nobody takes a suite that left it out for the whole one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ledgerstone_testkit::Served;
use serde_json::json;

use crate::expired::Scene;
use crate::program::{Program, text};
use crate::served::{plainly, start};

const LONG: &str = "LEDGERSTONE_LONG";

/// Names of variables, with commas between them, whose tools are left out of the long suite.
const SKIP: &str = "LEDGERSTONE_SKIP";

/// The tool that a variable names, if the long suite runs.
fn tool(variable: &str, what: &str) -> Option<PathBuf> {
    std::env::var_os(LONG)?;
    let skipped = std::env::var(SKIP).unwrap_or_default();
    if skipped.split(',').any(|one| one == variable) {
        eprintln!("\n*** SKIPPED: {variable} stands in {SKIP}\n");
        return None;
    }
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    assert!(found.is_some(), "set {variable} to {what}, or name it in {SKIP}");
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

/// What schemathesis is told: the key it attacks with, and what refuses; with 207, some of an array.
fn settings(place: &Program, key: &str) -> PathBuf {
    let settings = format!(
        "[auth.openapi.api_key]\napi_key = \"{key}\"\n\n\
         [checks.negative_data_rejection]\n\
         expected-statuses = [207, 400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 429]\n"
    );
    place.place().write("schemathesis.toml", settings)
}

/// Attacks a server with a key. In the one run everything that the document allows is to be accepted, but
/// for what no schema can say, which `schemathesis_hooks.py` lists; in the other everything else is asked.
fn attack(place: &Program, server: &Served, (program, key): (&Path, &str), is_positive: bool) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(program);
    command.current_dir(place.place().path());
    command.arg("--config-file").arg(settings(place, key));
    command.args(["run", &format!("{}/openapi.json", base(server))]);
    command.args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--seed", "1"]);
    // The routes of other services wait 30 s for a verification.
    command.args(["--request-timeout", "60"]);
    if is_positive {
        command.args(["--mode", "positive", "--checks", "positive_data_acceptance"]);
        command.args(["--exclude-tag", "not yet", "--max-time", "60"]);
        command.env("LEDGERSTONE_POSITIVE", "1");
    } else {
        command.args(["--exclude-checks", "positive_data_acceptance", "--max-time", "120"]);
    }
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks");
    command.env("PYTHONPATH", manifest.join("tests/cli")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("LEDGERSTONE_ATTACKER", key.split('_').nth(1).unwrap());
    // Every ledger has at least its genesis and the first keys.
    command.env("LEDGERSTONE_RECORDS", "3");
    succeeded(&mut command);
    // It did not talk to closed doors from some moment on.
    assert_eq!(server.request("GET", "/v1/status", Some(key), "").0, 200);
}

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
        attack(&place, &server, (&program, key), true);
        attack(&place, &server, (&program, key), false);
    }
    let log = server.stop();
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
    assert_fsck(&fsck, &place, (&server, &key), &text(&checkpoint, "/vkey"));
    server.stop();
}

fn assert_fsck(fsck: &Path, place: &Program, (server, key): (&Served, &str), vkey: &str) {
    let vkey = place.place().write("vkey", vkey);
    let mut command = Command::new(fsck);
    command.args(["-ui=false", &format!("-storage_url={}/v1/tlog/default/", base(server))]);
    command.arg(format!("-public_key={}", vkey.display()));
    let said = succeeded(command.arg(format!("-bearer_token={key}")));
    assert!(said.contains("Successfully fsck'd log"), "{said}");
}

#[test]
fn tesseras_fsck_reads_a_ledger_whose_contents_went() {
    let Some(fsck) = tool("LEDGERSTONE_TESSERA_FSCK", "Tessera's `fsck`") else { return };
    let scene = Scene::new("fsck-expired");
    assert_fsck(&fsck, &scene.program, (&scene.server, &scene.admin), &scene.vkey);
    scene.end();
}
