//! The verification in the background goes on after a restart where it was, also after a crash.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ledgerstone_testkit::Served;
use serde_json::Value;

use crate::program::{Program, number, text};
use crate::served::start;

/// Enough that the first log file is full and sealed, and the second has many.
const EVENTS: usize = 20_000;

/// A full log file holds more, however its events were gathered into frames.
const NOTED: u64 = 4_000;

const PATIENCE: Duration = Duration::from_mins(1);

fn serve(program: &Program, operator: &str, records_per_second: &str) -> Served {
    start(program, |command| {
        command.env("LEDGERSTONE_OPERATOR_KEY", operator);
        command.env("LEDGERSTONE_VERIFICATION_RECORDS_PER_SECOND", records_per_second);
    })
}

/// Asks until it is so, and answers what the server then says of its verification.
fn wait_until(server: &Served, operator: &str, what: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (code, status) = server.request("GET", "/v1/status", Some(operator), "");
        assert_eq!(code, 200, "{status}");
        let verification = &status["deployment"]["verification"];
        if what(verification) {
            return verification.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{verification}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_background_verification_goes_on_after_a_crash() {
    let program = Program::new("passes");
    let operator = program.run(&["api-keys", "generate"]).ok().text().trim().to_owned();
    let mut events = String::new();
    for number in 0..EVENTS {
        writeln!(events, "{{\"id\":\"e-{number}\",\"event_type\":\"a.b\"}}").unwrap();
    }
    program.feed(&["append"], events).ok();

    let server = serve(&program, &operator, "3000");
    let notes = program.data("verification");
    let is_noted = || std::fs::read_to_string(&notes).is_ok_and(|text| text.contains("{\"part\":"));
    let before = wait_until(&server, &operator, |_| is_noted());
    assert_eq!(number(&before, "/passes"), 0, "{before}");
    server.signal("KILL");
    let _ = server.ended();

    // At this rate, nothing that is seen soon can have been read by this process.
    let server = serve(&program, &operator, "1");
    let after = wait_until(&server, &operator, |at| number(at, "/records_checked") > NOTED);
    assert_eq!(text(&after, "/started_at"), text(&before, "/started_at"));
    server.stop();

    let server = serve(&program, &operator, "1000000");
    let done = wait_until(&server, &operator, |at| number(at, "/passes") > 0);
    assert_eq!(text(&done, "/last_pass/started_at"), text(&before, "/started_at"));
    assert!(number(&done, "/last_pass/records") > EVENTS as u64, "{done}");
    assert_eq!(number(&done, "/last_pass/findings"), 0, "{done}");
    server.stop();
    program.run(&["verify"]).ok();
}
