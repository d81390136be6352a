//! Bounded fuzzing of the importers: mutated files must never panic or run away, and every record
//! that is taken must come back. `LEDGERSTONE_FUZZ_ITERATIONS` makes it longer.

mod parsing;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerstone_edge::importer::cloudtrail::{map, rebuild};
use ledgerstone_edge::importer::{IMPORTERS, InputLimits, read};
use ledgerstone_proof::canonicalize_quoting;
use ledgerstone_testkit::{Mutator, fuzz_iterations};
use parsing::parse;

const FILE: &[u8] = include_bytes!("fixtures/cloudtrail.json");
const EVENTS: &str = include_str!("fixtures/cloudtrail_events.ndjson");

/// Pieces that steer mutations to the interesting places.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "\n",
    "\"arn\":\"arn:\"",
    "AWSService",
    "{}",
    "1e999",
    "/",
    "~",
    ".amazonaws.com",
    "\"set\":[\"/id\"]",
    "\"Records\":[",
    "\u{feff}",
];

#[test]
fn importers_never_panic_and_lose_nothing() {
    let mutator = Mutator::new(0x5eed_1ed6_e125_7031, PIECES);
    let records: Vec<serde_json::Value> = records();
    let (mut taken, mut mapped) = (0, 0);
    for round in 0..fuzz_iterations(2_000) {
        let mut file = if round % 2 == 0 { FILE } else { EVENTS.as_bytes() }.to_vec();
        mutator.mutate(&mut file);
        if round % 3 == 0 {
            file = gzip(&file);
            mutator.mutate(&mut file);
        }
        taken += read_all(&file);
        let mut record =
            serde_json::to_vec(&records[round % records.len()]).expect("a value is text");
        mutator.mutate(&mut record);
        mapped += usize::from(check_record(&record));
        let mut event = EVENTS.lines().nth(round % 3).unwrap_or_default().as_bytes().to_vec();
        mutator.mutate(&mut event);
        let _ = rebuild(&event);
    }
    // A fuzzer that never gets past the front door proves nothing.
    assert!(taken > 0 && mapped > 0, "{taken} {mapped}");
}

fn records() -> Vec<serde_json::Value> {
    let file: serde_json::Value = serde_json::from_slice(FILE).expect("the file is json");
    file["Records"].as_array().cloned().unwrap_or_default()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn read_all(file: &[u8]) -> usize {
    let mut taken = 0;
    for importer in IMPORTERS {
        let Ok(submissions) = read(*importer, file, InputLimits::default()) else {
            continue;
        };
        let mut has_ended = false;
        for result in submissions {
            assert!(!has_ended, "nothing comes after an error");
            has_ended = result.is_err();
            taken += usize::from(result.is_ok_and(|one| importer.map(one.text()).is_ok()));
        }
    }
    taken
}

fn check_record(record: &[u8]) -> bool {
    let Ok((text, intake)) = map(record) else {
        return false;
    };
    let Ok(event) = parse(&text, &intake) else {
        return false;
    };
    let back = rebuild(event.text()).expect("what was mapped can be rebuilt");
    let shown = String::from_utf8_lossy(record);
    assert_eq!(canonicalize_quoting(&back), canonicalize_quoting(record), "{shown}");
    true
}
