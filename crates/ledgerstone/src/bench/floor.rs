//! The floor: the least that a durable, hashed log must do with the same events, and nothing else.
//!
//! Canonicalise, hash content and header, append, fdatasync; two threads, so that one batch is
//! prepared while the other is synced; into a file that was written before, which is the fastest
//! a disk can be. No duplicates are looked for, nothing is indexed, sealed or answered.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use ledgerstone_proof::{Canonicalizer, Hash, SigningKey, sha256};

use super::Latencies;
use super::process::Process;
use crate::workload::Workload;

/// The file is written again and again from its beginning; more would only measure the disk's
/// allocation.
const FILE_BYTES: u64 = 128 << 20;

/// What the floor does.
pub struct Floor<'a> {
    pub parent: &'a Path,
    pub events: u64,
    pub batch: u64,
    pub tenants: u64,
    pub seed: u64,
    pub threads: usize,
    /// Signs every header as well.
    pub key: Option<&'a SigningKey>,
}

/// How fast it was.
pub struct FloorFigures {
    pub events_per_second: f64,
    pub p50_ms: f64,
    pub processor_us_per_event: f64,
}

struct Disk {
    file: File,
    at: u64,
}

impl Floor<'_> {
    pub fn run(&self) -> anyhow::Result<FloorFigures> {
        let file = tempfile::tempfile_in(self.parent)?;
        let zeros = vec![0; 1 << 20];
        for at in (0..FILE_BYTES).step_by(zeros.len()) {
            file.write_all_at(&zeros, at)?;
        }
        file.sync_all()?;
        let disk = Mutex::new(Disk { file, at: 0 });
        let next = AtomicU64::new(0);
        let begun = Instant::now();
        let process = Process::own();
        let processor = process.processor_seconds();
        let mut latencies = Latencies::default();
        let threads: Vec<anyhow::Result<Latencies>> = std::thread::scope(|scope| {
            let work = || self.work(&disk, &next);
            let handles: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|_| Err(anyhow::anyhow!("panicked"))))
                .collect()
        });
        for thread in threads {
            latencies.join(thread?);
        }
        let events_per_second = self.events as f64 / begun.elapsed().as_secs_f64();
        let (p50_ms, _) = latencies.figures();
        let processor_us_per_event =
            (process.processor_seconds() - processor) * 1e6 / self.events as f64;
        Ok(FloorFigures { events_per_second, p50_ms, processor_us_per_event })
    }

    fn work(&self, disk: &Mutex<Disk>, next: &AtomicU64) -> anyhow::Result<Latencies> {
        let workload = Workload::new(self.seed, self.tenants);
        let mut latencies = Latencies::default();
        let mut prepared = Prepared::new();
        loop {
            let first = next.fetch_add(self.batch, Ordering::Relaxed);
            if first >= self.events {
                return Ok(latencies);
            }
            let begun = Instant::now();
            prepared.frame.clear();
            for i in first..(first + self.batch).min(self.events) {
                prepared.event(&workload, i, self.key)?;
            }
            let mut disk = disk.lock().ok().context("another thread failed")?;
            let at = disk.at;
            let len = prepared.frame.len() as u64;
            let from = if at + len > FILE_BYTES { 0 } else { at };
            disk.file.write_all_at(&prepared.frame, from)?;
            disk.file.sync_data()?;
            disk.at = from + len;
            drop(disk);
            latencies.push(begun.elapsed());
        }
    }
}

/// One batch in the making.
struct Prepared {
    canonicalizer: Canonicalizer,
    text: Vec<u8>,
    header: Vec<u8>,
    frame: Vec<u8>,
    previous: Hash,
}

impl Prepared {
    fn new() -> Self {
        Self {
            canonicalizer: Canonicalizer::new(),
            text: Vec::new(),
            header: Vec::new(),
            frame: Vec::new(),
            previous: Hash::ZERO,
        }
    }

    fn event(
        &mut self,
        workload: &Workload,
        i: u64,
        key: Option<&SigningKey>,
    ) -> anyhow::Result<()> {
        self.text.clear();
        workload.event(i, &mut self.text);
        let start = self.frame.len();
        self.canonicalizer.strict(&self.text, &mut self.frame)?;
        let content_hash = sha256(self.frame.get(start..).unwrap_or_default());
        self.header.clear();
        // As long as a real header: what is hashed must cost the same.
        self.header.extend_from_slice(&[b'x'; 144]);
        content_hash.write_hex(&mut self.header);
        self.previous.write_hex(&mut self.header);
        self.previous = sha256(&self.header);
        if let Some(key) = key {
            self.frame.extend_from_slice(key.sign(&self.header).as_bytes());
        }
        Ok(())
    }
}
