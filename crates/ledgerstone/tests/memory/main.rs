//! How much memory the server's core takes while it records over many tenants: a limit that a change to
//! sealing, indexing or the records in memory may not pass unseen.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::Command;

use ledgerstone_testkit::TestDirectory;
use serde_json::Value;

/// Set to anything, the long table is gone through.
const LONG: &str = "LEDGERSTONE_LONG";

/// Greatest resident memory, in units of 2^20 bytes, as the bench gives it.
const RESIDENT_MAX_MB: f64 = 300.0;

/// What `bench append` says of a run of its own process.
fn bench(events: u64, tenants: u64) -> Value {
    let directory = TestDirectory::new("memory");
    let (events, tenants) = (events.to_string(), tenants.to_string());
    let output = Command::new(env!("CARGO_BIN_EXE_ledgerstone"))
        .args(["bench", "append", "--json", "--batch", "1000", "--events", &events])
        .args(["--tenants", &tenants, "--directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn resident_memory_stays_below_its_limit() {
    // The short run seals one log file; the long one has thousands of ledgers and all logs waiting.
    let (events, tenants) =
        if std::env::var_os(LONG).is_some() { (5_000_000, 10_000) } else { (70_000, 1_000) };
    let measured = bench(events, tenants);
    assert!(measured["sealed_events"].as_u64().unwrap() > 0, "nothing was sealed: {measured}");
    let resident = measured["resident_peak_mb"].as_f64().unwrap();
    eprintln!("{events} events over {tenants} tenants: {resident} MB resident");
    assert!(resident < RESIDENT_MAX_MB, "{resident} MB: {measured}");
    assert!(resident > 10.0, "not measured: {measured}");
}
