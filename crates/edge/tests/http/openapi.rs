//! The description of the interface agrees with the interface.

use std::collections::BTreeSet;

use ledgerstone_edge::rest::{Access, ENDPOINTS, document};
use reqwest::Method;
use serde_json::Value;

use crate::rig::{Rig, json as body};

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut described = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} stands twice");
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
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(to) = members.get("$ref").and_then(Value::as_str) {
                    let pointer = to.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
                }
                members.values().for_each(|member| walk(member, document));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, document)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
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
