//! Routes of other services that this version does not have yet.

use ledgerstone_model::access::Role;
use reqwest::Method;

use crate::rig::{Rig, assert_problem};

const ROUTES: [(Method, &str); 9] = [
    (Method::GET, "/api/v1/audit/stats"),
    (Method::GET, "/api/v1/audit/export?start_date=2024-01-01T00:00:00"),
    (Method::POST, "/api/v1/audit/export"),
    (Method::GET, "/api/v1/export"),
    (Method::POST, "/api/v1/export?requested_by=admin"),
    (Method::GET, "/api/v1/export/formats"),
    (Method::GET, "/api/v1/export/7f9c"),
    (Method::GET, "/api/v1/export/7f9c/download"),
    (Method::GET, "/audit/stream"),
];

#[tokio::test(flavor = "multi_thread")]
async fn they_say_that_they_are_not_there_yet() {
    let rig = Rig::start().await;
    for (method, path) in ROUTES {
        let asked = rig.request(method.clone(), path, "acme", Role::Auditor);
        let problem = assert_problem(asked, 400, "NOT_SUPPORTED_YET").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("this version has no"), "{path}: {detail}");
        assert_problem(rig.anonymous(method, path), 401, "UNAUTHENTICATED").await;
    }
}
