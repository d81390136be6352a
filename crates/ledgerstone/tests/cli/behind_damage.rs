//! Damage in an unsealed log hides nothing of what stands behind it: that is verified too, and what
//! is lost is named and counted.

use serde_json::{Value, json};

use crate::program::{FIRST_EVENT, Program, Run, flip, number, numbered, offset_of, text};

const LOG: &str = "log/000000000001.log";

fn findings(run: &Run) -> Vec<Value> {
    run.line()["findings"].as_array().unwrap().clone()
}

fn is_at(finding: &Value, tenant: &str, first: u64, following: u64) -> bool {
    finding["tenant"] == json!(tenant)
        && finding["sequence_number"] == json!(first)
        && finding["following"] == json!(following)
}

/// Offsets of all frames of the log.
fn frame_starts(program: &Program) -> Vec<usize> {
    let magic = 0x4d52_464c_u32.to_le_bytes();
    let bytes = std::fs::read(program.data(LOG)).unwrap();
    (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(&magic)).collect()
}

fn frame_after(program: &Program, offset: usize) -> usize {
    frame_starts(program).into_iter().find(|start| *start > offset).unwrap()
}

/// Two batches of five events, and a tenant whose ledger stands behind both.
fn with_a_tenant_behind(name: &str) -> Program {
    let program = Program::new(name);
    program.append_numbered(0, 5);
    program.append_numbered(5, 10);
    program.run(&["tenants", "create", "acme"]).ok();
    program.feed(&["append", "--tenant", "acme"], numbered(20)).ok();
    program
}

#[test]
fn a_damaged_frame_names_the_records_that_it_held_and_the_rest_is_verified() {
    let program = with_a_tenant_behind("behind");
    let whole = program.run(&["verify", "--json"]).ok().line();
    flip(&program.data(LOG), offset_of(&program.data(LOG), "\"e-7\"") + 2);
    let run = program.run(&["verify", "--json"]).ended(1);
    let found = findings(&run);
    let frame = found.iter().find(|one| one["check"] == json!("frame")).unwrap();
    let (first, following) = (number(frame, "/sequence_number"), number(frame, "/following"));
    assert!(first <= 8 && first + following >= 8, "{run}");
    let (report, lost) = (run.line(), following + 1);
    let total = number(&whole, "/records_checked");
    assert_eq!(number(&report, "/records_checked"), total - lost, "{run}");
    let told = format!("of {total} records {} can be read", total - lost);
    assert!(text(frame, "/found").contains(&told), "{run}");
    // The ledger that stands behind the damage is there, with its size.
    let acme = |report: &Value| {
        let ledgers = report["ledgers"].as_array().unwrap();
        ledgers.iter().find(|one| one["tenant"] == json!("acme")).cloned()
    };
    assert_eq!(acme(&report).unwrap()["size"], acme(&whole).unwrap()["size"]);
}

#[test]
fn the_last_records_of_a_ledger_are_lost_once() {
    let program = Program::new("behind-last");
    program.append_numbered(0, 5);
    // The end of the ledger, which the anchor and the checkpoint that come with closing speak of.
    flip(&program.data(LOG), offset_of(&program.data(LOG), "\"e-4\"") + 2);
    let run = program.run(&["verify", "--json"]).ended(1);
    let found = findings(&run);
    assert_eq!(found.len(), 1, "{run}");
    let first = number(&found[0], "/sequence_number");
    assert!(is_at(&found[0], "default", first, 6 - first), "the last record is 6: {run}");
}

#[test]
fn every_damaged_frame_is_named() {
    let program = with_a_tenant_behind("behind-two");
    for id in ["\"e-2\"", "\"e-20\""] {
        flip(&program.data(LOG), offset_of(&program.data(LOG), id) + 2);
    }
    let run = program.run(&["verify", "--json"]).ended(1);
    let found = findings(&run);
    let frames: Vec<_> = found.iter().filter(|one| one["check"] == json!("frame")).collect();
    assert!(frames.len() >= 2, "{run}");
    assert!(frames.iter().any(|one| is_at(one, "acme", FIRST_EVENT, 0)), "{run}");
}

#[test]
fn a_frame_that_cannot_be_read_at_all_is_counted() {
    let program = with_a_tenant_behind("behind-header");
    let at = offset_of(&program.data(LOG), "\"e-7\"");
    // The length of the payload: what the frame held cannot be told from it.
    let start = frame_starts(&program).into_iter().rfind(|start| *start <= at).unwrap();
    flip(&program.data(LOG), start + 14);
    let run = program.run(&["verify", "--json"]).ended(1);
    let found = findings(&run);
    let frame = found.iter().find(|one| one["check"] == json!("frame")).unwrap();
    assert!(number(frame, "/following") > 0, "{run}");
    assert!(text(frame, "/found").contains("can be read"), "{run}");
    assert_eq!(frame.get("tenant"), None, "{run}");
    // Later records, or else a checkpoint or an anchor, tell that the ledger was longer.
    let is_lack = |one: &Value| {
        ["sequence", "truncated"].contains(&one["check"].as_str().unwrap())
            && one["tenant"] == json!("default")
    };
    assert!(found.iter().any(is_lack), "{run}");
}

#[test]
fn what_is_said_of_proofs_in_a_damaged_directory_is_true() {
    let program = Program::new("behind-proof");
    program.append_numbered(0, 5);
    // The frame behind the last event's: the first one that can hold a checkpoint over it.
    let last = offset_of(&program.data(LOG), "\"e-4\"");
    flip(&program.data(LOG), frame_after(&program, last) + 14);
    program.run(&["verify"]).ended(1);
    program.run(&["get", "e-3"]).ok();
    let run = program.run(&["proof", "e-3"]).failed(2, "STORE_DAMAGED");
    assert!(run.errors().contains("no checkpoint that can be read covers event e-3"), "{run}");
    assert!(!run.errors().contains("ledgerstone checkpoint"), "{run}");
    let doctor = program.run(&["doctor"]).ended(1);
    assert!(doctor.text().contains("where a checkpoint before the damage covers them"), "{doctor}");
}
