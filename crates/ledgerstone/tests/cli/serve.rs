//! `serve`: from nothing to an answer, its signals, and what it leaves behind.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Program, number, offset_of, text};
use crate::served::{append, event, plainly, start};

#[test]
fn it_starts_from_nothing_and_shows_its_key_once() {
    let program = Program::new("serve");
    let server = plainly(&program);
    assert_eq!(server.printed().len(), 1);
    let key = text(&server.printed()[0], "/api_key");
    assert_eq!(text(&server.printed()[0], "/tenant_id"), "default");
    assert_eq!(server.request("GET", "/health/ready", None, "").0, 200);
    assert_eq!(append(&server, &key, "e-1").0, 201);
    assert_eq!(server.request("GET", "/v1/status", None, "").0, 401);
    let busy = program.run(&["append"]).ended(2);
    assert!(busy.errors().contains("STORE_LOCKED"));
    let log = server.stop();
    assert!(!log.contains(&key) && !log.contains("u-secret-name"), "{log}");
    log.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).unwrap()));
    // What was acknowledged is there, verifies, and the key is good and not shown again.
    program.run(&["verify"]).ok();
    let server = plainly(&program);
    assert!(server.printed().is_empty());
    let (status, again) = append(&server, &key, "e-1");
    assert_eq!((status, &again["status"]), (200, &json!("duplicate")));
    server.stop();
}

#[test]
fn it_does_not_serve_what_was_put_back() {
    let program = Program::new("put-back");
    program.append_numbered(0, 3);
    let older = program.copy("older");
    program.append_numbered(3, 6);
    let note = program.run(&["checkpoint"]).ok();
    for (program, is_older) in [(&program, false), (&older, true)] {
        let file = program.place().write("kept.note", note.bytes());
        let known = file.to_str().unwrap();
        if is_older {
            let run = program.run(&["serve", "--listen", "127.0.0.1:0", "--known", known]).ended(2);
            assert!(run.errors().contains("LEDGER_ROLLED_BACK"), "{run}");
        } else {
            start(program, |command| {
                command.args(["--known", known]);
            })
            .stop();
        }
    }
}

#[test]
fn keys_come_from_the_environment_and_from_files() {
    let program = Program::new("bootstrap");
    let key = || program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let (bootstrap, operator) = (key(), key());
    let file = program.place().write("operator.key", format!("{operator}\n"));
    for _ in 0..2 {
        let server = start(&program, |command| {
            command.env("LEDGERSTONE_BOOTSTRAP_KEY", &bootstrap);
            command.env("LEDGERSTONE_OPERATOR_KEY_FILE", &file);
        });
        assert!(server.printed().is_empty(), "{:?}", server.printed());
        assert_eq!(server.request("GET", "/v1/api-keys", Some(&bootstrap), "").0, 200);
        assert_eq!(server.request("GET", "/v1/tenants", Some(&operator), "").0, 200);
        assert_eq!(append(&server, &operator, "x").0, 403);
        let log = server.stop();
        assert!(!log.contains(&bootstrap) && !log.contains(&operator), "{log}");
    }
    let broken = bootstrap.replace("lsk_", "lsk");
    let mut command = program.command(&["config", "--check"]);
    let refused = command.env("LEDGERSTONE_BOOTSTRAP_KEY", &broken).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&refused.stderr).contains(&broken));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let program = Program::new("signals");
    let server = plainly(&program);
    // A request whose body never comes keeps the first stop waiting.
    let mut open = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let key = text(&server.printed()[0], "/api_key");
    write!(open, "POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    server.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("INT");
    let (status, log) = server.ended();
    assert_eq!(status.code(), None, "it ended in order: {log}");
    assert!(began.elapsed() < Duration::from_secs(5));
    program.run(&["verify"]).ok();
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let program = Program::new("killed");
    let server = plainly(&program);
    let key = text(&server.printed()[0], "/api_key");
    for number in 0..20 {
        assert_eq!(append(&server, &key, &format!("e-{number}")).0, 201);
    }
    server.signal("KILL");
    assert_eq!(server.ended().0.code(), None);
    let server = plainly(&program);
    for number in 0..20 {
        let (status, answer) = append(&server, &key, &format!("e-{number}"));
        assert_eq!((status, &answer["status"]), (200, &json!("duplicate")), "e-{number}");
    }
    server.stop();
    program.run(&["verify"]).ok();
}

#[test]
fn it_does_not_come_up_where_it_must_not() {
    let program = Program::new("refused");
    program.run(&["serve", "--listen", "0.0.0.0:0"]).ended(2);
    let server = plainly(&program);
    let address = format!("127.0.0.1:{}", server.port());
    let taken = program.run(&["serve", "--listen", &address, "--data", "other"]).ended(2);
    assert!(taken.errors().contains("CANNOT_LISTEN"), "{taken}");
    let locked = program.run(&["serve", "--listen", "127.0.0.1:0"]).ended(2);
    assert!(locked.errors().contains("STORE_LOCKED"), "{locked}");
    server.stop();
}

#[test]
fn keys_are_made_listed_and_revoked_on_the_machine() {
    let program = Program::new("api-keys");
    program.run(&["init"]).ok();
    let create = ["api-keys", "create", "--label", "billing", "--role", "writer"];
    let made = program.run(&create).ok().line();
    let (key, id) = (text(&made, "/api_key"), text(&made, "/key_id"));
    program
        .run(&["api-keys", "create", "--label", "op", "--role", "admin", "--tenant", "_system"])
        .ok();
    let listed = program.run(&["api-keys", "list"]).ok();
    assert!(!listed.text().contains(&key));
    assert_eq!(text(&listed.line(), "/label"), "billing");
    let server = plainly(&program);
    assert!(server.printed().is_empty(), "somebody took care of keys already");
    assert_eq!(append(&server, &key, "e-1").0, 201);
    server.stop();
    program.run(&["api-keys", "revoke", &id, "--reason", "lost"]).ok();
    assert_eq!(text(&program.run(&["api-keys", "list"]).ok().line(), "/state"), "revoked");
    let server = plainly(&program);
    assert_eq!(append(&server, &key, "e-2").0, 401);
    server.stop();
    program.run(&["api-keys", "revoke", "nothing"]).failed(2, "UNKNOWN_API_KEY");
    program
        .run(&["api-keys", "create", "--label", "x", "--role", "king"])
        .failed(2, "INVALID_ARGUMENT");
}

#[test]
fn a_refused_event_survives_a_kill_and_can_be_sent_again() {
    let program = Program::new("dead-letters");
    let server = plainly(&program);
    let key = server.first_key();
    let bad = r#"{"event_type":"user.login","severity":"secret-severity"}"#;
    let (status, problem) = server.request("POST", "/v1/events", Some(&key), bad);
    let id = text(&problem, "/dead_letter");
    assert_eq!(status, 422);
    server.signal("KILL");
    server.ended();
    let server = plainly(&program);
    let (_, listed) = server.request("GET", "/v1/dead-letters", Some(&key), "");
    assert_eq!(text(&listed, "/dead_letters/0/id"), id);
    let resend = format!("/v1/dead-letters/{id}/resend");
    let good = r#"{"event_type":"user.login"}"#;
    assert_eq!(server.request("POST", &resend, Some(&key), good).0, 201);
    assert_eq!(server.request("POST", &resend, Some(&key), good).0, 200);
    let log = server.stop();
    assert!(!log.contains("secret-severity"), "{log}");
    program.run(&["verify"]).ok();
    // A directory without its dead letters is whole.
    std::fs::remove_dir_all(program.data("dead")).unwrap();
    program.run(&["verify"]).ok();
    program.run(&["doctor"]).ok();
}

#[tokio::test]
async fn the_background_verification_shows_how_far_it_is() {
    let program = Program::new("serve-verification");
    let operator = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let server = start(&program, |command| {
        command.env("LEDGERSTONE_OPERATOR_KEY", &operator);
    });
    server.wait_for_log("every record was verified", 1);
    let (status, all) = server.request("GET", "/v1/status", Some(&operator), "");
    assert_eq!(status, 200, "{all}");
    let state = &all["deployment"]["verification"];
    let checked = number(state, "/last_pass/records");
    assert!(number(state, "/passes") >= 1 && checked > 0, "{all}");
    assert_eq!((number(state, "/records_checked"), number(state, "/records")), (checked, checked));
    assert_eq!(state["findings"], json!([]), "{all}");
    let ended = text(state, "/last_pass/ended_at");
    assert_eq!(text(&all, "/ledger/verification/last_pass_at"), ended);
    let (_, own) = server.request("GET", "/v1/status", Some(&server.first_key()), "");
    assert_eq!(
        own["ledger"]["verification"],
        json!({"last_pass_at": ended, "findings": 0}),
        "{own}"
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = client.get(format!("{}/metrics", server.url())).bearer_auth(&operator);
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let sample = |name: &str| {
        let name = format!("ledgerstone_verification_{name} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse::<u64>().unwrap()
    };
    assert!(sample("last_pass_seconds") > 1_600_000_000);
    assert_eq!((sample("records_checked"), sample("records")), (checked, checked));
    assert_eq!(sample("findings"), 0);
    server.stop();
}

#[test]
fn what_the_background_verification_finds_stands_in_the_status() {
    let program = Program::new("serve-verification-finds");
    let operator = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let server = start(&program, |command| {
        command.env("LEDGERSTONE_OPERATOR_KEY", &operator);
        command.env("LEDGERSTONE_VERIFICATION_PAUSE_SECONDS", "1");
    });
    append(&server, &server.first_key(), "e-flipped");
    let log = program.data("log/000000000001.log");
    let offset = u64::try_from(offset_of(&log, "e-flipped")).unwrap();
    let file = std::fs::File::options().write(true).open(&log).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"E", offset).unwrap();
    server.wait_for_log("verification in the background found damage", 1);
    let (_, all) = server.request("GET", "/v1/status", Some(&operator), "");
    let found = &all["deployment"]["verification"]["findings"];
    assert!(found[0].as_str().is_some_and(|line| line.contains("000000000001.log")), "{all}");
    server.stop();
}

#[test]
fn how_large_an_event_may_be_is_a_setting() {
    let program = Program::new("serve-event-bytes");
    let large = |id: &str, bytes: usize| {
        let mut event: Value = serde_json::from_str(&event(id)).unwrap();
        event["metadata"] = json!({"text": "x".repeat(bytes)});
        event.to_string()
    };
    let usual = plainly(&program);
    let key = usual.first_key();
    let (status, problem) =
        usual.request("POST", "/v1/events", Some(&key), &large("e-1", 300 * 1024));
    assert_eq!((status, text(&problem, "/code").as_str()), (413, "EVENT_TOO_LARGE"), "{problem}");
    usual.stop();
    let larger = start(&program, |command| {
        command.env("LEDGERSTONE_LIMITS_EVENT_BYTES", "1048576");
    });
    let (status, receipt) =
        larger.request("POST", "/v1/events", Some(&key), &large("e-1", 1_000 * 1024));
    assert_eq!(status, 201, "{receipt}");
    let (status, problem) =
        larger.request("POST", "/v1/events", Some(&key), &large("e-2", 1_024 * 1024));
    assert_eq!((status, text(&problem, "/code").as_str()), (413, "EVENT_TOO_LARGE"), "{problem}");
    larger.stop();
    program.run(&["verify"]).ok();
    assert!(program.run(&["get", "e-1", "--content"]).ok().text().len() > 1_000 * 1024);
}

#[test]
fn the_numbers_of_one_sender_are_quoted_and_those_of_others_refused() {
    let program = Program::new("sources");
    let key = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let id = key.split('_').nth(1).unwrap();
    let sources = format!("[[sources]]\nprincipal = \"key:{id}\"\nnumbers = \"quote\"\n");
    program.place().write("l.toml", sources);
    let server = start(&program, |command| {
        command.args(["--config", "l.toml"]).env("LEDGERSTONE_BOOTSTRAP_KEY", &key);
    });
    let wanted = json!({"label": "other", "roles": ["writer"]}).to_string();
    let (_, other) = server.request("POST", "/v1/api-keys", Some(&key), &wanted);
    let event = r#"{"event_type":"a","metadata":{"n":1e400}}"#;
    let send = |key: &str| server.request("POST", "/v1/events", Some(key), event);
    assert_eq!(send(&key).0, 201);
    let (status, problem) = send(&text(&other, "/api_key"));
    assert_eq!((status, text(&problem, "/code").as_str()), (422, "NUMBER_NOT_EXACT"));
    server.stop();
}

/// What was queued and never waited for is in the ledger after a clean stop, and what was refused of it
/// is a dead letter.
#[test]
fn what_is_queued_is_recorded_by_a_clean_stop() {
    let program = Program::new("queued");
    let server = plainly(&program);
    let key = text(&server.printed()[0], "/api_key");
    assert_eq!(append(&server, &key, "taken").0, 201);
    let ids: Vec<String> = (0..200).map(|number| format!("queued-{number}")).collect();
    let events: Vec<String> = ids.iter().map(|id| event(id)).collect();
    let array = format!("[{}]", events.join(","));
    let other = json!({"id": "taken", "event_type": "user.logout"}).to_string();
    for body in [array, other] {
        let (status, answer) = server.request("POST", "/v1/events?wait=none", Some(&key), &body);
        assert_eq!(status, 202, "{answer}");
    }
    let log = server.stop();
    let refused = log.lines().find(|line| line.contains("a queued event was refused"));
    assert!(refused.is_some_and(|line| line.contains("ID_CONFLICT")), "{log}");
    let listed = program.run(&["list"]).ok().lines();
    let listed: Vec<String> = listed.iter().map(|line| text(line, "/record/event_id")).collect();
    assert!(ids.iter().all(|id| listed.contains(id)), "{listed:?}");
    program.run(&["verify"]).ok();
    let server = plainly(&program);
    let (_, letters) = server.request("GET", "/v1/dead-letters", Some(&key), "");
    assert_eq!(letters["dead_letters"][0]["code"], json!("ID_CONFLICT"), "{letters}");
    server.stop();
}
