//! Verification over HTTP, and the jobs that do it.

use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

async fn fill(rig: &Rig, count: usize) {
    let events: Vec<String> =
        (0..count).map(|n| TestEvent::new("user.login").id(&format!("e{n}")).json()).collect();
    let response = rig.append("", format!("[{}]", events.join(","))).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

fn verify(rig: &Rig, tenant: &str, wish: &str) -> RequestBuilder {
    rig.request(Method::POST, "/v1/verify", tenant, Role::Auditor)
        .header("content-type", "application/json")
        .body(wish.to_owned())
}

async fn ended(rig: &Rig, tenant: &str, wish: &str) -> Value {
    let response = verify(rig, tenant, wish).send().await.unwrap();
    assert_eq!(response.status(), 200, "{wish}");
    body(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_verification_is_answered_with_its_result() {
    let rig = Rig::start().await;
    fill(&rig, 20).await;
    let size = rig.size("acme");
    let job = ended(&rig, "acme", "").await;
    assert_eq!((&job["state"], &job["percent"]), (&json!("done"), &json!(100)));
    let result = &job["result"];
    assert_eq!((&result["holds"], &result["level"]), (&json!(true), &json!("full")));
    assert_eq!((&result["size"], &result["records_checked"]), (&json!(size), &json!(size)));
    assert_eq!(result["tenant_id"], "acme");

    let range = ended(&rig, "acme", r#"{"level":"tree","from":3,"to":9,"tenant":"acme"}"#).await;
    assert_eq!(range["result"]["records_checked"], 6);
    assert_eq!(range["result"]["level"], "tree");
    assert_eq!(range["request"], json!({"from": 3, "level": "tree", "scope": "range", "to": 9}));

    let get = |path: &str| rig.request(Method::GET, path, "acme", Role::Auditor).send();
    let place = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    assert_eq!(body(get(&place).await.unwrap()).await, job);
    let listed = body(get("/v1/jobs").await.unwrap()).await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 2);
    assert!(listed["jobs"][0].get("result").is_none(), "lists leave results out");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_deployment_itself_sees_more_than_its_own() {
    let rig = Rig::start().await;
    fill(&rig, 5).await;
    let acme = ended(&rig, "acme", "{}").await;
    assert!(!acme["result"].to_string().contains("beta"));
    let everything = ended(&rig, "_system", "{}").await;
    assert_eq!(everything["result"]["ledgers"].as_array().unwrap().len(), 3);
    let own = ended(&rig, "_system", r#"{"tenant":"_system"}"#).await;
    assert_eq!(own["result"]["tenant_id"], "_system");
    let foreign = verify(&rig, "acme", r#"{"tenant":"beta"}"#);
    assert_problem(foreign, 404, "UNKNOWN_TENANT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_tenant_is_not_there() {
    let rig = Rig::start().await;
    let job = ended(&rig, "acme", "{}").await;
    let place = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
    for method in [Method::GET, Method::DELETE] {
        for tenant in ["beta", "_system"] {
            let request = rig.request(method.clone(), &place, tenant, Role::Admin);
            assert_problem(request, 404, "NOT_FOUND").await;
        }
        for id in ["none", "..%2Fevents", "00000000-0000-7000-8000-000000000000"] {
            let path = format!("/v1/jobs/{id}");
            let request = rig.request(method.clone(), &path, "acme", Role::Admin);
            assert_problem(request, 404, "NOT_FOUND").await;
        }
    }
    let cancelled = rig.request(Method::DELETE, &place, "acme", Role::Auditor).send().await;
    assert_eq!(body(cancelled.unwrap()).await["state"], "done", "what has ended stays as it is");
    for role in [Role::Viewer, Role::Writer] {
        let request = rig.request(Method::POST, "/v1/verify", "acme", role);
        assert_problem(request, 403, "FORBIDDEN").await;
        assert_problem(rig.request(Method::GET, "/v1/jobs", "acme", role), 403, "FORBIDDEN").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_without_meaning_are_refused() {
    let rig = Rig::start().await;
    fill(&rig, 5).await;
    let size = rig.size("acme");
    for (wish, status, code) in [
        ("{", 400, "NOT_JSON"),
        ("[]", 400, "INVALID_ARGUMENT"),
        (r#"{"level":"deep"}"#, 400, "INVALID_ARGUMENT"),
        (r#"{"levle":"full"}"#, 400, "INVALID_ARGUMENT"),
        (r#"{"from":5,"to":5}"#, 400, "INVALID_ARGUMENT"),
        (r#"{"from":-1}"#, 400, "INVALID_ARGUMENT"),
        (&format!(r#"{{"to":{}}}"#, size + 1), 400, "INVALID_ARGUMENT"),
        (&format!(r#"{{"from":{size}}}"#), 400, "INVALID_ARGUMENT"),
        (&" ".repeat(70_000), 413, "INPUT_TOO_LARGE"),
    ] {
        assert_problem(verify(&rig, "acme", wish), status, code).await;
    }
    let xml = rig.request(Method::POST, "/v1/verify", "acme", Role::Auditor);
    let xml = xml.header("content-type", "text/xml").body("<verify/>");
    assert_problem(xml, 415, "UNSUPPORTED_MEDIA_TYPE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_other_services_verify_under_their_own_routes() {
    let rig = Rig::start().await;
    fill(&rig, 5).await;
    let size = rig.size("acme");
    let route = |method| rig.request(method, "/api/v1/audit/verify", "acme", Role::Auditor);
    let posted = route(Method::POST)
        .header("content-type", "application/json")
        .body(r#"{"verify_all": true}"#);
    for request in [route(Method::GET), posted] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let flat = body(response).await;
        assert_eq!((&flat["valid"], &flat["status"]), (&json!(true), &json!("done")));
        assert_eq!((&flat["total_events"], &flat["invalid_events"]), (&json!(size), &json!(0)));
        assert_eq!(flat["errors"], json!([]));
    }
    let some = route(Method::POST)
        .header("content-type", "application/json")
        .body(r#"{"verify_all": false}"#);
    assert_problem(some, 400, "NOT_SUPPORTED_YET").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_and_named() {
    let rig = Rig::start().await;
    fill(&rig, 5).await;
    rig.flip_content_byte();
    let job = ended(&rig, "acme", "{}").await;
    assert_eq!(job["result"]["holds"], false, "{job}");
    let found = job["result"]["findings"].as_array().unwrap().len()
        + job["result"]["foundation"].as_array().unwrap().len();
    assert!(found > 0);
    let flat = rig.request(Method::GET, "/api/v1/audit/verify", "acme", Role::Auditor);
    let flat = body(flat.send().await.unwrap()).await;
    assert_eq!(flat["valid"], false);
    assert!(!flat["errors"].as_array().unwrap().is_empty());
}
