//! `bench`: the figures of this machine, with their floor measured in the same run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ledgerstone_edge::rest::limits::{ARRAY_ITEMS_MAX, LINES_MAX};
use ledgerstone_ledger::check::Level;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::SigningMode;
use serde_json::Value;

use super::{Command, parsed};
use crate::bench::{AppendBench, IngestBench, Until, VerifyBench};
use crate::failure::{Ending, Failure};
use crate::output::Console;

pub const COMMAND: Command = Command {
    name: "bench",
    about: "Measure how fast this machine appends, serves and verifies, beside the least it must do",
    details: "Everything happens in a temporary directory, which is removed. The floor is measured \
              in the same run with the same events; the ratio is what can be compared between \
              machines. A busy machine gives low figures for both.",
    arguments: Arguments::augment_args,
    run: |matches, console| run(&parsed(matches)?, console),
    is_hidden: false,
};

#[derive(Args, Debug)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// From JSON text to durable receipt
    Append(Append),
    /// From a request over HTTP to its durable acknowledgement, by a server of its own
    Ingest(Ingest),
    /// The whole of a store, read back and recomputed
    Verify(Verify),
}

#[derive(Args, Debug)]
struct Append {
    /// Events in all
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Events a caller sends at once
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=16_384))]
    batch: u64,
    /// Event i goes to tenant i mod this
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    tenants: u64,
    /// Callers that each wait for their receipts [default: 1 for single events, else 2]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    callers: Option<u16>,
    /// What is signed
    #[arg(long, value_name = "WHAT", value_parser = ["record", "checkpoint"], default_value = "checkpoint")]
    signing: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Ingest {
    /// Events in all
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Send for so long instead; the server's memory is told at the beginning, each minute and at the end
    #[arg(long, conflicts_with = "events", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seconds: Option<u64>,
    /// Events in a request: at most 1,000 in an array, or 100,000 as lines
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=LINES_MAX as u64))]
    batch: u64,
    /// Connections that each wait for their answers [default: 128 for single events, else 4]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4_000))]
    connections: Option<u16>,
    /// Send one event a line rather than an array
    #[arg(long)]
    ndjson: bool,
    /// Seal fields as the preset `standard` says, of 5,000 people, and tell the ratio to the rate
    /// without, which is measured first; nothing is sealed otherwise
    #[arg(long)]
    sealed: bool,
    /// What is signed
    #[arg(long, value_name = "WHAT", value_parser = ["record", "checkpoint"], default_value = "checkpoint")]
    signing: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Verify {
    /// Records in all
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    events: u64,
    /// Tenants they are spread over
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    tenants: u64,
    /// How thoroughly
    #[arg(long, value_parser = ["tree", "full"], default_value = "tree")]
    level: String,
    /// Threads that verify
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Common {
    /// Where the temporary directory is made; a file system in memory makes the figures worthless
    #[arg(long, value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Write JSON, also on a terminal
    #[arg(long)]
    json: bool,
}

fn run(arguments: &Arguments, console: &mut Console) -> Result<Ending, Failure> {
    let (figures, common) = match &arguments.what {
        What::Append(append) => (append.measure(), &append.common),
        What::Ingest(ingest) => (ingest.checked()?.measure(console), &ingest.common),
        What::Verify(verify) => (verify.measure(), &verify.common),
    };
    let figures = figures.map_err(|error| {
        Failure::new(ErrorCode::StorageFailed, format!("the bench failed: {error:#}"))
    })?;
    show(&figures, common.json, console)?;
    Ok(Ending::Done)
}

impl Append {
    fn measure(&self) -> anyhow::Result<Value> {
        let callers = self.callers.unwrap_or(if self.batch == 1 { 1 } else { 2 });
        AppendBench {
            events: self.events,
            batch: self.batch,
            tenants: self.tenants,
            callers: usize::from(callers),
            signing: SigningMode::parse(&self.signing).unwrap_or(SigningMode::Checkpoint),
            parent: self.common.directory.clone(),
        }
        .run()
    }
}

impl Ingest {
    /// Refuses what a server would refuse.
    fn checked(&self) -> Result<&Self, Failure> {
        if self.ndjson || self.batch <= ARRAY_ITEMS_MAX as u64 {
            return Ok(self);
        }
        let message =
            format!("--batch {}: an array has at most {ARRAY_ITEMS_MAX} events", self.batch);
        Err(Failure::new(ErrorCode::InvalidArgument, message)
            .with_remedy("Give fewer, or send lines with --ndjson."))
    }

    fn measure(&self, console: &mut Console) -> anyhow::Result<Value> {
        let connections = self.connections.unwrap_or(if self.batch == 1 { 128 } else { 4 });
        let time = self.seconds.map(Duration::from_secs);
        IngestBench {
            until: time.map_or(Until::Events(self.events), Until::Time),
            batch: self.batch,
            connections: usize::from(connections),
            signing: SigningMode::parse(&self.signing).unwrap_or(SigningMode::Checkpoint),
            as_ndjson: self.ndjson,
            is_sealed: self.sealed,
            parent: self.common.directory.clone(),
        }
        .run(console)
    }
}

impl Verify {
    fn measure(&self) -> anyhow::Result<Value> {
        VerifyBench {
            events: self.events,
            tenants: self.tenants,
            level: if self.level == "full" { Level::Full } else { Level::Tree },
            threads: usize::from(self.threads),
            parent: self.common.directory.clone(),
        }
        .run()
    }
}

fn show(figures: &Value, json: bool, console: &mut Console) -> Result<(), Failure> {
    if json || !console.is_terminal() {
        return console.line(figures.to_string());
    }
    let Value::Object(figures) = figures else { return Ok(()) };
    for (name, value) in figures {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        console.line(format!("{name:32} {text}"))?;
    }
    Ok(())
}
