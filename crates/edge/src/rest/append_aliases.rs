//! The routes under which other systems send their events, in the flat shapes that they have.
//!
//! They are [`append`](super::append) under other names: the same parameters, the same answers; only
//! each event may have any of [`SHAPES`](crate::shape::SHAPES) without saying which.

use axum::extract::{Request, State};
use axum::response::Response;

use super::append::{Options, Reading, take_request};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Takes events in any flat shape; the same as `POST /v1/events` otherwise.
#[utoipa::path(post, path = "/api/v1/audit/events", tag = "aliases", params(Options),
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 201, description = "As of POST /v1/events")))]
pub async fn audit_events(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    take_request(&service, &authorised, Reading::AnyShape, request).await
}

/// Takes events in any flat shape; the same as `POST /v1/events` otherwise.
#[utoipa::path(post, path = "/api/v1/audit", tag = "aliases", params(Options),
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 201, description = "As of POST /v1/events")))]
pub async fn audit(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    take_request(&service, &authorised, Reading::AnyShape, request).await
}

/// Takes events in any flat shape; the same as `POST /v1/events` otherwise.
#[utoipa::path(post, path = "/api/audit/event", tag = "aliases", params(Options),
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 201, description = "As of POST /v1/events")))]
pub async fn audit_event(
    State(service): State<Service>,
    authorised: Authorised,
    request: Request,
) -> Result<Response, Problem> {
    take_request(&service, &authorised, Reading::AnyShape, request).await
}
