//! What every request goes through: an id, a log line, the headers of every answer, and the body of
//! every problem.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ledgerstone_model::ErrorCode;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::access_log::{Answered, Asker};
use super::problem::Problem;
use super::service::Service;
use super::{RouterSettings, compression};
use crate::trace;

/// Characters that a client's own request id may have.
const REQUEST_ID_MAX: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer that does not set its own.
const ALWAYS: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// The id of a request: the client's own, where it sent a usable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(headers: &HeaderMap) -> Option<Self> {
        let id = headers.get(REQUEST_ID)?.to_str().ok()?;
        let is_usable = !id.is_empty()
            && id.len() <= REQUEST_ID_MAX
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        is_usable.then(|| Self(id.to_owned()))
    }
}

/// Wraps the router in what all requests go through.
pub(super) fn around(
    router: Router<Service>,
    service: &Service,
    settings: &RouterSettings,
) -> Router<Service> {
    let mut router = router
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(compression::layer());
    if let Some(cors) = settings.cors.layer() {
        router = router.layer(cors);
    }
    router.layer(middleware::from_fn_with_state(service.clone(), envelope))
}

async fn nothing_here() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such route; GET /docs lists those there are")
}

async fn other_method() -> Problem {
    let detail = "this route exists, but not for this method; the Allow header lists those it has";
    Problem::new(ErrorCode::MethodNotAllowed, detail)
}

async fn envelope(State(service): State<Service>, mut request: Request, next: Next) -> Response {
    let id =
        RequestId::of(request.headers()).unwrap_or_else(|| RequestId(service.new_request_id()));
    request.extensions_mut().insert(id.clone());
    let begun = Instant::now();
    let (method, route) = (known_method(request.method()), matched_path(&request));
    let span = trace::request(method, &route, id.as_str(), request.headers());
    // A handler that panics must not take other requests of its connection with it.
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = handled.instrument(span.clone()).await;
    let mut response = response.unwrap_or_else(|_| {
        Problem::new(ErrorCode::Internal, "the request ended in a state held to be impossible")
            .into_response()
    });
    let code = response.extensions().get::<Problem>().map(Problem::code);
    let status = response.status().as_u16();
    trace::answered(&span, status, code.map(ErrorCode::as_str));
    service.metrics().count_request(method, &route, status);
    write_problem(&mut response, Some(&id));
    finish_headers(response.headers_mut(), &id);
    let asker = response.extensions_mut().remove::<Asker>();
    Answered { method, route, status, code, id, asker, begun, _span: span }.follow(response)
}

/// The method, unless somebody made it up.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| method == known).unwrap_or("other")
}

/// The route's pattern, which unlike the path itself holds nothing of a client's.
fn matched_path(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(String::new, |path| path.as_str().to_owned())
}

pub(super) fn write_problem(response: &mut Response, id: Option<&RequestId>) {
    let Some(problem) = response.extensions().get::<Problem>() else { return };
    let body = problem.to_json(id.map(RequestId::as_str)).to_string();
    let problem_json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, problem_json);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
}

fn finish_headers(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
}
