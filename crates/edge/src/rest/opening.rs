//! What answers while the ledgers are being opened: that the process lives, and nothing else yet.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ledgerstone_model::ErrorCode;
use tower::ServiceExt as _;

use super::envelope::write_problem;
use super::health;
use super::problem::Problem;

/// A router that says `NOT_READY` until it is given another; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Opening(Arc<OnceLock<Router>>);

impl Opening {
    /// What is served from the beginning.
    pub fn router(&self) -> Router {
        let waiting = Router::new().route("/health/live", get(health::live)).fallback(not_ready);
        Router::new().fallback(pass).with_state((self.clone(), waiting))
    }

    /// Answers with this router from now on. Only the first one counts.
    pub fn open(&self, router: Router) {
        let _ = self.0.set(router);
    }
}

async fn pass(State((opening, waiting)): State<(Opening, Router)>, request: Request) -> Response {
    let router = opening.0.get().unwrap_or(&waiting).clone();
    router.oneshot(request).await.unwrap_or_else(|never| match never {})
}

async fn not_ready() -> Response {
    let mut response =
        Problem::new(ErrorCode::NotReady, "the ledgers are being opened").into_response();
    write_problem(&mut response, None);
    response
}
