//! Tenants are closed over HTTP: by two credentials, for good, and what is left is verified.

use ledgerstone_model::access::{Permission as P, Role};
use ledgerstone_model::sealing::Preset;
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, json as body};
use crate::roles::WHO_MAY;

/// What the credentials of a closed tenant keep.
const WHEN_CLOSED: &[P] = &[P::ProofsRead, P::VerifyRun, P::JobsRead, P::StatusRead];

async fn send(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), body(response).await)
}

async fn operate(rig: &Rig, key: &str, path: &str, with: Value) -> (StatusCode, Value) {
    send(rig.anonymous(Method::POST, path).bearer_auth(key).json(&with)).await
}

/// A second operator.
async fn another(rig: &Rig) -> String {
    let request = rig.request(Method::POST, "/v1/api-keys", "_system", Role::Admin);
    let (_, made) = send(request.json(&json!({"label": "berta", "roles": ["admin"]}))).await;
    made["api_key"].as_str().unwrap().to_owned()
}

async fn record_events(rig: &Rig) {
    for number in 0..3 {
        let event = TestEvent::new("user.login").id(&format!("e-{number}")).json();
        assert_eq!(rig.append("", event).send().await.unwrap().status(), 201);
    }
}

/// Waits until the tenant has that state.
async fn wait_for(rig: &Rig, state: &str) -> Value {
    for _ in 0..600 {
        let request = rig.request(Method::GET, "/v1/tenants/acme", "_system", Role::Admin);
        let (_, tenant) = send(request).await;
        if tenant["state"] == state {
            return tenant;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the tenant never was {state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_close_a_tenant() {
    let rig = Rig::start_sealing(Preset::Standard).await;
    record_events(&rig).await;
    let (anna, berta) = (rig.key("_system", Role::Admin).to_owned(), another(&rig).await);
    let (close, approve) = ("/v1/tenants/acme/close", "/v1/tenants/acme/close/approve");
    let wish = json!({"reason": "the contract has ended"});
    for bad in [json!({}), json!({"reason": " "}), json!({"reason": "x", "force": true})] {
        assert_eq!(operate(&rig, &anna, close, bad).await.0, 400);
    }
    let (status, asked) = operate(&rig, &anna, close, wish.clone()).await;
    assert_eq!((status.as_u16(), &asked["state"]), (200, &json!("active")), "{asked}");
    assert_eq!(asked["closing_asked"]["despite_duties"], json!([]));
    let record = json!({"system_record": asked["closing_asked"]["system_record"]});
    let (status, problem) = operate(&rig, &anna, approve, record.clone()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("SECOND_PERSON_NEEDED")));
    let (status, problem) = operate(&rig, &berta, approve, json!({"system_record": 1})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (412, &json!("VERSION_CONFLICT")));
    // It is withdrawn, by whoever asked or by another, and asked for anew.
    let withdraw = "/v1/tenants/acme/close/withdraw";
    let (status, problem) = operate(&rig, &berta, withdraw, json!({"system_record": 1})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (412, &json!("VERSION_CONFLICT")));
    let (status, open) = operate(&rig, &anna, withdraw, record.clone()).await;
    assert_eq!((status.as_u16(), open.get("closing_asked")), (200, None), "{open}");
    for path in [withdraw, approve] {
        let (status, problem) = operate(&rig, &berta, path, record.clone()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    let (_, asked) = operate(&rig, &anna, close, wish.clone()).await;
    let again = json!({"system_record": asked["closing_asked"]["system_record"], "reason": "no"});
    assert_eq!(operate(&rig, &berta, withdraw, again).await.0, 200);
    let (_, asked) = operate(&rig, &anna, close, wish.clone()).await;
    let record = json!({"system_record": asked["closing_asked"]["system_record"]});
    // A hold stands against it, and is named.
    let hold = json!({"owner": "legal", "reason": "case 17", "review_at": "2030-01-01T00:00:00Z"});
    let hold = rig.request(Method::POST, "/v1/holds", "acme", Role::Admin).json(&hold);
    let hold = send(hold).await.1["hold"]["id"].as_str().unwrap().to_owned();
    let (status, problem) = operate(&rig, &berta, approve, record.clone()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("HELD_BACK")));
    assert!(problem["detail"].as_str().unwrap().contains(&hold), "{problem}");
    for role in [Role::Admin, Role::PrivacyOfficer] {
        let path = format!("/v1/holds/{hold}/release");
        let release = rig.request(Method::POST, &path, "acme", role);
        assert_eq!(send(release.json(&json!({"reason": "settled"}))).await.0, 200);
    }

    let (status, closing) = operate(&rig, &berta, approve, record.clone()).await;
    assert!(status.is_success(), "{closing}");
    let tenant = wait_for(&rig, "closed").await;
    assert!(tenant.get("closing_asked").is_none(), "{tenant}");
    for (path, with) in
        [(close, &wish), (approve, &record), ("/v1/tenants/acme/resume", &json!({}))]
    {
        let (status, problem) = operate(&rig, &anna, path, with.clone()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("TENANT_CLOSED")), "{path}");
    }
    let (status, problem) = operate(&rig, &anna, "/v1/tenants", json!({"tenant_id": "acme"})).await;
    assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("TENANT_CLOSED")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("its name is never given again"), "{problem}");
    // The checkpoint that the operator sees is the one that the tenant sees, and stays so.
    let path = "/v1/tenants/acme/checkpoint";
    let theirs = send(rig.request(Method::GET, path, "_system", Role::Admin)).await.1;
    assert_eq!(theirs["size"], tenant["records"]);
    let own = rig.request(Method::GET, "/v1/tlog/acme/checkpoint", "acme", Role::Auditor);
    assert_eq!(own.send().await.unwrap().text().await.unwrap(), theirs["checkpoint"]);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tenants_credentials_verify_and_nothing_else() {
    let rig = Rig::start().await;
    record_events(&rig).await;
    let berta = another(&rig).await;
    let anna = rig.key("_system", Role::Admin).to_owned();
    let wish = json!({"reason": "the contract has ended"});
    let (_, asked) = operate(&rig, &anna, "/v1/tenants/acme/close", wish).await;
    let record = json!({"system_record": asked["closing_asked"]["system_record"]});
    operate(&rig, &berta, "/v1/tenants/acme/close/approve", record).await;
    wait_for(&rig, "closed").await;
    let before = rig.size("acme");
    for (method, path, permission) in WHO_MAY {
        let Some(permission) = permission.filter(|one| !one.concerns_deployment()) else {
            continue;
        };
        let path = path.replace("{tenant}", "acme").replace(['{', '}', '*'], "");
        for tenant in ["acme", "beta"] {
            let request = rig.request(method.parse().unwrap(), &path, tenant, Role::Admin);
            let request = if *method == "GET" {
                request
            } else {
                request.header("content-type", "x/y").body("x")
            };
            let answer = request.send().await.unwrap();
            let (status, answer) = (answer.status(), answer.text().await.unwrap());
            let refused = status == 410 && answer.contains("\"TENANT_CLOSED\"");
            let may = WHEN_CLOSED.contains(&permission);
            assert_eq!(refused, tenant == "acme" && !may, "{method} {path} {tenant}: {answer}");
        }
    }
    let verify = rig.request(Method::POST, "/v1/verify", "acme", Role::Auditor);
    let (status, job) = send(verify.json(&json!({"level": "full"}))).await;
    assert!(status.is_success(), "{job}");
    let proof = rig.request(Method::GET, "/v1/events/e-1/proof", "acme", Role::Auditor);
    assert_eq!(proof.send().await.unwrap().status(), 200);
    let event = rig.request(Method::GET, "/v1/events/e-1", "acme", Role::Admin);
    assert_eq!(send(event).await.1["code"], "TENANT_CLOSED");
    assert_eq!(rig.size("acme"), before, "the ledger has ended");
    rig.assert_sound();
}
