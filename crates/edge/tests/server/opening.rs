//! What answers while the ledgers are being opened.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt as _;
use ledgerstone_edge::rest::Opening;
use tower::ServiceExt as _;

async fn ask(router: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn the_process_lives_and_is_not_ready_until_it_is_opened() {
    let opening = Opening::default();
    let router = opening.router();
    assert_eq!(ask(&router, "/health/live").await.0, StatusCode::OK);
    for path in ["/health/ready", "/v1/events", "/"] {
        let (status, body) = ask(&router, path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(body.contains("\"NOT_READY\""), "{path}: {body}");
    }
    opening.open(Router::new().route("/", get(async || "open")));
    assert_eq!(ask(&router, "/").await, (StatusCode::OK, "open".to_owned()));
    assert_eq!(ask(&router, "/v1/events").await.0, StatusCode::NOT_FOUND);
}
