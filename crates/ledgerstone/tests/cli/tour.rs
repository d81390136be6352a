//! The newcomer's first minute.

use crate::program::Program;

#[test]
fn the_tour_shows_everything_and_leaves_nothing() {
    let program = Program::new("tour");
    let temporary = program.place().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let output = program.command(&["tour"]).env("TMPDIR", &temporary).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for shown in [
        "$ ledgerstone serve --listen 127.0.0.1:0",
        "{\"listening\":\"http://127.0.0.1:",
        "$ export LEDGERSTONE_SERVER=http://127.0.0.1:",
        "$ curl -s $LEDGERSTONE_SERVER/v1/events ",
        "{\"id\":\"hello-1\",\"tenant_id\":\"default\",\"sequence_number\":4,",
        "$ ledgerstone import --format ndjson day.ndjson",
        "\"duplicates\":0",
        "$ ledgerstone list --limit 5",
        "$ ledgerstone checkpoint",
        "$ ledgerstone proof hello-1 > event.proof",
        "$ kill %1",
        "the proof holds",
        "$ ledgerstone verify --data ledgerstone-data\nholds\n",
        "$ ledgerstone verify --data ledgerstone-data\nframe: ",
        "(log/000000000001.log at byte ",
        "DOES NOT HOLD: 1 finding\n",
        "$ ledgerstone doctor --data ledgerstone-data",
        " ledgers up to the damage; ",
        "docs/cli.md",
    ] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}
