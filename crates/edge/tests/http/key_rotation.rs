//! `/v1/sealing-keys`, and a root key service that is away.

use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json as object};

use crate::rig::{Rig, assert_problem, json};

fn login(id: &str, actor: &str) -> String {
    TestEvent::new("user.login")
        .id(id)
        .set("/actor/type", "customer".into())
        .set("/actor/id", actor.into())
        .set("/actor/name", "Ana Lima".into())
        .json()
}

async fn get(rig: &Rig, path: &str, tenant: &str, role: Role) -> Value {
    json(rig.request(Method::GET, path, tenant, role).send().await.unwrap()).await
}

async fn rotate(rig: &Rig, tenant: &str, wanted: Value) -> (u16, Value) {
    let request = rig.request(Method::POST, "/v1/sealing-keys/rotate", tenant, Role::Admin);
    let response = request.json(&wanted).send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_and_rotated_for_those_whose_they_are() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    for (id, actor) in [("e-1", "cus-1"), ("e-2", "cus-2")] {
        assert_eq!(rig.append("", login(id, actor)).send().await.unwrap().status(), 201);
    }
    rig.sealing.as_ref().unwrap().erase("acme", "customer", "cus-2");
    let listed = get(&rig, "/v1/sealing-keys", "acme", Role::Auditor).await;
    let [keys] = listed["sealing_keys"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&keys["tenant_id"], &keys["live_keys"]), (&object!("acme"), &object!(1)), "{keys}");
    assert_eq!(
        (&keys["root_service"], &keys["outdated_keys"]),
        (&object!("switched"), &object!(0))
    );
    assert!(listed.get("deployment").is_none());
    assert_eq!(
        get(&rig, "/v1/sealing-keys", "beta", Role::Admin).await["sealing_keys"],
        object!([])
    );
    let all = get(&rig, "/v1/sealing-keys", "_system", Role::Auditor).await;
    assert_eq!(all["sealing_keys"], listed["sealing_keys"]);
    assert_eq!(all["deployment"]["destroyed_keys"], 1);

    let size = rig.size("acme");
    let (status, done) = rotate(&rig, "acme", object!({})).await;
    assert_eq!((status, &done["rewrapped_keys"]), (200, &object!(1)), "{done}");
    assert_ne!(done["key_id"], keys["key_id"]);
    let (status, again) = rotate(&rig, "_system", object!({"tenant_id": "acme"})).await;
    assert_eq!((status, &again["tenant_id"]), (200, &object!("acme")));
    let listed = get(&rig, "/v1/sealing-keys", "acme", Role::PrivacyOfficer).await;
    assert_eq!(listed["sealing_keys"][0]["key_id"], again["key_id"]);
    assert_eq!(rig.size("acme"), size + 2, "each rotation is told");
    let shown = get(&rig, "/v1/events/e-1", "acme", Role::Admin).await;
    assert_eq!(shown["event"]["actor"]["name"], "Ana Lima");
    rig.assert_sound();

    for (tenant, wanted, status, code) in [
        ("acme", object!({"tenant_id": "beta"}), 404, "UNKNOWN_TENANT"),
        ("beta", object!({}), 404, "NOT_FOUND"),
        ("_system", object!({}), 400, "INVALID_ARGUMENT"),
        ("_system", object!({"tenant_id": "nobody"}), 404, "UNKNOWN_TENANT"),
        ("_system", object!({"tenant_id": "No Name"}), 400, "INVALID_TENANT"),
    ] {
        let path = "/v1/sealing-keys/rotate";
        let request = rig.request(Method::POST, path, tenant, Role::Admin).json(&wanted);
        assert_problem(request, status, code).await;
    }
}

/// The component of `/health/audit` that tells of the root key service.
async fn key_service(rig: &Rig) -> String {
    let health = get(rig, "/health/audit", "acme", Role::Viewer).await;
    let components = health["components"].as_array().unwrap().iter();
    let mut own = components.filter(|one| one["name"] == "key_service");
    own.next().unwrap()["status"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_told_from_its_first_failure() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let sealing = rig.sealing.as_ref().unwrap();
    assert_eq!(rig.append("", login("e-1", "cus-1")).send().await.unwrap().status(), 201);
    assert_eq!(key_service(&rig).await, "healthy");
    sealing.switch_off();
    // The tenant's key is in memory, so that writing goes on, also for people that are new.
    assert_eq!(rig.append("", login("e-2", "cus-2")).send().await.unwrap().status(), 201);
    rig.clock.advance(std::time::Duration::from_mins(5));
    assert_problem(rig.append("", login("e-3", "cus-1")), 503, "KEY_SERVICE_UNAVAILABLE").await;
    assert_eq!(key_service(&rig).await, "degraded");
    assert_eq!(get(&rig, "/health/audit", "acme", Role::Viewer).await["status"], "degraded");
    let status = get(&rig, "/v1/status", "_system", Role::Admin).await;
    let keys = &status["deployment"]["key_service"];
    assert_eq!(
        (&keys["service"], &keys["failures"]),
        (&object!("switched"), &object!(1)),
        "{status}"
    );
    let metrics =
        rig.request(Method::GET, "/metrics", "_system", Role::Admin).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for line in [
        "ledgerstone_key_service_calls_total 2",
        "ledgerstone_key_service_failures_total 1",
        "ledgerstone_cached_subject_keys 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    sealing.switch_on();
    assert_eq!(rig.append("", login("e-3", "cus-1")).send().await.unwrap().status(), 201);
    assert_eq!(key_service(&rig).await, "healthy");
}
