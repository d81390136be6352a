//! Retention policies: what lets things go earlier needs two people.

use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, json as body};

const PATH: &str = "/v1/policies/retention";

async fn put(rig: &Rig, policy: Value) -> (u16, Value) {
    let request = rig.request(Method::PUT, PATH, "acme", Role::Admin).json(&policy);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

async fn approve(rig: &Rig, role: Role, system_record: &Value) -> (u16, Value) {
    let request = rig.request(Method::POST, &format!("{PATH}/approve"), "acme", role);
    let response = request.json(&json!({"system_record": system_record})).send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

async fn get(rig: &Rig) -> Value {
    body(rig.request(Method::GET, PATH, "acme", Role::Auditor).send().await.unwrap()).await
}

fn rule(period: &str) -> Value {
    json!({"presets": ["pci"], "rules": [{"name": "calls", "maximum": period,
        "filter": {"field": "event_type", "like": "call.%"}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_things_go_earlier_is_approved_by_a_second_person() {
    let rig = Rig::start().await;
    assert_eq!(get(&rig).await["document"]["presets"], json!(["standard"]));
    let (status, set) = put(&rig, json!({"presets": ["pci"]})).await;
    assert_eq!((status, set["version"].as_u64()), (200, Some(1)), "{set}");
    let (status, problem) = approve(&rig, Role::PrivacyOfficer, &json!(1)).await;
    assert_eq!((status, problem["code"].as_str()), (404, Some("NOT_FOUND")));

    let (status, proposed) = put(&rig, rule("P2Y")).await;
    assert_eq!((status, proposed["version"].as_u64()), (202, Some(1)), "{proposed}");
    assert_eq!(proposed["document"]["rules"], json!([]));
    assert_eq!(proposed["proposed"]["version"], 2);
    assert_eq!(proposed["proposed"]["document"], rule("P2Y"));
    assert_eq!(get(&rig).await, proposed);

    let proposal = &proposed["proposed"]["system_record"];
    let (status, problem) = approve(&rig, Role::Admin, proposal).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("SECOND_PERSON_NEEDED")));
    // A proposal that took the place of the one that was seen is not approved with it.
    let (_, other) = put(&rig, rule("P1D")).await;
    let (status, problem) = approve(&rig, Role::PrivacyOfficer, proposal).await;
    assert_eq!((status, problem["code"].as_str()), (412, Some("VERSION_CONFLICT")));
    assert_eq!(other["proposed"]["version"], 2);
    let (_, proposed) = put(&rig, rule("P2Y")).await;
    let proposal = &proposed["proposed"]["system_record"];
    let (status, approved) = approve(&rig, Role::PrivacyOfficer, proposal).await;
    assert_eq!((status, approved["version"].as_u64()), (200, Some(2)), "{approved}");
    assert_eq!(approved["document"], rule("P2Y"));
    assert_eq!(get(&rig).await, approved);
    let (status, _) = approve(&rig, Role::PrivacyOfficer, proposal).await;
    assert_eq!(status, 404);

    // What keeps things longer needs one person, and a proposal comes to nothing by it.
    assert_eq!(put(&rig, rule("P18M")).await.0, 202);
    let (status, longer) = put(&rig, rule("P3Y")).await;
    assert_eq!((status, longer["version"].as_u64()), (200, Some(3)), "{longer}");
    assert_eq!(approve(&rig, Role::PrivacyOfficer, &json!(9)).await.0, 404);
    assert!(get(&rig).await.get("proposed").is_none());
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_contradictions_are_named() {
    let rig = Rig::start().await;
    let named = json!({"rules": [{"name": "a", "minimum": "P1Y",
        "filter": {"field": "actor.id", "eq": "ana@example.com"}}]});
    let (status, problem) = put(&rig, named).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("INVALID_POLICY")), "{problem}");
    let (status, set) = put(
        &rig,
        json!({"presets": ["sec"], "rules": [
        {"name": "gone", "maximum": "P5Y"}]}),
    )
    .await;
    assert_eq!(status, 202);
    let told = "gone lets go after P5Y what sec keeps for P6Y; it is kept";
    assert_eq!(set["proposed"]["contradictions"], json!([told]), "{set}");
}
