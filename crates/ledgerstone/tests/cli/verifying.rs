//! `verify` of a part, and commands that are shown a checkpoint before they sign.

use std::fs;

use serde_json::json;

use crate::program::{Program, flip, number, offset_of, text};

/// The one log file of a small directory.
fn log(program: &Program) -> std::path::PathBuf {
    let mut logs: Vec<_> =
        fs::read_dir(program.data("log")).unwrap().map(|one| one.unwrap().path()).collect();
    logs.retain(|path| fs::read(path).unwrap().windows(4).any(|part| part == b"e-39"));
    assert_eq!(logs.len(), 1);
    logs.remove(0)
}

#[test]
fn a_range_is_verified_alone() {
    let program = Program::new("verify-range");
    program.append_numbered(0, 40);
    let range = |from: &str, to: &str| {
        program.run(&["verify", "--json", "--tenant", "default", "--from", from, "--to", to])
    };
    let report = range("10", "20").ok().line();
    assert_eq!(report["whole"], json!(false));
    // Whole runs are read, as they were written.
    assert!((10..42).contains(&number(&report, "/records_checked")), "{report}");
    for (from, to) in [("20", "20"), ("0", "43"), ("100", "200")] {
        let said = range(from, to).ended(2).errors();
        assert!(said.contains("INVALID_ARGUMENT") && said.contains("which has 42"), "{said}");
    }
    program.run(&["verify", "--from", "1"]).ended(2);
    program.run(&["verify", "--tenant", "none", "--from", "1"]).failed(2, "UNKNOWN_TENANT");

    let log = log(&program);
    flip(&log, offset_of(&log, "e-39") + 2);
    range("35", "42").ended(1);
}

#[test]
fn what_was_verified_before_is_not_read_again() {
    let program = Program::new("verify-since");
    program.append_numbered(0, 30);
    let early = program.copy("verify-since-early");
    let first = program.run(&["verify", "--json"]).ok();
    program.place().write("first.json", first.bytes());
    program.place().write("first.note", program.run(&["checkpoint"]).ok().bytes());
    program.append_numbered(30, 35);
    for since in ["first.json", "first.note"] {
        let report = program.run(&["verify", "--json", "--since", since]).ok().line();
        assert_eq!((&report["holds"], &report["whole"]), (&json!(true), &json!(false)), "{report}");
        let all = number(&first.line(), "/records_checked") + 5;
        assert!(number(&report, "/records_checked") <= all - 30, "{report}");
    }
    program.append_numbered(35, 40);
    let later = program.run(&["verify", "--json"]).ok();
    early.place().write("later.json", later.bytes());
    early.place().write("later.note", program.run(&["checkpoint"]).ok().bytes());
    for since in ["later.json", "later.note"] {
        let run = early.run(&["verify", "--since", since]).ended(1);
        assert!(run.text().contains("LEDGER_ROLLED_BACK"), "{run}");
    }
    let held = first.text();
    for (name, report) in [
        ("broken", "{".to_owned()),
        ("did not hold", held.replace("\"holds\":true", "\"holds\":false")),
        ("tree", held.replace("\"level\":\"full\"", "\"level\":\"tree\"")),
        ("no root", held.replace("\"root\"", "\"stem\"")),
        ("no note", "x".to_owned()),
    ] {
        assert_ne!(report, held, "{name}");
        program.place().write("bad", report);
        program.run(&["verify", "--since", "bad"]).failed(2, "INVALID_ARGUMENT");
    }
    let tree = ["verify", "--level", "tree", "--json"];
    program.place().write("tree.json", program.run(&tree).ok().bytes());
    program.run(&["verify", "--level", "tree", "--since", "tree.json"]).ok();
    let both = ["verify", "--since", "first.json", "--tenant", "default", "--from", "1"];
    program.run(&both).ended(2);
}

#[test]
fn nothing_is_signed_in_a_directory_that_is_older_than_what_was_shown() {
    let program = Program::new("shown");
    program.append_numbered(0, 3);
    let early = program.copy("shown-early");
    program.append_numbered(3, 6);
    let note = program.run(&["checkpoint"]).ok();
    let event = crate::program::numbered(9);
    for place in [&program, &early] {
        place.place().write("kept.note", note.bytes());
        place.place().write("event.ndjson", &event);
    }
    let before = (early.sizes(), early.run(&["verify", "--json"]).ok().text());
    early.run(&["checkpoint", "--known", "kept.note"]).failed(2, "LEDGER_ROLLED_BACK");
    early.feed(&["append", "--known", "kept.note"], &event).failed(2, "LEDGER_ROLLED_BACK");
    let import = ["import", "--format", "ndjson", "event.ndjson", "--known", "kept.note"];
    early.run(&import).failed(2, "LEDGER_ROLLED_BACK");
    assert_eq!((early.sizes(), early.run(&["verify", "--json"]).ok().text()), before);

    let kept =
        text(&program.run(&["checkpoint", "--json", "--known", "kept.note"]).ok().line(), "/note");
    assert_eq!(kept, note.text());
    program.run(&import).ok();
    program.feed(&["append", "--known", "kept.note"], crate::program::numbered(10)).ok();
    let other = Program::new("shown-other");
    other.place().write("kept.note", note.bytes());
    other.feed(&["append", "--known", "kept.note"], &event).failed(2, "NOT_A_DATA_DIRECTORY");
    other.append_numbered(0, 1);
    other.feed(&["append", "--known", "kept.note"], &event).failed(2, "INVALID_PROOF");
}
