//! What holds for every route of the table: no parameter is ignored, and a path that cannot be read
//! is a problem like any other.

use ledgerstone_edge::rest::{ENDPOINTS, Endpoint, document};
use ledgerstone_model::access::Role;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::rig::{Rig, json};

/// A name that no route knows.
const UNKNOWN: &str = "colour";

/// Every place of the table.
fn places() -> impl Iterator<Item = (&'static Endpoint, Method, String)> {
    let of = |endpoint: &'static Endpoint| {
        endpoint.places().into_iter().map(move |(method, path)| (endpoint, method, path))
    };
    ENDPOINTS.iter().flat_map(of)
}

/// Sends it as one who may.
async fn ask(rig: &Rig, method: &Method, path: &str) -> (StatusCode, Value) {
    let mut answer = None;
    for tenant in ["acme", "_system"] {
        let mut request = rig.request(method.clone(), path, tenant, Role::Admin);
        if method != Method::GET {
            request = request.header("content-type", "application/json").body("{}");
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let is_problem = response.headers()["content-type"] == "application/problem+json";
        assert!(is_problem, "{method} {path}: {status}");
        let is_forbidden = status == StatusCode::FORBIDDEN;
        answer = Some((status, json(response).await));
        if !is_forbidden {
            break;
        }
    }
    answer.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_parameter_is_ignored() {
    let rig = Rig::start().await;
    let before = (rig.size("acme"), rig.size("_system"));
    let document = document();
    for (endpoint, method, path) in places() {
        let operation = &document["paths"][path.replace("{*", "{")][method.as_str().to_lowercase()];
        let path = path.replace("{tenant}", "acme").replace(['{', '}', '*'], "");
        let (status, problem) = ask(&rig, &method, &format!("{path}?{UNKNOWN}=red")).await;
        let (code, detail) = (problem["code"].as_str(), problem["detail"].as_str().unwrap());
        assert_eq!(status, 400, "{method} {path}: {problem}");
        if !endpoint.is_there() {
            assert_eq!(code, Some("NOT_SUPPORTED_YET"), "{method} {path}");
            continue;
        }
        assert_eq!(code, Some("INVALID_ARGUMENT"), "{method} {path}: {problem}");
        assert!(detail.contains(&format!("no parameter {UNKNOWN:?} here")), "{path}: {detail}");
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described: Vec<_> = parameters.filter(|one| one["in"] == "query").collect();
        if described.is_empty() {
            assert!(detail.ends_with("this route takes none"), "{method} {path}: {detail}");
        }
        for parameter in described {
            let name = parameter["name"].as_str().unwrap();
            assert!(detail.contains(name), "{method} {path} takes {name}: {detail}");
        }
    }
    assert_eq!(before, (rig.size("acme"), rig.size("_system")), "what was refused did something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_read_is_a_problem() {
    let rig = Rig::start().await;
    let before = (rig.size("acme"), rig.size("_system"));
    let mut tried = 0;
    for (_, method, path) in places() {
        let pieces: Vec<&str> = path.split('/').collect();
        for (at, _) in pieces.iter().enumerate().filter(|(_, piece)| piece.starts_with('{')) {
            for broken in ["%ff", "a%c3%28", "%e2%82", "%", "%2", "%zz", "a%0gb"] {
                let mut pieces = pieces.clone();
                pieces[at] = broken;
                let path =
                    pieces.join("/").replace("{tenant}", "acme").replace(['{', '}', '*'], "");
                let (status, problem) = ask(&rig, &method, &path).await;
                assert_eq!(status, 400, "{method} {path}: {problem}");
                assert_eq!(problem["code"], "INVALID_ARGUMENT", "{method} {path}: {problem}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} were tried");
    assert_eq!(before, (rig.size("acme"), rig.size("_system")), "what was refused did something");
}
