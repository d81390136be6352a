//! `bench append`: from JSON text to durable receipt.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use ledgerstone_ledger::{Ledger, Outcome, ReceiptStatus};
use ledgerstone_model::system::SigningMode;
use ledgerstone_model::{AdmittedEvent, ParseContext, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, SigningKey, TenantId};
use serde_json::{Value, json};

use super::floor::Floor;
use super::process::Process;
use super::scratch::Scratch;
use super::{Latencies, SEED, conditions, mean_json_bytes};
use crate::system::System;
use crate::workload::Workload;

/// Random bytes that an event needs: for its id, where it has none, and for its salt.
const RANDOM_BYTES: usize = 16;

/// What is measured.
pub struct AppendBench {
    pub events: u64,
    pub batch: u64,
    pub tenants: u64,
    /// Threads that each send one batch and wait for its receipts.
    pub callers: usize,
    pub signing: SigningMode,
    /// Where the temporary directory is made.
    pub parent: PathBuf,
}

impl AppendBench {
    pub fn run(&self) -> anyhow::Result<Value> {
        let signing_key = SigningKey::from_seed([7; 32]);
        let floor = Floor {
            parent: &self.parent,
            events: if self.batch == 1 { self.events.min(20_000) } else { self.events },
            batch: self.batch,
            tenants: self.tenants,
            seed: SEED,
            threads: if self.batch == 1 { 1 } else { 2 },
            key: (self.signing == SigningMode::Record).then_some(&signing_key),
        }
        .run()?;
        let scratch = Scratch::new(&self.parent, self.signing)?;
        let tenants = self.create_tenants(&scratch.ledger)?;
        let process = Process::own();
        let written_before = process.bytes_written();
        let processor = process.processor_seconds();
        let begun = Instant::now();
        let latencies = self.send_all(&scratch.ledger, &tenants)?;
        let seconds = begun.elapsed().as_secs_f64();
        let unsealed = scratch.store.sealing();
        let written = process.bytes_written() - written_before;
        let (p50_ms, p99_ms) = latencies.figures();
        scratch.store.wait_until_sealed();
        let processor = (process.processor_seconds() - processor) * 1e6 / self.events as f64;
        let sizes = scratch.store.sizes();
        let resident = process.resident_peak_mb();
        let (directory, opening_ms) = scratch.reopen_after_crash()?;
        drop(directory);
        let rate = self.events as f64 / seconds;
        let per_event =
            |bytes: u64| (bytes as f64 / sizes.records.max(1) as f64 * 10.0).round() / 10.0;
        let kept: serde_json::Map<String, Value> = sizes
            .parts
            .iter()
            .map(|(part, bytes)| ((*part).to_owned(), json!(per_event(*bytes))))
            .collect();
        let kept_total: u64 = sizes.parts.iter().map(|part| part.1).sum();
        Ok(json!({
            "events": self.events,
            "batch": self.batch,
            "callers": self.callers,
            "tenants": self.tenants,
            "signing": self.signing.as_str(),
            "events_per_second": rate.round(),
            "p50_ms": p50_ms,
            "p99_ms": p99_ms,
            "floor_events_per_second": floor.events_per_second.round(),
            "floor_p50_ms": floor.p50_ms,
            "processor_us_per_event": (processor * 100.0).round() / 100.0,
            "floor_processor_us_per_event": (floor.processor_us_per_event * 100.0).round() / 100.0,
            "ratio": (rate / floor.events_per_second * 1000.0).round() / 1000.0,
            "json_bytes_per_event": mean_json_bytes(self.tenants),
            "bytes_written_per_event": (written as f64 / self.events as f64).round(),
            "bytes_kept_per_event": per_event(kept_total),
            "bytes_kept_by_part": kept,
            "sealed_events": sizes.records,
            "unsealed_logs_at_the_end": unsealed,
            "opening_after_a_kill_ms": opening_ms.round(),
            "resident_peak_mb": resident.round(),
            "conditions": format!("{}, {}", conditions(), self.parent.display()),
        }))
    }

    /// Records all events without measuring anything.
    pub fn fill(&self, ledger: &Arc<Ledger>) -> anyhow::Result<()> {
        let tenants = self.create_tenants(ledger)?;
        self.send_all(ledger, &tenants).map(drop)
    }

    fn create_tenants(&self, ledger: &Ledger) -> anyhow::Result<Vec<TenantId>> {
        let workload = Workload::new(SEED, self.tenants);
        let name = |i| TenantId::parse(&workload.tenant_of(i)).map_err(anyhow::Error::from);
        let tenants = (0..self.tenants).map(name).collect::<anyhow::Result<Vec<_>>>()?;
        ledger.create_tenants(&tenants)?;
        Ok(tenants)
    }

    fn send_all(&self, ledger: &Arc<Ledger>, tenants: &[TenantId]) -> anyhow::Result<Latencies> {
        let next = AtomicU64::new(0);
        let mut latencies = Latencies::default();
        let results: Vec<anyhow::Result<Latencies>> = std::thread::scope(|scope| {
            let send = || Sender::new(self, ledger, tenants).run(&next);
            let handles: Vec<_> = (0..self.callers).map(|_| scope.spawn(send)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|_| bail!("a sender panicked")))
                .collect()
        });
        for result in results {
            latencies.join(result?);
        }
        Ok(latencies)
    }
}

/// One caller.
struct Sender<'a> {
    bench: &'a AppendBench,
    ledger: &'a Ledger,
    tenants: &'a [TenantId],
    workload: Workload,
    canonicalizer: Canonicalizer,
    system: System,
    text: Vec<u8>,
}

impl<'a> Sender<'a> {
    fn new(bench: &'a AppendBench, ledger: &'a Ledger, tenants: &'a [TenantId]) -> Self {
        Self {
            bench,
            ledger,
            tenants,
            workload: Workload::new(SEED, bench.tenants),
            canonicalizer: Canonicalizer::new(),
            system: System::new(),
            text: Vec::new(),
        }
    }

    fn run(mut self, next: &AtomicU64) -> anyhow::Result<Latencies> {
        let mut latencies = Latencies::default();
        let (events, batch) = (self.bench.events, self.bench.batch);
        let mut random = Vec::new();
        loop {
            let first = next.fetch_add(batch, Ordering::Relaxed);
            if first >= events {
                return Ok(latencies);
            }
            let begun = Instant::now();
            let last = (first + batch).min(events);
            // Drawn for the whole batch at once, as the commands do.
            random.resize((last - first) as usize * RANDOM_BYTES, 0);
            self.system.entropy.fill(&mut random);
            let (random, _) = random.as_chunks::<RANDOM_BYTES>();
            let admitted = (first..last)
                .zip(random)
                .map(|(i, new_id)| self.prepare(i, *new_id))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let sealed = self.ledger.seal(admitted)?;
            for outcome in self.ledger.append(sealed)? {
                match outcome {
                    Outcome::Recorded(receipt) if receipt.status == ReceiptStatus::Created => {}
                    other => bail!("an event was not recorded: {other:?}"),
                }
            }
            latencies.push(begun.elapsed());
        }
    }

    fn prepare(&mut self, i: u64, new_id: [u8; RANDOM_BYTES]) -> anyhow::Result<AdmittedEvent> {
        self.text.clear();
        self.workload.event(i, &mut self.text);
        let tenant = self
            .tenants
            .get((i % self.bench.tenants) as usize)
            .context("the workload names a tenant that was not created")?;
        let context = ParseContext::new(tenant, self.system.clock.now(), new_id);
        let event = ValidEvent::parse(&self.text, &context, &mut self.canonicalizer)
            .map_err(|rejection| anyhow::anyhow!("the workload was refused: {rejection:?}"))?;
        Taxonomy::none()
            .admit(event)
            .map_err(|rejection| anyhow::anyhow!("the workload was refused: {rejection:?}"))
    }
}
