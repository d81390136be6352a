//! `/metrics`: what Prometheus reads. It tells of all tenants, so only the deployment's own credentials
//! may ask.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use ledgerstone_ledger::LedgerError;

use super::components::{State as Health, components};
use super::problem::Problem;
use super::service::Service;
use crate::metrics::Moment;

/// The format of the answer (`OpenMetrics` 1.0).
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The parts of the server that say something about the ledgers' integrity.
const TELL_OF_INTEGRITY: [&str; 3] = ["ledger", "store", "verification"];

/// The metrics of the process, in the `OpenMetrics` text format.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "The metrics", content_type = "application/openmetrics-text")))]
pub async fn metrics(State(service): State<Service>) -> Result<Response, Problem> {
    let asked = service.clone();
    let moment = service.blocking(move |_| Ok::<_, LedgerError>(moment(&asked))).await?;
    let text = service.metrics().to_text(moment);
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
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
    }
}
