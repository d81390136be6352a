//! A person who does nothing and whom things are done to is erased like any other: what names them is
//! sealed under their key, or found in clear.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::retention::{call, post, small_parts};
use crate::rig::{Rig, json as body};

fn chart(id: &str) -> String {
    json!({
        "id": id, "event_type": "chart.read", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"type": "user", "id": "dr-9", "name": "Dr Nine"},
        "target": {"type": "patient", "id": "p-8", "name": "Patricia Onyx"},
        "action": {"verb": "read", "description": "read the chart of Patricia Onyx"}
    })
    .to_string()
}

async fn append(rig: &Rig, event: String) {
    assert_eq!(rig.append("", event).send().await.unwrap().status(), 201);
}

async fn get(rig: &Rig, path: &str) -> Value {
    body(rig.request(Method::GET, path, "acme", Role::Admin).send().await.unwrap()).await
}

/// One chart from before anything was sealed, and one from after, in parts that are sealed.
async fn filled() -> Rig {
    let rig = small_parts(Some(Preset::None)).await;
    append(&rig, chart("before")).await;
    let policy = json!({"preset": "standard"});
    let path = "/v1/policies/sealing";
    assert_eq!(call(&rig, Role::Admin, Method::PUT, path, &policy).await.0, 200);
    append(&rig, chart("after")).await;
    for n in 0..40 {
        let pad = json!({"id": format!("p{n}"), "event_type": "pad"});
        append(&rig, pad.to_string()).await;
    }
    rig.store.inner().wait_until_sealed();
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_somebody_who_is_only_a_target() {
    let rig = filled().await;
    let content = get(&rig, "/v1/events/after/content").await.to_string();
    assert!(content.contains("p-8") && !content.contains("Patricia"), "{content}");
    let who = json!({"type": "patient", "id": "p-8"});
    let (_, subject) = post(&rig, Role::Admin, "/v1/subjects/lookup", who).await;
    assert_eq!(subject["live_keys"].as_array().unwrap().len(), 1, "{subject}");

    let path = format!("/v1/subjects/{}/erasure", subject["subject_id"].as_str().unwrap());
    let (_, request) = post(&rig, Role::Admin, &path, json!({"basis": "consent_withdrawn"})).await;
    let survey = &request["survey"]["result"];
    assert_eq!([&survey["sealed_contents"], &survey["clear_contents"]], [1, 1], "{survey}");
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    let terms = json!({"clear_contents": 1});
    let (_, done) = post(&rig, Role::PrivacyOfficer, &format!("{at}/approve"), terms).await;
    let number = done["job"]["result"]["certificate"].as_u64().unwrap();
    let certificate = get(&rig, &format!("/v1/events/_{number}")).await["event"]["erasure"].take();
    let counts = ["sealed_contents", "dropped_contents", "still_readable"];
    assert_eq!(counts.map(|name| &certificate[name]), [1, 1, 0], "{certificate}");

    for id in ["before", "after"] {
        let event = get(&rig, &format!("/v1/events/{id}")).await.to_string();
        assert!(!event.contains("Patricia"), "{event}");
    }
    // The doctor is somebody else, and is as readable as before.
    assert_eq!(get(&rig, "/v1/events/after").await["event"]["actor"]["name"], "Dr Nine");
    rig.assert_sound();
}
