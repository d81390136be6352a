//! The figures: what this machine can do at best, and what the ledger makes of it, in one run.
//!
//! A rate alone says little, because disks and processors differ; so every run measures a floor
//! beside it, the least that any such system must do, and prints the ratio.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people: counts far below 2^52, and shares between 0 and 1"
)]

mod append;
mod floor;
mod ingest;
mod process;
mod scratch;
mod verify;

pub use append::AppendBench;
pub use ingest::{IngestBench, Until};
pub use verify::VerifyBench;

use std::time::Duration;

use crate::workload::Workload;

/// Where the events come from: the same in every run.
const SEED: u64 = 20_260_105;

/// Share of latencies that the higher figure covers.
const HIGH: f64 = 0.99;

/// Latencies in milliseconds.
#[derive(Debug, Default)]
struct Latencies(Vec<f64>);

impl Latencies {
    fn push(&mut self, taken: Duration) {
        self.0.push(taken.as_secs_f64() * 1_000.0);
    }

    fn join(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Median and 99th percentile.
    fn figures(mut self) -> (f64, f64) {
        self.0.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (self.0.len() as f64 * share) as usize;
            self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        (at(0.5), at(HIGH))
    }
}

/// What the figures depend on besides the program.
pub fn conditions() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split(':').nth(1)?.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!("{cores} cores, {processor}, {build}, ledgerstone {}", env!("CARGO_PKG_VERSION"))
}

/// Bytes of an event as it is sent, from a sample.
fn mean_json_bytes(tenants: u64) -> u64 {
    /// Events in the sample.
    const SAMPLE: u64 = 1_000;
    let workload = Workload::new(SEED, tenants);
    let mut text = Vec::new();
    (0..SAMPLE).for_each(|i| workload.event(i, &mut text));
    text.len() as u64 / SAMPLE
}
