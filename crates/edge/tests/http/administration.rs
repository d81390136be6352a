//! Tenants, API keys, signing keys, status and health over HTTP: who may, and what it does.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, RigOptions, assert_problem};
use ledgerstone_edge::rest::Limits;
use ledgerstone_edge::rest::limits::RateLimit;

/// Sends a request as a role of a tenant, and gives back status and body.
async fn call(
    rig: &Rig,
    who: (&str, Role),
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = rig.request(method, path, who.0, who.1);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    (response.status(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

const OPERATOR: (&str, Role) = ("_system", Role::Admin);
const ACME: (&str, Role) = ("acme", Role::Admin);

#[tokio::test(flavor = "multi_thread")]
async fn operators_create_suspend_and_resume_tenants() {
    let rig = Rig::start().await;
    let (status, list) = call(&rig, OPERATOR, Method::GET, "/v1/tenants", None).await;
    assert_eq!((status, list["tenants"].as_array().unwrap().len()), (StatusCode::OK, 2));
    let new = |name: &str| Some(json!({ "tenant_id": name }));
    let (status, made) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", new("gamma")).await;
    assert_eq!((status, &made["state"]), (StatusCode::CREATED, &json!("active")));
    assert!(made["vkey"].as_str().unwrap().contains('+'));
    for (body, code) in [
        (json!(["delta"]), "INVALID_ARGUMENT"),
        (json!("delta"), "INVALID_ARGUMENT"),
        (json!(null), "INVALID_ARGUMENT"),
    ] {
        let (_, refused) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", Some(body)).await;
        assert_eq!(refused["code"], code, "{refused}");
    }
    for (name, code) in
        [("gamma", "TENANT_EXISTS"), ("_x", "RESERVED_NAME"), ("A b", "INVALID_TENANT")]
    {
        let (_, refused) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", new(name)).await;
        assert_eq!(refused["code"], code, "{refused}");
    }
    let why = Some(json!({ "reason": "unpaid" }));
    let (status, now) = call(&rig, OPERATOR, Method::POST, "/v1/tenants/gamma/suspend", why).await;
    assert_eq!((status, &now["state"]), (StatusCode::OK, &json!("suspended")));
    let (_, seen) = call(&rig, OPERATOR, Method::GET, "/v1/tenants/gamma", None).await;
    assert_eq!(seen["state"], "suspended");
    let (status, _) = call(&rig, OPERATOR, Method::POST, "/v1/tenants/gamma/resume", None).await;
    assert_eq!(status, StatusCode::OK);
    for path in ["/v1/tenants/nobody", "/v1/tenants/_system", "/v1/tenants/A%20b"] {
        let (status, unknown) = call(&rig, OPERATOR, Method::GET, path, None).await;
        assert_eq!((status, &unknown["code"]), (StatusCode::NOT_FOUND, &json!("UNKNOWN_TENANT")));
    }
    let (status, _) = call(&rig, ACME, Method::GET, "/v1/tenants", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

/// The newest `audit` record of `_system`, and the `system` record that points to it.
async fn newest_act(rig: &Rig) -> (Value, Value) {
    let (_, list) = call(rig, OPERATOR, Method::GET, "/v1/events?limit=8", None).await;
    let records = list["events"].as_array().unwrap();
    let act = records.iter().find(|record| record["record"]["kind"] == "audit").unwrap();
    let number = &act["event"]["data"]["metadata"]["system_record"];
    let led_to = records.iter().find(|record| record["record"]["sequence_number"] == *number);
    let led_to = led_to.unwrap()["event"].clone();
    let member = led_to["event_type"].as_str().unwrap().strip_prefix("system.").unwrap();
    assert_eq!(led_to[member]["audit_record"], act["record"]["sequence_number"], "{led_to}");
    (act["event"].clone(), led_to[member].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_act_says_who_ordered_it_and_its_system_record_names_nobody() {
    let rig = Rig::start().await;
    let (_, keys) = call(&rig, OPERATOR, Method::GET, "/v1/signing-keys", None).await;
    let key_of = |usage: &str| {
        let keys = keys["signing_keys"].as_array().unwrap();
        keys.iter().find(|key| key["use"] == usage).unwrap()["key_id"].as_str().unwrap().to_owned()
    };
    let acts = [
        ("/v1/tenants", json!({"tenant_id": "gamma"}), ("create", "tenant", "gamma".to_owned())),
        ("/v1/tenants/gamma/suspend", json!({}), ("suspend", "tenant", "gamma".to_owned())),
        ("/v1/tenants/gamma/resume", json!({}), ("resume", "tenant", "gamma".to_owned())),
        (
            "/v1/signing-keys/rotate",
            json!({"use": "record"}),
            ("rotate", "signing_key", key_of("record")),
        ),
        (
            "/v1/signing-keys/rotate",
            json!({"use": "log"}),
            ("rotate", "signing_key", key_of("log")),
        ),
    ];
    for (path, body, (verb, what, which)) in acts {
        let request = rig.request(Method::POST, path, "_system", Role::Admin);
        let request = request.header("content-type", "application/json");
        let request = request.header("x-request-id", "change-17").body(body.to_string());
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
        let (act, led_to) = newest_act(&rig).await;
        assert_eq!(act["action"]["verb"], verb, "{path}");
        assert_eq!(act["target"], json!({"id": which, "type": what}), "{path}");
        assert_eq!(act["context"]["request_id"], "change-17");
        let key = rig.key("_system", Role::Admin);
        let id = format!("key:{}", key.split('_').nth(1).unwrap());
        let actor = json!({"id": id, "ip_address": "127.0.0.1", "name": "test", "type": "api_key"});
        assert_eq!(act["actor"], actor, "{path}");
        assert!(!led_to.to_string().contains(&id), "{led_to}");
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_first_admin_key_comes_with_its_creation_and_at_no_other_time() {
    let rig = Rig::start().await;
    for (wish, code) in [
        (json!({"label": ""}), "INVALID_ARGUMENT"),
        (json!({"label": "x", "roles": ["admin"]}), "INVALID_ARGUMENT"),
        (json!({"expires_at": "soon"}), "INVALID_TIMESTAMP"),
        (json!({"expires_at": "2001-01-01T00:00:00.000000Z"}), "INVALID_ARGUMENT"),
    ] {
        let body = json!({"tenant_id": "gamma", "first_admin_key": wish});
        let (_, refused) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", Some(body)).await;
        assert_eq!(refused["code"], code, "{refused}");
    }
    let (status, _) = call(&rig, OPERATOR, Method::GET, "/v1/tenants/gamma", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a wish that cannot be makes no tenant");
    let body = json!({"tenant_id": "gamma", "first_admin_key": {"label": "for Gamma Ltd"}});
    let (status, made) =
        call(&rig, OPERATOR, Method::POST, "/v1/tenants", Some(body.clone())).await;
    assert_eq!((status, &made["tenant_id"]), (StatusCode::CREATED, &json!("gamma")), "{made}");
    let first = &made["first_admin_key"];
    let (key, id) = (first["api_key"].as_str().unwrap(), first["key_id"].as_str().unwrap());
    assert_eq!((&first["roles"], &first["label"]), (&json!(["admin"]), &json!("for Gamma Ltd")));
    assert_eq!(made["records"], 3, "the genesis, who granted the key, and the key");
    // It opens the tenant's ledger, where it is recorded who made it.
    let events = rig.anonymous(Method::GET, "/v1/events").bearer_auth(key).send().await.unwrap();
    let events: Value = serde_json::from_str(&events.text().await.unwrap()).unwrap();
    let act = &events["events"][1]["event"];
    let operator = format!("key:{}", rig.key("_system", Role::Admin).split('_').nth(1).unwrap());
    assert_eq!((&act["action"]["verb"], &act["actor"]["id"]), (&json!("grant"), &json!(operator)));
    assert_eq!(events["events"][0]["event"]["api_key"]["key_id"], id);
    // And in `_system`, beside the tenant's creation.
    let (_, acts) = call(&rig, OPERATOR, Method::GET, "/v1/events?limit=1", None).await;
    let act = &acts["events"][0]["event"];
    assert_eq!((&act["action"]["verb"], &act["actor"]["id"]), (&json!("grant"), &json!(operator)));
    assert_eq!(act["target"], json!({"id": id, "type": "api_key"}));
    assert_eq!(act["data"]["metadata"]["label"], "gamma");
    assert!(!acts.to_string().contains(key) && !events.to_string().contains(key));
    // At no other time.
    let (_, refused) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", Some(body)).await;
    assert_eq!(refused["code"], "TENANT_EXISTS", "{refused}");
    assert!(refused.get("first_admin_key").is_none());
    let plain = json!({"tenant_id": "delta"});
    let (_, made) = call(&rig, OPERATOR, Method::POST, "/v1/tenants", Some(plain)).await;
    assert!(made.get("first_admin_key").is_none() && made["records"] == 1, "{made}");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrative_body_that_does_not_come_is_given_up() {
    let limits = Limits { body_pause: Duration::from_millis(100), ..Limits::default() };
    let rig = Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await;
    for path in [
        "/v1/tenants",
        "/v1/tenants/acme/suspend",
        "/v1/tenants/acme/resume",
        "/v1/api-keys",
        "/v1/api-keys/abcdefghij234567/revoke",
        "/v1/signing-keys/rotate",
        "/v1/verify",
    ] {
        let tenant = if path.contains("api-keys") { "acme" } else { "_system" };
        let slow = futures_util::stream::once(std::future::ready(Ok::<_, std::io::Error>("{")))
            .chain(futures_util::stream::pending());
        let request = rig.request(Method::POST, path, tenant, Role::Admin);
        let request = request.header("content-type", "application/json");
        assert_problem(request.body(reqwest::Body::wrap_stream(slow)), 408, "INVALID_BODY").await;
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_takes_nothing_and_shows_everything() {
    let rig = Rig::start().await;
    let change = async |what: &str| {
        let path = format!("/v1/tenants/acme/{what}");
        assert_eq!(call(&rig, OPERATOR, Method::POST, &path, None).await.0, StatusCode::OK);
    };
    change("suspend").await;
    for path in ["/v1/events", "/v1/events?atomic=true", "/v1/events?wait=none"] {
        for body in [json!({"event_type": "a.b"}), json!([{"event_type": "a.b"}])] {
            let (status, refused) = call(&rig, ACME, Method::POST, path, Some(body)).await;
            assert_eq!(
                (status, &refused["code"]),
                (StatusCode::FORBIDDEN, &json!("TENANT_SUSPENDED"))
            );
        }
    }
    assert_eq!(call(&rig, ACME, Method::GET, "/v1/events", None).await.0, StatusCode::OK);
    change("resume").await;
    let event = Some(json!({"event_type": "a.b"}));
    assert_eq!(call(&rig, ACME, Method::POST, "/v1/events", event).await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_shown_once_and_revoked() {
    let rig = Rig::start().await;
    let wanted = json!({ "label": "billing", "roles": ["writer"] });
    let (status, made) = call(&rig, ACME, Method::POST, "/v1/api-keys", Some(wanted)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (key, id) = (made["api_key"].as_str().unwrap(), made["key_id"].as_str().unwrap());
    let event = json!({"event_type": "user.login", "timestamp": "2024-05-01T12:00:00Z", "actor": {"id": "u", "type": "user"}, "action": {"verb": "login", "status": "success"}});
    let append = || {
        let request = rig.anonymous(Method::POST, "/v1/events").bearer_auth(key);
        request.header("content-type", "application/json").body(event.to_string()).send()
    };
    assert!(append().await.unwrap().status().is_success());
    let (_, list) = call(&rig, ACME, Method::GET, "/v1/api-keys", None).await;
    assert!(!list.to_string().contains(key), "a secret is shown again");
    let shown = |list: &Value| {
        let keys = list["api_keys"].as_array().unwrap();
        keys.iter().find(|one| one["key_id"] == id).cloned().unwrap()
    };
    assert_eq!(shown(&list)["label"], "billing");
    let path = format!("/v1/api-keys/{id}/revoke");
    let (status, other) = call(&rig, ("beta", Role::Admin), Method::POST, &path, None).await;
    assert_eq!((status, &other["code"]), (StatusCode::NOT_FOUND, &json!("UNKNOWN_API_KEY")));
    let (status, _) = call(&rig, ACME, Method::POST, &path, Some(json!({"reason": "lost"}))).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(append().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let (_, list) = call(&rig, ACME, Method::GET, "/v1/api-keys", None).await;
    assert_eq!(shown(&list)["state"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_are_refused() {
    let rig = Rig::start().await;
    for (body, code) in [
        (json!({"label": "x", "roles": ["king"]}), "INVALID_ARGUMENT"),
        (json!({"label": "x", "roles": []}), "INVALID_ARGUMENT"),
        (json!({"label": "", "roles": ["writer"]}), "INVALID_ARGUMENT"),
        (json!({"label": "x", "roles": ["writer"], "tenant_id": "beta"}), "INVALID_ARGUMENT"),
        (json!({"label": "x", "roles": ["writer"], "expires_at": "soon"}), "INVALID_TIMESTAMP"),
        (
            json!({"label": "x", "roles": ["writer"], "expires_at": "2001-01-01T00:00:00.000000Z"}),
            "INVALID_ARGUMENT",
        ),
    ] {
        let (_, refused) = call(&rig, ACME, Method::POST, "/v1/api-keys", Some(body.clone())).await;
        assert_eq!(refused["code"], code, "{body}: {refused}");
    }
    for role in [Role::Auditor, Role::Writer, Role::Viewer] {
        let body = Some(json!({"label": "x", "roles": ["writer"]}));
        let (status, _) = call(&rig, ("acme", role), Method::POST, "/v1/api-keys", body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_are_listed_and_replaced() {
    let rig = Rig::start().await;
    let (_, before) = call(&rig, OPERATOR, Method::GET, "/v1/signing-keys", None).await;
    assert_eq!(before["signing_keys"].as_array().unwrap().len(), 2);
    let body = Some(json!({ "use": "record" }));
    let (status, done) = call(&rig, OPERATOR, Method::POST, "/v1/signing-keys/rotate", body).await;
    assert_eq!((status, &done["ledgers"]), (StatusCode::OK, &json!(3)), "{done}");
    let (_, after) = call(&rig, OPERATOR, Method::GET, "/v1/signing-keys", None).await;
    let newest = after["signing_keys"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&newest["key_id"], &newest["state"]), (&done["new"], &json!("current")));
    let body = Some(json!({ "use": "log" }));
    call(&rig, OPERATOR, Method::POST, "/v1/signing-keys/rotate", body).await;
    let (_, keys) = call(&rig, OPERATOR, Method::GET, "/v1/signing-keys", None).await;
    let logs = keys["signing_keys"].as_array().unwrap().iter().filter(|key| key["use"] == "log");
    let periods: Vec<_> = logs.map(|key| (&key["state"], key["signs_until"].is_string())).collect();
    assert_eq!(periods, [(&json!("outgoing"), true), (&json!("current"), false)]);
    let (_, checkpoint) = call(&rig, OPERATOR, Method::GET, "/v1/checkpoint", None).await;
    let vkeys = keys["signing_keys"].as_array().unwrap().iter().map(|key| &key["vkey"]);
    assert!(vkeys.clone().any(|vkey| *vkey == checkpoint["vkey"]), "{keys}");
    for wrong in [
        json!({ "use": "house" }),
        json!({ "use": "log", "record_key_algorithm": "rsa" }),
        json!({ "use": "record", "record_key_algorithm": "dsa" }),
    ] {
        let body = Some(wrong.clone());
        let (_, refused) =
            call(&rig, OPERATOR, Method::POST, "/v1/signing-keys/rotate", body).await;
        assert_eq!(refused["code"], "INVALID_ARGUMENT", "{wrong}");
    }
    let (status, _) = call(&rig, ACME, Method::GET, "/v1/signing-keys", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_key_can_become_rsa() {
    let rig = Rig::start().await;
    let body = Some(json!({ "use": "record", "record_key_algorithm": "rsa" }));
    let (status, done) = call(&rig, OPERATOR, Method::POST, "/v1/signing-keys/rotate", body).await;
    assert_eq!((status, &done["algorithm"]), (StatusCode::OK, &json!("rsa")), "{done}");
    let (_, listed) = call(&rig, OPERATOR, Method::GET, "/v1/signing-keys", None).await;
    assert_eq!(listed["signing_keys"][2]["algorithm"], "rsa");
    let keys = rig.anonymous(Method::GET, "/v1/verification-keys").send().await.unwrap();
    let keys: Value = serde_json::from_str(&keys.text().await.unwrap()).unwrap();
    let key = &keys["keys"][2];
    assert_eq!((&key["algorithm"], &key["key_id"]), (&json!("rsa"), &done["new"]));
    // A SubjectPublicKeyInfo of an RSA key with 3072 bits.
    let public_key = key["public_key"].as_str().unwrap();
    assert!(public_key.starts_with("MIIBojANBgkqhkiG9w0BAQEFAAOCAY8A"), "{public_key}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_shown_as_far_as_one_may_see_it() {
    let rig = Rig::start().await;
    let (_, own) = call(&rig, ("acme", Role::Viewer), Method::GET, "/v1/status", None).await;
    assert_eq!(own["ledger"]["tenant_id"], "acme");
    assert!(own["ledger"]["origin"].as_str().unwrap().starts_with("test.example/"));
    assert!(own.get("deployment").is_none());
    let (_, all) = call(&rig, OPERATOR, Method::GET, "/v1/status", None).await;
    assert_eq!(all["deployment"]["tenants"], 2);
    let (_, some) = call(&rig, ("_system", Role::Viewer), Method::GET, "/v1/status", None).await;
    assert!(some.get("deployment").is_none());
    for (path, status) in
        [("/health", "healthy"), ("/health/ready", "ready"), ("/health/audit", "healthy")]
    {
        let answer = rig.anonymous(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(body["status"], status, "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_the_buffer_is_what_waits_in_it() {
    let mut options = RigOptions::default();
    options.ledger.open_records = 4;
    let rig = Rig::start_with(options).await;
    let health = async || {
        let answer = rig.anonymous(Method::GET, "/health/audit").send().await.unwrap();
        crate::rig::json(answer).await
    };
    let sizes =
        |health: &Value| (health["buffer_size"].as_u64(), health["buffer_max_size"].as_u64());
    assert_eq!(sizes(&health().await), (Some(0), Some(4)));
    let queue = async |id: &str| {
        let event = TestEvent::new("user.login").id(id).json();
        assert_eq!(rig.append("?wait=none", event).send().await.unwrap().status(), 202);
    };
    rig.store.gate().shut();
    queue("written").await;
    let store = Arc::clone(&rig.store);
    tokio::task::spawn_blocking(move || store.gate().wait_for_append()).await.unwrap();
    queue("first").await;
    queue("second").await;
    let found = health().await;
    rig.store.gate().open();
    assert_eq!(sizes(&found), (Some(2), Some(4)), "{found}");
    assert_eq!(found["buffer"], json!({"status": "healthy", "used_percent": 50}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_sends_too_much_is_told_to_wait() {
    let rate = Some(RateLimit { requests_per_second: 1, burst: 3 });
    let limits = Limits { rate, ..Limits::default() };
    let rig = Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let answer =
            rig.request(Method::GET, "/v1/status", "acme", Role::Viewer).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("ratelimit-policy"), "\"requests\";q=3;w=3;qu=\"requests\"");
        assert!(header("ratelimit").starts_with("\"requests\";r="));
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(header("retry-after"), "1");
            assert!(answer.text().await.unwrap().contains("RATE_LIMITED"));
            seen.push(429);
        } else {
            seen.push(answer.status().as_u16());
        }
    }
    assert_eq!(seen[..3], [200, 200, 200]);
    assert!(seen[3..].contains(&429), "{seen:?}");
    let other = rig.request(Method::GET, "/v1/status", "beta", Role::Viewer).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK, "others are not concerned");
    let public = rig.anonymous(Method::GET, "/health").send().await.unwrap();
    assert_eq!(public.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_for_those_who_ask() {
    let rig = Rig::start().await;
    for encoding in ["gzip", "zstd"] {
        let request = rig.request(Method::GET, "/v1/api-keys", "acme", Role::Admin);
        let answer = request.header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], encoding);
        let packed = answer.bytes().await.unwrap();
        let magic: &[u8] =
            if encoding == "gzip" { &[0x1f, 0x8b] } else { &[0x28, 0xb5, 0x2f, 0xfd] };
        assert!(packed.starts_with(magic), "{packed:?}");
    }
    let request = rig.request(Method::GET, "/v1/api-keys", "acme", Role::Admin);
    let answer = request.header("accept-encoding", "identity").send().await.unwrap();
    assert!(!answer.headers().contains_key("content-encoding"));
}
