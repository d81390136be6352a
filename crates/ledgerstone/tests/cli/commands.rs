//! What each command prints, in a pipe, and how it ends.

use ledgerstone_proof::sha256;
use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, names, number, numbered, text};

const RECEIPT: &[&str] = &[
    "content_hash",
    "id",
    "ingested_at",
    "key_id",
    "previous_hash",
    "record_hash",
    "sequence_number",
    "signature",
    "status",
    "tenant_id",
];

const RECORD: &[&str] = &[
    "content_hash",
    "event_id",
    "ingested_at",
    "key_id",
    "kind",
    "previous_hash",
    "record_hash",
    "sequence_number",
    "signature",
    "tenant_id",
    "version",
];

/// The header of a listed record, in canonical form, as ten lines of any language make it.
fn header(record: &Value) -> String {
    let mut header = record.as_object().unwrap().clone();
    for name in ["record_hash", "signature", "key_id"] {
        header.remove(name);
    }
    // The map of this library is sorted, and headers hold strings and integers only.
    Value::Object(header).to_string()
}

/// Recomputes the chain of a listed ledger from what was printed.
pub fn assert_chain(lines: &[Value]) {
    let mut previous = "0".repeat(64);
    for (place, line) in lines.iter().enumerate() {
        let record = &line["record"];
        assert_eq!(number(record, "/sequence_number"), place as u64);
        assert_eq!(text(record, "/previous_hash"), previous);
        previous = sha256(header(record).as_bytes()).to_hex();
        assert_eq!(text(record, "/record_hash"), previous);
    }
}

#[test]
fn init_makes_a_directory_and_prints_the_keys() {
    let program = Program::new("init");
    let made = program.run(&["init", "--log-name", "example.org/audit"]).ok().line();
    assert_eq!(names(&made), ["data", "vkeys"]);
    assert_eq!(names(&made["vkeys"]), ["_system", "default"]);
    assert!(text(&made, "/vkeys/default").starts_with("example.org/audit/"));
    program.run(&["init"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    program.run(&["init", "--data", "x", "--log-name", "a b"]).failed(2, "INVALID_ARGUMENT");
    assert!(!program.place().join("x").exists());
    program.run(&["verify"]).ok();
}

#[test]
fn append_makes_the_directory_says_so_and_prints_receipts() {
    let program = Program::new("append");
    let events = [numbered(1), String::new(), numbered(2), numbered(1)].join("\n");
    let run = program.feed(&["append"], events).ok();
    assert!(run.errors().contains("made a new data directory ./ledgerstone-data"), "{run}");
    let receipts = run.lines();
    assert_eq!(receipts.len(), 3);
    for receipt in &receipts {
        assert_eq!(names(receipt), RECEIPT);
    }
    let status: Vec<String> = receipts.iter().map(|one| text(one, "/status")).collect();
    assert_eq!(status, ["created", "created", "duplicate"]);
    assert_eq!(number(&receipts[2], "/sequence_number"), number(&receipts[0], "/sequence_number"));
    let again = program.feed(&["append"], numbered(2)).ok();
    assert_eq!(again.errors(), "");
    let mut expected = receipts[1].clone();
    expected["status"] = json!("duplicate");
    assert_eq!(again.line(), expected);
}

#[test]
fn list_and_get_print_the_event_and_its_record() {
    let program = Program::new("list");
    let receipts = program.append_numbered(0, 40);
    let lines = program.run(&["list", "--order", "sequence"]).ok().lines();
    assert_eq!(lines.len(), 42);
    assert_chain(&lines);
    for (line, receipt) in lines.iter().skip(2).zip(&receipts) {
        assert_eq!(names(line), ["event", "record"]);
        assert_eq!(names(&line["record"]), RECORD);
        for name in ["record_hash", "content_hash", "signature", "key_id", "ingested_at"] {
            assert_eq!(line["record"][name], receipt[name]);
        }
    }
    let newest = program.run(&["list", "--limit", "3"]).ok().lines();
    let ids: Vec<String> = newest.iter().map(|line| text(line, "/record/event_id")).collect();
    assert_eq!(ids, ["e-39", "e-38", "e-37"]);
    let got = program.run(&["get", "e-7"]).ok().line();
    assert_eq!(got, lines[9]);
    let content = program.run(&["get", "e-7", "--content"]).ok();
    assert_eq!(sha256(content.bytes()).to_hex(), text(&got, "/record/content_hash"));
    let opened: Value = serde_json::from_slice(content.bytes()).unwrap();
    assert_eq!(opened["event"], got["event"]);
    program.run(&["get", "none"]).failed(2, "EVENT_NOT_FOUND");
    program.run(&["get", "a b"]).failed(2, "INVALID_ID");
    program.run(&["get", "e-7", "--tenant", "_system"]).failed(2, "EVENT_NOT_FOUND");
    let genesis = program.run(&["get", "_0", "--tenant", "_system"]).ok().line();
    assert_eq!(text(&genesis, "/event/event_type"), "system.genesis");
}

#[test]
fn a_directory_may_leave_signatures_to_its_checkpoints() {
    let program = Program::new("unsigned");
    program.run(&["init", "--signing", "checkpoint"]).ok();
    let receipts = program.append_numbered(0, 3);
    assert!(receipts.iter().all(|one| one["signature"].is_null() && one["key_id"].is_null()));
    let listed = program.run(&["list", "--limit", "1"]).ok().line();
    assert!(listed["record"]["signature"].is_null());
    program.run(&["verify"]).ok();
}

#[test]
fn events_go_to_the_tenant_that_they_name() {
    let program = Program::new("tenant-from");
    let event = |id: &str, org: &str| TestEvent::full(id).set("/context/org", json!(org)).json();
    let events = [event("a", "acme"), event("b", "beta"), event("c", "acme")].join("\n");
    let options = ["append", "--tenant-from", "/context/org", "--create-tenants"];
    let receipts = program.feed(&options, events).ok().lines();
    let tenants: Vec<String> = receipts.iter().map(|one| text(one, "/tenant_id")).collect();
    assert_eq!(tenants, ["acme", "beta", "acme"]);
    assert_eq!(program.run(&["list", "--tenant", "acme"]).ok().lines().len(), 4);
    let listed = program.run(&["tenants", "list"]).ok().lines();
    let listed: Vec<String> = listed.iter().map(|one| text(one, "/tenant_id")).collect();
    assert_eq!(listed, ["_system", "acme", "beta", "default"]);
    program.run(&["verify"]).ok();
}

#[test]
fn tenants_are_created_once() {
    let program = Program::new("create");
    let created = program.run(&["tenants", "create", "acme", "beta"]).ok().lines();
    assert_eq!(created.len(), 2);
    assert_eq!(names(&created[0]), ["tenant_id", "vkey"]);
    program.run(&["tenants", "create", "acme"]).failed(2, "TENANT_EXISTS");
    let made = program.run(&["tenants", "create", "gamma", "--first-key"]).ok().line();
    assert_eq!(names(&made), ["first_admin_key", "tenant_id", "vkey"]);
    let keys = program.run(&["api-keys", "list", "--tenant", "gamma"]).ok().lines();
    assert_eq!(keys[0]["key_id"], made["first_admin_key"]["key_id"]);
    let named = TestEvent::full("x").set("/tenant_id", json!("acme")).json();
    program.feed(&["append", "--tenant", "acme"], named).ok();
    program.run(&["verify", "--tenant", "acme"]).ok();
    program.run(&["verify", "--tenant", "nobody"]).failed(2, "UNKNOWN_TENANT");
}

#[test]
fn import_reads_files_directories_and_standard_input() {
    let program = Program::new("import");
    let lines = |from: u64, to: u64| (from..to).map(numbered).collect::<Vec<_>>().join("\n");
    program.place().write("logs/a.ndjson", lines(0, 10));
    program.place().write("logs/deeper/b.jsonl", lines(10, 20));
    program.place().write("logs/readme.txt", "no log");
    program.place().write("named.txt", lines(20, 30));
    let import = ["import", "--format", "ndjson"];
    let summary = program.run(&[&import[..], &["logs", "named.txt"]].concat()).ok().line();
    assert_eq!(
        names(&summary),
        [
            "complete",
            "duplicates",
            "inputs",
            "inputs_with_refusals",
            "recorded",
            "refused",
            "refused_by_code"
        ]
    );
    assert_eq!((number(&summary, "/recorded"), number(&summary, "/inputs")), (30, 3));
    let again = program.feed(&[&import[..], &["-"]].concat(), lines(25, 35)).ok().line();
    assert_eq!((number(&again, "/recorded"), number(&again, "/duplicates")), (5, 5));
    let listed = program.run(&["list", "--order", "sequence"]).ok().lines();
    let ids: Vec<String> = listed.iter().skip(2).map(|one| text(one, "/record/event_id")).collect();
    assert_eq!(ids, (0..35).map(|one| format!("e-{one}")).collect::<Vec<_>>());
}

#[test]
fn a_large_import_keeps_the_order_of_its_input() {
    let program = Program::new("large");
    let count = 5_000;
    let lines: Vec<String> = (0..count).map(numbered).collect();
    program.place().write("all.ndjson", lines.join("\n"));
    program.run(&["import", "--format", "ndjson", "all.ndjson"]).ok();
    let listed = program.run(&["list", "--order", "sequence"]).ok().lines();
    assert_chain(&listed);
    for (place, line) in listed.iter().skip(2).enumerate() {
        assert_eq!(number(line, "/event/metadata/number"), place as u64);
    }
}

#[test]
fn verify_says_what_it_checked_against() {
    let program = Program::new("verify");
    program.append_numbered(0, 5);
    let run = program.run(&["verify", "--verbose"]).ok();
    assert!(run.text().contains("holds\n") && run.text().contains("the directory names"), "{run}");
    assert!(run.text().contains("ledger default: 7 records, root "), "{run}");
    let report = program.run(&["verify", "--json", "--level", "tree"]).ok().line();
    assert_eq!(report["holds"], json!(true));
    assert_eq!(text(&report, "/keys"), "from-directory");
    assert_eq!(number(&report, "/signatures_checked"), 0);
    let key = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    let report = program.run(&["verify", "--json", "--key", &key]).ok().line();
    assert_eq!(text(&report, "/keys"), "given");
    let other = Program::new("other");
    let other = text(&other.run(&["init"]).ok().line(), "/vkeys/default");
    let run = program.run(&["verify", "--key", &other]).ended(1);
    assert!(run.text().contains("DOES NOT HOLD"), "{run}");
    program.run(&["verify", "--key", "x"]).failed(2, "INVALID_KEY");
}

#[test]
fn doctor_finds_nothing_to_do_in_a_sound_directory() {
    let program = Program::new("doctor");
    program.append_numbered(0, 1);
    let seen = program.run(&["doctor"]).ok().lines();
    assert!(seen.iter().all(|one| one["problem"] == json!(false)));
    assert_eq!(names(&seen[0]), ["problem", "remedy", "subject", "what"]);
}

#[test]
fn output_that_nobody_reads_is_no_error() {
    let program = Program::new("pipe");
    program.append_numbered(0, 400);
    let mut child = program.start(&["list"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_and_version_are_results() {
    let program = Program::new("help");
    let help = program.run(&["--help"]).ok();
    assert!(help.text().contains("tour") && !help.text().contains("commands-page"), "{help}");
    assert!(program.run(&["import", "--help"]).ok().text().contains("cloudtrail: "));
    assert!(program.run(&["--version"]).ok().text().starts_with("ledgerstone 0."));
    assert!(program.run(&["commands-page"]).ok().text().contains("\n## `ledgerstone verify`\n"));
}

#[test]
fn without_a_command_the_help_is_shown_line_by_line() {
    let program = Program::new("no-command");
    for (arguments, line) in [
        (&[] as &[&str], "    tour          Show the main things"),
        (&["tenants"], "    create  Create tenants"),
    ] {
        let run = program.run(arguments).failed(2, "INVALID_ARGUMENT");
        let errors = run.errors();
        assert!(errors.starts_with("error[INVALID_ARGUMENT]: no command was given\n"), "{run}");
        assert!(errors.lines().any(|one| one.starts_with(line)), "{run}");
    }
}

#[test]
fn the_page_of_commands_lists_every_exit_status_of_the_help() {
    let program = Program::new("exit-statuses");
    let help = program.run(&["--help"]).ok().text();
    let page = program.run(&["commands-page"]).ok().text();
    let told = help.split_once("Exit status: ").unwrap().1;
    let (table, _) = page.split_once("\n## ").unwrap();
    let statuses: Vec<&str> =
        told.split(|sign: char| !sign.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    assert_eq!(statuses.len(), 6, "{told}");
    for status in statuses {
        let row = table.lines().any(|line| {
            line.starts_with("| ")
                && line.split('|').nth(1).unwrap().split(", ").any(|one| one.trim() == status)
        });
        assert!(row, "{status} has no row:\n{table}");
    }
}
