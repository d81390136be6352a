//! What is wrong with a request's parameters is said in the words of the interface.

use std::collections::BTreeSet;

use ledgerstone_edge::rest::document;
use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::Value;

use crate::rig::{Rig, assert_problem};

/// The routes that take events.
const APPENDS: [&str; 4] =
    ["/v1/events", "/api/v1/audit/events", "/api/v1/audit", "/api/audit/event"];

fn declared(path: &str, place: &str) -> BTreeSet<String> {
    let document = document();
    let parameters = document["paths"][path]["post"]["parameters"].as_array().unwrap();
    let of_place = parameters.iter().filter(|parameter| parameter["in"] == place);
    of_place.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

fn detail(problem: &Value) -> &str {
    problem["detail"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_appends_read_is_declared() {
    let rig = Rig::start().await;
    let values = [
        ("wait", "durable"),
        ("atomic", "false"),
        ("shape", "agent"),
        ("format", "cloudtrail"),
        ("numbers", "quote"),
    ];
    for path in APPENDS {
        let append = |query: &str| {
            let path = format!("{path}?{query}");
            let request = rig.request(Method::POST, &path, "acme", Role::Writer);
            request.header("content-type", "application/json").body("[]")
        };
        // A server that reads a parameter names it where another is not known.
        let problem = assert_problem(append("colour=red"), 400, "INVALID_ARGUMENT").await;
        let (_, read) = detail(&problem).split_once("there are ").unwrap();
        let read: BTreeSet<String> = read.split(", ").map(ToOwned::to_owned).collect();
        assert_eq!(declared(path, "query"), read, "{path}");
        assert_eq!(read, values.iter().map(|(name, _)| (*name).to_owned()).collect(), "{path}");
        for (name, value) in values {
            let problem = assert_problem(append(&format!("{name}={value}")), 400, "EMPTY_INPUT");
            problem.await;
        }
        let headers = ["Content-Encoding", "Idempotency-Key"].map(ToOwned::to_owned);
        assert_eq!(declared(path, "header"), BTreeSet::from(headers), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parameter_that_is_wrong_is_named_with_what_is_allowed() {
    let rig = Rig::start().await;
    for (method, path, words) in [
        (Method::GET, "/v1/events?limit=x", "limit is a whole number from 1 to 1000"),
        (Method::GET, "/v1/events?order=up", "order is newest or sequence"),
        (
            Method::GET,
            "/v1/events?colour=red",
            "there is no parameter \"colour\" here; there are from, to, order, limit, cursor",
        ),
        (
            Method::GET,
            "/api/v1/audit?colour=red",
            "there is no parameter \"colour\" here; there are start_date, start_time, end_date, end_time, shape, page, page_size",
        ),
        (Method::GET, "/v1/dead-letters?limit=x", "limit is a whole number from 1 to 1000"),
        (Method::GET, "/v1/dead-letters?limit=0", "limit is a whole number from 1 to 1000"),
        (
            Method::GET,
            "/v1/proofs/inclusion?sequence_number=0",
            "tree_size is missing; it is a whole number from 1 to 18446744073709551615",
        ),
        (
            Method::GET,
            "/v1/proofs/consistency?from=1&from=1&to=2",
            "from stands twice; give it once",
        ),
        (Method::POST, "/v1/events?atomic=maybe", "atomic is true or false"),
        (Method::POST, "/v1/events?wait=long", "wait is durable or none or checkpoint"),
    ] {
        let request = rig.request(method, path, "acme", Role::Admin).body("{}");
        let problem = assert_problem(request, 400, "INVALID_ARGUMENT").await;
        assert_eq!(detail(&problem), words, "{path}");
        assert!(problem["remedy"].as_str().unwrap().contains("/openapi.json"), "{problem}");
    }
}
