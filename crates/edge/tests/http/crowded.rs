//! Many requests at once: whoever asks how the server is does not wait for them, and neither do others
//! than those who sent them.

use std::time::Duration;

use ledgerstone_edge::rest::Limits;
use ledgerstone_model::access::Role;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::rig::{Rig, RigOptions};

/// Much less than the requests wait.
const AT_ONCE: Duration = Duration::from_secs(5);

async fn rig(blocking_requests: usize, blocking_requests_per_credential: usize) -> Rig {
    let limits =
        Limits { blocking_requests, blocking_requests_per_credential, ..Limits::default() };
    Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await
}

/// Requests that have their turns, or wait for them, while the disk rests.
struct Held<'r> {
    rig: &'r Rig,
    requests: Vec<JoinHandle<u16>>,
}

impl Held<'_> {
    async fn let_go(mut self) {
        self.rig.store.gate().open();
        for one in std::mem::take(&mut self.requests) {
            assert_eq!(one.await.unwrap(), 201);
        }
    }
}

impl Drop for Held<'_> {
    /// A test that fails must not wait for them.
    fn drop(&mut self) {
        self.rig.store.gate().open();
    }
}

async fn hold_turns(rig: &Rig, count: usize) -> Held<'_> {
    rig.store.gate().shut();
    let grant = || {
        let wanted = json!({"label": "held", "roles": ["writer"]});
        rig.request(Method::POST, "/v1/api-keys", "acme", Role::Admin).json(&wanted)
    };
    let send =
        |request: RequestBuilder| async move { request.send().await.unwrap().status().as_u16() };
    let requests = (0..count).map(|_| tokio::spawn(send(grant()))).collect();
    let store = std::sync::Arc::clone(&rig.store);
    tokio::task::spawn_blocking(move || store.gate().wait_for_append()).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    Held { rig, requests }
}

async fn status_at_once(request: RequestBuilder) -> u16 {
    timeout(AT_ONCE, request.send()).await.expect("it waited").unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_does_not_wait_for_turns() {
    let rig = rig(2, 2).await;
    let held = hold_turns(&rig, 4).await;
    for path in ["/health/ready", "/health", "/health/audit", "/health/live"] {
        assert_eq!(status_at_once(rig.anonymous(Method::GET, path)).await, 200, "{path}");
    }
    // Whoever needs a turn does wait.
    let list = rig.request(Method::GET, "/v1/events", "beta", Role::Admin);
    assert!(timeout(Duration::from_millis(300), list.send()).await.is_err());
    held.let_go().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_asks_much_keeps_out_nobody_else() {
    let rig = rig(2, 1).await;
    let held = hold_turns(&rig, 8).await;
    for (tenant, role) in [("beta", Role::Admin), ("acme", Role::Auditor)] {
        let list = rig.request(Method::GET, "/v1/events", tenant, role);
        assert_eq!(status_at_once(list).await, 200, "{tenant}");
    }
    let own = rig.request(Method::GET, "/v1/events", "acme", Role::Admin);
    assert!(timeout(Duration::from_millis(300), own.send()).await.is_err());
    held.let_go().await;
}
