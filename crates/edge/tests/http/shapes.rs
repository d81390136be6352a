//! Flat shapes of events, on the routes that other systems know and on our own.

use ledgerstone_model::access::Role;
use ledgerstone_proof::{EventId, TenantId, split_content};
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

/// The event as it is recorded.
fn recorded(rig: &Rig, id: &Value) -> Value {
    let id = EventId::parse(id.as_str().unwrap()).unwrap();
    let record = rig.ledger.reader().get(&TenantId::parse("acme").unwrap(), &id).unwrap();
    let content = record.content.unwrap();
    serde_json::from_slice(split_content(&content).unwrap().0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_other_systems_send_them() {
    let rig = Rig::start().await;
    let user = json!({
        "event_type": "user.login", "user_id": "user123", "action": "successful_login",
        "resource_type": "authentication", "resource_id": "session_456",
        "details": {"login_method": "password", "device_type": "web"},
        "risk_level": "low", "ip_address": "192.168.1.100", "user_agent": "Mozilla/5.0...",
    });
    let agent = json!({
        "event_type": "constitutional.violation", "agent_id": "agent-7", "action": "block",
        "outcome": "denied", "payload": {"principle": 4},
    });
    let entity = json!({
        "EventType": "user.login", "Actor": "user123", "EntityType": "user", "EntityID": "user123",
        "Timestamp": "2024-05-01T12:00:00Z", "Metadata": {"session_id": "sess_abc123"},
    });
    let nested = json!({
        "event_type": "load.test", "actor": {"type": "user", "id": "load-test-user"},
        "action": {"verb": "test", "status": "success"},
    });
    for (path, sent, actor, mapping) in [
        ("/api/v1/audit", &user, "user123", Some("user/1")),
        ("/api/v1/audit/events", &agent, "agent-7", Some("agent/1")),
        ("/api/v1/audit/events", &entity, "user123", Some("entity/1")),
        ("/api/audit/event", &nested, "load-test-user", None),
        ("/v1/events?shape=agent", &agent, "agent-7", Some("agent/1")),
    ] {
        let request = rig.request(Method::POST, path, "acme", Role::Writer).json(sent);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201, "{path}");
        let event = recorded(&rig, &body(response).await["id"]);
        assert_eq!(event["actor"]["id"], actor, "{path}");
        assert_eq!(event["intake"]["mapping"].as_str(), mapping, "{path}");
    }
    // Our own route takes no shape unasked: what is no field is kept aside.
    let request = rig.request(Method::POST, "/v1/events", "acme", Role::Writer);
    let receipt =
        body(request.json(&json!({"event_type": "a.b", "user_id": "u"})).send().await.unwrap())
            .await;
    assert_eq!(recorded(&rig, &receipt["id"])["intake"]["unmapped"], json!({"user_id": "u"}));
    assert_problem(rig.append("?shape=round", "{}"), 400, "INVALID_ARGUMENT").await;
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_shape_sent_again_is_a_duplicate() {
    let rig = Rig::start().await;
    let event = json!({"id": "s-1", "event_type": "a.b", "user_id": "u", "details": {"n": 1}});
    let send = |event: Value| {
        rig.request(Method::POST, "/api/v1/audit", "acme", Role::Writer).json(&event)
    };
    assert_eq!(send(event.clone()).send().await.unwrap().status(), 201);
    assert_eq!(send(event.clone()).send().await.unwrap().status(), 200);
    let mut other = event;
    other["details"]["n"] = json!(2);
    assert_problem(send(other), 409, "ID_CONFLICT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_foreign_format_are_mapped_where_the_ledger_is() {
    let rig = Rig::start().await;
    let record = json!({
        "eventID": "ct-1", "eventName": "GetObject", "eventSource": "s3.amazonaws.com",
        "eventTime": "2024-05-01T12:00:00Z", "userIdentity": {"type": "Root", "principalId": "1"},
        "odd": 1,
    });
    let answer = body(rig.append("?format=cloudtrail", record.to_string()).send().await.unwrap());
    let event = recorded(&rig, &answer.await["id"]);
    assert_eq!(event["event_type"], "aws.s3.GetObject");
    assert_eq!((&event["id"], &event["intake"]["format"]), (&json!("ct-1"), &json!("cloudtrail")));
    assert_eq!(event["intake"]["unmapped"]["odd"], 1);
    let again = body(rig.append("?format=cloudtrail", record.to_string()).send().await.unwrap());
    assert_eq!(again.await["status"], "duplicate");
    let native = TestEvent::new("user.login").id("n-1").json();
    let answer = body(rig.append("?format=ndjson", native).send().await.unwrap()).await;
    assert!(
        recorded(&rig, &answer["id"])
            .get("intake")
            .is_none_or(|intake| intake.get("format").is_none())
    );
    for (query, status, code) in [
        ("?format=csv", 400, "UNKNOWN_FORMAT"),
        ("?format=cloudtrail&shape=user", 400, "INVALID_ARGUMENT"),
    ] {
        assert_problem(rig.append(query, record.to_string()), status, code).await;
    }
    let sent = rig.append("?format=cloudtrail", "[5]").send().await.unwrap();
    assert_eq!(body(sent).await["items"][0]["error"]["code"], "INVALID_IMPORT");
}
