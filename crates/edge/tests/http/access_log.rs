//! Who read what, and who was turned away, stands in the ledger.

use std::time::Duration;

use ledgerstone_ledger::{Order, Ripe};
use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_proof::{TenantId, split_content};
use ledgerstone_store::conformance::AppendFault;
use reqwest::Method;
use serde_json::{Value, json};

use crate::retention::call;
use crate::rig::{Rig, assert_problem, json as body};

fn event(id: &str, patient: &str) -> String {
    json!({
        "id": id, "event_type": "chart.viewed", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"type": "employee", "id": "emp-17", "name": "Ana Lima"},
        "target": {"type": "patient", "id": patient, "name": "Bo Karlsson"},
        "data": {"metadata": {"ward": "seven"}}
    })
    .to_string()
}

async fn send(rig: &Rig, id: &str, patient: &str) {
    assert_eq!(rig.append("", event(id, patient)).send().await.unwrap().status(), 201);
}

async fn read(rig: &Rig, path: &str, role: Role) -> Value {
    let response = rig.request(Method::GET, path, "acme", role).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    body(response).await
}

async fn prove(rig: &Rig, path: &str, role: Role) {
    let response = rig.request(Method::GET, path, "acme", role).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
}

/// The records of a type as they are stored, the oldest first.
fn stored(rig: &Rig, tenant: &str, event_type: &str) -> Vec<Value> {
    let tenant = TenantId::parse_stored(tenant).unwrap();
    let records = rig.ledger.reader().list(&tenant, Order::Sequence, None).unwrap();
    let events = records.map(|record| {
        let content = record.unwrap().content.unwrap();
        serde_json::from_slice::<Value>(split_content(&content).unwrap().0).unwrap()
    });
    events.filter(|event| event["event_type"] == event_type).collect()
}

fn accesses(rig: &Rig) -> Vec<Value> {
    stored(rig, "acme", "audit.access")
}

fn a_minute_later(rig: &Rig) {
    rig.clock.advance(Duration::from_mins(1));
    rig.ledger.write_access_log(Ripe::PastMinutes).unwrap();
}

fn principal(rig: &Rig, role: Role) -> String {
    format!("key:{}", rig.key("acme", role).split('_').nth(1).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_reads_becomes_a_record_of_each_principal_and_shape() {
    let rig = Rig::start().await;
    for id in ["e-1", "e-2", "e-3"] {
        send(&rig, id, "pat-1").await;
    }
    let before = rig.size("acme");
    for _ in 0..3 {
        read(&rig, "/v1/events?limit=2&order=newest", Role::Admin).await;
    }
    read(&rig, "/v1/events/e-1", Role::Admin).await;
    read(&rig, "/v1/events/e-3", Role::Admin).await;
    prove(&rig, "/v1/events/e-2/proof", Role::Auditor).await;
    read(&rig, "/v1/events/e-2/content", Role::Auditor).await;
    rig.request(Method::GET, "/v1/events/nothing", "acme", Role::Admin).send().await.unwrap();
    for unnoted in ["/v1/checkpoint", "/v1/status", "/v1/taxonomy"] {
        rig.request(Method::GET, unnoted, "acme", Role::Auditor).send().await.unwrap();
    }
    assert_eq!(rig.ledger.write_access_log(Ripe::PastMinutes).unwrap(), 0);
    assert_eq!(rig.size("acme"), before, "nothing is written while the minute lasts");
    a_minute_later(&rig);

    let found = accesses(&rig);
    let brief = |one: &Value| {
        let data = &one["data"]["metadata"];
        json!([
            one["actor"]["id"],
            one["target"]["id"],
            data["calls"],
            data["numbers"],
            data["snapshot"]
        ])
    };
    let mut found_briefly: Vec<Value> = found.iter().map(brief).collect();
    found_briefly.sort_by_key(ToString::to_string);
    let (admin, auditor) = (principal(&rig, Role::Admin), principal(&rig, Role::Auditor));
    let [first, second, last] = [before - 3, before - 2, before - 1];
    let mut expected = vec![
        json!([admin, "GET /v1/events/{id}", 2, [[first, first], [last, last]], null]),
        json!([admin, "GET /v1/events?limit&order", 3, [[second, last]], before]),
        json!([auditor, "GET /v1/events/{id}/content", 1, [[second, second]], null]),
        json!([auditor, "GET /v1/events/{id}/proof", 1, [[second, second]], before]),
    ];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(found_briefly, expected);
    for one in &found {
        assert_eq!(
            (&one["actor"]["ip_address"], &one["actor"]["type"]),
            (&json!("127.0.0.1"), &json!("api_key"))
        );
        assert_eq!(one["action"]["status"], "success");
        // Nothing seals here, so that what was looked for is not kept.
        assert!(one["data"]["metadata"]["literals"].is_null(), "{one}");
    }
    let counts = rig.ledger.access_log_counts();
    assert_eq!((counts.pending, counts.written, counts.overflowed), (0, 4, 0));
    let request = rig.request(Method::GET, "/metrics", "_system", Role::Admin);
    let metrics = request.send().await.unwrap().text().await.unwrap();
    for line in ["_pending 0", "_written_total 4", "_overflowed_total 0"] {
        assert!(
            metrics.contains(&format!("\nledgerstone_access_log{line}\n")),
            "{line}\n{metrics}"
        );
    }

    // Reading these is a read like any other, and nothing tells of the writing.
    read(&rig, "/v1/events", Role::Admin).await;
    a_minute_later(&rig);
    a_minute_later(&rig);
    assert_eq!(accesses(&rig).len(), 5);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_values_is_recorded_before_it_is_answered() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    send(&rig, "e-1", "pat-1").await;
    send(&rig, "e-2", "pat-2").await;
    let sized = async |path: &str, role| {
        let before = rig.size("acme");
        read(&rig, path, role).await;
        rig.size("acme") - before
    };
    assert_eq!(sized("/v1/events/e-1", Role::Admin).await, 1);
    let record = accesses(&rig).remove(0);
    let opened = record["data"]["metadata"]["opened"]["shown"].as_array().unwrap();
    assert_eq!(opened.len(), 2, "the employee's and the patient's: {record}");
    assert_eq!(sized("/v1/events/e-1", Role::Admin).await, 0, "that stands there, of this minute");
    assert_eq!(sized("/v1/events/e-2", Role::Admin).await, 1);
    assert_eq!(
        sized("/v1/events?limit=1000", Role::Admin).await,
        0,
        "no other people, no other records"
    );
    assert_eq!(sized("/v1/events/e-1", Role::Viewer).await, 1);
    let redacted = accesses(&rig).pop().unwrap();
    assert!(redacted["data"]["metadata"]["opened"]["redacted"].is_array(), "{redacted}");
    assert_eq!(sized("/v1/events/e-1/content", Role::Admin).await, 0, "nothing is opened for it");
    a_minute_later(&rig);
    assert_eq!(sized("/v1/events/e-1", Role::Admin).await, 1, "another minute");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_shown() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    send(&rig, "e-1", "pat-1").await;
    rig.store.fail_next(AppendFault::Unavailable);
    let request = rig.request(Method::GET, "/v1/events/e-1", "acme", Role::Admin);
    let refused = request.send().await.unwrap();
    assert!(refused.status().is_server_error(), "{}", refused.status());
    assert!(!refused.text().await.unwrap().contains("Ana Lima"));
    assert_eq!(rig.store.fired(), 1);
    assert_eq!(
        read(&rig, "/v1/events/e-1", Role::Admin).await["event"]["actor"]["name"],
        "Ana Lima"
    );
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wait_share_a_commit() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    for number in 0..20 {
        send(&rig, &format!("e-{number}"), &format!("pat-{number}")).await;
    }
    let before = rig.store.appends();
    rig.store.gate().shut();
    let reads: Vec<_> = (0..20)
        .map(|number| {
            let path = format!("/v1/events/e-{number}");
            tokio::spawn(rig.request(Method::GET, &path, "acme", Role::Admin).send())
        })
        .collect();
    rig.store.gate().wait_for_append();
    // All but those of the first commit have come by then, and wait for the next.
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.store.gate().open();
    for read in reads {
        let answer = body(read.await.unwrap().unwrap()).await;
        assert_eq!(answer["event"]["target"]["name"], "Bo Karlsson");
    }
    let commits = rig.store.appends() - before;
    assert!(commits < 10, "{commits} commits for 20 reads");
    let opened: usize = accesses(&rig)
        .iter()
        .map(|one| one["data"]["metadata"]["opened"]["shown"].as_array().unwrap().len())
        .sum();
    assert!(opened >= 21, "20 patients and the employee: {opened}");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_for_is_sealed_for_a_year() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    send(&rig, "e-1", "pat-1").await;
    let lookup = rig.request(Method::POST, "/v1/subjects/lookup", "acme", Role::PrivacyOfficer);
    let subject = json!({"type": "patient", "id": "pat-1"});
    let found = body(lookup.json(&subject).send().await.unwrap()).await;
    assert_eq!(found["live_keys"].as_array().unwrap().len(), 1);
    a_minute_later(&rig);
    let sealed = accesses(&rig).pop().unwrap();
    assert!(sealed["data"]["metadata"]["literals"]["$sealed"].is_u64(), "{sealed}");
    assert_eq!(sealed["target"]["id"], "POST /v1/subjects/lookup");
    assert!(!sealed.to_string().contains("pat-1"), "{sealed}");

    let newest = async |role| read(&rig, "/v1/events?limit=1", role).await["events"][0].clone();
    let before = rig.size("acme");
    let shown = newest(Role::Admin).await;
    let literal = json!([{"target": "/v1/subjects/lookup", "subject": subject}]);
    assert_eq!(shown["event"]["data"]["metadata"]["literals"], literal);
    assert_eq!(rig.size("acme"), before, "no value of a person was opened");
    assert_ne!(newest(Role::Viewer).await["event"]["data"]["metadata"]["literals"], literal);

    let go_on = || std::ops::ControlFlow::Continue(());
    // To the end of May 2025, and into June.
    rig.clock.advance(Duration::from_hours(24 * 395));
    assert_eq!(rig.ledger.destroy_outlived_access_keys(&go_on).unwrap(), 0);
    rig.clock.advance(Duration::from_hours(24));
    assert_eq!(rig.ledger.destroy_outlived_access_keys(&go_on).unwrap(), 1);
    assert_eq!(rig.ledger.destroy_outlived_access_keys(&go_on).unwrap(), 0);
    let path =
        format!("/v1/events?limit=1&order=sequence&from={}", sealed["timestamp"].as_str().unwrap());
    let gone = read(&rig, &path, Role::Admin).await["events"][0].clone();
    assert_eq!(gone["hidden"][0]["why"], "erased", "{gone}");
    let said = stored(&rig, "acme", "audit.administration").pop().unwrap();
    assert_eq!(
        (&said["action"]["verb"], &said["target"]["type"]),
        (&json!("destroy"), &json!("access_log_key"))
    );
    assert_eq!(
        read(&rig, "/v1/events/e-1", Role::Admin).await["event"]["actor"]["name"],
        "Ana Lima"
    );
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_are_counted_where_they_belong() {
    let rig = Rig::start().await;
    let sizes = |rig: &Rig| ["acme", "beta", "_system"].map(|tenant| rig.size(tenant));
    let before = sizes(&rig);
    for number in 0..300 {
        let path = format!("/v1/events/{number}?x={number}");
        let request = rig.anonymous(Method::GET, &path);
        let request =
            if number % 2 == 0 { request } else { request.bearer_auth(format!("{number}")) };
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    for _ in 0..5 {
        let request = rig.request(Method::GET, "/v1/events", "acme", Role::Writer);
        assert_problem(request, 403, "FORBIDDEN").await;
    }
    assert_eq!(sizes(&rig), before);
    a_minute_later(&rig);
    let [acme, beta, system] = before;
    assert_eq!(sizes(&rig), [acme + 1, beta, system + 2]);
    let denied = stored(&rig, "acme", "audit.denied").remove(0);
    assert_eq!(
        denied["action"],
        json!({"error": "FORBIDDEN", "status": "denied", "verb": "request"})
    );
    assert_eq!(denied["actor"]["id"], json!(principal(&rig, Role::Writer)));
    assert_eq!(denied["data"]["metadata"]["calls"], 5);
    let strangers = stored(&rig, "_system", "audit.denied");
    let codes: Vec<_> =
        strangers.iter().map(|one| one["action"]["error"].as_str().unwrap()).collect();
    assert_eq!(codes, ["UNAUTHENTICATED", "INVALID_TOKEN"]);
    for one in strangers {
        assert_eq!(one["actor"]["ip_address"], "127.0.0.1");
        assert_eq!(one["data"]["metadata"]["calls"], 150);
        assert_eq!(one["data"]["metadata"]["routes"], json!(["GET /v1/events/{id}"]));
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_narrows_the_log_and_never_silences_it() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    send(&rig, "e-1", "pat-1").await;
    let put = async |document: Value| {
        let request = rig.request(Method::PUT, "/v1/policies/access_log", "acme", Role::Admin);
        let response = request.json(&document).send().await.unwrap();
        (response.status().as_u16(), body(response).await)
    };
    let (status, faults) = put(json!({"without": ["read"]})).await;
    assert_eq!((status, &faults["code"]), (400, &json!("INVALID_POLICY")), "{faults}");
    let robot = principal(&rig, Role::Auditor);
    let (status, set) = put(json!({"without": ["prove"], "without_principals": [robot]})).await;
    assert_eq!(status, 200, "{set}");
    assert_eq!(
        stored(&rig, "acme", "system.policy").pop().unwrap()["policy"]["policy"],
        "access_log"
    );
    prove(&rig, "/v1/events/e-1/proof", Role::Admin).await;
    read(&rig, "/v1/events/e-1/content", Role::Auditor).await;
    a_minute_later(&rig);
    assert_eq!(accesses(&rig), [] as [Value; 0]);
    // What opens values of people is recorded whoever it is.
    read(&rig, "/v1/events/e-1", Role::Auditor).await;
    read(&rig, "/v1/events/e-1/content", Role::Admin).await;
    a_minute_later(&rig);
    let verbs: Vec<_> = accesses(&rig).iter().map(|one| one["target"]["id"].clone()).collect();
    assert_eq!(verbs, ["GET /v1/events/{id}", "GET /v1/events/{id}/content"]);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saw_a_person_has_an_answer() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    send(&rig, "e-1", "pat-1").await;
    send(&rig, "e-2", "pat-2").await;
    let subject = async |id: &str| {
        let request =
            rig.request(Method::POST, "/v1/subjects/lookup", "acme", Role::PrivacyOfficer);
        let found = request.json(&json!({"type": "patient", "id": id})).send().await.unwrap();
        body(found).await["subject_id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (subject("pat-1").await, subject("pat-2").await);
    read(&rig, "/v1/events/e-1", Role::Admin).await;
    read(&rig, "/v1/events/e-1", Role::Viewer).await;
    read(&rig, "/v1/events/e-1/content", Role::Auditor).await;
    let seen_by = async |subject: &str, query: &str| {
        let path = format!("/v1/subjects/{subject}/access{query}");
        let answer = read(&rig, &path, Role::PrivacyOfficer).await;
        let by = answer["accesses"].as_array().unwrap().iter().map(|one| {
            (
                one["event"]["actor"]["id"].as_str().unwrap().to_owned(),
                one["view"].as_str().unwrap().to_owned(),
            )
        });
        (by.collect::<Vec<_>>(), answer["next_cursor"].as_str().map(ToOwned::to_owned))
    };
    let admin = (principal(&rig, Role::Admin), "shown".to_owned());
    let viewer = (principal(&rig, Role::Viewer), "redacted".to_owned());
    assert_eq!(seen_by(&first, "").await, (vec![viewer.clone(), admin.clone()], None));
    assert_eq!(seen_by(&second, "").await, (vec![], None));
    let (page, next) = seen_by(&first, "?limit=1&order=sequence").await;
    assert_eq!(page, std::slice::from_ref(&admin));
    let cursor = next.unwrap();
    assert_eq!(seen_by(&first, &format!("?limit=1&cursor={cursor}")).await.0, [viewer]);

    for (role, status) in
        [(Role::Admin, 200), (Role::Auditor, 403), (Role::Viewer, 403), (Role::Writer, 403)]
    {
        let path = format!("/v1/subjects/{first}/access");
        let answer = rig.request(Method::GET, &path, "acme", role).send().await.unwrap();
        assert_eq!(answer.status(), status, "{role}");
    }
    for (tenant, path, code) in [
        ("beta", format!("/v1/subjects/{first}/access"), "UNKNOWN_SUBJECT"),
        ("acme", "/v1/subjects/nobody/access".to_owned(), "UNKNOWN_SUBJECT"),
        ("acme", format!("/v1/subjects/{first}/erasure"), "NOT_FOUND"),
    ] {
        assert_problem(rig.request(Method::GET, &path, tenant, Role::Admin), 404, code).await;
    }
    // Also once the person is erased.
    rig.sealing.as_ref().unwrap().erase("acme", "patient", "pat-1");
    assert_eq!(seen_by(&first, "").await.0.len(), 2);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_writes_what_is_gathered() {
    let rig = Rig::start().await;
    send(&rig, "e-1", "pat-1").await;
    read(&rig, "/v1/events/e-1", Role::Admin).await;
    rig.ledger.close().unwrap();
    assert_eq!(accesses(&rig).len(), 1);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_seals_nothing_keeps_nobodys_reads_out_of_the_log() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let none = json!({"preset": "none"});
    let path = "/v1/policies/sealing";
    let (status, set) = call(&rig, Role::Admin, Method::PUT, path, &none).await;
    assert_eq!(status, 200, "{set}");
    send(&rig, "e-1", "pat-1").await;
    read(&rig, "/v1/events/e-1", Role::Admin).await;
    let who = json!({"type": "patient", "id": "pat-1"});
    let (status, told) = call(&rig, Role::Admin, Method::POST, "/v1/subjects/lookup", &who).await;
    assert_eq!(status, 200, "{told}");
    let beta = rig.request(Method::GET, "/v1/events?limit=2", "beta", Role::Admin);
    assert_eq!(beta.send().await.unwrap().status(), 200);
    a_minute_later(&rig);
    let found = accesses(&rig);
    assert!(found.len() >= 2, "{found:?}");
    // Who read is in clear, as everything is; what was looked for is under the key of the month.
    assert!(found.iter().all(|one| one["actor"]["ip_address"].is_string()), "{found:?}");
    let literals: Vec<&Value> =
        found.iter().map(|one| &one["data"]["metadata"]["literals"]).collect();
    assert!(literals.iter().any(|one| one["$sealed"].is_u64()), "{found:?}");
    assert_eq!(stored(&rig, "beta", "audit.access").len(), 1);
    rig.assert_sound();
}
