//! `taxonomy`, what it does to `append` and `import`, and `--numbers`.

use serde_json::json;

use crate::program::{Program, number, text};

const LOGIN: &str = r#"{"id":"l1","event_type":"user.login","actor":{"id":"u"}}"#;
const OTHER: &str = r#"{"id":"o1","event_type":"other"}"#;

#[test]
fn a_taxonomy_is_set_shown_changed_and_holds_for_every_way_in() {
    let program = Program::new("taxonomy");
    program.run(&["init"]).ok();
    let none = program.run(&["taxonomy", "show"]).ok().line();
    assert_eq!(none, json!({"event_types": {}, "mode": "off", "version": 0}));
    let document =
        json!({"mode": "enforce", "event_types": {"user.*": {"schema": {"required": ["actor"]}}}});
    program.place().write("t.json", document.to_string());
    let set = program.run(&["taxonomy", "set", "t.json"]).ok().line();
    assert_eq!(number(&set, "/version"), 1);
    let shown = program.run(&["taxonomy", "show"]).ok();
    assert_eq!(shown.line(), set);
    let run = program.feed(&["append"], format!("{LOGIN}\n{OTHER}")).ended(1);
    assert_eq!(run.lines().len(), 1);
    assert!(run.errors().contains("EVENT_TYPE_UNKNOWN"), "{run}");
    program.place().write("events.ndjson", r#"{"event_type":"user.x"}"#);
    let run = program.run(&["import", "--format", "ndjson", "events.ndjson"]).ended(1);
    assert_eq!(number(&run.line(), "/refused_by_code/SCHEMA_VIOLATION"), 1);
    // What was shown can be changed and set, once.
    let warn = shown.text().replace("enforce", "warn");
    program.feed(&["taxonomy", "set", "-"], &warn).ok();
    program.feed(&["taxonomy", "set", "-"], &warn).failed(2, "VERSION_CONFLICT");
    program.feed(&["append"], OTHER).ok();
    let event = program.run(&["get", "o1"]).ok().text();
    assert!(event.contains("event_type_unknown"), "{event}");
    let bad = r#"{"mode":"warn","event_types":{"a":{"schema":{"$ref":"http://x/y.json"}}}}"#;
    let refused = program.feed(&["taxonomy", "set", "-"], bad).failed(2, "INVALID_TAXONOMY");
    assert!(refused.errors().contains("http://x/y.json"), "{refused}");
    program.run(&["taxonomy", "set", "nothing.json"]).failed(2, "INVALID_ARGUMENT");
    program.run(&["taxonomy", "show", "--tenant", "nobody"]).failed(2, "UNKNOWN_TENANT");
    program.run(&["verify"]).ok();
}

#[test]
fn a_check_names_what_would_become_of_events() {
    let program = Program::new("taxonomy-check");
    program.run(&["init"]).ok();
    let document = json!({"mode": "enforce", "event_types": {"user.login": {}}});
    program.feed(&["taxonomy", "set", "-"], document.to_string()).ok();
    let sizes = program.sizes();
    let events = format!("{LOGIN}\n{OTHER}\n{{}}\n");
    let lines = program.feed(&["taxonomy", "check", "-"], events).ended(1).lines();
    let outcomes: Vec<String> = lines.iter().map(|line| text(line, "/outcome")).collect();
    assert_eq!(outcomes, ["accepted", "refused", "refused"]);
    assert_eq!(text(&lines[1], "/place"), "line 2");
    assert_eq!(text(&lines[1], "/errors/0/code"), "EVENT_TYPE_UNKNOWN");
    assert_eq!(program.sizes(), sizes);
    program.feed(&["taxonomy", "check", "-"], LOGIN).ok();
}

#[test]
fn the_projection_may_be_lost() {
    let program = Program::new("taxonomy-projection");
    program.run(&["init"]).ok();
    let document = json!({"mode": "enforce", "event_types": {}});
    program.feed(&["taxonomy", "set", "-"], document.to_string()).ok();
    for file in ["admin.sqlite", "admin.sqlite-wal", "admin.sqlite-shm"] {
        let _ = std::fs::remove_file(program.data(file));
    }
    let run = program.feed(&["append"], LOGIN).ended(1);
    assert!(run.errors().contains("EVENT_TYPE_UNKNOWN"), "{run}");
}

#[test]
fn numbers_are_refused_unless_they_are_to_be_quoted() {
    let program = Program::new("numbers");
    let event = r#"{"id":"n1","event_type":"a","tenant_id":"default","metadata":{"n":1e400}}"#;
    let run = program.feed(&["append"], event).ended(1);
    assert!(run.errors().contains("NUMBER_NOT_EXACT"), "{run}");
    program.feed(&["append", "--numbers", "quote"], event).ok();
    assert!(program.run(&["get", "n1"]).ok().text().contains(r#""n":"1e400""#));
    let named = ["append", "--numbers", "quote", "--tenant-from", "tenant_id"];
    assert_eq!(text(&program.feed(&named, event).ok().line(), "/status"), "duplicate");
    program.place().write("n.ndjson", event.replace("n1", "n2"));
    program.run(&["import", "--format", "ndjson", "--numbers", "quote", "n.ndjson"]).ok();
    program.feed(&["append", "--numbers", "round"], event).ended(2);
}
