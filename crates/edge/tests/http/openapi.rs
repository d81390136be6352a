//! The description of the interface agrees with the interface.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ledgerstone_edge::rest::{Access, ENDPOINTS, document};
use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::openapi_faults::{disagreements, faults};
use crate::rig::{Rig, json as body};

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            assert!(operation["responses"].as_object().unwrap().len() > 1, "{method} {path}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let is_reference = answer.get("$ref").is_some();
                let text = answer["description"].as_str().unwrap_or_default();
                assert!(is_reference || !text.is_empty(), "{method} {path} {status}");
            }
            let said = operation["summary"].as_str().or(operation["description"].as_str());
            assert!(said.is_some_and(|text| text.len() > 10), "{method} {path} is not described");
        }
    }
    let mut there = BTreeSet::new();
    for endpoint in ENDPOINTS {
        for (method, path) in endpoint.places() {
            let path = path.replace("{*", "{");
            let operation = &document["paths"][&path][method.as_str().to_lowercase()];
            let is_public = endpoint.access() == Access::Public;
            assert_eq!(operation["security"].as_array().unwrap().is_empty(), is_public, "{path}");
            there.insert((method.to_string(), path));
        }
    }
    assert_eq!(described, there);
}

#[test]
fn the_committed_document_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let committed: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(faults(&committed), Vec::<String>::new());
    assert_eq!(faults(&document()), Vec::<String>::new());
}

/// What the validator is for: each of these is found, and nothing else.
#[test]
fn a_document_that_is_not_valid_is_found() {
    let event = "/paths/~1v1~1events~1{id}/get";
    for (place, value, words) in [
        ("/openapi", json!("3.0.0"), "does not match"),
        ("/info/title", Value::Null, "is not of type"),
        ("/info/colour", json!("red"), "Unevaluated"),
        (&format!("{event}/responses/200/description"), json!(7), "is not of type"),
        (&format!("{event}/parameters/0/required"), json!(false), "true was expected"),
        (&format!("{event}/parameters/0/name"), json!("ids"), "the path has {\"id\"}"),
        (&format!("{event}/parameters/0/schema/type"), json!("text"), "is not valid under any"),
        (&format!("{event}/parameters/0/example"), json!("a b"), "does not match"),
        (&format!("{event}/operationId"), json!("get_v1_events"), "stands twice"),
        ("/components/schemas/Health/type", json!("thing"), "is not valid under any"),
        ("/components/schemas/Health/examples", json!([{"status": 1}]), "is not of type"),
        (
            "/components/schemas/AuditHealth/properties/components/items/$ref",
            json!("#/components/schemas/Nothing"),
            "leads nowhere",
        ),
    ] {
        let mut document = document();
        let (parent, name) = place.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[name] = value;
        let found = faults(&document);
        assert!(found.iter().any(|fault| fault.contains(words)), "{place}: {found:#?}");
    }
}

/// What the schema of an event says is what the server does.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_the_schema_allows_are_taken_and_others_are_not() {
    let rig = Rig::start().await;
    let (long, too_long) = ("t".repeat(256), "t".repeat(257));
    for (event, is_taken) in [
        (json!({"event_type": "a.b"}), true),
        (json!({"event_type": long}), true),
        (json!({"event_type": too_long}), false),
        (json!({"event_type": ""}), false),
        (json!({"event_type": "a\tb"}), false),
        (json!({"event_type": "system.a"}), false),
        (json!({"event_type": "_a"}), false),
        (json!({"event_type": null}), false),
        (json!({}), false),
        (json!([]), false),
        (json!("a.b"), false),
        (json!({"event_type": "a", "id": "e:1.2_3-4"}), true),
        (json!({"event_type": "a", "id": "_1"}), false),
        (json!({"event_type": "a", "id": "a b"}), false),
        (json!({"event_type": "a", "id": null, "severity": null, "actor": null}), true),
        (json!({"event_type": "a", "timestamp": "2024-05-01T11:59:58.123+02:00"}), true),
        (json!({"event_type": "a", "timestamp": "yesterday"}), false),
        (json!({"event_type": "a", "severity": "high"}), true),
        (json!({"event_type": "a", "severity": "extreme"}), false),
        (json!({"event_type": "a", "actor": "bob"}), false),
        (json!({"event_type": "a", "actor": {"id": "b", "shoe": 47}}), true),
        (json!({"event_type": "a", "actor": {"id": 7}}), false),
        (json!({"event_type": "a", "tenant_id": "acme"}), true),
        (json!({"event_type": "a", "tenant_id": "A"}), false),
        (json!({"event_type": "a", "data": {"before": [1, {"x": -1.5}], "after": null}}), true),
        (json!({"event_type": "a", "own": {"deep": [9_007_199_254_740_991_u64]}}), true),
        (json!({"event_type": "a", "ai_specific": {"confidence_score": 0.5}}), true),
        (json!({"event_type": "a", "ai_specific": {"confidence_score": 1.5}}), false),
        (json!({"event_type": "a", "ai_specific": {"prompt_tokens": 1.5}}), false),
        (json!({"event_type": "a", "ai_specific": {"tools_used": ["x", "y"]}}), true),
        (json!({"event_type": "a", "ai_specific": {"tools_used": ["x", 7]}}), false),
        (json!({"event_type": "a", "security": {"pii_detected": "no"}}), false),
        (json!({"event_type": "a", "_own": 1}), false),
        (json!({"event_type": "a", "actor": {"_own": 1}}), false),
        (json!({"event_type": "a", "metadata": {"_own": 1, "intake": 1}}), true),
        (json!({"event_type": "a", "intake": {}}), false),
    ] {
        let found = disagreements("/components/schemas/Event", &event);
        assert_eq!(found.is_empty(), is_taken, "the schema on {event}: {found:?}");
        let status = rig.append("", event.to_string()).send().await.unwrap().status();
        assert_eq!(status == 201, is_taken, "the server on {event}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_read_it() {
    let rig = Rig::start().await;
    let served = rig.anonymous(Method::GET, "/openapi.json").send().await.unwrap();
    assert_eq!(served.status(), 200);
    assert_eq!(body(served).await, document());
    let page = rig.anonymous(Method::GET, "/docs").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("POST /v1/events"));
}

/// What the document says of the JSON of an answer, against one that was given.
#[track_caller]
fn assert_as_described(operation: (&str, &str), status: u16, answer: &Value) {
    let (method, path) = operation;
    let path = path.replace('/', "~1");
    let schema =
        format!("/paths/{path}/{method}/responses/{status}/content/application~1json/schema");
    let found = disagreements(&schema, answer);
    assert!(found.is_empty(), "{method} {path} {status}: {found:?}\n{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_events_are_as_the_document_says() {
    let rig = Rig::start().await;
    let one = |id: &str| json!({"event_type": "user.login", "id": id, "actor": {"id": "u"}});
    let append = ("post", "/v1/events");
    for (query, sent, status) in [
        ("", one("e-1"), 201),
        ("", one("e-1"), 200),
        ("?wait=checkpoint", one("e-2"), 201),
        ("?wait=none", one("e-3"), 202),
        ("", json!([one("e-4"), one("e-1")]), 200),
        ("?wait=checkpoint", json!([one("e-5")]), 200),
        ("?wait=none", json!([one("e-6")]), 202),
        ("", json!([one("e-7"), {}]), 207),
        ("", json!([{}, one("a b")]), 422),
    ] {
        let answer = rig.append(query, sent.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{query} {sent}");
        assert_as_described(append, status, &body(answer).await);
    }
    let flat = json!({"event_type": "a.b", "agent_id": "a-1", "payload": {"n": 1}});
    let sent = rig.request(Method::POST, "/api/v1/audit/events", "acme", Role::Writer).json(&flat);
    let id = body(sent.send().await.unwrap()).await["id"].as_str().unwrap().to_owned();
    for (path, asked, role) in [
        ("/v1/events", "/v1/events?limit=3".to_owned(), Role::Admin),
        ("/v1/events", "/v1/events".to_owned(), Role::Viewer),
        ("/v1/events/{id}", format!("/v1/events/{id}"), Role::Admin),
        ("/v1/events/{id}/proof", "/v1/events/e-1/proof".to_owned(), Role::Admin),
        ("/v1/events/{id}/proof", "/v1/events/e-1/proof".to_owned(), Role::Viewer),
        ("/api/v1/audit/events", "/api/v1/audit/events".to_owned(), Role::Admin),
        ("/api/v1/audit", "/api/v1/audit".to_owned(), Role::Viewer),
        ("/api/v1/audit/events/{id}", format!("/api/v1/audit/events/{id}"), Role::Admin),
        ("/api/v1/audit/{id}", format!("/api/v1/audit/{id}?shape=entity"), Role::Admin),
    ] {
        let request = rig.request(Method::GET, &asked, "acme", role);
        let answer = request.header("accept", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{asked}");
        assert_as_described(("get", path), 200, &body(answer).await);
    }
}
