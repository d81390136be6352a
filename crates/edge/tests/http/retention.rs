//! Contents go when their time is over, and stay for as long as a hold covers them; on a clock that is
//! moved.

use std::time::Duration;

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_store::embedded::Options;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, RigOptions, assert_problem, json as body};

const YEAR: Duration = Duration::from_hours(366 * 24);

/// A server whose parts are sealed after a few records.
pub async fn small_parts(sealing: Option<Preset>) -> Rig {
    let (log_bytes_first, log_bytes_max) = (16 << 10, 16 << 10);
    let store =
        Options { segment_records: 16, log_bytes_first, log_bytes_max, ..Options::default() };
    Rig::start_with(RigOptions { sealing, store, ..RigOptions::default() }).await
}

pub async fn call(rig: &Rig, role: Role, method: Method, path: &str, sent: &Value) -> (u16, Value) {
    let response = rig.request(method, path, "acme", role).json(sent).send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

pub async fn post(rig: &Rig, role: Role, path: &str, sent: Value) -> (u16, Value) {
    call(rig, role, Method::POST, path, &sent).await
}

/// Puts a policy in force, with a second person.
pub async fn set_policy(rig: &Rig, policy: Value) {
    let path = "/v1/policies/retention";
    let (status, proposed) = call(rig, Role::Admin, Method::PUT, path, &policy).await;
    assert_eq!(status, 202, "{proposed}");
    let named = json!({"system_record": proposed["proposed"]["system_record"]});
    let path = "/v1/policies/retention/approve";
    let (status, set) = post(rig, Role::PrivacyOfficer, path, named).await;
    assert_eq!(status, 200, "{set}");
}

/// Calls and logins by two people in turn, in parts that are sealed, then some more.
async fn events(rig: &Rig) {
    for n in 0..40 {
        let kind = if n % 2 == 0 { "call.made" } else { "user.login" };
        let who = if n % 4 < 2 { "ana" } else { "ben" };
        let event = TestEvent::new(kind).id(&format!("e{n}")).actor(who).json();
        assert_eq!(rig.append("", event).send().await.unwrap().status(), 201);
    }
    // What makes sure that the part with the last event is full.
    for n in 0..20 {
        let event = TestEvent::new("pad").id(&format!("p{n}")).json();
        assert_eq!(rig.append("", event).send().await.unwrap().status(), 201);
    }
    rig.store.inner().wait_until_sealed();
}

async fn run(rig: &Rig, dry_run: bool) -> Value {
    let (status, job) = post(rig, Role::Admin, "/v1/retention", json!({"dry_run": dry_run})).await;
    assert_eq!((status, job["state"].as_str()), (200, Some("done")), "{job}");
    let mut result = job["result"].clone();
    assert_eq!(result["ledgers"].as_array().unwrap().len(), 1);
    result["ledgers"][0].take()
}

/// The events whose contents are gone.
pub async fn gone(rig: &Rig) -> Vec<String> {
    let path = "/v1/events?order=sequence&limit=1000";
    let page = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
    let page = body(page).await;
    let dropped = |line: &&Value| line["hidden"][0]["why"] == "dropped";
    let lines = page["events"].as_array().unwrap().iter().filter(dropped);
    lines.map(|line| line["record"]["event_id"].as_str().unwrap().to_owned()).collect()
}

fn rule(period: &str) -> Value {
    json!({"rules": [{"name": "calls", "maximum": period,
        "filter": {"field": "event_type", "like": "call.%"}}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_go_when_their_time_is_over() {
    let rig = small_parts(None).await;
    set_policy(&rig, rule("P1Y")).await;
    events(&rig).await;
    assert_eq!(run(&rig, true).await["expired"], 0);
    rig.clock.advance(YEAR);
    let size = rig.size("acme");
    let found = run(&rig, true).await;
    assert_eq!((found["expired"].as_u64(), found["run"].as_str()), (Some(20), None), "{found}");
    assert_eq!((rig.size("acme"), gone(&rig).await.len()), (size, 0));

    let found = run(&rig, false).await;
    assert_eq!((found["expired"].as_u64(), found["waiting"].as_u64()), (Some(20), Some(0)));
    let expected: Vec<String> = (0..40).step_by(2).map(|n| format!("e{n}")).collect();
    assert_eq!(gone(&rig).await, expected);
    // Who ordered it and by which policy stands in the record that begins the run.
    let path = format!("/v1/events/_{}", size + 1);
    let record = rig.request(Method::GET, &path, "acme", Role::Auditor).send().await.unwrap();
    let record = body(record).await["event"]["retention_started"].take();
    assert_eq!(
        (record["audit_record"].as_u64(), record["policy_record"].is_u64()),
        (Some(size), true),
        "{record}"
    );
    let path = "/v1/retention";
    let state = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
    let state = body(state).await;
    assert_eq!((&state["lets_anything_go"], &state["open_runs"]), (&json!(true), &json!([])));
    assert_eq!(state["last_job"]["result"]["ledgers"][0]["expired"], 20);
    // A second run finds nothing, and writes no run.
    let found = run(&rig, false).await;
    assert_eq!((found["expired"].as_u64(), found.get("run")), (Some(0), None), "{found}");
    rig.assert_sound();
}

async fn hold(rig: &Rig, scope: Value) -> (String, u64) {
    let mut sent =
        json!({"owner": "legal", "reason": "case 17", "review_at": "2027-01-01T00:00:00Z"});
    sent.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    let (status, answer) = post(rig, Role::Admin, "/v1/holds", sent).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["hold"]["state"], "standing");
    let id = answer["hold"]["id"].as_str().unwrap().to_owned();
    (id, answer["job"]["result"]["contents"].as_u64().unwrap())
}

async fn release(rig: &Rig, id: &str) {
    let path = format!("/v1/holds/{id}/release");
    for (role, state) in [(Role::Admin, "release_asked"), (Role::PrivacyOfficer, "released")] {
        let (status, hold) = post(rig, role, &path, json!({"reason": "settled"})).await;
        assert_eq!((status, hold["state"].as_str()), (200, Some(state)), "{hold}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_keep_what_they_cover_until_two_people_release_them() {
    let rig = small_parts(Some(Preset::Standard)).await;
    set_policy(&rig, rule("P1Y")).await;
    events(&rig).await;
    let lookup = json!({"type": "user", "id": "ana"});
    let (_, ana) = post(&rig, Role::Admin, "/v1/subjects/lookup", lookup).await;
    let (by_person, count) = hold(&rig, json!({"subject_id": ana["subject_id"]})).await;
    assert_eq!(count, 20, "of Ana, sealed or in clear");
    let filter = json!({"field": "id", "in": ["e2", "e3"]});
    let (by_filter, count) = hold(&rig, json!({"filter": filter})).await;
    assert_eq!(count, 2);
    // What covers nothing now is taken, and said.
    let (of_later, count) = hold(&rig, json!({"from": "2100-01-01T00:00:00Z"})).await;
    assert_eq!(count, 0);

    rig.clock.advance(YEAR);
    let found = run(&rig, false).await;
    let held: Vec<_> =
        found["held"].as_array().unwrap().iter().map(|one| &one["contents"]).collect();
    assert_eq!(held, [10, 1, 0], "{found}");
    assert_eq!(found["expired"], 9);
    assert!(!gone(&rig).await.contains(&"e2".to_owned()));

    release(&rig, &by_person).await;
    let path = format!("/v1/holds/{by_person}/release");
    let again = rig.request(Method::POST, &path, "acme", Role::Admin).json(&json!({"reason": "x"}));
    assert_problem(again, 409, "HOLD_RELEASED").await;
    assert_eq!(run(&rig, false).await["expired"], 10);
    let path = format!("/v1/holds/{by_filter}/release");
    post(&rig, Role::PrivacyOfficer, &path, json!({"reason": "settled"})).await;
    let alone = rig.request(Method::POST, &path, "acme", Role::PrivacyOfficer);
    assert_problem(alone.json(&json!({"reason": "settled"})), 403, "SECOND_PERSON_NEEDED").await;
    assert_eq!(run(&rig, false).await["expired"], 0);
    post(&rig, Role::Admin, &path, json!({"reason": "settled"})).await;
    assert_eq!(run(&rig, false).await["expired"], 1);

    let list = rig.request(Method::GET, "/v1/holds", "acme", Role::PrivacyOfficer);
    let list = body(list.send().await.unwrap()).await;
    let states: Vec<_> =
        list["holds"].as_array().unwrap().iter().map(|hold| &hold["state"]).collect();
    assert_eq!(states, ["released", "released", "standing"]);
    assert_eq!(list["holds"][1]["filter"], filter);
    assert_eq!(list["holds"][2]["id"], of_later);
    // The filter, which may name people, stands in no record of the system.
    let number = list["holds"][1]["audit_record"].as_u64().unwrap() + 1;
    let path = format!("/v1/events/_{number}/content");
    let content = rig.request(Method::GET, &path, "acme", Role::Auditor).send().await.unwrap();
    let content = content.text().await.unwrap();
    assert!(content.contains("hold_set") && !content.contains("e3"), "{content}");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_are_refused_with_their_faults() {
    let rig = Rig::start().await;
    let good = json!({"owner": "legal", "reason": "case", "review_at": "2027-01-01T00:00:00Z"});
    for (member, value, code) in [
        ("owner", json!(""), "INVALID_ARGUMENT"),
        ("reason", json!("x".repeat(501)), "INVALID_ARGUMENT"),
        ("review_at", json!("soon"), "INVALID_ARGUMENT"),
        ("filter", json!({"field": "actr.id", "eq": "x"}), "INVALID_FILTER"),
        ("subject_id", json!("ana"), "UNKNOWN_SUBJECT"),
        ("until", json!("yesterday"), "INVALID_ARGUMENT"),
    ] {
        let mut sent = good.clone();
        sent[member] = value;
        let (status, problem) = post(&rig, Role::Admin, "/v1/holds", sent).await;
        assert!((400..500).contains(&status), "{problem}");
        assert_eq!(problem["code"], code, "{member}");
    }
    let unknown = rig.request(Method::GET, "/v1/holds/00", "acme", Role::Admin);
    assert_problem(unknown, 404, "UNKNOWN_HOLD").await;
    let (_, set) = post(&rig, Role::Admin, "/v1/holds", good).await;
    let path = format!("/v1/holds/{}", set["hold"]["id"].as_str().unwrap());
    let other = rig.request(Method::GET, &path, "beta", Role::Admin);
    assert_problem(other, 404, "UNKNOWN_HOLD").await;
}
