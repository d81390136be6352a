//! What each role sees of one and the same event, on every route that shows events.

use std::collections::HashMap;
use std::time::Duration;

use ledgerstone_ledger::PolicyDraft;
use ledgerstone_model::Actor;
use ledgerstone_model::access::{Role, View};
use ledgerstone_model::policy::PolicyDocument;
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_proof::{Canonicalizer, TenantId, sha256};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::rig::{Rig, assert_problem, json as body};

/// Values that only stand at sealed places, by their class.
const PERSONAL: [&str; 5] = ["Ana Lima", "ana.lima@", "10.0.0.7", "12 Main St", "5678901"];
const SENSITIVE: &str = "B20-diagnosis";
const SECRET: &str = "t0k3n-abcdef";

const POLICY: &str = r#"{"preset":"standard","rules":[
    {"path":"data.metadata.token","class":"secret"},
    {"path":"data.metadata.medical","class":"sensitive"}]}"#;

fn event(id: &str) -> Value {
    json!({
        "id": id, "event_type": "patient.updated", "timestamp": "2024-05-01T12:00:00Z",
        "actor": {"type": "employee", "id": "emp-17", "name": "Ana Lima",
                  "email": "ana.lima@example.com", "ip_address": "10.0.0.7"},
        "action": {"verb": "update", "description": "changed by Ana Lima"},
        "target": {"type": "patient", "id": "pat-1"},
        "data": {"metadata": {"phone": "+12345678901", "medical": {"icd": SENSITIVE},
                 "address": {"street": "12 Main St", "city": "NYC"}, "token": SECRET}},
        "metadata": {"ward": "7"}
    })
}

/// What answers show beside each other.
struct Asker {
    name: &'static str,
    key: String,
    sees_personal: bool,
    sees_secrets: bool,
}

async fn askers(rig: &Rig) -> Vec<Asker> {
    let wanted = json!({"label": "granted", "roles": ["auditor", "sensitive_reader"]});
    let request = rig.request(Method::POST, "/v1/api-keys", "acme", Role::Admin);
    let granted = body(request.json(&wanted).send().await.unwrap()).await;
    let granted = granted["api_key"].as_str().unwrap().to_owned();
    let of = |role| rig.key("acme", role).to_owned();
    let asker =
        |name, key, (sees_personal, sees_secrets)| Asker { name, key, sees_personal, sees_secrets };
    vec![
        asker("viewer", of(Role::Viewer), (false, false)),
        asker("auditor", of(Role::Auditor), (false, false)),
        asker("auditor with the grant", granted, (true, false)),
        asker("privacy officer", of(Role::PrivacyOfficer), (true, true)),
        asker("admin", of(Role::Admin), (true, true)),
    ]
}

async fn start() -> Rig {
    let rig = Rig::start_sealing(Preset::Standard).await;
    let fields = FieldPolicy::parse(POLICY.as_bytes(), &mut Canonicalizer::new()).unwrap();
    let draft = PolicyDraft { document: PolicyDocument::Sealing(fields), based_on: None };
    let acme = TenantId::parse("acme").unwrap();
    rig.ledger.set_policy(&acme, draft, &Actor::operator("uid:0")).unwrap();
    rig
}

async fn send(rig: &Rig, event: &Value) {
    let response = rig.append("", event.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
}

fn get(rig: &Rig, path: &str, key: &str) -> RequestBuilder {
    rig.anonymous(Method::GET, path).bearer_auth(key)
}

async fn text(request: RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

async fn body_of(request: RequestBuilder) -> Value {
    body(request.send().await.unwrap()).await
}

fn as_role(rig: &Rig, path: &str, role: Role) -> RequestBuilder {
    rig.request(Method::GET, path, "acme", role)
}

/// `pointer why`.
fn hidden(answer: &Value) -> Vec<String> {
    let parts = answer["hidden"].as_array().map_or(&[][..], Vec::as_slice);
    let words = |part: &Value| {
        format!("{} {}", part["pointer"].as_str().unwrap(), part["why"].as_str().unwrap())
    };
    parts.iter().map(words).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_shows_each_role_what_its_line_says() {
    let rig = start().await;
    let askers = askers(&rig).await;
    send(&rig, &event("e-1")).await;
    for path in [
        "/v1/events/e-1",
        "/v1/events?limit=1000",
        "/v1/events?order=sequence",
        "/api/v1/audit/events/e-1?shape=user",
        "/api/v1/audit/events?limit=1000&shape=user",
        "/api/v1/audit/e-1",
        "/api/v1/audit?page_size=1000",
    ] {
        for asker in &askers {
            let text = text(get(&rig, path, &asker.key)).await;
            let name = asker.name;
            // The flat shapes have a word for the address of the network, and for few other things.
            let is_flat = path.starts_with("/api");
            for value in PERSONAL {
                let is_told = asker.sees_personal
                    && (!is_flat || ["10.0.0.7", "12 Main St", "5678901"].contains(&value));
                assert_eq!(text.contains(value), is_told, "{name} {path} {value}: {text}");
            }
            assert_eq!(text.contains(SENSITIVE), asker.sees_personal, "{name} {path}");
            assert_eq!(text.contains(SECRET), asker.sees_secrets, "{name} {path}");
            assert_eq!(text.contains("+12345****"), !asker.sees_personal, "{name} {path}");
            assert_eq!(text.contains("\"hidden\":["), !asker.sees_secrets, "{name} {path}");
            assert!(!text.contains("$sealed") && text.contains("emp-17"), "{name} {path}: {text}");
        }
    }
    for role in [Role::Writer, Role::SensitiveReader] {
        assert_problem(as_role(&rig, "/v1/events/e-1", role), 403, "FORBIDDEN").await;
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_seen_is_listed_with_the_reason() {
    let rig = start().await;
    send(&rig, &event("e-1")).await;
    let seen = |role| body_of(as_role(&rig, "/v1/events/e-1", role));
    let viewer = seen(Role::Viewer).await;
    assert_eq!(viewer["event"]["actor"]["name"], "A. L.");
    assert_eq!(viewer["event"]["actor"]["email"], "****@example.com");
    assert_eq!(viewer["event"]["action"]["description"], "****");
    assert_eq!(
        viewer["event"]["data"]["metadata"]["address"],
        json!({"city": "NYC", "street": "****"})
    );
    assert_eq!(viewer["event"]["metadata"], json!({"ward": "7"}));
    assert_eq!(
        hidden(&viewer),
        [
            "/action/description redacted",
            "/actor/email redacted",
            "/actor/ip_address redacted",
            "/actor/name redacted",
            "/data/metadata/address redacted",
            "/data/metadata/medical redacted",
            "/data/metadata/phone redacted",
            "/data/metadata/token hidden",
        ]
    );
    let classes: Vec<_> =
        viewer["hidden"].as_array().unwrap().iter().map(|part| &part["class"]).collect();
    assert_eq!(
        (classes[0], classes[5], classes[7]),
        (&json!("personal"), &json!("sensitive"), &json!("secret"))
    );
    assert_eq!(seen(Role::Auditor).await, viewer);
    let officer = seen(Role::PrivacyOfficer).await;
    assert_eq!(officer["event"]["data"], event("e-1")["data"]);
    assert!(officer.get("hidden").is_none());
    assert_eq!(officer["record"], viewer["record"]);
}

/// Whoever verifies gets the bytes that are hashed, which tell nobody what is sealed in them.
#[tokio::test(flavor = "multi_thread")]
async fn the_exact_content_stays_sealed_for_everybody() {
    let rig = start().await;
    send(&rig, &event("e-1")).await;
    let record = body_of(as_role(&rig, "/v1/events/e-1", Role::Admin)).await;
    for role in [Role::Admin, Role::PrivacyOfficer, Role::Auditor] {
        let content = text(as_role(&rig, "/v1/events/e-1/content", role)).await;
        assert_eq!(record["record"]["content_hash"], sha256(content.as_bytes()).to_hex());
        assert!(PERSONAL.iter().all(|value| !content.contains(value)), "{content}");
        let proof =
            as_role(&rig, "/v1/events/e-1/proof", role).header("accept", "application/json");
        assert!(text(proof).await.contains(&content));
    }
    let proof = as_role(&rig, "/v1/events/e-1/proof", Role::Viewer);
    let proof = body(proof.header("accept", "application/json").send().await.unwrap()).await;
    assert_eq!((&proof["content"], &proof["content_withheld"]), (&Value::Null, &json!(true)));
    assert_problem(as_role(&rig, "/v1/events/e-1/content", Role::Viewer), 403, "FORBIDDEN").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_erased_is_seen_by_nobody_and_others_are() {
    let rig = start().await;
    for (id, patient) in [("e-1", "pat-1"), ("e-2", "pat-2")] {
        let mut event = event(id);
        event["target"]["id"] = patient.into();
        send(&rig, &event).await;
    }
    rig.sealing.as_ref().unwrap().erase("acme", "patient", "pat-1");
    let page = body_of(as_role(&rig, "/v1/events?limit=2", Role::Admin)).await;
    let [second, first] = [&page["events"][0], &page["events"][1]];
    assert_eq!(second["event"]["data"], event("e-2")["data"]);
    assert!(second.get("hidden").is_none());
    assert_eq!(first["event"]["actor"], event("e-1")["actor"]);
    let data = &first["event"]["data"]["metadata"];
    assert_eq!(data["phone"], json!({"$sealed": true}));
    assert_eq!(
        hidden(first),
        ["address", "medical", "phone", "token"]
            .map(|name| format!("/data/metadata/{name} erased"))
    );
    // A viewer does not learn whether there was a secret that is gone.
    let viewer = body_of(as_role(&rig, "/v1/events/e-1", Role::Viewer)).await;
    assert!(hidden(&viewer).contains(&"/data/metadata/phone erased".to_owned()));
    assert!(hidden(&viewer).contains(&"/data/metadata/token hidden".to_owned()));
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_key_service_is_away_the_rest_is_seen() {
    let rig = start().await;
    send(&rig, &event("e-1")).await;
    let sealing = rig.sealing.as_ref().unwrap();
    sealing.switch_off();
    let ask = |role| body_of(as_role(&rig, "/v1/events/e-1", role));
    // Keys stay in memory for minutes.
    assert_eq!(ask(Role::Admin).await["event"]["actor"]["name"], "Ana Lima");
    rig.clock.advance(Duration::from_secs(301));
    for role in [Role::Admin, Role::Auditor, Role::Viewer] {
        let away = ask(role).await;
        assert_eq!(away["event"]["actor"]["name"], json!({"$sealed": true}), "{role}");
        assert_eq!(away["event"]["actor"]["id"], "emp-17");
        assert!(hidden(&away).contains(&"/actor/name unavailable".to_owned()), "{role}: {away}");
    }
    let flat = body_of(as_role(&rig, "/api/v1/audit/e-1", Role::Admin)).await;
    assert_eq!(flat["ip_address"], json!({"$sealed": true}));
    sealing.switch_on();
    assert_eq!(ask(Role::Admin).await["event"]["actor"]["name"], "Ana Lima");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_in_clear_is_redacted_for_those_who_see_it_so() {
    let rig = Rig::start().await;
    send(&rig, &event("e-1")).await;
    let viewer = text(as_role(&rig, "/v1/events/e-1", Role::Viewer)).await;
    for value in ["Ana Lima", "ana.lima@", "5678901", "12 Main St"] {
        assert!(!viewer.contains(value), "{viewer}");
    }
    let admin = text(as_role(&rig, "/v1/events/e-1", Role::Admin)).await;
    assert!(admin.contains("Ana Lima") && !admin.contains("\"hidden\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_says_in_a_policy_how_its_values_are_shown() {
    let rig = start().await;
    send(&rig, &event("e-1")).await;
    let put = |document: Value| {
        let path = "/v1/policies/redaction";
        rig.request(Method::PUT, path, "acme", Role::Admin).json(&document)
    };
    let bomb = json!({"sanitizers": [{"name": "a", "pattern": "((a{100}){100}){100}", "replacement": "***"}]});
    let refused = assert_problem(put(bomb), 400, "INVALID_POLICY").await;
    assert!(refused["errors"][0]["pointer"] == "#/sanitizers/0", "{refused}");
    let policy = json!({
        "sanitizers": [{"name": "pseudonym", "hash": true}, {"name": "net", "pattern": "^(\\d+\\.\\d+)\\..*$", "replacement": "$1.***"}],
        "rules": [{"path": "actor.name", "sanitizer": "pseudonym"}, {"path": "actor.ip_address", "sanitizer": "net"}]
    });
    assert_eq!(put(policy.clone()).send().await.unwrap().status(), 200);
    let read = body_of(as_role(&rig, "/v1/policies/redaction", Role::Auditor)).await;
    assert_eq!((&read["version"], &read["document"]["rules"]), (&json!(1), &policy["rules"]));
    let viewer = |path: &'static str| body_of(as_role(&rig, path, Role::Viewer));
    let shown = viewer("/v1/events/e-1").await;
    assert_eq!(shown["event"]["actor"]["ip_address"], "10.0.***");
    let name = shown["event"]["actor"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("sha256:") && name.len() == 39, "{name}");
    // The same person has the same name in every event, and what makes it stands in no record.
    send(&rig, &event("e-2")).await;
    assert_eq!(viewer("/v1/events/e-2").await["event"]["actor"]["name"], name.as_str());
    rig.sealing.as_ref().unwrap().ring.rotate(&TenantId::parse("acme").unwrap()).unwrap();
    assert_eq!(viewer("/v1/events/e-1").await["event"]["actor"]["name"], name.as_str());
    let admin = body_of(as_role(&rig, "/v1/events/e-1", Role::Admin)).await;
    assert_eq!(admin["event"]["actor"], event("e-1")["actor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_records_are_seen_by_every_reader() {
    let rig = start().await;
    let wanted = json!({"label": "Ana's laptop", "roles": ["viewer"]});
    let request = rig.request(Method::POST, "/v1/api-keys", "acme", Role::Admin);
    request.json(&wanted).send().await.unwrap();
    let page = "/v1/events?order=sequence";
    let [admin, viewer] = [Role::Admin, Role::Viewer].map(|role| as_role(&rig, page, role).send());
    let (admin, viewer) = (body(admin.await.unwrap()).await, body(viewer.await.unwrap()).await);
    let both = admin["events"].as_array().unwrap().iter().zip(viewer["events"].as_array().unwrap());
    let mut labels = HashMap::new();
    for (whole, seen) in both {
        match whole["record"]["kind"].as_str().unwrap() {
            "system" => assert_eq!(seen, whole),
            "audit" => {
                let label = |line: &Value| line["event"]["data"]["metadata"]["label"].to_string();
                labels.insert(label(whole), label(seen));
                assert_eq!(seen["event"]["actor"]["id"], whole["event"]["actor"]["id"]);
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(labels[r#""Ana's laptop""#], r#""****""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_leaves_word_of_whose_keys_it_took() {
    let rig = start().await;
    let mut other = event("e-2");
    other["target"]["id"] = "pat-2".into();
    send(&rig, &event("e-1")).await;
    send(&rig, &other).await;
    let keys = |tenant: &str, kind: &str, id: &str| {
        let person =
            ledgerstone_model::sealing::Subject::Person { kind: kind.into(), id: id.into() };
        let sealing = rig.sealing.as_ref().unwrap();
        sealing.ring.ids_of(&TenantId::parse(tenant).unwrap(), &person).unwrap()[0]
    };
    let [actor, first, second] =
        [("employee", "emp-17"), ("patient", "pat-1"), ("patient", "pat-2")]
            .map(|(kind, id)| keys("acme", kind, id));
    let last = |path: &'static str, role| {
        let rig = &rig;
        async move {
            text(as_role(rig, path, role)).await;
            rig.seen.lock().unwrap().last().cloned().unwrap()
        }
    };
    let seen = last("/v1/events/e-1", Role::Admin).await;
    let mut wanted = vec![(actor, View::Shown), (first, View::Shown)];
    wanted.sort_unstable();
    assert_eq!(seen.opened().iter().map(|(id, view)| (*id, view)).collect::<Vec<_>>(), wanted);
    assert!(seen.sight().is_everything());
    let seen = last("/v1/events/e-2", Role::Viewer).await;
    assert!(seen.opened().iter().all(|(id, view)| view == View::Redacted && *id != first));
    assert!(seen.opened().iter().any(|(id, _)| *id == second));
    let seen = last("/api/v1/audit", Role::Auditor).await;
    assert_eq!(seen.opened().iter().count(), 3);
}
