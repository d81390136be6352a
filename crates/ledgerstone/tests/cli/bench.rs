//! `bench`: that it measures what it says, not how fast it is.

use std::fs;

use serde_json::Value;

use crate::program::Program;

/// Members that whoever compares runs looks for, whatever was measured.
const FIGURES: [&str; 8] = [
    "events_per_second",
    "floor_events_per_second",
    "ratio",
    "p50_ms",
    "p99_ms",
    "processor_us_per_event",
    "resident_peak_mb",
    "json_bytes_per_event",
];

fn assert_figures(figures: &Value, events: u64) {
    assert_eq!(figures["events"], events, "{figures}");
    for name in FIGURES {
        assert!(figures[name].as_f64().is_some_and(|figure| figure >= 0.0), "{name} in {figures}");
    }
    assert!(figures["conditions"].as_str().is_some_and(|text| text.contains("cores")));
}

#[test]
fn append_and_ingest_tell_the_same_figures() {
    let program = Program::new("bench");
    let append = ["bench", "append", "--events", "300", "--batch", "100", "--json"];
    assert_figures(&program.run(&append).ok().line(), 300);
    let ingest = ["bench", "ingest", "--events", "300", "--json"];
    for (how, content_type) in [
        (&["--batch", "100", "--connections", "2"][..], "application/json"),
        (&["--batch", "1", "--connections", "8", "--signing", "record"], "application/json"),
        (&["--batch", "150", "--ndjson"], "application/x-ndjson"),
    ] {
        let figures = program.run(&[&ingest[..], how].concat()).ok().line();
        assert_figures(&figures, 300);
        assert_eq!(figures["content_type"], content_type);
    }
    let figures = program.run(&[&ingest[..], &["--sealed", "--batch", "100"]].concat()).ok().line();
    assert_figures(&figures, 300);
    assert_eq!(figures["sealing"], "standard");
    let (rate, unsealed) = (&figures["events_per_second"], &figures["unsealed_events_per_second"]);
    let ratio = rate.as_f64().unwrap() / unsealed.as_f64().unwrap();
    assert!((figures["ratio_to_unsealed"].as_f64().unwrap() - ratio).abs() < 0.01, "{figures}");
    assert_eq!(fs::read_dir(program.place().path()).unwrap().count(), 0, "it left something");
}

#[test]
fn ingest_refuses_what_a_server_would_refuse() {
    let program = Program::new("bench-refused");
    let large = program.run(&["bench", "ingest", "--batch", "1001"]);
    large.failed(2, "INVALID_ARGUMENT");
    let both = program.run(&["bench", "ingest", "--events", "5", "--seconds", "1"]);
    both.failed(2, "INVALID_ARGUMENT");
}

#[test]
fn ingest_for_a_time_tells_memory_from_beginning_to_end() {
    let program = Program::new("bench-time");
    let ingest = ["bench", "ingest", "--seconds", "2", "--batch", "10", "--connections", "12"];
    let figures = program.run(&[&ingest[..], &["--json"]].concat()).ok().line();
    assert!(figures["events"].as_u64().unwrap() > 10, "{figures}");
    assert!(figures["seconds"].as_f64().unwrap() >= 2.0, "{figures}");
    assert_eq!(figures["connections"], 12);
    assert!(figures["conditions"].as_str().unwrap().contains("debug build"), "{figures}");
    let resident = figures["resident_mb"].as_array().unwrap();
    let at = |sample: &Value| sample["after_seconds"].as_u64().unwrap();
    assert_eq!((resident.len(), at(&resident[0])), (2, 0), "{figures}");
    assert!(at(&resident[1]) >= 2, "{figures}");
    assert!(resident.iter().all(|sample| sample["mb"].as_f64().unwrap() > 5.0), "{figures}");
}
