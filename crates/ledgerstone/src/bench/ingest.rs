//! `bench ingest`: from a request over HTTP to its durable acknowledgement, by a real server.
//!
//! The server is this program as a process of its own, so that its memory and its processor time
//! can be told from the sender's. It runs with the settings that a newcomer meets; nothing is
//! raised. The sender is a single thread, and what it sends was made before the clock starts, apart
//! from the ids of events.

mod bodies;
mod sender;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::SigningKey;
use serde_json::{Value, json};

use super::floor::{Floor, FloorFigures};
use super::process::Process;
use super::{SEED, conditions, mean_json_bytes};
use crate::output::Console;
use bodies::Bodies;
use sender::{Load, Sent};
use server::{Ended, Server};

/// Events of the floor where a time is set and no number: for each second, and at most.
const FLOOR_EVENTS_PER_SECOND: u64 = 50_000;
const FLOOR_EVENTS_MAX: u64 = 500_000;

/// Events of the floor when they come singly: each costs a sync.
const FLOOR_SINGLES: u64 = 20_000;

/// How often the server's memory is looked at, besides at the beginning and at the end.
const SAMPLE_EVERY: Duration = Duration::from_mins(1);

/// When enough was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Events(u64),
    Time(Duration),
}

/// What is measured.
pub struct IngestBench {
    pub until: Until,
    /// Events in a request.
    pub batch: u64,
    /// Connections that each send one request and wait for its answer.
    pub connections: usize,
    pub signing: SigningMode,
    /// One event a line rather than an array.
    pub as_ndjson: bool,
    /// Whether fields are sealed as the preset `standard` says; nothing is sealed otherwise. What is
    /// not sealed is measured too, for the ratio.
    pub is_sealed: bool,
    /// Where the temporary directory is made.
    pub parent: PathBuf,
}

/// What a run gave.
struct Measured {
    sent: Sent,
    seconds: f64,
    unsealed: u64,
    sender_processor: f64,
    resident: Vec<Resident>,
    server: Ended,
}

/// Memory that the server holds.
struct Resident {
    after: Duration,
    mb: f64,
}

impl Resident {
    fn now(server: &Process, begun: Instant) -> Self {
        Self { after: begun.elapsed(), mb: server.resident_mb() }
    }

    fn to_json(&self) -> Value {
        json!({"after_seconds": self.after.as_secs(), "mb": self.mb.round()})
    }
}

impl Measured {
    /// Events in a second.
    fn rate(&self) -> f64 {
        self.sent.acknowledged as f64 / self.seconds
    }
}

impl IngestBench {
    pub fn run(&self, console: &mut Console) -> anyhow::Result<Value> {
        let floor = self.floor()?;
        if !self.is_sealed {
            return Ok(self.figures(self.measure(Preset::None, console)?, &floor));
        }
        let unsealed = self.measure(Preset::None, console)?.rate();
        let sealed = self.measure(Preset::Standard, console)?;
        let ratio = (sealed.rate() / unsealed * 1000.0).round() / 1000.0;
        let mut figures = self.figures(sealed, &floor);
        figures["unsealed_events_per_second"] = json!(unsealed.round());
        figures["ratio_to_unsealed"] = json!(ratio);
        Ok(figures)
    }

    fn floor(&self) -> anyhow::Result<FloorFigures> {
        let signing_key = SigningKey::from_seed([7; 32]);
        let events = match self.until {
            Until::Events(events) => events,
            Until::Time(time) => {
                FLOOR_EVENTS_MAX.min(time.as_secs().saturating_mul(FLOOR_EVENTS_PER_SECOND)).max(1)
            }
        };
        Floor {
            parent: &self.parent,
            events: if self.batch == 1 { events.min(FLOOR_SINGLES) } else { events },
            batch: self.batch,
            tenants: 1,
            seed: SEED,
            threads: if self.batch == 1 { 1 } else { 2 },
            key: (self.signing == SigningMode::Record).then_some(&signing_key),
        }
        .run()
    }

    fn measure(&self, sealing: Preset, console: &mut Console) -> anyhow::Result<Measured> {
        let server = Server::start(&self.parent, self.signing, sealing, console)?;
        let distinct = match self.until {
            Until::Events(events) => events.min(bodies::EVENTS),
            Until::Time(_) => bodies::EVENTS,
        };
        let bodies = Bodies::new(distinct, self.batch, self.as_ndjson);
        let load = Arc::new(Load::new(bodies, self.until, self.connections));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (own, process) = (Process::own(), server.process());
        let (processor, written) = (process.processor_seconds(), process.bytes_written());
        let mut resident = Vec::new();
        let (sent, seconds, sender_processor) = runtime.block_on(async {
            let connected = load.connect(server.address(), server.key()).await?;
            let (begun, used) = (Instant::now(), own.processor_seconds());
            resident.push(Resident::now(&process, begun));
            let sending = load.send(connected);
            let watching = watch(&process, begun, &mut resident, console);
            let sent = tokio::select! {
                sent = sending => sent,
                never = watching => match never {},
            };
            let seconds = begun.elapsed().as_secs_f64();
            resident.push(Resident::now(&process, begun));
            anyhow::Ok((sent?, seconds, own.processor_seconds() - used))
        })?;
        let unsealed = server.unsealed_logs()?;
        let server = server.end((processor, written))?;
        ensure!(
            server.records >= sent.acknowledged,
            "{} events were acknowledged, and the ledger has {} records",
            sent.acknowledged,
            server.records
        );
        Ok(Measured { sent, seconds, unsealed, sender_processor, resident, server })
    }

    fn figures(&self, measured: Measured, floor: &FloorFigures) -> Value {
        let rate = measured.rate();
        let Measured { sent, seconds, unsealed, sender_processor, resident, server } = measured;
        let events = sent.acknowledged;
        let (p50_ms, p99_ms) = sent.latencies.figures();
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        let per_event = |value: f64| value / events.max(1) as f64;
        let per_sealed = |bytes: u64| tenths(bytes as f64 / server.sizes.records.max(1) as f64);
        let parts = server.sizes.parts.iter();
        let kept: serde_json::Map<String, Value> =
            parts.map(|(part, bytes)| ((*part).to_owned(), json!(per_sealed(*bytes)))).collect();
        let kept_total: u64 = server.sizes.parts.iter().map(|part| part.1).sum();
        json!({
            "events": events,
            "batch": self.batch,
            "connections": self.connections,
            "content_type": bodies::content_type(self.as_ndjson),
            "signing": self.signing.as_str(),
            "sealing": if self.is_sealed { Preset::Standard } else { Preset::None }.as_str(),
            "seconds": hundredths(seconds),
            "events_per_second": rate.round(),
            "p50_ms": p50_ms,
            "p99_ms": p99_ms,
            "floor_events_per_second": floor.events_per_second.round(),
            "floor_p50_ms": floor.p50_ms,
            "processor_us_per_event": hundredths(per_event(server.processor_seconds * 1e6)),
            "sender_processor_us_per_event": hundredths(per_event(sender_processor * 1e6)),
            "floor_processor_us_per_event": hundredths(floor.processor_us_per_event),
            "ratio": (rate / floor.events_per_second * 1000.0).round() / 1000.0,
            "json_bytes_per_event": mean_json_bytes(1),
            "bytes_written_per_event": per_event(server.bytes_written as f64).round(),
            "bytes_kept_per_event": per_sealed(kept_total),
            "bytes_kept_by_part": kept,
            "sealed_events": server.sizes.records,
            "unsealed_logs_at_the_end": unsealed,
            "resident_mb": resident.iter().map(Resident::to_json).collect::<Vec<_>>(),
            "resident_peak_mb": server.resident_peak_mb.round(),
            "conditions": format!(
                "{}, {}, the server in a process of its own with usual settings, the sender one thread on the same machine",
                conditions(),
                self.parent.display()
            ),
        })
    }
}

/// Looks at the server's memory again and again, and tells what it saw.
async fn watch(
    server: &Process,
    begun: Instant,
    resident: &mut Vec<Resident>,
    console: &mut Console,
) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    // The first comes at once.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let now = Resident::now(server, begun);
        console.note(format!("after {} s the server holds {:.0} MB", now.after.as_secs(), now.mb));
        resident.push(now);
    }
}

/// The failure of a command as one of a bench.
fn told(failure: &crate::failure::Failure) -> anyhow::Error {
    anyhow::Error::msg(failure.message().to_owned()).context("the server's directory")
}

/// Text that a server must have given.
fn missing(what: &'static str) -> impl Fn() -> anyhow::Error {
    move || anyhow::anyhow!("the server did not say {what}")
}
