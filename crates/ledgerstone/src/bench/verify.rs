//! `bench verify`: how fast a whole store is verified, against plain SHA-256 of the same bytes.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;
use ledgerstone_ledger::check::{Level, VerifyOptions, verify};
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::sha256;
use serde_json::{Value, json};

use super::append::AppendBench;
use super::conditions;
use super::scratch::Scratch;

/// What is measured.
pub struct VerifyBench {
    pub events: u64,
    pub tenants: u64,
    pub level: Level,
    pub threads: usize,
    pub parent: PathBuf,
}

impl VerifyBench {
    pub fn run(&self) -> anyhow::Result<Value> {
        let signing = match self.level {
            Level::Tree => SigningMode::Checkpoint,
            Level::Full => SigningMode::Record,
        };
        let scratch = Scratch::new(&self.parent, signing)?;
        let bench = AppendBench {
            events: self.events,
            batch: 1_000,
            tenants: self.tenants,
            callers: 2,
            signing,
            parent: self.parent.clone(),
        };
        bench.fill(&scratch.ledger)?;
        scratch.store.wait_until_sealed();
        let begun = Instant::now();
        let report =
            verify(&*scratch.store, &VerifyOptions::new(self.level, self.threads), &|_| {})?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(report.holds(), "the bench's own store does not verify: {:?}", report.findings);
        let floor = hash_floor(&bench, self.events.min(200_000));
        let rate = report.records_checked as f64 / seconds;
        Ok(json!({
            "records": report.records_checked,
            "tenants": self.tenants,
            "level": self.level.as_str(),
            "threads": self.threads,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "records_per_second": rate.round(),
            "records_per_second_and_thread": (rate / self.threads as f64).round(),
            "floor_records_per_second_and_thread": floor.round(),
            "ratio": (rate / self.threads as f64 / floor * 1000.0).round() / 1000.0,
            "conditions": format!("{}, {}", conditions(), self.parent.display()),
        }))
    }
}

/// Records a second whose content and header one thread can merely hash.
fn hash_floor(bench: &AppendBench, records: u64) -> f64 {
    let contents: Vec<Vec<u8>> = bench.texts(records.min(10_000));
    let header = [b'x'; 330];
    let begun = Instant::now();
    let mut hashed = 0;
    while hashed < records {
        for content in &contents {
            black_box(sha256(black_box(content)));
            black_box(sha256(black_box(&header)));
            hashed += 1;
        }
    }
    hashed as f64 / begun.elapsed().as_secs_f64()
}
