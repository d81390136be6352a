//! Which pages may use the interface from a browser.

use ledgerstone_edge::rest::{ENDPOINTS, Endpoint, Origins, RouterSettings};
use ledgerstone_model::access::Role;
use reqwest::{Method, StatusCode};

use crate::rig::{Rig, RigOptions};

async fn rig(origins: &[&str]) -> Rig {
    let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
    let cors = Origins::parse(&origins).unwrap();
    Rig::start_with(RigOptions { router: RouterSettings { cors }, ..RigOptions::default() }).await
}

/// What a page of this origin is allowed, before its request and with the answer.
async fn allowed(rig: &Rig, origin: &str) -> [Option<String>; 2] {
    let preflight = rig
        .anonymous(Method::OPTIONS, "/v1/events")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key")
        .send()
        .await
        .unwrap();
    let answer = rig
        .request(Method::GET, "/v1/status", "acme", Role::Viewer)
        .header("origin", origin)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    [preflight, answer].map(|response| {
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
        let origin = response.headers().get("access-control-allow-origin")?;
        Some(origin.to_str().unwrap().to_owned())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_origins_may_ask() {
    let page = "https://audit.example.org";
    let nobody = rig(&[]).await;
    assert_eq!(allowed(&nobody, page).await, [None, None]);
    let listed = rig(&[page, "http://localhost:3000"]).await;
    assert_eq!(allowed(&listed, page).await, [Some(page.to_owned()), Some(page.to_owned())]);
    assert_eq!(allowed(&listed, "https://evil.example").await, [None, None]);
    assert_eq!(allowed(&listed, "https://audit.example.org.evil.example").await, [None, None]);
    let all = rig(&["*"]).await;
    assert_eq!(allowed(&all, page).await, [Some("*".to_owned()), Some("*".to_owned())]);
}

/// The items of a header that lists them.
fn listed(response: &reqwest::Response, name: &str) -> Vec<String> {
    let text = response.headers()[name].to_str().unwrap();
    text.split(',').map(|item| item.trim().to_ascii_lowercase()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_use_every_method_there_is() {
    let page = "https://audit.example.org";
    let rig = rig(&[page]).await;
    let preflight = rig
        .anonymous(Method::OPTIONS, "/v1/taxonomy")
        .header("origin", page)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization,content-type,if-match")
        .send()
        .await
        .unwrap();
    let methods = listed(&preflight, "access-control-allow-methods");
    for (method, path) in ENDPOINTS.iter().flat_map(Endpoint::places) {
        let method = method.as_str().to_ascii_lowercase();
        assert!(methods.contains(&method), "{method} {path}: {methods:?}");
    }
    let headers = listed(&preflight, "access-control-allow-headers");
    assert!(headers.iter().any(|name| name == "if-match"), "{headers:?}");
}
