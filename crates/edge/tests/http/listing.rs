//! `GET /v1/events` and what hangs below it: records, contents.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_ledger::VisibleEvent;
use ledgerstone_ledger::record_line::write_record;
use ledgerstone_model::access::Role;
use ledgerstone_proof::{SequenceNumber, TenantId, sha256};
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::rig::{Rig, assert_problem, json};

fn list(rig: &Rig, query: &str) -> RequestBuilder {
    rig.request(Method::GET, &format!("/v1/events{query}"), "acme", Role::Auditor)
}

async fn fill(rig: &Rig, from: usize, to: usize) {
    let events: Vec<String> =
        (from..to).map(|n| TestEvent::new("user.login").id(&format!("e{n}")).json()).collect();
    let response = rig.append("", format!("[{}]", events.join(","))).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

fn numbers(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(|line| line["record"]["sequence_number"].as_u64().unwrap()).collect()
}

async fn page(rig: &Rig, query: &str) -> Value {
    let response = list(rig, query).send().await.unwrap();
    assert_eq!(response.status(), 200, "{query}");
    json(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_one_snapshot_however_much_is_written_meanwhile() {
    let rig = Rig::start().await;
    fill(&rig, 0, 10).await;
    let mut written = 10;
    for order in ["sequence", "newest"] {
        let mut expected: Vec<u64> = (0..rig.size("acme")).collect();
        if order == "newest" {
            expected.reverse();
        }
        let mut seen = Vec::new();
        let mut next = format!("?order={order}&limit=4");
        loop {
            let response = list(&rig, &next).send().await.unwrap();
            let link = link_of(&response);
            let page = json(response).await;
            seen.extend(numbers(&page));
            fill(&rig, written, written + 3).await;
            written += 3;
            let Some(cursor) = page["next_cursor"].as_str() else {
                assert_eq!(link, None);
                break;
            };
            let path = format!("/v1/events?limit=4&cursor={cursor}");
            assert_eq!(link.unwrap(), format!("<{path}>; rel=\"next\""));
            next = format!("?limit=4&cursor={cursor}");
        }
        assert_eq!(seen, expected, "{order}");
    }
    rig.assert_sound();
}

fn link_of(response: &Response) -> Option<String> {
    response.headers().get("link").map(|link| link.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_line_is_the_one_that_the_command_prints() {
    let rig = Rig::start().await;
    fill(&rig, 0, 3).await;
    let get = |path: &str| rig.request(Method::GET, path, "acme", Role::Admin).send();
    let text = get("/v1/events?order=sequence").await.unwrap().text().await.unwrap();
    let acme = TenantId::parse("acme").unwrap();
    let mut expected = b"{\"events\":[".to_vec();
    let size = rig.size("acme");
    for number in 0..size {
        let number = SequenceNumber::new(number).unwrap();
        let record = rig.ledger.reader().record(&acme, number).unwrap();
        write_record(&VisibleEvent::as_stored(record), &mut expected);
        expected.push(if number.value() + 1 < size { b',' } else { b']' });
    }
    expected.extend_from_slice(b",\"next_cursor\":null}");
    assert_eq!(text.as_bytes(), expected);
    let one = get("/v1/events/e1").await.unwrap().text().await.unwrap();
    assert!(text.contains(&one), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_range_is_over_ingestion_and_its_end_does_not_belong_to_it() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    for n in 0..5 {
        rig.clock.advance(Duration::from_mins(1));
        fill(&rig, n, n + 1).await;
    }
    let of = async |query: &str| numbers(&page(&rig, query).await);
    // The clock started at 2024-05-01T12:00:00Z.
    let range = "?order=sequence&from=2024-05-01T12:02:00Z&to=2024-05-01T14:04:00%2B02:00";
    assert_eq!(of(range).await, [before + 1, before + 2]);
    assert_eq!(of("?from=2024-05-01T12:04:00.000001Z").await, [before + 4]);
    assert_eq!(of("?to=2024-05-01T12:00:00Z").await, [] as [u64; 0]);
    assert_eq!(of("?from=2030-01-01T00:00:00Z").await, [] as [u64; 0]);
    let backwards = "?from=2024-05-01T12:03:00Z&to=2024-05-01T12:01:00Z";
    assert_eq!(of(backwards).await, [] as [u64; 0]);
    let first = page(&rig, &format!("{range}&limit=1")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(of(&format!("?cursor={cursor}")).await, [before + 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_and_cursors_have_their_codes() {
    let rig = Rig::start().await;
    fill(&rig, 0, 3).await;
    for (query, code) in [
        ("?event_type=user.login", "NOT_SUPPORTED_YET"),
        ("?actor_id=u1&limit=5", "NOT_SUPPORTED_YET"),
        ("?q=x", "NOT_SUPPORTED_YET"),
        ("?nonsense=1", "INVALID_ARGUMENT"),
        ("?limit=0", "INVALID_ARGUMENT"),
        ("?limit=1001", "INVALID_ARGUMENT"),
        ("?order=sideways", "INVALID_ARGUMENT"),
        ("?from=noon", "INVALID_TIMESTAMP"),
        ("?cursor=abc", "INVALID_CURSOR"),
        ("?cursor=", "INVALID_CURSOR"),
    ] {
        assert_problem(list(&rig, query), 400, code).await;
    }
    let first = page(&rig, "?limit=1&from=2024-05-01T12:00:00Z").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    for query in [
        format!("?cursor={}", cursor.to_lowercase()),
        format!("?cursor={}", &cursor[..cursor.len() - 4]),
        format!("?cursor={cursor}&order=sequence"),
        format!("?cursor={cursor}&from=2024-05-01T12:00:01Z"),
        format!("?cursor={cursor}&to=2024-05-01T12:00:01Z"),
    ] {
        assert_problem(list(&rig, &query), 400, "INVALID_CURSOR").await;
    }
    // One of a smaller ledger would fit into this one.
    let beta = rig.request(Method::GET, "/v1/events?limit=1", "beta", Role::Auditor);
    let beta = json(beta.send().await.unwrap()).await;
    let query = format!("?cursor={}", beta["next_cursor"].as_str().unwrap());
    assert_problem(list(&rig, &query), 400, "INVALID_CURSOR").await;
    let same =
        page(&rig, &format!("?cursor={cursor}&order=newest&from=2024-05-01T12:00:00Z")).await;
    assert_eq!(numbers(&same).first(), numbers(&first).first().map(|n| n - 1).as_ref());
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_contents_and_records_are_for_those_who_may() {
    let rig = Rig::start().await;
    fill(&rig, 0, 2).await;
    let content = rig.request(Method::GET, "/v1/events/e1/content", "acme", Role::Viewer);
    assert_problem(content, 403, "FORBIDDEN").await;
    for role in [Role::Writer, Role::SensitiveReader] {
        let request = rig.request(Method::GET, "/v1/events/e1", "acme", role);
        assert_problem(request, 403, "FORBIDDEN").await;
    }
    assert_problem(rig.anonymous(Method::GET, "/v1/events"), 401, "UNAUTHENTICATED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_has_the_bytes_that_its_hash_is_over() {
    let rig = Rig::start().await;
    fill(&rig, 0, 1).await;
    let get = rig.request(Method::GET, "/v1/events/e0/content", "acme", Role::Auditor);
    let response = get.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let digest = response.headers()["repr-digest"].to_str().unwrap().to_owned();
    let bytes = response.bytes().await.unwrap();
    let hash = sha256(&bytes);
    assert_eq!(digest, format!("sha-256=:{}:", STANDARD.encode(hash.as_bytes())));
    let record = rig.request(Method::GET, "/v1/events/e0", "acme", Role::Auditor);
    let record = json(record.send().await.unwrap()).await;
    assert_eq!(record["record"]["content_hash"], hash.to_hex());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_there_or_is_anothers_is_not_found() {
    let rig = Rig::start().await;
    fill(&rig, 0, 1).await;
    for suffix in ["", "/content", "/proof"] {
        for (id, tenant) in [("e9", "acme"), ("e0", "beta"), ("e0", "_system")] {
            let path = format!("/v1/events/{id}{suffix}");
            let request = rig.request(Method::GET, &path, tenant, Role::Admin);
            assert_problem(request, 404, "EVENT_NOT_FOUND").await;
        }
        for id in ["%20", "a%2Fb", "..%2F..%2Fetc", &"x".repeat(200), "%00"] {
            let path = format!("/v1/events/{id}{suffix}");
            let request = rig.request(Method::GET, &path, "acme", Role::Auditor);
            assert_problem(request, 400, "INVALID_ID").await;
        }
    }
    let genesis = rig.request(Method::GET, "/v1/events/_0", "acme", Role::Auditor);
    let genesis = json(genesis.send().await.unwrap()).await;
    assert_eq!(genesis["record"]["kind"], "system");
}
