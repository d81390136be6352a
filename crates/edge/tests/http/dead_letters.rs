//! Dead letters over HTTP: what is kept, what is not, and how it gets into the ledger after all.

use ledgerstone_edge::rest::NumberRules;
use ledgerstone_model::Numbers;
use ledgerstone_model::access::Role;
use ledgerstone_proof::TenantId;
use ledgerstone_store::DeadLetterLimits;
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, RigOptions, assert_problem, json as body};
use crate::taxonomy::{login_only, put};

const BAD: &str = r#"{"event_type":"user.login","severity":"extreme","actor":{"id":7}}"#;

fn letters(rig: &Rig, method: Method, path: &str) -> RequestBuilder {
    rig.request(method, &format!("/v1/dead-letters{path}"), "acme", Role::Admin)
}

async fn list(rig: &Rig) -> Vec<Value> {
    let answer = body(letters(rig, Method::GET, "").send().await.unwrap()).await;
    assert_eq!(answer["next_cursor"], Value::Null);
    answer["dead_letters"].as_array().unwrap().clone()
}

async fn resend(rig: &Rig, id: &str, corrected: Option<&Value>) -> (StatusCode, Value) {
    let mut request = letters(rig, Method::POST, &format!("/{id}/resend"));
    if let Some(event) = corrected {
        request = request.header("content-type", "application/json").body(event.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status(), body(response).await)
}

/// Sends something bad, and gives back the id of its letter.
async fn refuse(rig: &Rig, text: &str) -> String {
    let problem = body(rig.append("", text.to_owned()).send().await.unwrap()).await;
    problem["dead_letter"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned()
}

async fn acts(rig: &Rig) -> Vec<String> {
    let path = "/v1/events?limit=1000";
    let answer = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
    let answer = body(answer).await;
    let events = answer["events"].as_array().unwrap().iter();
    let acts = events.filter(|one| one["event"]["target"]["type"] == "dead_letter");
    acts.map(|one| one["event"]["action"]["verb"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_is_kept_with_its_reasons() {
    let rig = Rig::start().await;
    let problem = assert_problem(rig.append("", BAD), 422, "INVALID_FIELD").await;
    let id = problem["dead_letter"].as_str().unwrap();
    let listed = list(&rig).await;
    assert_eq!(
        (listed.len(), &listed[0]["id"], &listed[0]["state"]),
        (1, &json!(id), &json!("open"))
    );
    assert!(listed[0].get("text").is_none() && listed[0].get("errors").is_none());
    let shown_to = async |role| {
        let request = rig.request(Method::GET, &format!("/v1/dead-letters/{id}"), "acme", role);
        body(request.send().await.unwrap()).await
    };
    let withheld = shown_to(Role::Auditor).await;
    assert_eq!((withheld.get("text"), &withheld["text_withheld"]), (None, &json!(true)));
    assert_eq!(withheld["errors"], problem["errors"]);
    let shown = shown_to(Role::PrivacyOfficer).await;
    assert_eq!((&shown["text"], &shown["errors"]), (&json!(BAD), &problem["errors"]));
    assert_eq!(shown.get("text_withheld"), None);
    assert_eq!((&shown["code"], &shown["bytes"]), (&json!("INVALID_FIELD"), &json!(BAD.len())));
    let size = rig.size("beta");
    for (method, end) in [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/resend")] {
        for id in [id, "x", "0190b5a0-7c1e-7d5c-a0a1-2d3f4b5c6d7e.0", "..%2f..%2fFORMAT"] {
            let path = format!("/v1/dead-letters/{id}{end}");
            let request = rig.request(method.clone(), &path, "beta", Role::Admin);
            assert_problem(request, 404, "NOT_FOUND").await;
        }
    }
    assert_eq!(list(&rig).await.len(), 1);
    assert_eq!(rig.size("beta"), size, "nothing was recorded for the stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn arrays_lines_and_bodies_are_kept_item_by_item() {
    let rig = Rig::start().await;
    let good = TestEvent::new("user.login").json();
    let answer = rig.append("", format!("[{BAD},{good},{{}}]")).send().await.unwrap();
    let answer = body(answer).await;
    let kept = |item: &Value| item["error"]["dead_letter"].as_str().map(ToOwned::to_owned);
    let items = answer["items"].as_array().unwrap();
    let ids = [kept(&items[0]).unwrap(), kept(&items[2]).unwrap()];
    assert_eq!(ids[0].replace(".0", ""), ids[1].replace(".1", ""), "one file for both");
    let atomic = rig.append("?atomic=true", format!("[{BAD},{good}]")).send().await.unwrap();
    let atomic = body(atomic).await;
    assert!(kept(&atomic["items"][0]).is_some());
    assert_eq!(atomic["items"][1]["error"]["code"], "BATCH_REFUSED");
    assert!(atomic["items"][1]["error"].get("dead_letter").is_none());
    let lines = format!("{good}\n{BAD}\nno json\n{}\n", "x".repeat(1_100_000));
    let request = rig.request(Method::POST, "/v1/events", "acme", Role::Writer);
    let request = request.header("content-type", "application/x-ndjson").body(lines);
    let answer = request.send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> =
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(kept(&lines[1]).is_some() && kept(&lines[2]).is_some(), "{answer}");
    assert!(lines[3]["error"].get("dead_letter").is_none(), "what is too long was never read");
    for text in ["[1,", "{", "nonsense"] {
        let problem = assert_problem(rig.append("", text), 400, "NOT_JSON").await;
        let id = problem["dead_letter"].as_str().unwrap();
        let shown = body(letters(&rig, Method::GET, &format!("/{id}")).send().await.unwrap()).await;
        assert_eq!(shown["text"], text);
    }
    let problem = assert_problem(rig.append("", b"\xff[".to_vec()), 400, "NOT_UTF8").await;
    let id = problem["dead_letter"].as_str().unwrap();
    let shown = body(letters(&rig, Method::GET, &format!("/{id}")).send().await.unwrap()).await;
    assert_eq!(shown["text_base64"], "/1s=");
    assert_eq!(list(&rig).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_right_or_no_event_is_not_kept() {
    let rig = Rig::start().await;
    rig.anonymous(Method::POST, "/v1/events").body(BAD).send().await.unwrap();
    rig.request(Method::POST, "/v1/events", "acme", Role::Viewer).body(BAD).send().await.unwrap();
    rig.append("", "").send().await.unwrap();
    rig.append("", "[]").send().await.unwrap();
    rig.append("?wait=never", BAD).send().await.unwrap();
    rig.append("", vec![b' '; 6_000_000]).send().await.unwrap();
    let first = TestEvent::new("user.login").id("same").json();
    rig.append("", first).send().await.unwrap();
    let conflict = rig.append("", TestEvent::new("user.logout").id("same").json());
    let problem = assert_problem(conflict, 409, "ID_CONFLICT").await;
    assert!(problem.get("dead_letter").is_none());
    let large = json!({"event_type": "a", "metadata": {"x": "y".repeat(1_100_000)}}).to_string();
    let problem = assert_problem(rig.append("", large), 413, "EVENT_TOO_LARGE").await;
    assert_eq!(problem["dead_letter"], Value::Null);
    assert_eq!(problem["dead_letter_reason"], "DEAD_LETTER_TOO_LARGE");
    let suspend = rig.request(Method::POST, "/v1/tenants/acme/suspend", "_system", Role::Admin);
    assert_eq!(suspend.send().await.unwrap().status(), 200);
    assert_problem(rig.append("", BAD), 403, "TENANT_SUSPENDED").await;
    assert_eq!(list(&rig).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_more_fit_the_refusal_says_so() {
    let limits = DeadLetterLimits { letters_per_tenant: 2, ..DeadLetterLimits::default() };
    let options = RigOptions { dead_letters: limits, ..RigOptions::default() };
    let rig = Rig::start_with(options).await;
    let answer = rig.append("", format!("[{BAD},{BAD},{BAD}]")).send().await.unwrap();
    let answer = body(answer).await;
    let error = &answer["items"][2]["error"];
    assert_eq!((&error["code"], &error["dead_letter"]), (&json!("INVALID_FIELD"), &Value::Null));
    assert_eq!(error["dead_letter_reason"], "DEAD_LETTERS_FULL");
    let problem = assert_problem(rig.append("", BAD), 422, "INVALID_FIELD").await;
    assert_eq!(problem["dead_letter_reason"], "DEAD_LETTERS_FULL");
    let status = rig.request(Method::GET, "/v1/status", "acme", Role::Viewer).send().await.unwrap();
    let status = body(status).await;
    let state = &status["ledger"]["dead_letters"];
    assert_eq!((&state["open"], &state["letters_max"]), (&json!(2), &json!(2)));
    let metrics =
        rig.request(Method::GET, "/metrics", "_system", Role::Admin).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "ledgerstone_open_dead_letters 2",
        "ledgerstone_dead_letters_total{outcome=\"kept\"} 2",
        "ledgerstone_dead_letters_total{outcome=\"DEAD_LETTERS_FULL\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    let health = rig.anonymous(Method::GET, "/health/audit").send().await.unwrap();
    let health = body(health).await;
    let names: Vec<&str> = health["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert!(names.contains(&"dead_letters"), "{health}");
    let path = format!("/{}", list(&rig).await[0]["id"].as_str().unwrap());
    assert_eq!(letters(&rig, Method::DELETE, &path).send().await.unwrap().status(), 200);
    refuse(&rig, BAD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_event_is_recorded_once_however_often_it_is_sent() {
    let rig = Rig::start().await;
    let id = refuse(&rig, BAD).await;
    let (status, problem) = resend(&rig, &id, None).await;
    assert_eq!((status.as_u16(), &problem["dead_letter"]), (422, &json!(id)));
    let corrected = json!({"event_type": "user.login", "severity": "high", "actor": {"id": "7"}});
    let before = rig.size("acme");
    let (status, receipt) = resend(&rig, &id, Some(&corrected)).await;
    assert_eq!((status, &receipt["status"]), (StatusCode::CREATED, &json!("created")));
    assert_eq!(rig.size("acme"), before + 2, "the event and who sent it again");
    rig.clock.advance(std::time::Duration::from_secs(5));
    let (status, again) = resend(&rig, &id, Some(&corrected)).await;
    assert_eq!((status, &again["id"]), (StatusCode::OK, &receipt["id"]));
    assert_eq!(rig.size("acme"), before + 2);
    // Whatever is sent in its place now, under whichever id: the letter is recorded.
    for other in [json!({"event_type": "user.logout"}), json!({"id": "x", "event_type": "a"})] {
        let (status, again) = resend(&rig, &id, Some(&other)).await;
        assert_eq!((status, &again["record_hash"]), (StatusCode::OK, &receipt["record_hash"]));
        assert_eq!(again["status"], "duplicate");
    }
    let (status, again) = resend(&rig, &id, None).await;
    assert_eq!((status, &again["record_hash"]), (StatusCode::OK, &receipt["record_hash"]));
    assert_eq!(rig.size("acme"), before + 2);
    let shown = body(letters(&rig, Method::GET, &format!("/{id}")).send().await.unwrap()).await;
    assert_eq!((&shown["state"], &shown["text"]), (&json!("closed"), &json!(BAD)));
    assert_eq!(shown["recorded"]["sequence_number"], receipt["sequence_number"]);
    assert_eq!(acts(&rig).await, ["resend"]);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_many_send_at_once_is_recorded_once() {
    let rig = Rig::start().await;
    let id = refuse(&rig, BAD).await;
    let before = rig.size("acme");
    let corrected: Vec<Value> =
        (0..8).map(|n| json!({"id": format!("try-{n}"), "event_type": "user.login"})).collect();
    let tries = corrected.iter().map(|event| resend(&rig, &id, Some(event)));
    let answers = futures_util::future::join_all(tries).await;
    let created = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(answers.iter().all(|(_, one)| one["record_hash"] == answers[0].1["record_hash"]));
    assert_eq!(rig.size("acme"), before + 2);
    assert_eq!(acts(&rig).await, ["resend"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_recording_and_closing_makes_no_second_record() {
    let rig = Rig::start().await;
    let id = refuse(&rig, BAD).await;
    let corrected = json!({"event_type": "user.logout"});
    let (_, receipt) = resend(&rig, &id, Some(&corrected)).await;
    // As if the letter had never been closed: the file is put back as it was.
    let file = rig.dead_letter_files().remove(0);
    let closed = std::fs::read(&file).unwrap();
    let parsed = ledgerstone_store::dead_letters::decode(&closed).unwrap();
    let open: Vec<_> = parsed
        .into_iter()
        .map(|one| ledgerstone_model::DeadLetter {
            state: ledgerstone_model::LetterState::Open,
            ..one
        })
        .collect();
    std::fs::write(&file, ledgerstone_store::dead_letters::encode(&open)).unwrap();
    // What is recorded stays so, also where the taxonomy would refuse it by now.
    put(&rig, "acme", &login_only("enforce")).send().await.unwrap();
    let (status, again) = resend(&rig, &id, Some(&corrected)).await;
    assert_eq!((status, &again["sequence_number"]), (StatusCode::OK, &receipt["sequence_number"]));
    assert_eq!(list(&rig).await[0]["state"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_taxonomy_has_changed_a_letter_goes_as_it_is() {
    let rig = Rig::start().await;
    put(&rig, "acme", &login_only("enforce")).send().await.unwrap();
    let text = r#"{"user_id":"u","event_type":"user.logout","n":1e400}"#;
    let send = || {
        let path = "/api/v1/audit?numbers=quote";
        let request = rig.request(Method::POST, path, "acme", Role::Writer);
        request
            .header("content-type", "application/json")
            .header("idempotency-key", "k1")
            .body(text)
    };
    let problem = assert_problem(send(), 422, "EVENT_TYPE_UNKNOWN").await;
    let id = problem["dead_letter"].as_str().unwrap();
    assert_eq!(resend(&rig, id, None).await.1["code"], "EVENT_TYPE_UNKNOWN");
    put(&rig, "acme", &login_only("off")).send().await.unwrap();
    let (status, receipt) = resend(&rig, id, None).await;
    assert_eq!(status, StatusCode::CREATED, "{receipt}");
    let path = format!("/v1/events/{}", receipt["id"].as_str().unwrap());
    let stored = rig.request(Method::GET, &path, "acme", Role::Auditor).send().await.unwrap();
    let stored = body(stored).await;
    assert_eq!(stored["event"]["actor"]["id"], "u", "read in the shape it was sent in");
    assert_eq!(stored["event"]["intake"]["unmapped"]["n"], "1e400");
    // The request itself, repeated under its key, finds the event that the letter became.
    let repeated = send().send().await.unwrap();
    assert_eq!(repeated.status(), 200);
    assert_eq!(body(repeated).await["id"], receipt["id"]);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_page_by_page_deleted_and_expire() {
    let rig = Rig::start().await;
    for _ in 0..3 {
        refuse(&rig, BAD).await;
        rig.clock.advance(std::time::Duration::from_millis(5));
    }
    let ids: Vec<Value> = list(&rig).await.iter().map(|one| one["id"].clone()).collect();
    let mut walked = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let query =
            cursor.as_str().map_or("?limit=1".to_owned(), |at| format!("?limit=1&cursor={at}"));
        let page = body(letters(&rig, Method::GET, &query).send().await.unwrap()).await;
        walked.push(page["dead_letters"][0]["id"].clone());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(walked, ids);
    for query in ["?limit=0", "?limit=1001", "?limit=x", "?filter=a"] {
        assert_problem(letters(&rig, Method::GET, query), 400, "INVALID_ARGUMENT").await;
    }
    assert_problem(letters(&rig, Method::GET, "?cursor=x"), 400, "INVALID_CURSOR").await;
    let path = format!("/{}", ids[0].as_str().unwrap());
    let gone = body(letters(&rig, Method::DELETE, &path).send().await.unwrap()).await;
    assert_eq!(gone, json!({"id": ids[0], "state": "deleted"}));
    assert_problem(letters(&rig, Method::GET, &path), 404, "NOT_FOUND").await;
    assert_problem(letters(&rig, Method::DELETE, &path), 404, "NOT_FOUND").await;
    assert_eq!(acts(&rig).await, ["delete"]);
    rig.clock.advance(std::time::Duration::from_hours(31 * 24));
    assert_eq!(list(&rig).await.len(), 0, "expired, though nothing has removed them yet");
    let path = format!("/{}", ids[1].as_str().unwrap());
    assert_problem(letters(&rig, Method::GET, &path), 404, "NOT_FOUND").await;
    assert_eq!(rig.dead_letters.purge().unwrap(), 2);
    assert!(rig.dead_letter_files().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_numbers_is_said_for_each_sender() {
    let mut numbers = NumberRules::new(Numbers::Refuse);
    assert!(numbers.set_for_tenant(TenantId::parse("acme").unwrap(), Numbers::Quote));
    let rig = Rig::start_with(RigOptions { numbers, ..RigOptions::default() }).await;
    let send = async |tenant: &str, role: Role, query: &str| {
        let path = format!("/v1/events{query}");
        let request = rig.request(Method::POST, &path, tenant, role);
        let request = request.header("content-type", "application/json");
        request.body(r#"{"event_type":"a","x":1e400}"#).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send("acme", Role::Writer, "").await, 201);
    assert_eq!(send("beta", Role::Writer, "").await, 422);
    // The request comes before what is said of its sender.
    assert_eq!(send("acme", Role::Writer, "?numbers=refuse").await, 422);
    assert_eq!(send("beta", Role::Writer, "?numbers=quote").await, 201);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_quoted_where_it_is_asked_for() {
    let rig = Rig::start().await;
    let event = r#"{"id":"q","event_type":"a","metadata":{"n":9007199254740993}}"#;
    assert_problem(rig.append("", event), 422, "NUMBER_NOT_EXACT").await;
    assert_problem(rig.append("?numbers=refuse", event), 422, "NUMBER_NOT_EXACT").await;
    assert_problem(rig.append("?numbers=round", event), 400, "INVALID_ARGUMENT").await;
    assert_eq!(rig.append("?numbers=quote", event).send().await.unwrap().status(), 201);
    assert_eq!(rig.append("?numbers=quote", event).send().await.unwrap().status(), 200);
    let stored = rig.request(Method::GET, "/v1/events/q", "acme", Role::Auditor).send().await;
    let stored = body(stored.unwrap()).await;
    assert_eq!(stored["event"]["metadata"]["n"], "9007199254740993");
    assert_eq!(stored["event"]["intake"]["flags"], json!(["number_quoted:/metadata/n"]));
    let array = rig.append("?numbers=quote", r#"[{"event_type":"a","x":1e400}]"#).send().await;
    assert_eq!(array.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_tenant_and_one_listing() {
    let rig = Rig::start().await;
    let first = refuse(&rig, BAD).await;
    rig.clock.advance(std::time::Duration::from_millis(5));
    let ids = [first, refuse(&rig, BAD).await];
    let page = body(letters(&rig, Method::GET, "?limit=1").send().await.unwrap()).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert!(ids.iter().all(|id| !cursor.contains(id.as_str())), "{cursor}");
    let events = body(
        rig.request(Method::GET, "/v1/events?limit=1", "acme", Role::Admin).send().await.unwrap(),
    );
    let of_events = events.await["next_cursor"].as_str().unwrap().to_owned();
    let ask = |tenant: &str, path: &str, cursor: &str| {
        rig.request(Method::GET, &format!("{path}?cursor={cursor}"), tenant, Role::Admin)
    };
    let listing = "/v1/dead-letters";
    let mut altered = cursor.to_owned().into_bytes();
    altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for (tenant, path, cursor) in [
        ("acme", listing, ids[0].as_str()),
        ("acme", listing, &altered),
        ("acme", listing, &of_events),
        ("beta", listing, cursor),
        ("acme", "/v1/events", cursor),
    ] {
        assert_problem(ask(tenant, path, cursor), 400, "INVALID_CURSOR").await;
    }
    let rest = body(ask("acme", listing, cursor).send().await.unwrap()).await;
    assert_eq!(rest["dead_letters"][0]["id"], json!(ids[0]));
}
