//! `/health…`: whether the process lives, and whether it can do its work. Public, so they name no
//! file, no tenant and no record; `/v1/status` tells the reasons.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::components::{Component, State as Of};
use super::problem::Problem;
use super::service::Service;

/// Whether the process answers at all.
#[derive(Debug, Serialize, ToSchema)]
pub struct Liveness {
    /// Always `alive`.
    status: &'static str,
}

/// Whether all is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`; `degraded`, where something does not work and events are taken all the same; or
    /// `unhealthy`.
    status: &'static str,
}

/// Whether requests should be sent here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, `stopping` or `unhealthy`.
    status: &'static str,
}

/// How each component is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditHealth {
    /// The worst of the components' states.
    status: &'static str,
    components: Vec<ComponentHealth>,
    buffer: Buffer,
    /// Events that wait for the next commit.
    buffer_size: usize,
    /// How many may wait.
    buffer_max_size: usize,
}

/// How a component is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentHealth {
    name: String,
    /// `healthy`, `degraded` or `unhealthy`.
    status: &'static str,
}

/// How full the buffer of events is that wait for the next commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct Buffer {
    /// `healthy`, or `degraded` where it is nearly full.
    status: &'static str,
    /// In hundredths of what fits, by records or bytes, whichever is more.
    used_percent: usize,
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/health/live", tag = "operation",
    responses((status = 200, body = Liveness)))]
pub async fn live() -> Json<Liveness> {
    Json(Liveness { status: "alive" })
}

/// Whether all is well.
#[utoipa::path(get, path = "/health", tag = "operation",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn health(State(service): State<Service>) -> Result<(StatusCode, Json<Health>), Problem> {
    let worst = worst(&service.examined().await?);
    Ok((status_of(worst), Json(Health { status: worst.as_str() })))
}

/// Whether requests should be sent here: not while the server starts, stops, or cannot write.
#[utoipa::path(get, path = "/health/ready", tag = "operation",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(
    State(service): State<Service>,
) -> Result<(StatusCode, Json<Readiness>), Problem> {
    let (code, status) = if service.operation().is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if worst(&service.examined().await?) == Of::Unhealthy {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    } else {
        (StatusCode::OK, "ready")
    };
    Ok((code, Json(Readiness { status })))
}

/// How each component is doing, and how full the buffer is.
#[utoipa::path(get, path = "/health/audit", tag = "operation",
    responses((status = 200, body = AuditHealth), (status = 503, body = AuditHealth)))]
pub async fn audit(
    State(service): State<Service>,
) -> Result<(StatusCode, Json<AuditHealth>), Problem> {
    let found = service.examined().await?;
    let worst = worst(&found);
    let waiting = service.ledger().waiting();
    let percent = |used: usize, max: usize| used.saturating_mul(100) / max.max(1);
    let used_percent = percent(waiting.records, waiting.records_max)
        .max(percent(waiting.bytes, waiting.bytes_max));
    let buffer = if used_percent > 90 { Of::Degraded } else { Of::Healthy };
    let health = |one: Component| ComponentHealth { name: one.name, status: one.state.as_str() };
    let health = AuditHealth {
        status: worst.as_str(),
        components: found.into_iter().map(health).collect(),
        buffer: Buffer { status: buffer.as_str(), used_percent },
        buffer_size: waiting.records,
        buffer_max_size: waiting.records_max,
    };
    Ok((status_of(worst), Json(health)))
}

fn worst(components: &[Component]) -> Of {
    components.iter().map(|one| one.state).max().unwrap_or(Of::Healthy)
}

/// What does not work but keeps nobody from sending events is no reason to send them elsewhere.
fn status_of(state: Of) -> StatusCode {
    match state {
        Of::Healthy | Of::Degraded => StatusCode::OK,
        Of::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    }
}
