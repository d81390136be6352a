//! The person whom requests are about, and how somebody takes such a request to its approval.

use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, json as body};

pub async fn send(rig: &Rig, event: Value) {
    assert_eq!(rig.append("", event.to_string()).send().await.unwrap().status(), 201);
}

pub async fn post(rig: &Rig, role: Role, path: &str, sent: Value) -> Value {
    let response = rig.request(Method::POST, path, "acme", role).json(&sent).send().await.unwrap();
    let (status, answer) = (response.status(), body(response).await);
    assert!(status.is_success(), "{path}: {answer}");
    answer
}

pub async fn get(rig: &Rig, role: Role, path: &str) -> Value {
    body(rig.request(Method::GET, path, "acme", role).send().await.unwrap()).await
}

/// The opaque id of the customer `cus-1`.
pub async fn subject(rig: &Rig) -> String {
    let who = json!({"type": "customer", "id": "cus-1"});
    let found = post(rig, Role::PrivacyOfficer, "/v1/subjects/lookup", who).await;
    found["subject_id"].as_str().unwrap().to_owned()
}

/// Opens a request of the customer's, and gives its path.
pub async fn opened(rig: &Rig, right: &str, sent: Value) -> String {
    let path = format!("/v1/subjects/{}/{right}", subject(rig).await);
    let request = post(rig, Role::PrivacyOfficer, &path, sent).await;
    format!("/v1/requests/{}", request["id"].as_str().unwrap())
}

/// Opens a request and lets a second person approve it.
pub async fn approved(rig: &Rig, right: &str, sent: Value) -> String {
    let at = opened(rig, right, sent).await;
    post(rig, Role::PrivacyOfficer, &format!("{at}/check-identity"), json!({})).await;
    post(rig, Role::Admin, &format!("{at}/approve"), json!({})).await;
    at
}
