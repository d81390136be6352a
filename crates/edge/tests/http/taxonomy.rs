//! Taxonomies over HTTP, and what they do to events on every way in.

use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

pub fn put(rig: &Rig, tenant: &str, document: &Value) -> RequestBuilder {
    rig.request(Method::PUT, "/v1/taxonomy", tenant, Role::Admin)
        .header("content-type", "application/json")
        .body(document.to_string())
}

pub fn login_only(mode: &str) -> Value {
    json!({"mode": mode, "event_types": {
        "user.login": {"description": "somebody came in", "schema": {
            "required": ["actor"], "properties": {"actor": {"required": ["id"]}},
        }},
    }})
}

async fn check(rig: &Rig, events: &Value) -> Value {
    let request = rig.request(Method::POST, "/v1/taxonomy/check", "acme", Role::Writer);
    let request = request.header("content-type", "application/json").body(events.to_string());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    body(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_set_and_protected_against_lost_updates() {
    let rig = Rig::start().await;
    let get = || rig.request(Method::GET, "/v1/taxonomy", "acme", Role::Viewer).send();
    let first = get().await.unwrap();
    assert_eq!(first.headers()["etag"], "\"0\"");
    assert_eq!(body(first).await, json!({"event_types": {}, "mode": "off", "version": 0}));
    let document = login_only("warn");
    let set = put(&rig, "acme", &document).header("if-match", "\"0\"").send().await.unwrap();
    assert_eq!(set.status(), 200);
    assert_eq!(set.headers()["etag"], "\"1\"");
    let shown = body(get().await.unwrap()).await;
    assert_eq!(shown["event_types"], document["event_types"]);
    let (record, audit) = (&shown["set_by"]["system_record"], &shown["set_by"]["audit_record"]);
    assert_eq!(record.as_u64(), audit.as_u64().map(|number| number + 1));
    let stale = put(&rig, "acme", &document).header("if-match", "\"0\"");
    assert_problem(stale, 412, "VERSION_CONFLICT").await;
    let mut based = document.clone();
    based["version"] = json!(0);
    assert_problem(put(&rig, "acme", &based), 412, "VERSION_CONFLICT").await;
    let both = put(&rig, "acme", &based).header("if-match", "\"1\"");
    assert_problem(both, 400, "INVALID_ARGUMENT").await;
    for tag in ["1", "*", "W/\"1\"", "\"x\"", "\"1\", \"2\""] {
        let request = put(&rig, "acme", &document).header("if-match", tag);
        assert_problem(request, 400, "INVALID_ARGUMENT").await;
    }
    assert_eq!(body(get().await.unwrap()).await["version"], 1);
    let of_beta = rig.request(Method::GET, "/v1/taxonomy", "beta", Role::Auditor).send().await;
    assert_eq!(body(of_beta.unwrap()).await["version"], 0);
    assert_problem(put(&rig, "_system", &document), 404, "UNKNOWN_TENANT").await;
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_with_every_place() {
    let rig = Rig::start().await;
    let bad = json!({"mode": "enforce", "event_types": {
        "a": {"schema": {"$ref": "https://example.com/s"}}, "b": {"schema": {"pattern": "(?=x)"}},
        "c": {"schema": {"$id": "https://example.com/"}},
    }});
    let problem = assert_problem(put(&rig, "acme", &bad), 422, "INVALID_TAXONOMY").await;
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(
        pointers,
        [
            "#/event_types/a/schema/$ref",
            "#/event_types/b/schema/pattern",
            "#/event_types/c/schema/$id"
        ]
    );
    assert!(problem["detail"].as_str().unwrap().contains("the taxonomy has 3 faults"), "{problem}");
    let other = rig.request(Method::PUT, "/v1/taxonomy", "acme", Role::Admin);
    let other = other.header("content-type", "text/plain").body("{}");
    assert_problem(other, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let broken = rig.request(Method::PUT, "/v1/taxonomy", "acme", Role::Admin);
    let broken = broken.header("content-type", "application/json").body("{");
    assert_problem(broken, 400, "NOT_JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_passes_it() {
    let rig = Rig::start().await;
    put(&rig, "acme", &login_only("enforce")).send().await.unwrap();
    let before = rig.size("acme");
    let unknown = TestEvent::new("user.logout").json();
    let problem = assert_problem(rig.append("", unknown.clone()), 422, "EVENT_TYPE_UNKNOWN").await;
    assert_eq!(problem["errors"][0]["pointer"], "#/event_type");
    let bare = json!({"event_type": "user.login", "actor": {"name": "x"}}).to_string();
    let problem = assert_problem(rig.append("", bare.clone()), 422, "SCHEMA_VIOLATION").await;
    assert_eq!(problem["errors"][0]["pointer"], "#/actor");
    let answer = rig.append("", format!("[{unknown},{bare}]")).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let lines = rig.request(Method::POST, "/v1/events", "acme", Role::Writer);
    let lines =
        lines.header("content-type", "application/x-ndjson").body(format!("{unknown}\n{bare}"));
    let lines = lines.send().await.unwrap().text().await.unwrap();
    assert!(lines.contains("EVENT_TYPE_UNKNOWN") && lines.contains("SCHEMA_VIOLATION"), "{lines}");
    let flat = json!({"event_type": "user.login", "resource_type": "x"}).to_string();
    for path in
        ["/api/v1/audit/events", "/api/v1/audit", "/api/audit/event", "/v1/events?shape=user"]
    {
        let request = rig.request(Method::POST, path, "acme", Role::Writer);
        let request = request.header("content-type", "application/json").body(flat.clone());
        assert_problem(request, 422, "SCHEMA_VIOLATION").await;
    }
    assert_eq!(rig.size("acme"), before);
    let good = json!({"event_type": "user.login", "actor": {"id": "u"}}).to_string();
    assert_eq!(rig.append("", good).send().await.unwrap().status(), 201);
    let beta = rig.request(Method::POST, "/v1/events", "beta", Role::Writer);
    let beta = beta.header("content-type", "application/json").body(unknown);
    assert_eq!(beta.send().await.unwrap().status(), 201);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_takes_the_event_and_says_so() {
    let rig = Rig::start().await;
    put(&rig, "acme", &login_only("warn")).send().await.unwrap();
    let event = json!({"id": "w1", "event_type": "user.login", "actor": {"name": "x"}}).to_string();
    let receipt = body(rig.append("", event.clone()).send().await.unwrap()).await;
    assert_eq!(receipt["warnings"][0]["code"], "SCHEMA_VIOLATION");
    let stored = rig.request(Method::GET, "/v1/events/w1", "acme", Role::Auditor).send().await;
    let stored = body(stored.unwrap()).await;
    assert_eq!(stored["event"]["intake"]["flags"], json!(["schema_violation"]));
    // The flag is no part of what was sent: the same event again is the same event.
    let again = rig.append("", event).send().await.unwrap();
    assert_eq!(again.status(), 200);
    let both = format!(
        "[{},{}]",
        TestEvent::new("x").json(),
        json!({"event_type": "user.login", "actor": {"id": "u"}})
    );
    let answer = body(rig.append("", both.clone()).send().await.unwrap()).await;
    assert_eq!(answer["items"][0]["warnings"][0]["code"], "EVENT_TYPE_UNKNOWN");
    assert!(answer["items"][1].get("warnings").is_none() && answer["rejected"] == 0, "{answer}");
    rig.assert_sound();
    let queued = body(rig.append("?wait=none", both).send().await.unwrap()).await;
    assert_eq!(queued["items"][0]["warnings"][0]["pointer"], "#/event_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_nothing_is_refused() {
    let rig = Rig::start().await;
    for (text, code) in [
        ("", "EMPTY_INPUT"),
        (" \n", "EMPTY_INPUT"),
        ("[]", "EMPTY_INPUT"),
        ("{", "NOT_JSON"),
        ("event", "NOT_JSON"),
    ] {
        let request = rig.request(Method::POST, "/v1/taxonomy/check", "acme", Role::Writer);
        let request = request.header("content-type", "application/json").body(text);
        assert_problem(request, 400, code).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_would_become_of_events_and_writes_nothing() {
    let rig = Rig::start().await;
    let events = json!([
        {"event_type": "user.login", "actor": {"id": "u"}}, {"event_type": "user.login"}, {"event_type": "x"}, {},
    ]);
    let found = |checked: &Value| -> Vec<String> {
        let events = checked["events"].as_array().unwrap().iter();
        events.map(|one| one["outcome"].as_str().unwrap().to_owned()).collect()
    };
    for (mode, outcome) in [("off", "accepted"), ("warn", "flagged"), ("enforce", "refused")] {
        put(&rig, "acme", &login_only(mode)).send().await.unwrap();
        let before = rig.size("acme");
        let checked = check(&rig, &events).await;
        assert_eq!(found(&checked), ["accepted", outcome, outcome, "refused"], "{mode}");
        assert_eq!(checked["mode"], mode);
        assert_eq!(checked["events"][1]["errors"][0]["code"], "SCHEMA_VIOLATION");
        assert_eq!(checked["events"][3]["errors"][0]["code"], "MISSING_FIELD");
        assert_eq!(found(&check(&rig, &events[0]).await), ["accepted"]);
        assert_eq!(rig.size("acme"), before);
    }
    assert_eq!(rig.dead_letters.counts(None).letters, 0);
}

/// Events of a type that the taxonomy of [`login_only`] does not know.
fn logout(id: &str) -> String {
    json!({"id": id, "event_type": "user.logout"}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_stays_a_duplicate_whatever_the_taxonomy_says_now() {
    let rig = Rig::start().await;
    let keyed =
        || rig.append("", r#"{"event_type":"user.logout"}"#).header("idempotency-key", "k1").send();
    put(&rig, "acme", &login_only("warn")).send().await.unwrap();
    let first = body(rig.append("", logout("d1")).send().await.unwrap()).await;
    let first_keyed = body(keyed().await.unwrap()).await;
    assert_eq!((&first["status"], &first_keyed["status"]), (&json!("created"), &json!("created")));
    put(&rig, "acme", &login_only("enforce")).send().await.unwrap();
    let before = rig.size("acme");
    // Alone, and under its key.
    let again = rig.append("", logout("d1")).send().await.unwrap();
    assert_eq!(again.status(), 200);
    let again = body(again).await;
    assert_eq!(
        (&again["status"], &again["record_hash"]),
        (&json!("duplicate"), &first["record_hash"])
    );
    assert!(again.get("warnings").is_none(), "{again}");
    let again = keyed().await.unwrap();
    assert_eq!(again.status(), 200);
    assert_eq!(body(again).await["record_hash"], first_keyed["record_hash"]);
    // In an array and as a whole, beside one that is refused.
    let both = format!("[{},{}]", logout("d1"), logout("d2"));
    let answer = rig.append("", both.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 207);
    let answer = body(answer).await;
    assert_eq!(answer["items"][0]["receipt"]["record_hash"], first["record_hash"]);
    assert_eq!(answer["items"][0]["status"], "duplicate");
    assert_eq!(answer["items"][1]["error"]["code"], "EVENT_TYPE_UNKNOWN");
    let whole = body(rig.append("?atomic=true", both).send().await.unwrap()).await;
    assert_eq!(whole["items"][0]["error"]["code"], "BATCH_REFUSED");
    let known =
        format!("[{},{}]", logout("d1"), json!({"event_type": "user.login", "actor": {"id": "u"}}));
    let whole = body(rig.append("?atomic=true", known).send().await.unwrap()).await;
    assert_eq!((&whole["accepted"], &whole["duplicates"]), (&json!(1), &json!(1)));
    // One a line.
    let lines = rig.request(Method::POST, "/v1/events", "acme", Role::Writer);
    let lines = lines.header("content-type", "application/x-ndjson");
    let lines = lines.body(format!("{}\n{}", logout("d1"), logout("d2"))).send().await.unwrap();
    let lines = lines.text().await.unwrap();
    let results: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(results[0]["receipt"]["record_hash"], first["record_hash"]);
    assert_eq!((&results[2]["duplicates"], &results[2]["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(rig.size("acme"), before + 1, "the one login");
    assert_eq!(rig.dead_letters.counts(None).letters, 3, "none of what is recorded became one");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_event_under_a_recorded_id_is_a_conflict_whatever_the_taxonomy_says() {
    let rig = Rig::start().await;
    rig.append("", logout("d1")).send().await.unwrap();
    put(&rig, "acme", &login_only("enforce")).send().await.unwrap();
    let other = json!({"id": "d1", "event_type": "user.vanished"}).to_string();
    assert_problem(rig.append("", other), 409, "ID_CONFLICT").await;
    assert_eq!(rig.dead_letters.counts(None).letters, 0);
    let path = "/v1/tenants/acme/suspend";
    let suspend = rig.request(Method::POST, path, "_system", Role::Admin).send().await.unwrap();
    assert_eq!(suspend.status(), 200);
    assert_problem(rig.append("", logout("d1")), 403, "TENANT_SUSPENDED").await;
    rig.assert_sound();
}
