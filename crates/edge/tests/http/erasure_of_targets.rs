//! A person who does nothing and whom things are done to is erased like any other: what names them is
//! sealed under their key, or found in clear.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::erasure_in_clear::approval;
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

/// A type that no policy names: what is sealed of the client is sealed for the doctor.
fn visit(id: &str, kind: &str) -> String {
    json!({
        "id": id, "event_type": "visit.noted", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"type": "user", "id": "dr-9", "name": "Dr Nine"},
        "target": {"type": kind, "id": "cl-9", "name": "Clara Nine"},
        "data": {"metadata": {"iban": "NL91ABNA0417164300"}}
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_target_whose_type_is_no_persons() {
    for kind in ["client", "Customer"] {
        let rig = filled().await;
        append(&rig, visit("visit", kind)).await;
        for n in 0..40 {
            append(&rig, json!({"id": format!("q{n}"), "event_type": "pad"}).to_string()).await;
        }
        rig.store.inner().wait_until_sealed();
        let who = json!({"type": kind, "id": "cl-9"});
        let (_, subject) = post(&rig, Role::Admin, "/v1/subjects/lookup", who).await;
        let note = subject["note"].as_str().unwrap();
        assert!(note.contains(kind) && note.contains("customer"), "{note}");

        let path = format!("/v1/subjects/{}/erasure", subject["subject_id"].as_str().unwrap());
        let basis = json!({"basis": "consent_withdrawn"});
        let (_, request) = post(&rig, Role::Admin, &path, basis).await;
        let survey = &request["survey"]["result"];
        let counts = ["sealed_contents", "clear_contents", "sealed_for_others"];
        // The name stands in clear as well.
        assert_eq!(counts.map(|name| &survey[name]), [0, 1, 0], "{survey}");
        assert_eq!(survey["note"].as_str(), Some(note));
        let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
        post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
        let approve = format!("{at}/approve");
        let (_, stopped) = post(&rig, Role::PrivacyOfficer, &approve, json!({})).await;
        assert_eq!(stopped["job"]["error"]["code"], "MORE_IN_CLEAR", "{stopped}");
        let terms = json!({"clear_contents": 1});
        let (_, done) = post(&rig, Role::PrivacyOfficer, &approve, terms).await;
        assert_eq!(done["job"]["state"], "done", "{done}");
        let event = get(&rig, "/v1/events/visit").await.to_string();
        assert!(!event.contains("Clara") && !event.contains("NL91"), "{event}");
        rig.assert_sound();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_for_others_stays_where_the_approval_says_so() {
    let rig = filled().await;
    append(&rig, visit("visit", "client").replace(r#","name":"Clara Nine""#, "")).await;
    let who = json!({"type": "client", "id": "cl-9"});
    let (_, subject) = post(&rig, Role::Admin, "/v1/subjects/lookup", who).await;
    let path = format!("/v1/subjects/{}/erasure", subject["subject_id"].as_str().unwrap());
    let basis = json!({"basis": "consent_withdrawn"});
    let (_, request) = post(&rig, Role::Admin, &path, basis).await;
    let survey = &request["survey"]["result"];
    let counts = ["clear_contents", "sealed_for_others"];
    assert_eq!(counts.map(|name| &survey[name]), [1, 1], "{survey}");
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    post(&rig, Role::Admin, &format!("{at}/check-identity"), json!({})).await;
    let terms = json!({"keep_sealed_for_others": true});
    let (_, done) = post(&rig, Role::PrivacyOfficer, &format!("{at}/approve"), terms).await;
    let number = done["job"]["result"]["certificate"].as_u64().unwrap();
    let certificate = get(&rig, &format!("/v1/events/_{number}")).await["event"]["erasure"].take();
    let counts = ["dropped_contents", "still_readable", "sealed_for_others"];
    assert_eq!(counts.map(|name| &certificate[name]), [0, 1, 1], "{certificate}");
    let started = format!("/v1/events/_{}", certificate["started_record"]);
    let reach = get(&rig, &started).await["event"]["erasure_started"]["reach"].take();
    assert_eq!(reach["clear_contents_approved"], 0, "{reach}");
    assert_eq!(reach["keep_sealed_for_others"], true, "{reach}");
    let approval = approval(&rig, &reach).await;
    let said = ["clear_contents", "keep_sealed_for_others"];
    let said = said.map(|name| &approval["data"]["metadata"][name]);
    assert_eq!(said, [&json!(0), &json!(true)], "{approval}");
    let event = get(&rig, "/v1/events/visit").await.to_string();
    assert!(event.contains("NL91"), "{event}");
    rig.assert_sound();
}
