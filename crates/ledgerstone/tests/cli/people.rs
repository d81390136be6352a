//! `subjects` and `requests`: from the lookup of a person to the certificate of erasure, through a
//! server.

use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::office::Office;
use crate::program::{Program, Run, number, text};

#[test]
fn a_person_is_erased_by_two_others() {
    let office = Office::with_ana("people-erase");
    let ana = office.ana();
    assert_eq!(ana["live_keys"].as_array().unwrap().len(), 1);
    // What is read from standard input may also be an argument.
    let again = office.officer(&["subjects", "lookup", "customer", "cus-1"]).ok().line();
    assert_eq!(again, ana);
    let id = text(&ana, "/subject_id");
    assert_eq!(office.officer(&["subjects", "show", &id]).ok().line(), ana);
    let erase = ["subjects", "erase", &id, "--basis", "consent_withdrawn", "--reason", "-"];
    let request = office.ask(&office.officer, &erase, "letter of 3 March\n").ok().line();
    assert_eq!(
        (text(&request, "/state"), text(&request, "/subject_id")),
        ("received".into(), id.clone())
    );
    assert_eq!(request["survey"]["sealed_contents"], 1, "{request}");
    let request = text(&request, "/id");
    let survey = office.officer(&["requests", "survey", &request]).ok().line();
    assert_eq!((&survey["sealed_contents"], &survey["clear_contents"]), (&json!(1), &json!(0)));
    assert_eq!(office.officer(&["requests", "list", "--open"]).ok().lines().len(), 1);
    let checked = office.officer(&["requests", "check-identity", &request]).ok().line();
    assert_eq!(text(&checked, "/state"), "identity_checked");
    let extended = office.officer(&["requests", "extend", &request, "--reason", "many records"]);
    assert_eq!(extended.ok().line()["is_extended"], true);
    let approve = ["requests", "approve", &request];
    office.officer(&approve).failed(2, "SECOND_PERSON_NEEDED");
    let approved = office.ask(&office.admin, &approve, "").ok().line();
    assert_eq!(text(&approved, "/request/state"), "done");
    let certificate = approved["result"]["certificate"].as_u64().unwrap();
    assert_eq!(office.ana()["certificates"], json!([certificate]));
    assert_eq!(office.officer(&["requests", "list", "--open"]).ok().lines().len(), 0);
    let shown = office.officer(&["requests", "show", &request]).ok().line();
    assert_eq!(shown, approved["request"]);
    assert_eq!(text(&shown, "/job/state"), "done");
    office.officer(&erase[..5]).failed(2, "ALREADY_ERASED");
    let again = [&erase[..5], &["--again"]].concat();
    let again = office.officer(&again).ok().line();
    assert_eq!(again["survey"]["sealed_contents"], 0, "{again}");
    let event = office.ask(&office.admin, &["get", "e-1"], "").ok().text();
    assert!(!event.contains("Ana Lima"), "{event}");
    office.server.stop();
    office.program.run(&["verify"]).ok();
}

#[test]
fn a_name_is_corrected_and_both_are_read() {
    let office = Office::with_ana("people-rectify");
    let id = text(&office.ana(), "/subject_id");
    let request = office.officer(&["subjects", "request", "rectification", &id]).ok().line();
    let request = text(&request, "/id");
    let right = r#"{"corrections":[{"event_id":"e-1","changes":{"/actor/name":"Ana Lima-Reis"}}]}"#;
    let rectify = ["requests", "rectify", &request, "-"];
    office.ask(&office.officer, &rectify, right).failed(2, "REQUEST_STATE");
    office.officer(&["requests", "check-identity", &request]).ok();
    office.ask(&office.admin, &["requests", "approve", &request], "").ok();
    office.ask(&office.officer, &rectify, r#"{"corrections":[]}"#).failed(2, "INVALID_CORRECTION");
    let refused = |text: &str, code: &str, says: &str| {
        let told = office.ask(&office.officer, &rectify, text).failed(2, code).errors();
        assert!(told.contains(says), "{told}");
        assert!(told.contains("Give the corrections as one JSON object: {"), "{told}");
    };
    refused("nonsense", "NOT_JSON", "line 1, column 2: a word without quotes");
    refused("{\"corrections\":[", "NOT_JSON", "line 1, column 16: it ends before the object does");
    refused("{\"corrections\":[,]}", "NOT_JSON", "column 17: nothing that a value of JSON");
    refused("{\"correction\":[]}", "INVALID_ARGUMENT", "unknown field `correction`");
    let done = office.ask(&office.officer, &rectify, right).ok().line();
    let record = text(&done, "/rectification/event_id");
    for arguments in [&["get", "e-1"][..], &["list", "--limit", "1000"]] {
        let lines = office.ask(&office.admin, arguments, "").ok().lines();
        let e1 = lines.iter().find(|line| line["record"]["event_id"] == "e-1").unwrap();
        assert_eq!(e1["event"]["actor"]["name"], "Ana Lima");
        assert_eq!(text(e1, "/corrected_by/0/event_id"), record);
    }
    let shown = office.ask(&office.admin, &["get", &record], "").ok().line();
    assert_eq!(
        shown["event"]["data"]["metadata"]["corrections"][0]["/actor/name"],
        "Ana Lima-Reis"
    );
    office.server.stop();
    office.program.run(&["verify"]).ok();
    let stored = office.program.run(&["list", "--limit", "1000"]).ok().text();
    assert!(!stored.contains("Lima"), "{stored}");
}

#[test]
fn a_person_is_given_everything_and_can_check_it() {
    let office = Office::with_ana("people-access");
    let id = text(&office.ana(), "/subject_id");
    let request = office.officer(&["subjects", "request", "access", &id]).ok().line();
    let request = text(&request, "/id");
    let bundle = ["requests", "bundle", &request];
    office.officer(&bundle).failed(2, "REQUEST_STATE");
    office.officer(&["requests", "check-identity", &request]).ok();
    office.ask(&office.admin, &["requests", "approve", &request], "").ok();
    let page = office.officer(&bundle).ok();
    let (line, whole) = (page.line(), page.text());
    assert_eq!(line["records"][0]["event"]["actor"]["name"], "Ana Lima");
    let csv = office.officer(&["requests", "bundle", &request, "--format", "csv"]).ok().text();
    assert!(csv.contains(",/actor/name,text,Ana Lima,\r\n"), "{csv}");

    // Whoever has the file and the key needs neither the server nor its data.
    let verify = |input: &str, more: &[&str]| {
        let key = text(&line, "/vkey");
        let verify = [&["verify", "--bundle", "-", "--key", &key], more].concat();
        office.program.feed(&verify, input)
    };
    let key_id = text(&line, "/records/0/record/key_id");
    assert_eq!(
        verify(&whole, &["--json"]).ok().line(),
        json!({"completeness_proved": false, "holds": true, "keys_not_given": [], "records": 1,
            "signatures": {"held": {key_id: 1}, "unchecked": 0, "unsigned": 0},
            "without_content": 0, "without_content_numbers": []})
    );
    let laid_out = serde_json::to_string_pretty(&line).unwrap();
    verify(&laid_out, &[]).ok();
    let salt = text(&line, "/records/0/content/salt");
    let other = whole.replace(&salt, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(verify(&other, &["--json"]).ended(1).line()["holds"], false);
    let cut = whole.replace("\"next_cursor\":null", "\"next_cursor\":\"x\"");
    verify(&cut, &[]).failed(2, "INVALID_PROOF");
    verify("{}", &[]).failed(2, "INVALID_PROOF");

    let done = office.officer(&["requests", "deliver", &request]).ok().line();
    assert_eq!(text(&done, "/state"), "done");
    office.officer(&bundle).failed(2, "REQUEST_STATE");
    office.server.stop();
}

#[test]
fn a_request_is_refused_or_withdrawn_and_says_why() {
    let office = Office::with_ana("people-refuse");
    let id = text(&office.ana(), "/subject_id");
    let open = |right: &str| {
        text(&office.officer(&["subjects", "request", right, &id]).ok().line(), "/id")
    };
    let (access, restriction) = (open("access"), open("restriction"));
    let refused = office
        .officer(&["requests", "refuse", &access, "--ground", "excessive", "--reason", "daily"])
        .ok()
        .line();
    assert_eq!(
        (text(&refused, "/state"), text(&refused, "/ground")),
        ("refused".into(), "excessive".into())
    );
    office.officer(&["requests", "extend", &access]).failed(2, "REQUEST_STATE");
    let withdrawn = office.officer(&["requests", "withdraw", &restriction]).ok().line();
    assert_eq!(text(&withdrawn, "/state"), "withdrawn");
    office.officer(&["requests", "refuse", &access, "--ground", "no"]).ended(2);
    office.officer(&["requests", "show", "00"]).ended(2);
    office.officer(&["requests", "show", &"0".repeat(32)]).failed(2, "UNKNOWN_REQUEST");
    office.officer(&["subjects", "show", "cus-1"]).ended(2);
    let hyphens = format!("-{}", id.get(1..).unwrap());
    office.officer(&["subjects", "show", &hyphens]).failed(2, "UNKNOWN_SUBJECT");
    office
        .ask(&office.officer, &["subjects", "lookup", "customer"], "\n")
        .failed(2, "INVALID_ARGUMENT");
    // Whoever writes events may not look people up.
    let wanted = json!({"label": "app", "roles": ["writer"]}).to_string();
    let (_, granted) = office.server.request("POST", "/v1/api-keys", Some(&office.admin), &wanted);
    let writer = text(&granted, "/api_key");
    office.ask(&writer, &["subjects", "lookup", "customer"], "cus-1").failed(2, "FORBIDDEN");
    office.program.run(&["requests", "list"]).failed(2, "INVALID_ARGUMENT");
    office.server.stop();
}

#[test]
fn contents_that_name_a_person_in_clear_go_as_far_as_that_was_approved() {
    let office = Office::with_ana("people-clear");
    let note = TestEvent::new("shift.noted").id("e-2").set("/metadata/note", "ask Ana Lima".into());
    let (status, _) =
        office.server.request("POST", "/v1/events", Some(&office.admin), &note.json());
    assert_eq!(status, 201);
    let id = text(&office.ana(), "/subject_id");
    let erase = ["subjects", "erase", &id, "--basis", "consent_withdrawn"];
    let request = text(&office.officer(&erase).ok().line(), "/id");
    office.officer(&["requests", "check-identity", &request]).ok();
    let approve = ["requests", "approve", &request, "--clear-contents", "1"];
    let told = office.ask(&office.admin, &approve[..3], "").failed(2, "MORE_IN_CLEAR").errors();
    assert!(told.contains("1 contents") && told.contains("clear_contents"), "{told}");
    let listed = office.officer(&["requests", "list"]).ok().line();
    assert_eq!(text(&listed, "/job/error/code"), "MORE_IN_CLEAR");
    assert_eq!(office.ana()["live_keys"].as_array().unwrap().len(), 1);
    // Nothing can be dropped yet from what is being written; what is sealed is unreadable already.
    let waits = office.ask(&office.admin, &approve, "").ok().line();
    assert_eq!(waits["result"], Value::Null, "{waits}");
    assert_eq!(number(&waits, "/waiting/contents"), 1);
    assert!(text(&waits, "/waiting/detail").contains("nothing is left to do"), "{waits}");
    assert!(text(&waits, "/waiting/until").ends_with('Z'), "{waits}");
    let listed = office.officer(&["requests", "list"]).ok().line();
    assert_eq!(
        (text(&listed, "/state"), text(&listed, "/job/state")),
        ("approved".into(), "waiting".into())
    );
    assert_eq!(listed["job"]["waiting"], waits["waiting"]);
    assert_eq!(listed, office.officer(&["requests", "show", &request]).ok().line());
    assert_eq!(office.ana()["live_keys"].as_array().unwrap().len(), 0);
    office.server.stop();
    // Its bytes are in the directory until then, and no command shows them.
    for command in [&["get", "e-2"][..], &["get", "e-2", "--open"], &["list"], &["list", "--open"]]
    {
        let shown = office.program.run(command).ok().lines();
        let it = shown.iter().find(|line| line["record"]["event_id"] == "e-2").unwrap();
        assert_eq!((&it["event"], &it["hidden"][0]["why"]), (&Value::Null, &"dropped".into()));
    }
    office.program.run(&["get", "e-2", "--content"]).failed(2, "CONTENT_DROPPED");
    office.program.run(&["verify"]).ok();
}

#[test]
fn an_erasure_that_a_duty_stops_says_so_until_it_is_overruled() {
    let office = Office::with_ana("people-duty");
    let duty = "[[rules]]\nname = 'ledger'\nminimum = 'P10Y'\nbasis = 'a law'\n";
    office.ask(&office.admin, &["policies", "set", "retention", "-"], duty).ok();
    let id = text(&office.ana(), "/subject_id");
    let erase = ["subjects", "erase", &id, "--basis", "objection"];
    let opened = office.officer(&erase).ok().line();
    assert_eq!(opened["survey"]["duties"][0]["rule"], "ledger", "{opened}");
    let request = text(&opened, "/id");
    office.officer(&["requests", "check-identity", &request]).ok();
    let approve = ["requests", "approve", &request];
    let stopped = office.admin(&approve).failed(2, "DUTY_TO_KEEP");
    let shown = office.officer(&["requests", "show", &request]).ok().line();
    assert_eq!(
        (text(&shown, "/state"), text(&shown, "/job/state")),
        ("approved".into(), "failed".into())
    );
    assert_eq!(text(&shown, "/job/error/code"), "DUTY_TO_KEEP");
    assert!(stopped.errors().contains("--despite-duties"), "{}", stopped.errors());
    let approved = office.admin(&[&approve[..], &["--despite-duties"]].concat()).ok().line();
    assert_eq!(text(&approved, "/request/state"), "done");
    office.server.stop();
}

#[test]
fn who_saw_a_person_is_listed() {
    let office = Office::with_ana("people-access-log");
    let id = text(&office.ana(), "/subject_id");
    office.admin(&["get", "e-1"]).ok();
    office.officer(&["get", "e-1"]).ok();
    let seen = office.officer(&["subjects", "access", &id]).ok().lines();
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(seen.iter().all(|one| text(one, "/event/target/id") == "GET /v1/events/{id}"));
    assert!(seen.iter().all(|one| one["view"] == "shown"));
    let one = office.officer(&["subjects", "access", &id, "--limit", "1"]).ok().lines();
    assert_eq!(one, seen[..1]);
    let unmet = |run: Run| run.errors().contains("nothing was ever sealed for");
    assert!(!unmet(office.officer(&["subjects", "request", "access", &id]).ok()));
    let nobody = text(
        &office.ask(&office.officer, &["subjects", "lookup", "customer"], "cus-9").ok().line(),
        "/subject_id",
    );
    office.officer(&["subjects", "access", &nobody]).failed(2, "UNKNOWN_SUBJECT");
    // A request of somebody who was never met is taken in, and looks like a mistyped one.
    assert!(unmet(office.officer(&["subjects", "request", "access", &nobody]).ok()));
    let erase = ["subjects", "erase", &nobody, "--basis", "objection"];
    assert!(unmet(office.officer(&erase).ok()));
    office.server.stop();
}

#[test]
fn what_works_through_a_server_offers_no_directory() {
    let program = Program::new("people-no-data");
    for command in [
        &["subjects", "show", "x"][..],
        &["requests", "list"],
        &["holds", "list"],
        &["retention", "show"],
    ] {
        let name = command[0];
        let help = program.run(&[name, command[1], "--help"]).ok().text();
        assert!(help.contains("--server") && !help.contains("--data"), "{name}: {help}");
        program.run(&[command, &["--data", "."]].concat()).ended(2);
    }
    let empty =
        program.run_with(&["retention", "show", "--server", "http://127.0.0.1:9"], |command| {
            command.env("LEDGERSTONE_API_KEY", "");
        });
    let noted = empty.failed(2, "SERVER_UNREACHABLE").errors();
    assert!(noted.contains("$LEDGERSTONE_API_KEY is set and empty"), "{noted}");
    let refused = program.run(&["holds", "list"]).failed(2, "INVALID_ARGUMENT");
    assert!(refused.errors().contains("$LEDGERSTONE_SERVER"), "{}", refused.errors());
}
