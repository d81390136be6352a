//! The newcomer's first minute.

use std::time::{Duration, Instant};

use crate::program::Program;

#[test]
fn the_tour_shows_everything_and_leaves_nothing() {
    let program = Program::new("tour");
    let temporary = program.place().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let begin = Instant::now();
    let output = program.command(&["tour"]).env("TMPDIR", &temporary).output().unwrap();
    assert!(begin.elapsed() < Duration::from_mins(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for shown in [
        "$ ledgerstone init",
        "$ ledgerstone import --format ndjson day.ndjson",
        "\"duplicates\":0",
        "$ ledgerstone list --limit 5",
        "$ ledgerstone checkpoint",
        "$ ledgerstone proof ",
        "the proof holds",
        "$ ledgerstone verify\nholds\n",
        "$ ledgerstone verify\nframe: ",
        "(log/000000000001.log at byte ",
        "DOES NOT HOLD: 1 finding\n",
        "$ ledgerstone doctor",
        "docs/cli.md",
    ] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
