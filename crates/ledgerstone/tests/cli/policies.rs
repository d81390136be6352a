//! `policies`, on a data directory and through a server.

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::program::{Program, number, text};
use crate::served::plainly;

const STRICT: &str =
    "preset = 'strict'\n[[rules]]\npath = 'data.metadata.shift'\nclass = 'public'\n";

fn login(id: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/id", "ana".into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

/// The line about sealing.
fn sealing(lines: Vec<Value>) -> Value {
    lines.into_iter().find(|line| line["policy"] == "sealing").unwrap()
}

#[test]
fn policies_are_set_from_toml_and_json_and_every_version_stays() {
    let program = Program::new("policies");
    program.run(&["init"]).ok();
    let listed = sealing(program.run(&["policies", "list"]).ok().lines());
    let preset = &listed["document"]["preset"];
    assert_eq!((number(&listed, "/version"), preset), (1, &json!("standard")));
    program.feed(&["policies", "set", "sealing", "-"], "preset = 'none'").ok();
    program.feed(&["append"], format!("{}\n{}", login("e-1"), login("e-2"))).ok();
    let listed = sealing(program.run(&["policies", "list"]).ok().lines());
    assert_eq!(number(&listed, "/contents_in_clear/contents"), 2);
    let in_clear = &listed["contents_in_clear"];
    assert_eq!(in_clear["looked_at"], in_clear["records"]);
    program.place().write("strict.toml", STRICT);
    let set = program.run(&["policies", "set", "sealing", "strict.toml"]).ok().line();
    assert_eq!(number(&set, "/version"), 3);
    assert_eq!(text(&set, "/document/rules/0/path"), "data.metadata.shift");
    // What is shown can be set again.
    let shown = program.run(&["policies", "show", "sealing"]).ok().text();
    let again = ["policies", "set", "sealing", "-", "--based-on", "3"];
    program.feed(&again, &shown).ok();
    program.feed(&again, &shown).failed(2, "VERSION_CONFLICT");
    let cut = &shown[..shown.len() / 2];
    let cut = program.feed(&again[..4], cut).failed(2, "NOT_JSON").errors();
    assert!(cut.contains("policy: ") && cut.contains("the whole policy as one JSON"), "{cut}");
    assert!(!cut.contains("event"), "{cut}");
    program.feed(&["append"], login("e-3")).ok();
    let event = program.run(&["get", "e-3"]).ok().text();
    assert!(!event.contains("Ana Lima"), "{event}");
    let listed = sealing(program.run(&["policies", "list"]).ok().lines());
    assert_eq!(number(&listed, "/contents_in_clear/contents"), 2, "{listed}");
    let history = program.run(&["policies", "history", "sealing"]).ok().lines();
    let versions: Vec<u64> = history.iter().map(|line| number(line, "/version")).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    assert!(history[0]["set_by"].get("audit_record").is_none());
    assert!(history[1]["set_by"]["audit_record"].is_u64());
    let third = program.run(&["policies", "show", "sealing", "--version", "3"]).ok().text();
    assert_eq!(third, shown);
    program.run(&["policies", "show", "sealing", "--version", "5"]).failed(2, "NOT_FOUND");
    program
        .run(&["policies", "history", "redaction", "--tenant", "nobody"])
        .failed(2, "UNKNOWN_TENANT");
    program.run(&["policies", "show", "nothing"]).ended(2);
    program.run(&["verify"]).ok();
}

#[test]
fn what_is_wrong_with_a_document_is_named() {
    let program = Program::new("policies-faults");
    program.run(&["init"]).ok();
    let bad = "preset = 'loose'\n[[rules]]\npath = 'nowhere'\nclass = 'personal'\n";
    let run = program.feed(&["policies", "set", "sealing", "-"], bad).failed(2, "INVALID_POLICY");
    assert!(run.errors().contains("/preset") && run.errors().contains("/rules/0/path"), "{run}");
    assert_eq!(run.errors().matches("INVALID_POLICY").count(), 1, "{run}");
    let run =
        program.feed(&["policies", "set", "sealing", "-"], "preset = ").failed(2, "INVALID_POLICY");
    assert!(run.errors().contains("line 1"), "{run}");
    let bomb =
        json!({"sanitizers": [{"name": "x", "pattern": "(a{1000}){1000}", "replacement": "***"}]});
    program.feed(&["policies", "set", "redaction", "-"], bomb.to_string()).ended(2);
    let listed = sealing(program.run(&["policies", "list"]).ok().lines());
    assert_eq!(number(&listed, "/version"), 1);
}

#[test]
fn presets_are_documents_that_can_be_set() {
    let program = Program::new("policies-presets");
    program.run(&["init"]).ok();
    let all = program.run(&["policies", "presets"]).ok().lines();
    let names: Vec<String> = all.iter().map(|line| text(line, "/preset")).collect();
    assert_eq!(names, ["none", "standard", "strict", "cloudtrail"]);
    for preset in &all {
        let document = preset["document"].to_string();
        program.feed(&["policies", "set", "sealing", "-"], &document).ok();
        let shown = program.run(&["policies", "show", "sealing"]).ok().line();
        assert_eq!(shown, preset["document"]);
    }
    let strict = program.run(&["policies", "presets", "strict"]).ok().line();
    assert_eq!(strict, all[2]["document"]);
    let paths = strict["rules"].as_array().unwrap().iter().map(|rule| text(rule, "/path"));
    assert!(paths.into_iter().any(|path| path == "actor.id"), "{strict}");
}

#[test]
fn a_server_answers_the_same() {
    let program = Program::new("policies-server");
    let server = plainly(&program);
    let key = server.first_key();
    let ask = |arguments: &[&str], input: &str| {
        program.feed_with(arguments, input, |command| {
            command.env("LEDGERSTONE_SERVER", server.url()).env("LEDGERSTONE_API_KEY", &key);
        })
    };
    ask(&["policies", "set", "sealing", "-"], "preset = 'none'").ok();
    server.request("POST", "/v1/events", Some(&key), &login("e-1"));
    let set = ask(&["policies", "set", "sealing", "-", "--based-on", "2"], STRICT).ok().line();
    let shown = ask(&["policies", "show", "sealing"], "").ok().text();
    ask(&["policies", "set", "sealing", "-", "--based-on", "2"], STRICT)
        .failed(2, "VERSION_CONFLICT");
    let listed = sealing(ask(&["policies", "list"], "").ok().lines());
    assert_eq!(number(&listed, "/contents_in_clear/contents"), 1);
    let history = ask(&["policies", "history", "sealing"], "").ok().text();
    assert_eq!(ask(&["policies", "show", "sealing", "--version", "3"], "").ok().text(), shown);
    ask(&["policies", "show", "sealing", "--version", "9"], "").failed(2, "NOT_FOUND");
    server.stop();
    let here = sealing(program.run(&["policies", "list"]).ok().lines());
    assert_eq!(here["set_by"], set["set_by"]);
    assert_eq!(here["contents_in_clear"]["contents"], listed["contents_in_clear"]["contents"]);
    assert_eq!(program.run(&["policies", "show", "sealing"]).ok().text(), shown);
    assert_eq!(program.run(&["policies", "history", "sealing"]).ok().text(), history);
}

#[test]
fn an_import_tells_of_the_rules_that_are_made_for_its_format() {
    let program = Program::new("policies-import");
    program.run(&["init"]).ok();
    let record = json!({"Records": [{
        "eventVersion": "1.08", "eventID": "1e4a0b0c-9b5c-4a0e-8e3f-1c1a2b3c4d5e",
        "eventTime": "2024-05-01T12:00:00Z", "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject", "awsRegion": "us-east-1", "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "userName": "ana.lima", "arn": "arn:aws:iam::111122223333:user/ana.lima"}
    }]});
    program.place().write("trail.json", record.to_string());
    let import = ["import", "--format", "cloudtrail", "trail.json"];
    let run = program.run(&import).ok();
    assert!(run.errors().contains(r#"{"preset":"cloudtrail"}"#), "{run}");
    program.feed(&["policies", "set", "sealing", "-"], r#"{"preset":"cloudtrail"}"#).ok();
    let run = program.run(&import).ok();
    assert!(!run.errors().contains("preset"), "somebody has chosen: {run}");
    let plain = ["import", "--format", "ndjson", "events.ndjson"];
    program.place().write("events.ndjson", login("e-1"));
    assert!(!program.run(&plain).ok().errors().contains("preset"));
}
