//! Restriction of processing: a person's events are closed to all but those who answer for personal
//! data, until it is lifted.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

async fn send(rig: &Rig, event: Value) {
    assert_eq!(rig.append("", event.to_string()).send().await.unwrap().status(), 201);
}

async fn post(rig: &Rig, role: Role, path: &str, sent: Value) -> Value {
    let response = rig.request(Method::POST, path, "acme", role).json(&sent).send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    body(response).await
}

/// The event as a role sees it: whether there is any, and why not.
async fn seen(rig: &Rig, role: Role, id: &str) -> (bool, Value) {
    let path = format!("/v1/events/{id}");
    let answer = rig.request(Method::GET, &path, "acme", role).send().await.unwrap();
    let answer = body(answer).await;
    (answer["event"].is_object(), answer["hidden"][0]["why"].clone())
}

/// Opens a restriction of `cus-1` and lets a second person approve it.
async fn restrict(rig: &Rig) -> String {
    let who = json!({"type": "customer", "id": "cus-1"});
    let subject = post(rig, Role::PrivacyOfficer, "/v1/subjects/lookup", who).await;
    let path = format!("/v1/subjects/{}/restriction", subject["subject_id"].as_str().unwrap());
    let request = post(rig, Role::PrivacyOfficer, &path, json!({})).await;
    let path = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(rig, Role::PrivacyOfficer, &format!("{path}/check-identity"), json!({})).await;
    assert!(seen(rig, Role::Auditor, "by").await.0, "nothing is closed before it is approved");
    let approved = post(rig, Role::Admin, &format!("{path}/approve"), json!({})).await;
    assert_eq!(approved["request"]["state"], "approved");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_persons_events_are_closed_until_it_is_lifted() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let customer = json!({"type": "customer", "id": "cus-1"});
    let clerk = json!({"type": "employee", "id": "emp-1", "name": "Bo Chen"});
    let named = json!({"type": "customer", "id": "cus-1", "name": "Ana Lima"});
    send(&rig, json!({"id": "by", "event_type": "user.login", "actor": named})).await;
    // Nothing of it is sealed.
    send(&rig, json!({"id": "clear", "event_type": "user.logout", "actor": customer})).await;
    send(
        &rig,
        json!({"id": "about", "event_type": "address.changed", "actor": clerk, "target": customer,
        "data": {"after": {"city": "Lisbon"}}}),
    )
    .await;
    send(&rig, json!({"id": "other", "event_type": "user.login", "actor": clerk})).await;
    let request = restrict(&rig).await;
    for id in ["by", "clear", "about"] {
        for role in [Role::Auditor, Role::Viewer] {
            assert_eq!(seen(&rig, role, id).await, (false, json!("restricted")), "{role} {id}");
        }
        for role in [Role::Admin, Role::PrivacyOfficer] {
            assert!(seen(&rig, role, id).await.0, "{role} {id}");
        }
        let content = format!("/v1/events/{id}/content");
        let asked = rig.request(Method::GET, &content, "acme", Role::Auditor);
        assert_problem(asked, 403, "SUBJECT_RESTRICTED").await;
        let proof = format!("/v1/events/{id}/proof");
        let proof = rig.request(Method::GET, &proof, "acme", Role::Auditor);
        let proof = body(proof.header("accept", "application/json").send().await.unwrap()).await;
        assert_eq!((&proof["content"], &proof["content_withheld"]), (&Value::Null, &json!(true)));
    }
    assert!(seen(&rig, Role::Auditor, "other").await.0);
    for path in ["/v1/events", "/api/v1/audit"] {
        let listed = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
        let listed = listed.text().await.unwrap();
        assert!(!listed.contains("cus-1") && listed.contains("emp-1"), "{listed}");
    }
    // What comes while it is in force is closed too.
    send(&rig, json!({"id": "later", "event_type": "user.login", "actor": {"type": "customer", "id": "cus-1"}})).await;
    assert_eq!(seen(&rig, Role::Auditor, "later").await, (false, json!("restricted")));
    let lifted = post(&rig, Role::PrivacyOfficer, &format!("{request}/lift"), json!({})).await;
    assert_eq!(lifted["state"], "done");
    assert!(seen(&rig, Role::Auditor, "by").await.0 && seen(&rig, Role::Viewer, "later").await.0);
    let again = rig.request(Method::POST, &format!("{request}/lift"), "acme", Role::Admin);
    assert_problem(again.json(&json!({})), 409, "REQUEST_STATE").await;
}
