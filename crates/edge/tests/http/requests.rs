//! What people ask about their own data, from the lookup to the certificate.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

fn event(id: &str) -> String {
    json!({
        "id": id, "event_type": "user.login", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"type": "customer", "id": "cus-1", "name": "Ana Lima"},
        "action": {"verb": "login"}, "metadata": {"door": "north"}
    })
    .to_string()
}

async fn call(rig: &Rig, role: Role, method: Method, path: &str, sent: Value) -> (u16, Value) {
    let response = rig.request(method, path, "acme", role).json(&sent).send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

async fn post(rig: &Rig, role: Role, path: &str, sent: Value) -> (u16, Value) {
    call(rig, role, Method::POST, path, sent).await
}

async fn lookup(rig: &Rig) -> Value {
    let (status, subject) = post(
        rig,
        Role::PrivacyOfficer,
        "/v1/subjects/lookup",
        json!({"type": "customer", "id": "cus-1"}),
    )
    .await;
    assert_eq!(status, 200, "{subject}");
    subject
}

async fn open(rig: &Rig, subject: &str) -> (u16, Value) {
    let path = format!("/v1/subjects/{subject}/erasure");
    let sent = json!({"basis": "consent_withdrawn", "reason": "letter of 3 March"});
    post(rig, Role::PrivacyOfficer, &path, sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_by_two_others() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    assert_eq!(rig.append("", event("e-1")).send().await.unwrap().status(), 201);
    let content = async || {
        let response = rig.request(Method::GET, "/v1/events/e-1/content", "acme", Role::Admin);
        response.send().await.unwrap().bytes().await.unwrap()
    };
    let before = content().await;
    let subject = lookup(&rig).await;
    assert_eq!(subject["live_keys"].as_array().unwrap().len(), 1);
    let id = subject["subject_id"].as_str().unwrap().to_owned();

    let (status, request) = open(&rig, &id).await;
    assert_eq!((status, request["state"].as_str()), (201, Some("received")), "{request}");
    assert_eq!(request["due_at"].as_str().unwrap().get(..10), Some("2024-06-01"));
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    let (status, checked) =
        post(&rig, Role::PrivacyOfficer, &format!("{at}/check-identity"), json!({})).await;
    assert_eq!((status, checked["state"].as_str()), (200, Some("identity_checked")));

    let approve = format!("{at}/approve");
    let (status, refused) = post(&rig, Role::PrivacyOfficer, &approve, json!({})).await;
    assert_eq!((status, refused["code"].as_str()), (403, Some("SECOND_PERSON_NEEDED")));
    let (status, approved) = post(&rig, Role::Admin, &approve, json!({"reason": "agreed"})).await;
    assert_eq!((status, approved["job"]["state"].as_str()), (200, Some("done")), "{approved}");
    let certificate = approved["job"]["result"]["certificate"].as_u64().unwrap();

    let shown =
        rig.request(Method::GET, "/v1/events/e-1", "acme", Role::Admin).send().await.unwrap();
    let shown = body(shown).await;
    assert_eq!(shown["hidden"][0]["why"], "erased", "{shown}");
    assert_eq!(shown["event"]["metadata"]["door"], "north");
    assert_eq!(content().await, before, "the ledger's bytes are as they were");
    let path = format!("/v1/events/_{certificate}");
    let shown = rig.request(Method::GET, &path, "acme", Role::Admin).send().await.unwrap();
    let said = &body(shown).await["event"]["erasure"];
    assert_eq!((said["sealed_contents"].as_u64(), said["subject"].as_str()), (Some(1), Some(&*id)));

    let (_, done) = call(&rig, Role::Auditor, Method::GET, &at, Value::Null).await;
    assert_eq!(done["state"], "done");
    let (status, second) = open(&rig, &id).await;
    assert_eq!((status, second["code"].as_str()), (409, Some("ALREADY_ERASED")), "{second}");
    assert!(second["detail"].as_str().unwrap().contains("erased at 2024-05-01T"), "{second}");
    assert_eq!(lookup(&rig).await["certificates"], json!([certificate]));
    let asked = |right: &str, asked: Value| {
        let path = format!("/v1/subjects/{id}/{right}");
        let rig = &rig;
        async move { call(rig, Role::PrivacyOfficer, Method::POST, &path, asked).await }
    };
    let again = json!({"basis": "objection", "again": true});
    let (status, opened) = asked("erasure", again).await;
    assert_eq!((status, opened["state"].as_str()), (201, Some("received")), "{opened}");
    let (status, refused) = asked("access", json!({"again": true})).await;
    assert_eq!((status, refused["code"].as_str()), (400, Some("INVALID_ARGUMENT")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    assert_eq!(rig.append("", event("e-1")).send().await.unwrap().status(), 201);
    let id = lookup(&rig).await["subject_id"].as_str().unwrap().to_owned();
    for (path, sent, status, code) in [
        ("/v1/subjects/lookup".to_owned(), json!({"type": "user"}), 400, "INVALID_ARGUMENT"),
        ("/v1/subjects/lookup".to_owned(), json!({"type": "", "id": ""}), 400, "INVALID_ARGUMENT"),
        (format!("/v1/subjects/{id}/erasure"), json!({}), 400, "INVALID_ARGUMENT"),
        (format!("/v1/subjects/{id}/erasure"), json!({"basis": "x"}), 400, "INVALID_ARGUMENT"),
        (
            format!("/v1/subjects/{id}/access"),
            json!({"basis": "objection"}),
            400,
            "INVALID_ARGUMENT",
        ),
        (format!("/v1/subjects/{id}/deletion"), json!({}), 404, "NOT_FOUND"),
        ("/v1/subjects/nobody/access".to_owned(), json!({}), 404, "UNKNOWN_SUBJECT"),
        ("/v1/requests/00/approve".to_owned(), json!({}), 404, "UNKNOWN_REQUEST"),
        (format!("/v1/requests/{}/extend", "0".repeat(32)), json!({}), 404, "UNKNOWN_REQUEST"),
    ] {
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&sent);
        assert_problem(request, status, code).await;
    }
    let (_, request) = open(&rig, &id).await;
    let (status, second) = open(&rig, &id).await;
    assert_eq!((status, second["code"].as_str()), (409, Some("ERASURE_OPEN")), "{second}");
    let first = request["id"].as_str().unwrap();
    assert!(second["detail"].as_str().unwrap().contains(first), "{second}");
    let at = format!("/v1/requests/{}", request["id"].as_str().unwrap());
    for (step, sent, status, code) in [
        ("refuse", json!({}), 400, "INVALID_ARGUMENT"),
        ("extend", json!({"ground": "excessive"}), 400, "INVALID_ARGUMENT"),
        ("forget", json!({}), 404, "NOT_FOUND"),
        ("approve", json!({}), 409, "REQUEST_STATE"),
    ] {
        let path = format!("{at}/{step}");
        let request = rig.request(Method::POST, &path, "acme", Role::Admin).json(&sent);
        assert_problem(request, status, code).await;
    }
    let refusal = json!({"ground": "legal_claims", "reason": "a case is open"});
    let (status, refused) = post(&rig, Role::Admin, &format!("{at}/refuse"), refusal).await;
    assert_eq!((status, refused["ground"].as_str()), (200, Some("legal_claims")));
    let (status, after) = open(&rig, &id).await;
    assert_eq!(status, 201, "the first one is not open any more: {after}");
    // Another tenant has no such request, and no such person.
    for path in [at, format!("/v1/subjects/{id}")] {
        let request = rig.request(Method::GET, &path, "beta", Role::Admin).send().await.unwrap();
        assert_eq!(request.status(), 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_shown_and_set() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let get = async |path: &str| {
        let response = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
        let tag = response.headers().get("etag").cloned();
        (tag, body(response).await)
    };
    let (tag, sealing) = get("/v1/policies/sealing").await;
    assert_eq!(sealing["document"]["preset"], "standard");
    assert_eq!(tag.unwrap(), "\"1\"");
    let put = async |tag: &str, sent: Value| {
        let request = rig.request(Method::PUT, "/v1/policies/sealing", "acme", Role::Admin);
        let response = request.header("if-match", tag).json(&sent).send().await.unwrap();
        (response.status().as_u16(), body(response).await)
    };
    let (status, stale) = put("\"7\"", json!({"preset": "strict"})).await;
    assert_eq!((status, stale["code"].as_str()), (412, Some("VERSION_CONFLICT")));
    let (status, set) = put("\"1\"", json!({"preset": "strict"})).await;
    assert_eq!((status, set["version"].as_u64()), (200, Some(2)), "{set}");
    assert!(set["set_by"]["audit_record"].is_u64());
    let bad = json!({"preset": "loose", "rules": [{"path": "nowhere", "class": "x"}]});
    let (status, faults) = put("\"2\"", bad).await;
    assert_eq!((status, faults["code"].as_str()), (400, Some("INVALID_POLICY")), "{faults}");
    let (_, all) = get("/v1/policies").await;
    assert_eq!(all["policies"][0]["version"], 2);
    let records = &all["contents_in_clear"]["records"];
    assert_eq!(
        all["contents_in_clear"],
        json!({"contents": 0, "looked_at": records, "records": records})
    );
    let (_, versions) = get("/v1/policies/sealing/versions").await;
    assert_eq!(versions["versions"][1]["set_by"], set["set_by"]);
    let (_, first) = get("/v1/policies/sealing/versions/1").await;
    assert_eq!((&first["document"], first["version"].as_u64()), (&sealing["document"], Some(1)));
    for missing in ["/v1/policies/sealing/versions/3", "/v1/policies/sealing/versions/x"] {
        let request = rig.request(Method::GET, missing, "acme", Role::Auditor);
        assert_problem(request, 404, "NOT_FOUND").await;
    }
    let request = rig.request(Method::GET, "/v1/policies/nothing", "acme", Role::Auditor);
    assert_problem(request, 404, "NOT_FOUND").await;
}
