//! `/metrics`: what Prometheus reads. It tells of all tenants, so only the deployment's own credentials
//! may ask.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use ledgerstone_ledger::LedgerError;

use super::components::{State as Health, components};
use super::problem::Problem;
use super::service::Service;
use crate::metrics::Moment;

const VARY: HeaderValue = HeaderValue::from_static("accept");

/// The format of the answer (`OpenMetrics` 1.0).
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The format that came before it.
const CLASSIC: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The parts of the server that say something about the ledgers' integrity.
const TELL_OF_INTEGRITY: [&str; 3] = ["ledger", "store", "verification"];

/// The metrics of the process: as `OpenMetrics` to whoever accepts that by name, otherwise in the older
/// text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics", content(
        (String = "application/openmetrics-text"), (String = "text/plain")
    ))))]
pub async fn metrics(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = service.clone();
    let moment = service.blocking(move |_| Ok::<_, LedgerError>(moment(&asked))).await?;
    let mut accepted = headers.get_all(header::ACCEPT).iter();
    let names_it = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.contains("application/openmetrics-text"))
    };
    let (format, text) = if accepted.any(names_it) {
        (OPEN_METRICS, service.metrics().to_text(moment))
    } else {
        (CLASSIC, service.metrics().to_classic_text(moment))
    };
    Ok(([(header::CONTENT_TYPE, format), (header::VARY, VARY)], text).into_response())
}

fn moment(service: &Service) -> Moment {
    let store = service.ledger().status().store;
    let is_sound = components(service)
        .iter()
        .filter(|one| TELL_OF_INTEGRITY.contains(&one.name.as_str()))
        .all(|one| one.state == Health::Healthy);
    Moment {
        is_sound,
        waiting: service.ledger().waiting().records,
        records: store.records,
        unsealed_logs: store.unsealed_logs,
        sealed_segments: store.sealed_segments,
        dead_letters: service.dead_letters().counts(None),
        verification: service.operation().verification().as_ref().into(),
        access_log: service.ledger().access_log_counts(),
        key_service: service.ledger().key_service().as_ref().into(),
    }
}
