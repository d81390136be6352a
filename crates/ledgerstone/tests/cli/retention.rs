//! `holds`, `retention` and the approval of policies: what is kept, what goes, and who has a say.

use serde_json::{Value, json};

use crate::office::Office;
use crate::program::{Program, number, text};
use crate::served::append;

/// An office whose ledger has three events.
fn office(name: &str) -> Office {
    let office = Office::new(name);
    for id in ["e-1", "e-2", "e-3"] {
        assert_eq!(append(&office.server, &office.admin, id).0, 201);
    }
    office
}

const SHORTER: &str = "[[rules]]\nname = 'logins'\nmaximum = 'P8Y'\n\
                       [rules.filter]\nfield = 'event_type'\neq = 'user.login'\n";

#[test]
fn a_hold_is_set_by_one_and_released_by_two() {
    let office = office("holds");
    let set = ["holds", "set", "--owner", "legal", "--reason", "case 17"];
    office.admin(&set).failed(2, "INVALID_ARGUMENT");
    let set = [&set[..], &["--review-at", "2030-01-01T00:00:00Z"]].concat();
    office.admin(&[&set[..], &["--from", "yesterday"]].concat()).failed(2, "INVALID_ARGUMENT");
    let with_filter = [&set[..], &["--filter", "-"]].concat();
    for (filter, says) in [
        (
            "\"field\": \"id\"",
            "standard input: is not JSON, which begins with a brace, and as TOML line 1",
        ),
        ("{\"field\": }", "the filter is no JSON: "),
        ("field = 'timestamp'\neq = 'yesterday'\n", "/eq: timestamp holds points in time"),
        ("and = []\n", "filter: and must be an array"),
    ] {
        let refused = office.ask(&office.admin, &with_filter, filter).failed(2, "INVALID_FILTER");
        assert!(refused.errors().contains(says), "{}", refused.errors());
    }
    let past =
        ["holds", "set", "--owner", "a", "--reason", "b", "--review-at", "2020-01-01T00:00:00Z"];
    let past = office.admin(&past).ok();
    assert!(past.errors().contains("--review-at is past already"), "{}", past.errors());
    let past = text(&past.line(), "/hold/id");
    office.admin(&["holds", "release", &past, "--reason", "x"]).ok();
    office.officer(&["holds", "release", &past, "--reason", "x"]).ok();
    let filter = "field = 'event_type'\neq = 'user.login'\n";
    let made = office.ask(&office.admin, &with_filter, filter).ok().line();
    assert_eq!(made["result"]["contents"], 3, "{made}");
    assert_eq!(made["hold"]["filter"], json!({"field": "event_type", "eq": "user.login"}));
    let named =
        ["holds", "set", "--owner", "-", "--reason", "-", "--review-at", "2030-01-01T00:00:00Z"];
    let all = office.ask(&office.admin, &named, "legal\ncase 17\n").ok().line();
    assert_eq!(
        (text(&all, "/hold/owner"), text(&all, "/hold/reason")),
        ("legal".into(), "case 17".into())
    );
    let ids = [text(&made, "/hold/id"), text(&all, "/hold/id")];
    let listed = office.officer(&["holds", "list", "--standing"]).ok().lines();
    assert_eq!(listed.iter().map(|one| text(one, "/id")).collect::<Vec<_>>(), ids);
    let release = ["holds", "release", &ids[0], "--reason", "settled"];
    assert_eq!(text(&office.admin(&release).ok().line(), "/state"), "release_asked");
    office.admin(&release).failed(2, "SECOND_PERSON_NEEDED");
    assert_eq!(text(&office.officer(&release).ok().line(), "/state"), "released");
    office.officer(&release).failed(2, "HOLD_RELEASED");
    let shown = office.admin(&["holds", "show", &ids[0]]).ok().line();
    assert_eq!(
        (text(&shown, "/state"), text(&shown, "/owner")),
        ("released".into(), "legal".into())
    );
    assert_eq!(office.officer(&["holds", "list", "--standing"]).ok().lines().len(), 1);
    assert_eq!(office.officer(&["holds", "list"]).ok().lines().len(), 3);
    let state = office.officer(&["retention", "show"]).ok().line();
    assert_eq!(state["holds"], 1);
    office.admin(&["holds", "show", &"0".repeat(32)]).failed(2, "UNKNOWN_HOLD");
    office.program.run(&["holds", "list"]).failed(2, "INVALID_ARGUMENT");
    office.server.stop();
    office.program.run(&["verify"]).ok();
}

#[test]
fn a_shorter_retention_is_put_forward_and_approved_by_another() {
    let office = office("retention");
    let set = ["policies", "set", "retention", "-"];
    office.officer(&["policies", "show", "retention", "--proposed"]).failed(2, "NOT_FOUND");
    let proposed = office.ask(&office.admin, &set, SHORTER).ok().line();
    assert_eq!(text(&proposed, "/proposed/document/rules/0/maximum"), "P8Y", "{proposed}");
    let waiting = office.officer(&["policies", "show", "retention", "--proposed"]).ok().line();
    assert_eq!(waiting, proposed);
    let in_force = office.officer(&["policies", "show", "retention"]).ok().line();
    assert!(in_force.get("rules").is_none_or(|rules| rules == &json!([])), "{in_force}");
    let record = number(&proposed, "/proposed/system_record").to_string();
    let approve = ["policies", "approve", "retention", "--proposal", &record];
    office.admin(&approve).failed(2, "SECOND_PERSON_NEEDED");
    office
        .officer(&["policies", "approve", "retention", "--proposal", "1"])
        .failed(2, "VERSION_CONFLICT");
    let approved = office.officer(&approve).ok().line();
    assert_eq!((number(&approved, "/version"), &approved["policy"]), (1, &json!("retention")));
    office.officer(&approve).failed(2, "NOT_FOUND");
    let state = office.admin(&["retention", "show"]).ok().line();
    assert_eq!((&state["lets_anything_go"], &state["policy_version"]), (&json!(true), &json!(1)));
    let looked = office.admin(&["retention", "run", "--dry-run"]).ok().line();
    assert_eq!((&looked["dry_run"], &looked["ledgers"][0]["expired"]), (&json!(true), &json!(0)));
    let run = office.admin(&["retention", "run"]).ok().line();
    assert_eq!((&run["dry_run"], &run["rewritten"]), (&json!(false), &json!(0)));
    office.server.stop();
    office.program.run(&["verify"]).ok();
}

/// On a directory one user is one person: what needs two waits, and another user approves it.
#[test]
fn a_proposal_on_a_directory_waits() {
    let program = Program::new("retention-directory");
    program.run(&["init"]).ok();
    let proposed = program.feed(&["policies", "set", "retention", "-"], SHORTER).ok().line();
    let record = number(&proposed, "/proposed/system_record").to_string();
    assert_eq!(program.run(&["policies", "show", "retention", "--proposed"]).ok().line(), proposed);
    let approve = ["policies", "approve", "retention", "--proposal", &record];
    program.run(&approve).failed(2, "SECOND_PERSON_NEEDED");
    program.run(&["verify"]).ok();
}

#[test]
fn the_presets_of_retention_are_told() {
    let presets = Program::new("retention-presets").run(&["retention", "presets"]).ok().lines();
    let of = |name: &str| presets.iter().find(|one| one["preset"] == name).cloned();
    let hipaa = of("hipaa").unwrap();
    assert_eq!(
        (&hipaa["minimum"], &hipaa["basis"]),
        (&json!("P6Y"), &json!("45 CFR 164.316(b)(2)(i)"))
    );
    for name in ["standard", "sox", "sec", "tcpa", "tsr", "ccpa", "pci"] {
        assert!(of(name).is_some_and(|one: Value| one["minimum"].is_string()), "{name}");
    }
}
