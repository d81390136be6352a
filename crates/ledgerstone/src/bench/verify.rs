//! `bench verify`: how fast a whole store is verified, against plain SHA-256 of the same bytes.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ledgerstone_ledger::check::{Level, VerifyOptions, verify};
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::{SequenceNumber, sha256};
use ledgerstone_store::{LedgerStore, StoredRecord};
use serde_json::{Value, json};

use super::append::AppendBench;
use super::conditions;
use super::scratch::Scratch;

/// Records read at a time for the floor.
const PAGE: usize = 1_000;

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
        let floor = hash_floor(&*scratch.store)?;
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

/// Records a second whose content and header one thread can merely hash: the bytes that were
/// verified, all of them, out of memory.
fn hash_floor(store: &dyn LedgerStore) -> anyhow::Result<f64> {
    let (mut hashed, mut spent) = (0_u64, Duration::ZERO);
    for tenant in store.ledgers()? {
        let mut next = SequenceNumber::GENESIS;
        loop {
            let records = store.read(&tenant, next, PAGE)?;
            let Some(last) = records.last() else { break };
            next = SequenceNumber::new(last.sequence_number.value() + 1)?;
            let headers: Vec<Vec<u8>> = records.iter().map(StoredRecord::header_bytes).collect();
            let begun = Instant::now();
            for (record, header) in records.iter().zip(&headers) {
                black_box(sha256(black_box(record.content.as_deref().unwrap_or_default())));
                black_box(sha256(black_box(header)));
            }
            spent += begun.elapsed();
            hashed += records.len() as u64;
        }
    }
    Ok(hashed as f64 / spent.as_secs_f64())
}
