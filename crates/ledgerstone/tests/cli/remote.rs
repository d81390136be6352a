//! Every command over `--server`, against a real server, beside what it says of the same directory.

use std::path::Path;
use std::process::Command;

use ledgerstone_testkit::Served;
use serde_json::{Value, json};

use crate::program::{Program, Run, flip, number, numbered, offset_of, text};
use crate::served::start;

/// A server with an operator's key, and what is needed to ask it.
struct Remote {
    program: Program,
    server: Served,
    key: String,
    operator: String,
}

impl Remote {
    fn start(name: &str) -> Self {
        let program = Program::new(name);
        let operator = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
        let server = start(&program, |command| {
            command.env("LEDGERSTONE_OPERATOR_KEY", &operator);
        });
        let key = server.first_key();
        Self { program, server, key, operator }
    }

    /// A command with the tenant's admin key, given in the environment.
    fn run(&self, arguments: &[&str]) -> Run {
        self.run_as(&self.key, arguments)
    }

    fn run_as(&self, key: &str, arguments: &[&str]) -> Run {
        self.program.run_with(arguments, |command| self.point(command, key))
    }

    fn feed(&self, arguments: &[&str], input: &str) -> Run {
        self.program.feed_with(arguments, input, |command| self.point(command, &self.key))
    }

    fn point(&self, command: &mut Command, key: &str) {
        command.env("LEDGERSTONE_SERVER", self.server.url()).env("LEDGERSTONE_API_KEY", key);
    }

    /// Ends the server, which writes who read what, and starts another on what it left.
    fn again(self) -> Self {
        let Self { program, server, key, operator } = self;
        server.stop();
        let server = start(&program, |_| {});
        Self { program, server, key, operator }
    }

    /// Ends the server; what it left can be looked at.
    fn stop(self) -> Program {
        self.server.stop();
        self.program
    }
}

fn numbered_lines(from: u64, to: u64) -> String {
    (from..to).map(|at| numbered(at) + "\n").collect()
}

/// Every file below a directory, with its bytes.
pub fn files(place: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![place.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(place).unwrap().display().to_string();
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The command on a directory that shows what a server shows to an administrator.
fn opening<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let shows_events = ["list", "get"].contains(&command[0]) && !command.contains(&"--content");
    command.iter().copied().chain(shows_events.then_some("--open")).collect()
}

/// Lines about events, without those that came because they were read.
fn without_accesses(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains("\"audit.access\"")).collect()
}

#[test]
fn reading_says_what_the_directory_says() {
    let remote = Remote::start("remote-reading");
    remote.feed(&["append"], &numbered_lines(0, 1_300)).ok();
    let commands: &[&[&str]] = &[
        &["list"],
        &["list", "--order", "sequence"],
        &["list", "--order", "sequence", "--limit", "7"],
        &["list", "--order", "sequence", "--limit", "1100", "--tenant", "default"],
        &["list", "--limit", "0"],
        &["get", "e-7"],
        &["get", "e-7", "--content"],
        &["get", "_0"],
        &["api-keys", "list"],
    ];
    let of_operator: &[&[&str]] = &[&["signing-keys", "list", "--tenant", "_system"]];
    let told: Vec<Run> = commands.iter().map(|command| remote.run(command).ok()).collect();
    let newest = remote.run(&["list", "--limit", "1"]).ok().text();
    let operator = remote.operator.clone();
    let told_operator: Vec<Run> =
        of_operator.iter().map(|command| remote.run_as(&operator, command).ok()).collect();
    let list_system = ["list", "--tenant", "_system", "--order", "sequence"];
    let system = remote.run_as(&operator, &list_system).ok().text();
    let program = remote.stop();
    for (command, told) in commands.iter().zip(&told).chain(of_operator.iter().zip(&told_operator))
    {
        let (here, told) = (program.run(&opening(command)).ok().text(), told.text());
        assert_eq!(without_accesses(&here), without_accesses(&told), "{command:?}");
    }
    assert!(newest.contains("\"audit.access\""), "what opens values is recorded at once: {newest}");
    // Records came behind it at the end.
    assert!(program.run(&opening(&list_system)).ok().text().starts_with(&system));
}

#[test]
fn proving_says_what_the_directory_says() {
    let remote = Remote::start("remote-proving");
    remote.feed(&["append"], &numbered_lines(0, 1_300)).ok();
    let policy = r#"{"without":["prove"]}"#;
    let set = ("PUT", "/v1/policies/access_log");
    let (status, set) = remote.server.request(set.0, set.1, Some(&remote.key), policy);
    assert_eq!(status, 200, "{set}");
    let remote = remote.again();
    let commands: &[&[&str]] = &[&["checkpoint"], &["checkpoint", "--json"], &["proof", "e-1299"]];
    let of_operator: &[&[&str]] =
        &[&["tenants", "list"], &["checkpoint", "--tenant", "_system", "--json"]];
    // Signed before anything is compared.
    remote.run_as(&remote.operator, &["checkpoint"]).ok();
    let told: Vec<Run> = commands.iter().map(|command| remote.run(command).ok()).collect();
    let asked = of_operator.iter().map(|command| remote.run_as(&remote.operator, command).ok());
    let told_operator: Vec<Run> = asked.collect();
    let tree = remote.program.place().join("of-server");
    let exported = remote.run(&["tlog", "export", "of-server"]).ok().line();
    let program = remote.stop();
    for (command, told) in commands.iter().zip(&told).chain(of_operator.iter().zip(&told_operator))
    {
        assert_eq!(program.run(command).ok().text(), told.text(), "{command:?}");
    }
    assert_eq!(program.run(&["tlog", "export", "of-data"]).ok().line(), exported);
    assert_eq!(files(&tree), files(&program.place().join("of-data")));
    assert_eq!(files(&tree).len() as u64, number(&exported, "/tiles_written") + 1);
}

#[test]
fn a_proof_that_came_over_http_holds_without_the_server() {
    let remote = Remote::start("remote-proof");
    remote.feed(&["append"], &numbered_lines(0, 5)).ok();
    let place = remote.program.place();
    place.write("e.proof", remote.run(&["proof", "e-3"]).ok().bytes());
    place.write("e.content", remote.run(&["get", "e-3", "--content"]).ok().bytes());
    let vkey = text(&remote.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    // The proof is checked here, whatever the environment says.
    let check =
        ["verify", "--proof", "e.proof", "--content", "e.content", "--key", &vkey, "--json"];
    assert_eq!(text(&remote.run(&check).ok().line(), "/id"), "e-3");
    let program = remote.stop();
    program.run(&check).ok();
}

#[test]
fn appending_answers_as_it_does_in_a_directory() {
    let remote = Remote::start("remote-append");
    let input = format!("{}\nnonsense\n{{\"event_type\":1}}\n{}\n", numbered(1), numbered(2));
    let first = remote.feed(&["append", "--json"], &input).ended(1);
    let here = Program::new("remote-append-here");
    let local = here.feed(&["append", "--json"], &input).ended(1);
    let short = |run: &Run| -> Vec<Value> {
        let lines = run.lines();
        lines.iter().map(|line| json!([line["id"], line["status"], line["tenant_id"]])).collect()
    };
    assert_eq!(short(&first), short(&local));
    let said = |run: &Run| -> Vec<Value> {
        let errors = run.errors();
        let lines = errors.lines().filter(|line| line.starts_with('{'));
        let parsed = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Where the text of an event is no JSON, the server does not repeat the byte by itself.
        parsed
            .map(|line| {
                json!([line["error"]["code"], line["error"]["message"], line["error"]["position"]])
            })
            .collect()
    };
    assert_eq!(said(&first), said(&local));
    let again = remote.feed(&["append"], &input).ended(1);
    assert!(again.lines().iter().all(|line| line["status"] == "duplicate"));
    let receipts = first.lines();
    let mut repeated = again.lines();
    for line in &mut repeated {
        line["status"] = json!("created");
    }
    assert_eq!(receipts, repeated);
    let conflict = numbered(1).replace("e-1", "e-2");
    let refused = remote.feed(&["append"], &conflict).failed(1, "ID_CONFLICT");
    assert!(refused.errors().contains("standard input, line 1"), "{refused}");
    let other = r#"{"event_type":"a.b","actor":{"id":"u"},"context":{"tenant_id":"other"}}"#;
    remote.feed(&["append"], other).failed(1, "TENANT_MISMATCH");
    let program = remote.stop();
    program.run(&["verify"]).ok();
}

#[test]
fn an_import_is_mapped_by_the_server() {
    let remote = Remote::start("remote-import");
    let log = br#"{"Records":[{"eventName":"A","eventID":"x-1","eventSource":"s3.amazonaws.com",
        "odd": [1,
        2]}, {"a":1,"a":2}, {"eventName":"B","eventID":"x-2"}]}"#;
    remote.program.place().write("log.json", log);
    let import = ["import", "--format", "cloudtrail", "log.json"];
    let first = remote.run(&import).failed(1, "DUPLICATE_KEY");
    assert!(first.errors().contains("log.json, record 2 at byte "), "{first}");
    assert_eq!((number(&first.line(), "/recorded"), number(&first.line(), "/refused")), (2, 1));
    let again = remote.run(&import).ended(1);
    assert_eq!((number(&again.line(), "/recorded"), number(&again.line(), "/duplicates")), (0, 2));
    let event = |run: Run| run.ok().line()["event"].clone();
    let there = event(remote.run(&["get", "x-1"]));
    assert_eq!(there["intake"]["unmapped"]["odd"], json!([1, 2]));
    let here = Program::new("remote-import-here");
    here.place().write("log.json", log);
    here.run(&import).ended(1);
    let mut local = event(here.run(&["get", "x-1", "--open"]));
    let mut there = there;
    // The time of taking in is the only thing that differs.
    assert!(there["timestamp"].is_string());
    local["timestamp"] = Value::Null;
    there["timestamp"] = Value::Null;
    assert_eq!(local, there);
    remote.run(&["import", "--format", "nonsense", "log.json"]).failed(2, "UNKNOWN_FORMAT");
    remote.run(&["import", "--format", "cloudtrail", "nowhere"]).failed(2, "INVALID_ARGUMENT");
    remote.stop();
}

#[test]
fn real_logs_go_in_twice_and_count_once() {
    let Some(logs) = ledgerstone_testkit::foreign_data("cloudtrail") else { return };
    let remote = Remote::start("remote-cloudtrail");
    let import = ["import", "--format", "cloudtrail", logs.to_str().unwrap()];
    let first = remote.run(&import).ok().line();
    let again = remote.run(&import).ok().line();
    assert!(number(&first, "/recorded") > 1_000, "{first}");
    assert_eq!(number(&first, "/recorded"), number(&again, "/duplicates"));
    assert_eq!(number(&again, "/recorded"), 0);
    let program = remote.stop();
    program.run(&["verify"]).ok();
}

#[test]
fn an_import_outlives_a_restart_of_the_server() {
    let remote = Remote::start("remote-restart");
    let events = numbered_lines(0, 20_000);
    remote.program.place().write("events.ndjson", &events);
    let mut command = remote.program.command(&["import", "--format", "ndjson", "events.ndjson"]);
    remote.point(&mut command, &remote.key);
    let port = remote.server.port();
    let mut importing = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    remote.server.signal("KILL");
    assert!(importing.try_wait().unwrap().is_none(), "it ended before the server did");
    let Remote { program, server, key, .. } = remote;
    server.ended();
    // Whoever watches is told that there is no answer.
    std::thread::sleep(std::time::Duration::from_millis(3_500));
    let listen = format!("127.0.0.1:{port}");
    let server = start(&program, |command| {
        command.env("LEDGERSTONE_LISTEN", &listen).env("LEDGERSTONE_PORT", port.to_string());
    });
    let output = importing.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let noted = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(noted.contains("the server has not answered yet"), "{noted}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["complete"], true);
    assert_eq!(number(&told, "/recorded") + number(&told, "/duplicates"), 20_000);
    assert_eq!(server.request("GET", "/v1/events/e-19999", Some(&key), "").0, 200);
    server.stop();
    let kept = program.run(&["list", "--order", "sequence"]).ok().lines();
    let events = kept.iter().filter(|line| line["record"]["kind"] == "event").count();
    assert_eq!(events, 20_000);
    program.run(&["verify"]).ok();
}

#[test]
fn the_server_verifies_itself_and_damage_is_named_alike() {
    let remote = Remote::start("remote-verify");
    remote.feed(&["append"], &numbered_lines(0, 9)).ok();
    let held = remote
        .run(&[
            "verify", "--level", "tree", "--tenant", "default", "--from", "2", "--to", "6",
            "--json",
        ])
        .ok();
    assert_eq!(number(&held.line(), "/records_checked"), 4);
    assert!(remote.run(&["verify"]).ok().text().starts_with("holds\n"));
    let all = remote.run_as(&remote.operator, &["verify", "--json"]).ok().line();
    assert_eq!(all["ledgers"].as_array().unwrap().len(), 2);
    remote
        .run(&["verify", "--from", "5", "--to", "5", "--tenant", "default"])
        .failed(2, "INVALID_ARGUMENT");
    remote.run(&["verify", "--key", "x"]).failed(2, "INVALID_ARGUMENT");
    let log = remote.program.data("log/000000000001.log");
    flip(&log, offset_of(&log, "\"e-5\""));
    let found = remote.run(&["verify"]).ended(1);
    assert!(found.text().contains("DOES NOT HOLD: "), "{found}");
    let ill = remote.run_as(&remote.operator, &["verify"]).ended(1);
    assert!(ill.text().contains("log/000000000001.log at byte "), "{ill}");
}

#[test]
fn keys_and_tenants_are_administered() {
    let remote = Remote::start("remote-admin");
    let operator = remote.operator.clone();
    let made = remote.run_as(&operator, &["tenants", "create", "acme", "beta"]).ok().lines();
    assert_eq!(made.len(), 2);
    remote.run_as(&operator, &["tenants", "create", "acme"]).failed(2, "TENANT_EXISTS");
    remote.run(&["tenants", "list"]).failed(2, "FORBIDDEN");
    let made = ["tenants", "create", "gamma", "--first-key"];
    let made = remote.run_as(&operator, &made).ok().line();
    let first = text(&made, "/first_admin_key/api_key");
    let keys = remote.run_as(&first, &["api-keys", "list", "--tenant", "gamma"]).ok().line();
    assert_eq!(text(&keys, "/key_id"), text(&made, "/first_admin_key/key_id"));
    let new = ["api-keys", "create", "--label", "app", "--role", "writer"];
    let issued = remote.run(&new).ok().line();
    let (writer, id) = (text(&issued, "/api_key"), text(&issued, "/key_id"));
    assert_eq!(issued["roles"], json!(["writer"]));
    remote
        .program
        .feed_with(&["append"], numbered(1), |command| remote.point(command, &writer))
        .ok();
    remote.run_as(&writer, &["list"]).failed(2, "FORBIDDEN");
    let revoked = remote.run(&["api-keys", "revoke", &id, "--reason", "done"]).ok().line();
    assert_eq!(text(&revoked, "/state"), "revoked");
    remote.run_as(&writer, &["list"]).failed(2, "KEY_REVOKED");
    let point = |command: &mut std::process::Command| remote.point(command, &writer);
    let refused = remote.program.feed_with(&["append"], numbered(2), point);
    let refused = refused.failed(2, "KEY_REVOKED").errors();
    assert!(!refused.contains("more event"), "{refused}");
    let rotated = remote.run_as(&operator, &["signing-keys", "rotate", "--use", "log"]).ok().line();
    let keys = ["signing-keys", "list", "--tenant", "_system"];
    let there = remote.run_as(&operator, &keys).ok();
    let states: Vec<Value> = there.lines().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["outgoing", "current", "current"].map(Value::from).to_vec());
    assert_eq!(number(&rotated, "/ledgers"), 5);
    let program = remote.stop();
    assert_eq!(program.run(&keys).ok().text(), there.text());
    assert_eq!(program.run(&["api-keys", "list"]).ok().lines().len(), 2);
}

#[test]
fn a_server_can_be_looked_at() {
    let remote = Remote::start("remote-doctor");
    let seen = remote.run(&["doctor"]).ok();
    assert!(seen.lines().iter().any(|line| text(line, "/subject") == "ledger"), "{seen}");
    let anybody = remote.program.run(&["doctor", "--server", remote.server.url()]).ok();
    assert!(anybody.lines().iter().any(|line| text(line, "/subject") == "credential"), "{anybody}");
    let subjects = remote.run_as(&remote.operator, &["doctor"]).ok();
    assert!(subjects.lines().iter().any(|line| text(line, "/subject") == "deployment"));
    remote.stop();
}

#[test]
fn a_server_with_tls_is_asked_if_its_authority_is_believed() {
    let program = Program::new("remote-tls");
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = program.place().write("server.pem", issued.cert.pem());
    let key = program.place().write("server.key", issued.signing_key.serialize_pem());
    let server = start(&program, |command| {
        command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    });
    let url = format!("https://localhost:{}", server.port());
    let api_key = server.first_key();
    let list = ["list", "--server", &url, "--api-key", &api_key];
    let doubted = program.run(&list).failed(2, "SERVER_UNREACHABLE");
    assert!(doubted.errors().contains("certificate"), "{doubted}");
    let believed = [&list[..], &["--ca", "server.pem"]].concat();
    assert_eq!(program.run(&believed).ok().lines().len(), 4);
    let none = [&list[..], &["--ca", "server.key"]].concat();
    program.run(&none).failed(2, "INVALID_ARGUMENT");
    let elsewhere = [&list[..], &["--ca", "nowhere.pem"]].concat();
    program.run(&elsewhere).failed(2, "INVALID_ARGUMENT");
    server.stop();
}

#[test]
fn where_a_command_goes_is_said_once() {
    let remote = Remote::start("remote-where");
    let url = remote.server.url().to_owned();
    let program = &remote.program;
    let both = ["list", "--server", &url, "--data", "ledgerstone-data"];
    program.run(&both).failed(2, "INVALID_ARGUMENT");
    program.run(&["list", "--api-key", "lsk_x"]).failed(2, "INVALID_ARGUMENT");
    program.run(&["list", "--server", "nonsense"]).failed(2, "INVALID_ARGUMENT");
    program.run(&["list", "--server", &url]).failed(2, "UNAUTHENTICATED");
    let wrong = remote.key.replace("lsk_", "lsk-");
    let refused = program.run(&["list", "--server", &url, "--api-key", &wrong]);
    let refused = refused.failed(2, "INVALID_TOKEN");
    assert!(!refused.errors().contains(&wrong), "{refused}");
    let file = program.place().write("the.key", format!("{}\n", remote.key));
    let by_file = ["list", "--server", &url, "--api-key-file", file.to_str().unwrap()];
    let listed = program.run(&by_file).ok();
    // Beside a server, a directory shows what was written a second ago.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    // The directory that is named comes before the server of the environment.
    assert_eq!(remote.run(&["list", "--data", "ledgerstone-data"]).ok().text(), listed.text());
    for option in ["--create-tenants", "--tenant-from=actor.id", "--known=the.key"] {
        remote.run(&["append", option]).failed(2, "INVALID_ARGUMENT");
    }
    for command in ["list", "checkpoint", "append", "verify"] {
        remote.run(&[command, "--tenant", "other"]).failed(2, "UNKNOWN_TENANT");
    }
    // A key that may see nothing of the ledger's state is of a tenant all the same.
    let new = ["api-keys", "create", "--label", "app", "--role", "writer"];
    let writer = text(&remote.run(&new).ok().line(), "/api_key");
    let event = program.place().write("one.ndjson", numbered(1) + "\n");
    let import = ["import", "--format", "ndjson", event.to_str().unwrap(), "--tenant"];
    let imported = remote.run_as(&writer, &[&import[..], &["default"]].concat()).ok().line();
    assert_eq!(number(&imported, "/recorded"), 1);
    remote.run_as(&writer, &[&import[..], &["other"]].concat()).failed(2, "UNKNOWN_TENANT");
    remote.run_as(&writer, &["taxonomy", "show", "--tenant", "default"]).ok();
    remote.run(&["get", "e-none"]).failed(2, "EVENT_NOT_FOUND");
    remote.run(&["proof", "e-none"]).failed(2, "EVENT_NOT_FOUND");
    let program = remote.stop();
    let gone = program.run(&["list", "--server", &url, "--api-key", "lsk_x"]);
    gone.failed(2, "SERVER_UNREACHABLE");
}

#[test]
fn a_taxonomy_is_set_on_the_server_that_the_environment_names() {
    let remote = Remote::start("remote-taxonomy");
    let file = remote.program.place().write(
        "taxonomy.json",
        r#"{"mode":"enforce","event_types":{"user.login":{"schema":{"required":["actor"]}}}}"#,
    );
    let set = remote.run(&["taxonomy", "set", file.to_str().unwrap()]).ok().lines().remove(0);
    assert_eq!((number(&set, "/version"), text(&set, "/mode").as_str()), (1, "enforce"));
    let events = remote.program.place().write("events", "{\"event_type\":\"user.login\"}\n");
    let checked =
        remote.run(&["taxonomy", "check", events.to_str().unwrap()]).ended(1).lines().remove(0);
    assert_eq!(text(&checked, "/outcome"), "refused");
    assert_eq!(text(&checked, "/errors/0/code"), "SCHEMA_VIOLATION");
    let shown = remote.run(&["taxonomy", "show"]).ok();
    let program = remote.stop();
    assert_eq!(program.run(&["taxonomy", "show"]).ok().text(), shown.text());
}
