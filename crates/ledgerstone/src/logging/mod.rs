//! The log of a server: standard error, as text for people or as one JSON object a line.
//!
//! What is logged never holds the content of an event or a secret: our own crates log ids, codes,
//! counts and times, and of others only warnings are taken, whatever the level, because some of
//! them log headers.

mod lossy;

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;

use ledgerstone_edge::rest::access_log;
use ledgerstone_edge::trace::{self, SdkTracer};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, LogSettings};
use lossy::Lossy;

/// How the targets of our own crates begin.
const OURS: &str = "ledgerstone";

/// The log of this process, once it has begun.
static LOG: OnceLock<Lossy> = OnceLock::new();

/// Has the lines written that wait: before the process ends.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}

/// Begins the log of this process, and the spans if there is a tracer for them. A second call changes
/// nothing.
pub fn start(settings: LogSettings, tracer: Option<SdkTracer>) {
    let as_text = match settings.format {
        LogFormat::Auto => io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let requests = if settings.access { settings.level } else { LevelFilter::OFF };
    let targets = Targets::new()
        .with_default(settings.level.min(LevelFilter::WARN))
        .with_target(OURS, settings.level)
        .with_target(access_log::TARGET, requests)
        // Spans are for the collector alone.
        .with_target(trace::TARGET, LevelFilter::OFF);
    let lines = fmt::layer().with_writer(LOG.get_or_init(Lossy::start).clone());
    let layer = if as_text {
        lines.with_ansi(io::stderr().is_terminal()).with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    let spans = tracer.map(|tracer| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false);
        layer.with_filter(Targets::new().with_target(trace::TARGET, LevelFilter::INFO))
    });
    // An error says that there is a log already.
    let _ = tracing_subscriber::registry().with(layer.with_filter(targets)).with(spans).try_init();
}
