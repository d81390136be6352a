//! Bad input, by name: each has its code and its exit status, says where and what to do, and leaves
//! the ledger as it was.

use std::io::Write as _;

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, numbered, text};

/// One line of input that is refused, and the code that says why.
struct Refused {
    name: &'static str,
    line: Vec<u8>,
    code: &'static str,
}

fn refused(name: &'static str, line: impl Into<Vec<u8>>, code: &'static str) -> Refused {
    Refused { name, line: line.into(), code }
}

fn with(pointer: &str, value: Value) -> String {
    TestEvent::full("bad-1").set(pointer, value).json()
}

/// An event with a number that no JSON library of Rust would write.
fn with_number(number: &str) -> String {
    with("/metadata/amount", json!("NUMBER")).replace("\"NUMBER\"", number)
}

fn refused_lines() -> Vec<Refused> {
    let not_utf8 = with("/actor/name", json!("NAME")).replace("NAME", "\u{1}").into_bytes();
    let not_utf8: Vec<u8> =
        String::from_utf8(not_utf8).unwrap().replace("\\u0001", "\u{1}").into_bytes();
    let not_utf8 = not_utf8.iter().map(|byte| if *byte == 1 { 0xff } else { *byte });
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        refused("not json", "{\"event_type\":", "NOT_JSON"),
        refused("not an object", "[1]", "INVALID_EVENT"),
        refused("not utf-8", not_utf8.collect::<Vec<u8>>(), "NOT_UTF8"),
        refused(
            "257 KiB",
            with("/metadata/text", json!("x".repeat(257 * 1024))),
            "EVENT_TOO_LARGE",
        ),
        refused("depth 10,000", with_number(&deep), "TOO_DEEP"),
        refused("duplicate keys", "{\"event_type\":\"a\",\"event_type\":\"b\"}", "DUPLICATE_KEY"),
        refused("1e400", with_number("1e400"), "NUMBER_NOT_EXACT"),
        refused("2^53 + 1", with_number("9007199254740993"), "NUMBER_NOT_EXACT"),
        refused("a lone surrogate", with_number("\"\\ud800\""), "LONE_SURROGATE"),
        refused("a field intake", with("/intake", json!({})), "RESERVED_NAME"),
        refused("an id _7", with("/id", json!("_7")), "RESERVED_NAME"),
        refused("an id with spaces", with("/id", json!("a b")), "INVALID_ID"),
        refused(
            "year 99999",
            with("/timestamp", json!("99999-01-01T00:00:00Z")),
            "INVALID_TIMESTAMP",
        ),
        refused(
            "type system.genesis",
            with("/event_type", json!("system.genesis")),
            "RESERVED_EVENT_TYPE",
        ),
        refused("another tenant", with("/tenant_id", json!("other")), "TENANT_MISMATCH"),
        refused("tenant ../x", with("/tenant_id", json!("../x")), "INVALID_TENANT"),
        refused("no event type", "{}", "MISSING_FIELD"),
    ]
}

#[test]
fn each_refused_line_is_named_and_the_others_go_on() {
    let program = Program::new("refused");
    program.append_numbered(0, 1);
    let before = program.sizes();
    for Refused { name, line, code } in refused_lines() {
        let run = program.feed(&["append"], &line).failed(1, code);
        assert!(run.errors().contains("standard input, line 1: "), "{name}: {run}");
        assert_eq!(run.text(), "", "{name}");
    }
    assert_eq!(program.sizes(), before);
    let mut input = Vec::new();
    for (number, line) in refused_lines().into_iter().enumerate() {
        input.extend_from_slice(&line.line);
        input.push(b'\n');
        input.extend_from_slice(numbered(number as u64 + 1).as_bytes());
        input.push(b'\n');
    }
    let count = refused_lines().len();
    let run = program.feed(&["append", "--json"], &input).ended(1);
    let receipts = run.lines();
    assert_eq!(receipts.len(), count);
    let ids: Vec<String> = receipts.iter().map(|receipt| text(receipt, "/id")).collect();
    let expected: Vec<String> = (1..=count).map(|number| format!("e-{number}")).collect();
    assert_eq!(ids, expected);
    let errors: Vec<Value> =
        run.errors().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(errors.len(), count);
    for (place, (error, expected)) in errors.iter().zip(refused_lines()).enumerate() {
        assert_eq!(text(error, "/error/code"), expected.code, "{}", expected.name);
        assert_eq!(text(error, "/error/position"), format!("line {}", 2 * place + 1));
        assert!(!text(error, "/error/remedy").is_empty());
        assert!(error.pointer("/error/faults/0/pointer").is_some(), "{error}");
    }
    program.run(&["verify"]).ok();
}

#[test]
fn a_null_character_is_fine_and_a_timestamp_in_the_future_is_flagged() {
    let program = Program::new("fine");
    let events = [
        with("/actor/name", json!("a\u{0}b")),
        TestEvent::full("later").timestamp("9998-01-01T00:00:00Z").json(),
    ];
    program.feed(&["append"], events.join("\n")).ok();
    let kept = program.run(&["get", "bad-1", "--open"]).ok().line();
    assert_eq!(text(&kept, "/event/actor/name"), "a\u{0}b");
    let later = program.run(&["get", "later"]).ok().line();
    assert_eq!(text(&later, "/event/intake/flags/0"), "timestamp_in_future");
    assert_eq!(text(&later, "/event/timestamp"), "9998-01-01T00:00:00Z");
}

#[test]
fn every_fault_of_an_event_is_named_at_once() {
    let program = Program::new("faults");
    let event = TestEvent::full("a b").timestamp("yesterday").set("/actor", json!(7)).json();
    let run = program.feed(&["append"], event).failed(1, "INVALID_EVENT");
    for pointer in ["/id", "/timestamp", "/actor"] {
        assert!(run.errors().contains(pointer), "{run}");
    }
}

#[test]
fn tenants_that_cannot_be_are_refused_wherever_they_stand() {
    let program = Program::new("tenants");
    program.run(&["init"]).ok();
    let before = program.sizes();
    let event = numbered(1);
    program.feed(&["append", "--tenant", "../x"], &event).failed(2, "INVALID_TENANT");
    program.feed(&["append", "--tenant", "_system"], &event).failed(2, "RESERVED_NAME");
    program.feed(&["append", "--tenant", "nobody"], &event).failed(2, "UNKNOWN_TENANT");
    program.run(&["list", "--tenant", "../x"]).failed(2, "INVALID_TENANT");
    program.run(&["list", "--tenant", "nobody"]).failed(2, "UNKNOWN_TENANT");
    program.run(&["tenants", "create", "../x"]).failed(2, "INVALID_TENANT");
    let named = |tenant: &str| TestEvent::full("e").set("/context/org", json!(tenant)).json();
    let from = ["append", "--tenant-from", "context.org", "--create-tenants"];
    program.feed(&from, named("../x")).failed(1, "INVALID_TENANT");
    program.feed(&from, named("_system")).failed(1, "RESERVED_NAME");
    program.feed(&from, numbered(1)).failed(1, "MISSING_FIELD");
    program.feed(&from[..3], named("acme")).failed(1, "UNKNOWN_TENANT");
    assert_eq!(program.sizes(), before);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// So many lines of 4 MiB, all blank.
fn blank_lines(count: usize) -> Vec<u8> {
    let mut line = vec![b' '; 4 << 20];
    line.push(b'\n');
    line.repeat(count)
}

#[test]
fn files_that_are_not_what_they_should_be_are_named_and_the_others_go_on() {
    let program = Program::new("files");
    program.run(&["init"]).ok();
    let whole = gzip(numbered(1).as_bytes());
    let place = program.place();
    for (name, bytes, code) in [
        ("cut.ndjson.gz", whole[..whole.len() / 2].to_vec(), "INVALID_GZIP"),
        ("bomb.ndjson.gz", gzip(&blank_lines(20)), "INPUT_TOO_LARGE"),
        ("empty.ndjson", Vec::new(), "EMPTY_INPUT"),
        ("blank.ndjson", b"\n \n".to_vec(), "EMPTY_INPUT"),
        ("long.ndjson", vec![b'x'; 9 << 20], "EVENT_TOO_LARGE"),
    ] {
        place.write(&format!("bad/{name}"), bytes);
        let before = program.sizes();
        let path = format!("bad/{name}");
        let run = program.run(&["import", "--format", "ndjson", &path]).failed(1, code);
        assert!(run.errors().contains(&path), "{run}");
        assert_eq!(run.line().pointer(&format!("/refused_by_code/{code}")), Some(&json!(1)));
        assert_eq!(program.sizes(), before, "{name}");
    }
    place.write("bad/good.ndjson", numbered(7));
    let summary = program.run(&["import", "--format", "ndjson", "bad"]).ended(1).line();
    assert_eq!(
        (summary["recorded"].as_u64(), summary["refused"].as_u64(), summary["inputs"].as_u64()),
        (Some(1), Some(5), Some(6))
    );
}

#[test]
fn what_is_no_log_of_the_format_is_named() {
    let program = Program::new("format");
    program.run(&["init"]).ok();
    let before = program.sizes();
    program.place().write("log.json", "{\"records\":[]}");
    program.place().write("cut.json", "{\"Records\":[{\"eventID\":\"1\"");
    for file in ["log.json", "cut.json"] {
        program.run(&["import", "--format", "cloudtrail", file]).failed(1, "INVALID_IMPORT");
    }
    program.run(&["import", "--format", "csv", "log.json"]).failed(2, "UNKNOWN_FORMAT");
    program.run(&["import", "--format", "ndjson", "none.ndjson"]).failed(2, "INVALID_ARGUMENT");
    program.place().write("other/readme.txt", "x");
    let run = program.run(&["import", "--format", "ndjson", "other"]).failed(2, "EMPTY_INPUT");
    assert!(run.errors().contains("no file in other ends in .ndjson"), "{run}");
    assert_eq!(program.sizes(), before);
}

#[test]
fn nothing_on_standard_input_is_named() {
    let program = Program::new("nothing");
    program.run(&["init"]).ok();
    let before = program.sizes();
    program.feed(&["append"], "").failed(1, "EMPTY_INPUT");
    program.feed(&["import", "--format", "ndjson", "-"], "").failed(1, "EMPTY_INPUT");
    assert_eq!(program.sizes(), before);
}

#[test]
fn wrong_command_lines_are_failures_like_all_others() {
    let program = Program::new("usage");
    for arguments in [
        &["nothing"][..],
        &["list", "--limit", "many"],
        &["import", "file"],
        &["verify", "--proof", "p"],
        &["verify", "--proof", "p", "--key", "k", "--data", "d"],
    ] {
        program.run(arguments).failed(2, "INVALID_ARGUMENT");
    }
    let run = program.run(&["list", "--json", "--order", "random"]).ended(2);
    let error: Value = serde_json::from_str(run.errors().trim_end()).unwrap();
    assert_eq!(text(&error, "/error/code"), "INVALID_ARGUMENT");
    assert!(!program.data("").exists(), "a wrong command line makes no directory");
}

#[test]
fn an_id_that_stands_for_another_event_is_a_conflict() {
    let program = Program::new("conflict");
    program.append_numbered(1, 2);
    let other = TestEvent::full("e-1").set("/metadata/number", json!(2)).json();
    let before = program.sizes();
    program.feed(&["append"], other).failed(1, "ID_CONFLICT");
    assert_eq!(program.sizes(), before);
}

#[test]
fn a_code_is_told_once() {
    let program = Program::new("told-once");
    let run = program.feed(&["append"], "{\"event_type\":\n").failed(1, "NOT_JSON");
    assert_eq!(run.errors().matches("NOT_JSON").count(), 1, "{run}");
    let run = program.run(&["verify", "--tenant", "_system"]).ok();
    assert!(run.text().contains(" 1 ledger, "), "{run}");
}
