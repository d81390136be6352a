//! Answers that nobody reads: they are held within a limit, and of one tenant no more than its share.

use std::time::Duration;

use ledgerstone_edge::rest::Limits;
use ledgerstone_model::access::Role;
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Rig, RigOptions, assert_problem, json};

/// Room for one page of 8 MiB for each tenant.
const MEMORY: usize = 34 << 20;

/// Records that do not fit into one page.
async fn fill(rig: &Rig) {
    let padding = "x".repeat(12 << 10);
    let event = |n: usize| {
        format!(r#"{{"event_type":"user.login","id":"e{n}","data":{{"before":"{padding}"}}}}"#)
    };
    for part in 0..2 {
        let events: Vec<String> = (400 * part..400 * (part + 1)).map(event).collect();
        let response = rig.append("", format!("[{}]", events.join(","))).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// Asks for a page and reads no more of it than its first bytes.
async fn leave_unread(rig: &Rig, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        rig.key("acme", Role::Admin)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_pages_are_held_within_a_tenants_share() {
    let limits = Limits { response_bytes_in_memory: MEMORY, ..Limits::default() };
    let rig = Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await;
    fill(&rig).await;
    let path = "/v1/events?limit=1000";
    let list = |tenant: &str, path: &str| rig.request(Method::GET, path, tenant, Role::Admin);
    let unread = leave_unread(&rig, path).await;
    // Arrays are answered at length, and are refused before anything of them is taken.
    let before = rig.size("acme");
    let array = (0..1_000).map(|n| format!(r#"{{"event_type":"a.b","id":"{n}"}}"#));
    let array = format!("[{}]", array.collect::<Vec<_>>().join(","));
    let (refused, ..) = tokio::join!(
        list("acme", path).send(),
        assert_problem(list("acme", "/api/v1/audit/events"), 503, "SERVER_BUSY"),
        assert_problem(list("acme", "/api/v1/audit"), 503, "SERVER_BUSY"),
        assert_problem(rig.append("", array), 503, "SERVER_BUSY"),
    );
    assert_eq!(refused.unwrap().headers()["retry-after"], "1");
    assert_eq!(rig.size("acme"), before);
    // Others are not concerned, and neither is who asks for little.
    assert_eq!(list("beta", path).send().await.unwrap().status(), 200);
    assert_eq!(list("acme", "/v1/status").send().await.unwrap().status(), 200);
    drop(unread);
    let page: Value = json(asked_again(&rig, path).await).await;
    assert!(page["events"].as_array().unwrap().len() > 600);
}

/// The answer once the server has seen that the unread one is wanted no more.
async fn asked_again(rig: &Rig, path: &str) -> reqwest::Response {
    for _ in 0..50 {
        let response = rig.request(Method::GET, path, "acme", Role::Admin).send().await.unwrap();
        if response.status() == 200 {
            return response;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("what was given up is still held");
}
