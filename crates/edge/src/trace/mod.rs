//! Traces for those who collect them: the spans of a request, and their way to a collector.
//!
//! Spans tell of methods, routes, counts, ids and codes, never of what an event says. Where nobody
//! collects them a span costs one look at an atomic.

mod parent;
mod queue;
mod worker;

use std::time::Duration;

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as _};
use thiserror::Error;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub use opentelemetry_sdk::trace::SdkTracer;
pub use worker::{SpanSender, SpansStop};

/// The target of every span, by which a subscriber takes them or not.
pub const TARGET: &str = "trace";

/// How long a collector may take for a batch.
const EXPORT_TIME: Duration = Duration::from_secs(10);

/// Where spans go, and what is said of where they come from.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The whole URL of the collector's traces, e.g. `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    pub service_name: String,
    /// What the operator calls the deployment.
    pub environment: String,
}

/// Why no spans can be sent.
#[derive(Debug, Error)]
pub enum TraceError {
    #[error("the HTTP client for the collector cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    #[error("the collector's address cannot be used: {0}")]
    Exporter(String),
}

/// Begins tracing: a tracer for the subscriber, and what sends the spans once there is a runtime.
pub fn begin(settings: TraceSettings) -> Result<(SdkTracer, SpanSender), TraceError> {
    let TraceSettings { endpoint, service_name, environment } = settings;
    let client = reqwest::Client::builder()
        .timeout(EXPORT_TIME)
        .connect_timeout(EXPORT_TIME)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(TraceError::Client)?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIME)
        .build()
        .map_err(|error| TraceError::Exporter(error.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(service_name)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("deployment.environment.name", environment))
        .build();
    exporter.set_resource(&resource);
    let (queue, ended) = queue::bounded();
    let sender = SpanSender::new(exporter, ended, queue.dropped());
    let provider =
        SdkTracerProvider::builder().with_span_processor(queue).with_resource(resource).build();
    Ok((provider.tracer("ledgerstone"), sender))
}

/// The span of a request, which continues the trace of whoever sent it.
pub(crate) fn request(method: &str, route: &str, id: &str, headers: &HeaderMap) -> Span {
    if !tracing::enabled!(target: TARGET, Level::INFO) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
        ledgerstone.request_id = id,
        ledgerstone.tenant = tracing::field::Empty,
    );
    if let Some(parent) = parent::of(headers) {
        // It has just been made, so a parent can be set.
        let _ = span.set_parent(parent);
    }
    span
}

/// What a request came to.
pub(crate) fn answered(span: &Span, status: u16, code: Option<&str>) {
    span.record("http.response.status_code", status);
    if let Some(code) = code {
        span.record("error.type", code);
    }
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// Whose request the current span tells of.
pub(crate) fn caller(tenant: &str) {
    Span::current().record("ledgerstone.tenant", tenant);
}

/// A part of a request that works on so many events.
macro_rules! part {
    ($name:literal, $events:expr) => {
        tracing::info_span!(
            target: $crate::trace::TARGET,
            $name,
            ledgerstone.events = u64::try_from($events).unwrap_or(u64::MAX)
        )
    };
}
pub(crate) use part;
