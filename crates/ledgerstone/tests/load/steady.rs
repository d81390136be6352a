//! A dozen clients of different kinds at once: a few seconds always, ten minutes when there is time.

use std::time::{Duration, Instant};

use ledgerstone_testkit::Served;
use tokio::runtime::Runtime;

use crate::place::Place;
use crate::readers::{self, Asking};
use crate::writers::{self, Manner};

/// Set to anything, it takes ten minutes.
const LONG: &str = "LEDGERSTONE_LONG";
/// How many seconds it takes instead.
const SECONDS: &str = "LEDGERSTONE_LOAD_SECONDS";

/// Memory that the server may ever hold, in MB.
const MEMORY_MAX_MB: f64 = 600.0;

/// By how much the second half of a long run may hold more than the first, once it is warm.
const GROWTH_MAX: f64 = 1.25;

/// Memory that comes and goes with sealing, which growth is not measured by, in MB.
const SLACK_MB: f64 = 60.0;

fn time() -> Duration {
    let given = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    let usual = if std::env::var_os(LONG).is_some() { 600 } else { 12 };
    Duration::from_secs(given.unwrap_or(usual))
}

/// The server's memory every second, until it is time to stop.
fn watch(server: &Served, until: Instant) -> Vec<f64> {
    let mut seen = Vec::new();
    while Instant::now() < until {
        std::thread::sleep(Duration::from_secs(1));
        let now = server.resident_mb();
        assert!(now < MEMORY_MAX_MB, "the server holds {now} MB after {} s", seen.len());
        seen.push(now);
    }
    seen
}

/// In a long run, memory stays flat once everything was met.
fn assert_flat(seen: &[f64]) {
    let quarter = seen.len() / 4;
    let middle = |seen: &[f64]| {
        let mut sorted = seen.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (early, late) = (middle(&seen[quarter..2 * quarter]), middle(&seen[3 * quarter..]));
    eprintln!("memory: {early:.0} MB in the second quarter, {late:.0} MB in the last");
    let told: Vec<String> =
        seen.iter().step_by(60).chain(seen.last()).map(|mb| format!("{mb:.0}")).collect();
    eprintln!("at the beginning, each minute and at the end, in MB: {}", told.join(", "));
    if seen.len() >= 120 {
        assert!(late < early * GROWTH_MAX + SLACK_MB, "memory grows: {seen:?}");
    }
}

#[test]
fn clients_of_all_kinds_at_once() {
    let place = Place::new("steady");
    let server = place.serve(|_| {});
    let (url, key) = (server.url().to_owned(), server.first_key());
    let until = Instant::now() + time();
    let runtime = Runtime::new().unwrap();
    let manners = [
        Manner::Single,
        Manner::Single,
        Manner::Single,
        Manner::Array(100),
        Manner::Array(100),
        Manner::Lines(1_000),
        Manner::Lines(1_000),
    ];
    let writing: Vec<_> = manners
        .into_iter()
        .enumerate()
        .map(|(number, manner)| {
            let whom = (url.clone(), key.clone());
            runtime.spawn(writers::write(format!("w{number}"), manner, whom, until))
        })
        .collect();
    let asking = Asking { url, key, until };
    let reading = [
        ("pages", runtime.spawn(readers::list(asking.clone()))),
        ("pages of another", runtime.spawn(readers::list(asking.clone()))),
        ("proofs", runtime.spawn(readers::prove(asking.clone()))),
        ("verifications", runtime.spawn(readers::verify(asking.clone()))),
        ("tiles", runtime.spawn(readers::follow(asking))),
    ];
    let memory = watch(&server, until);
    let acknowledged: u64 = writing.into_iter().map(|one| runtime.block_on(one).unwrap()).sum();
    for (what, one) in reading {
        let count = runtime.block_on(one).unwrap();
        eprintln!("{what}: {count}");
        assert!(count > 0, "no {what}");
    }
    let log = server.stop();
    assert!(!log.contains("\"level\":\"ERROR\""), "{log}");
    place.run(&["verify", "--level", "full"]);
    let mut events = place.events();
    assert_eq!(events.len() as u64, acknowledged, "exactly what was acknowledged is there");
    events.sort_unstable();
    events.dedup();
    assert_eq!(events.len() as u64, acknowledged, "and nothing twice");
    eprintln!("{acknowledged} events");
    assert_flat(&memory);
}
