//! Events whose senders do not wait: what becomes of them is counted, and a refusal is not lost.

use std::time::Duration;

use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json};

use crate::metrics::{metrics, sample};
use crate::rig::{Rig, json as body};

fn event(event_type: &str, id: &str) -> String {
    TestEvent::new(event_type).id(id).json()
}

async fn letters(rig: &Rig) -> Vec<Value> {
    let listed = rig.request(Method::GET, "/v1/dead-letters", "acme", Role::Admin);
    let listed = body(listed.send().await.unwrap()).await;
    listed["dead_letters"].as_array().unwrap().clone()
}

/// The letters once there are so many.
async fn letters_when(rig: &Rig, count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let found = letters(rig).await;
        if found.len() == count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", letters(rig).await);
}

async fn queue(rig: &Rig, media_type: &str, text: String) {
    let path = "/v1/events?wait=none";
    let request = rig.request(Method::POST, path, "acme", Role::Writer);
    let response = request.header("content-type", media_type).body(text).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let answer = response.text().await.unwrap();
    assert!(answer.contains("\"queued\"") && !answer.contains("rejected\","), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_queued_events_is_counted_and_refusals_are_kept() {
    let rig = Rig::start().await;
    for id in ["a", "b", "c"] {
        assert_eq!(rig.append("", event("user.login", id)).send().await.unwrap().status(), 201);
    }
    let (one, lines) = ("application/json", "application/x-ndjson");
    queue(&rig, one, event("user.logout", "a")).await;
    let array = [event("user.login", "d"), event("user.logout", "b"), event("user.login", "a")];
    queue(&rig, one, format!("[{}]", array.join(","))).await;
    queue(&rig, lines, format!("{}\n{}\n", event("user.login", "e"), event("user.logout", "c")))
        .await;
    let kept = letters_when(&rig, 3).await;
    let mut texts = Vec::new();
    for letter in kept {
        assert_eq!((&letter["code"], &letter["state"]), (&json!("ID_CONFLICT"), &json!("open")));
        let path = format!("/v1/dead-letters/{}", letter["id"].as_str().unwrap());
        let shown = rig.request(Method::GET, &path, "acme", Role::Admin).send().await.unwrap();
        texts.push(body(shown).await["text"].as_str().unwrap().to_owned());
    }
    texts.sort();
    let mut sent = ["a", "b", "c"].map(|id| event("user.logout", id));
    sent.sort();
    assert_eq!(texts, sent);
    let text = metrics(&rig).await;
    for (name, value) in [
        ("events_processed_total", 5.0),
        (r#"audit_events_total{event_type="user.login",status="created"}"#, 5.0),
        (r#"audit_events_total{event_type="user.login",status="duplicate"}"#, 1.0),
        (r#"audit_events_total{event_type="user.login",status="queued"}"#, 3.0),
        (r#"audit_events_total{event_type="user.logout",status="queued"}"#, 3.0),
        (r#"audit_events_total{event_type="user.logout",status="rejected"}"#, 3.0),
        (r#"ledgerstone_dead_letters_total{outcome="kept"}"#, 3.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_counted() {
    let rig = Rig::start().await;
    let bad = r#"{"event_type":"user.login","severity":"extreme"}"#;
    let problem = body(rig.append("", bad).send().await.unwrap()).await;
    let path = format!("/v1/dead-letters/{}/resend", problem["dead_letter"].as_str().unwrap());
    let resend = |text: &'static str| {
        let request = rig.request(Method::POST, &path, "acme", Role::Admin);
        request.header("content-type", "application/json").body(text)
    };
    assert_eq!(resend(bad).send().await.unwrap().status(), 422);
    let good = r#"{"event_type":"user.login","severity":"high"}"#;
    assert_eq!(resend(good).send().await.unwrap().status(), 201);
    let text = metrics(&rig).await;
    for (name, value) in [
        ("events_processed_total", 1.0),
        (r#"audit_events_total{event_type="user.login",status="created"}"#, 1.0),
        (r#"audit_events_total{event_type="user.login",status="rejected"}"#, 2.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
}
