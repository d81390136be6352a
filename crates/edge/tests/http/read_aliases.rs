//! Reading in the words of other services: their routes, their parameters, their shapes.

use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

async fn get(rig: &Rig, path: &str) -> Value {
    let answer = rig.request(Method::GET, path, "acme", Role::Auditor).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    body(answer).await
}

async fn post(rig: &Rig, path: &str, event: &Value) -> Value {
    let sent =
        rig.request(Method::POST, path, "acme", Role::Writer).json(event).send().await.unwrap();
    assert_eq!(sent.status(), 201, "{path}");
    body(sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_event_is_posted_listed_and_read() {
    let rig = Rig::start().await;
    let sent = json!({
        "event_type": "user.login", "user_id": "user123", "action": "successful_login",
        "resource_type": "authentication", "resource_id": "session_456",
        "details": {"login_method": "password", "device_type": "web"},
        "risk_level": "low", "ip_address": "192.168.1.100", "user_agent": "Mozilla/5.0...",
    });
    let receipt = post(&rig, "/api/v1/audit", &sent).await;
    let list = get(&rig, "/api/v1/audit?start_date=2024-01-01T00:00:00&page=1&page_size=50").await;
    let shown = &list["events"][0];
    for (member, value) in sent.as_object().unwrap() {
        assert_eq!(&shown[member], value, "{member}");
    }
    assert_eq!((&shown["id"], &shown["record_hash"]), (&receipt["id"], &receipt["record_hash"]));
    assert_eq!((&list["total"], &list["total_pages"]), (&json!(rig.size("acme")), &json!(1)));
    let id = receipt["id"].as_str().unwrap();
    assert_eq!(&get(&rig, &format!("/api/v1/audit/{id}")).await, shown);
    // The filter of the same line is told, and not passed over.
    let filtered =
        "/api/v1/audit?event_type=user.login&start_date=2024-01-01T00:00:00&page=1&page_size=50";
    let filtered = rig.request(Method::GET, filtered, "acme", Role::Auditor);
    assert_problem(filtered, 400, "NOT_SUPPORTED_YET").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_back_in_the_shape_in_which_they_were_sent() {
    let rig = Rig::start().await;
    let agent = json!({
        "event_type": "constitutional.violation", "agent_id": "agent-7", "action": "block",
        "outcome": "denied", "payload": {"principle": 4}, "timestamp": "2024-05-01T12:00:00Z",
    });
    let entity = json!({
        "ID": "e-1", "EventType": "user.login", "Actor": "user123", "EntityType": "user",
        "EntityID": "user123", "Timestamp": "2024-05-01T12:00:00Z",
        "Metadata": {"session_id": "sess_abc123"},
    });
    let path = "/api/v1/audit/events";
    let first = post(&rig, path, &agent).await;
    post(&rig, path, &entity).await;
    let list = get(&rig, path).await;
    assert_eq!(list["total_count"], rig.size("acme"));
    assert!(list["execution_time"].is_string() && list["next_cursor"].is_null());
    for (shown, sent) in [(&list["events"][0], &entity), (&list["events"][1], &agent)] {
        for (member, value) in sent.as_object().unwrap() {
            assert_eq!(&shown[member], value, "{member}");
        }
    }
    assert_eq!(list["events"][1]["prev_hash"], first["previous_hash"]);
    assert_eq!(list["events"][1]["chain_hash"], first["record_hash"]);
    assert_eq!(list["events"][1]["signature"], first["signature"]);
    assert_eq!(get(&rig, &format!("{path}/e-1")).await, list["events"][0]);
    let as_user = get(&rig, &format!("{path}/e-1?shape=user")).await;
    assert_eq!((&as_user["user_id"], &as_user["id"]), (&json!("user123"), &json!("e-1")));
    // Page by page over one snapshot.
    let mut next = format!("{path}?limit=1");
    let mut ids = Vec::new();
    loop {
        let page = get(&rig, &next).await;
        ids.push(page["events"][0]["id"].clone());
        assert_eq!(page["total_count"], list["total_count"]);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}?limit=1&cursor={cursor}");
        if ids.len() == 1 {
            post(&rig, path, &json!({"event_type": "a.b", "agent_id": "late"})).await;
        }
    }
    assert_eq!(ids.len() as u64, list["total_count"].as_u64().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_field_takes_comes_back_as_it_was_sent() {
    let rig = Rig::start().await;
    for (number, odd) in
        [json!([1, {"a": "b"}]), json!("text"), json!(7.5), json!(false), json!(null)]
            .into_iter()
            .enumerate()
    {
        for (path, sent) in [
            ("/api/v1/audit/events", json!({"event_type": "a.b", "agent_id": "a", "payload": odd})),
            (
                "/api/v1/audit",
                json!({"event_type": "a.b", "user_id": "u", "details": odd, "risk_level": "extreme",
                    "resource_type": 7, "actor": {"id": "another"}}),
            ),
            (
                "/api/v1/audit/events",
                json!({"EventType": "a.b", "EntityType": "user", "entity_id": 7, "Metadata": odd}),
            ),
        ] {
            let id = post(&rig, path, &sent).await["id"].clone();
            let shown = get(&rig, &format!("{path}/{}", id.as_str().unwrap())).await;
            for (member, value) in sent.as_object().unwrap() {
                let member = match member.as_str() {
                    "actor" => continue,
                    "entity_id" => "EntityID",
                    other => other,
                };
                assert_eq!(&shown[member], value, "{number} {path} {member}: {shown}");
            }
        }
    }
    // In another shape than it was sent in there is no word for it.
    let sent = json!({"event_type": "a.b", "agent_id": "a", "payload": [1]});
    let id = post(&rig, "/api/v1/audit/events", &sent).await["id"].clone();
    let as_user = get(&rig, &format!("/api/v1/audit/{}", id.as_str().unwrap())).await;
    assert_eq!((&as_user["details"], &as_user["user_id"]), (&Value::Null, &json!("a")));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_counted_and_hold_every_record_once() {
    let rig = Rig::start().await;
    for number in 0..5 {
        let event = json!({"id": format!("e-{number}"), "event_type": "a.b", "user_id": "u"});
        post(&rig, "/api/v1/audit", &event).await;
    }
    let total = rig.size("acme");
    let mut ids = Vec::new();
    for page in 1..=total.div_ceil(2) {
        let page = get(&rig, &format!("/api/v1/audit?page={page}&page_size=2")).await;
        assert_eq!((&page["total"], &page["page_size"]), (&json!(total), &json!(2)));
        ids.extend(page["events"].as_array().unwrap().iter().map(|event| event["id"].to_string()));
    }
    assert_eq!(ids.len() as u64, total);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, total);
    for beyond in ["99", "9007199254740991"] {
        let page = get(&rig, &format!("/api/v1/audit?page={beyond}")).await;
        assert_eq!(page["events"], json!([]));
    }
    let after = get(&rig, "/api/v1/audit?start_date=2999-01-01T00:00:00Z").await;
    assert_eq!((&after["total"], &after["total_pages"]), (&json!(0), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_its_own_events_alone() {
    let rig = Rig::start().await;
    post(&rig, "/api/v1/audit", &json!({"id": "e-1", "event_type": "a.b", "user_id": "alice"}))
        .await;
    for path in
        ["/api/v1/audit", "/api/v1/audit/events", "/api/v1/audit/e-1", "/api/v1/audit/events/e-1"]
    {
        let other = rig.request(Method::GET, path, "beta", Role::Auditor).send().await.unwrap();
        assert!(!other.text().await.unwrap().contains("\"e-1\""), "{path}");
    }
}
