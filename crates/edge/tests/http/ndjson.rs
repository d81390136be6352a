//! `POST /v1/events` with one event a line.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::StreamExt as _;
use ledgerstone_edge::rest::Limits;
use ledgerstone_model::access::Role;
use ledgerstone_testkit::TestEvent;
use reqwest::{Client, Method, RequestBuilder, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::rig::{Rig, RigOptions, assert_problem};

/// Lines whose results do not fit into sockets and memory.
const LINES: u64 = 40_000;

fn line(id: &str) -> String {
    TestEvent::new("user.login").id(id).json() + "\n"
}

fn lines(count: usize) -> String {
    (0..count).map(|index| line(&format!("e{index}"))).collect()
}

fn post(rig: &Rig, query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    rig.request(Method::POST, &format!("/v1/events{query}"), "acme", Role::Writer)
        .header("content-type", "application/x-ndjson")
        .body(body)
}

async fn answers(request: RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    parsed(&response.text().await.unwrap())
}

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_answered_and_the_end_says_so() {
    let rig = Rig::start().await;
    let text = format!(
        "{}\n  \n{{\"event_type\":1}}\nnonsense\n{}",
        lines(2_500),
        line("last").trim_end()
    );
    let mut answers = answers(post(&rig, "", text)).await;
    let end = answers.pop().unwrap();
    assert_eq!(
        end,
        json!({"accepted": 2_501, "duplicates": 0, "lines": 2_503, "rejected": 2, "status": "complete"})
    );
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["line"], index + 1);
    }
    assert_eq!(answers[7]["receipt"]["id"], "e7");
    assert_eq!(answers[2_500]["error"]["code"], "INVALID_FIELD");
    assert_eq!(answers[2_501]["error"]["code"], "NOT_JSON");
    assert_eq!(answers[2_502]["receipt"]["id"], "last");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_is_refused_and_the_next_is_taken() {
    let rig = Rig::start().await;
    let long = format!("{{\"event_type\":\"{}\"}}\n", "x".repeat(2 << 20));
    let answers = answers(post(&rig, "", format!("{}{long}{}", line("a"), line("b")))).await;
    let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
    assert_eq!(statuses, ["created", "rejected", "created", "complete"]);
    assert_eq!(answers[1]["error"]["code"], "EVENT_TOO_LARGE");
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_lines_are_unpacked_on_the_way() {
    let rig = Rig::start().await;
    let packed = zstd::encode_all(lines(1_000).as_bytes(), 1).unwrap();
    let end = answers(post(&rig, "", packed.clone()).header("content-encoding", "zstd"))
        .await
        .pop()
        .unwrap();
    assert_eq!((&end["accepted"], &end["status"]), (&json!(1_000), &json!("complete")));
    let cut = packed[..packed.len() / 2].to_vec();
    let mut cut = answers(post(&rig, "", cut).header("content-encoding", "zstd")).await;
    let end = cut.pop().unwrap();
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&json!("stopped"), &json!("INVALID_BODY"))
    );
    assert_eq!(end["lines"], cut.len(), "the position reached is that of the last answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_while_lines_are_sent() {
    let rig = Rig::start().await;
    let client = |is_h2: bool| {
        let builder = Client::builder().no_proxy();
        let builder = if is_h2 { builder.http2_prior_knowledge() } else { builder.http1_only() };
        builder.build().unwrap()
    };
    for (is_h2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
        let (sender, body) = open_body();
        let sending = client(is_h2)
            .post(format!("http://{}/v1/events", rig.address))
            .bearer_auth(rig.key("acme", Role::Writer))
            .header("content-type", "application/x-ndjson")
            .body(body);
        let id = |number: u8| format!("{version:?}-{number}").replace('/', "-");
        sender.send(line(&id(0)).into()).unwrap();
        let response = sending.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
        let mut results = response.bytes_stream();
        for number in 0..3 {
            if number > 0 {
                sender.send(line(&id(number)).into()).unwrap();
            }
            let result = tokio::time::timeout(Duration::from_secs(20), results.next()).await;
            let text = String::from_utf8(result.unwrap().unwrap().unwrap().to_vec()).unwrap();
            assert_eq!(parsed(&text)[0]["receipt"]["id"], id(number));
        }
        drop(sender);
        let end = results.next().await.unwrap().unwrap();
        assert_eq!(parsed(std::str::from_utf8(&end).unwrap())[0]["status"], "complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_all_before_reading_learns_how_far_it_got() {
    let rig = Rig::start().await;
    // More results than sockets and the server's memory hold together come back before the last of
    // it fits into the sockets on the way there.
    let padding = "x".repeat(900);
    let event =
        |id: u64| TestEvent::new("user.login").id(&format!("e{id}")).actor(&padding).json() + "\n";
    let text: String = (0..LINES).map(event).collect();
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        rig.key("acme", Role::Writer),
        text.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let results: Vec<Value> = answer
        .lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let end = results.last().unwrap();
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&json!("stopped"), &json!("RESULTS_NOT_READ"))
    );
    let taken = end["lines"].as_u64().unwrap();
    assert!(taken > 1_000 && taken < LINES, "{taken}");
    assert_eq!(end["accepted"], taken, "the position is that of what is in the ledger");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_whole_events() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n{}{{\"event_",
        rig.key("acme", Role::Writer),
        lines(20),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = [0; 64];
    stream.read_exact(&mut seen).await.unwrap();
    drop(stream);
    let size = rig.size("acme");
    // The server goes on as if nothing had happened.
    let end = answers(post(&rig, "", lines(30))).await.pop().unwrap();
    assert_eq!(end["accepted"].as_u64().unwrap() + end["duplicates"].as_u64().unwrap(), 30);
    assert!(rig.size("acme") >= size);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_request_are_told() {
    let rig = Rig::start().await;
    assert_problem(post(&rig, "?atomic=true", lines(1)), 400, "INVALID_ARGUMENT").await;
    assert_problem(post(&rig, "?wait=checkpoint", lines(1)), 400, "INVALID_ARGUMENT").await;
    let empty = answers(post(&rig, "", "")).await;
    assert_eq!(empty[0]["lines"], 0);
    let many = "x\n".repeat(100_001);
    let mut many = answers(post(&rig, "?wait=none", many)).await;
    let end = many.pop().unwrap();
    assert_eq!(end["lines"], 100_000);
    assert_eq!(end["error"]["code"], "TOO_MANY_ITEMS");
}

/// A few kilobytes on the wire stand for many megabytes of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn blank_lines_without_end_are_refused() {
    let rig = Rig::start().await;
    let text = line("first") + &"\n".repeat(8 << 20) + &line("last");
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    assert!(packed.len() < 16 * 1024, "{}", packed.len());
    let answers = answers(post(&rig, "", packed).header("content-encoding", "zstd")).await;
    assert_eq!(answers[0]["receipt"]["id"], "first");
    let end = answers.last().unwrap();
    assert_eq!((&end["status"], &end["lines"]), (&json!("stopped"), &json!(1)), "{end}");
    assert_eq!(end["error"]["code"], "INPUT_TOO_LARGE");
}

/// A body that stays open, and what goes into it.
fn open_body() -> (mpsc::UnboundedSender<Bytes>, reqwest::Body) {
    let (sender, receiver) = mpsc::unbounded_channel::<Bytes>();
    let body = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), receiver))
    });
    (sender, reqwest::Body::wrap_stream(body))
}

/// The request that sends such a body, answered so far.
async fn open_stream(rig: &Rig, role: Role) -> (mpsc::UnboundedSender<Bytes>, reqwest::Response) {
    open_stream_with(rig, rig.key("acme", role)).await
}

async fn open_stream_with(
    rig: &Rig,
    key: &str,
) -> (mpsc::UnboundedSender<Bytes>, reqwest::Response) {
    let (sender, body) = open_body();
    let sending = rig.anonymous(Method::POST, "/v1/events").bearer_auth(key);
    let sending = sending.header("content-type", "application/x-ndjson").body(body);
    (sender, sending.send().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_credential_does_not_hold_all_streams() {
    let rig = Rig::start().await;
    let mut held = Vec::new();
    for _ in 0..16 {
        let (sender, response) = open_stream(&rig, Role::Writer).await;
        assert_eq!(response.status(), 200);
        held.push((sender, response));
    }
    assert_problem(post(&rig, "", lines(1)), 503, "SERVER_BUSY").await;
    // Others are not concerned, and a place that comes free is had again.
    let (_, other) = open_stream(&rig, Role::Admin).await;
    assert_eq!(other.status(), 200);
    let (sender, response) = held.pop().unwrap();
    drop(sender);
    assert!(response.text().await.unwrap().contains("complete"));
    let mut is_free = false;
    for _ in 0..100 {
        is_free = is_free || post(&rig, "", lines(1)).send().await.unwrap().status() == 200;
        tokio::time::sleep(Duration::from_millis(if is_free { 0 } else { 20 })).await;
    }
    assert!(is_free);
}

fn impatient() -> RigOptions {
    let body_pause = Duration::from_millis(600);
    RigOptions {
        limits: Limits { body_pause, body_bytes_per_second: 1_000_000, ..Limits::default() },
        ..RigOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_line_now_and_then_goes_on() {
    let rig = Rig::start_with(impatient()).await;
    let (sender, response) = open_stream(&rig, Role::Writer).await;
    for number in 0..12 {
        sender.send(line(&format!("e{number}")).into()).unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    drop(sender);
    let end = parsed(&response.text().await.unwrap()).pop().unwrap();
    assert_eq!((&end["status"], &end["accepted"]), (&json!("complete"), &json!(12)), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_no_line_in_time_is_told_what_was_taken() {
    let rig = Rig::start_with(impatient()).await;
    let (sender, response) = open_stream(&rig, Role::Writer).await;
    sender.send(line("first").into()).unwrap();
    let dripping = tokio::spawn(async move {
        while sender.send(" ".into()).is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let answers = tokio::time::timeout(Duration::from_secs(20), response.text()).await;
    dripping.abort();
    let answers = parsed(&answers.unwrap().unwrap());
    assert_eq!(answers[0]["status"], "created");
    let end = answers.last().unwrap();
    assert_eq!(end["error"]["code"], "INVALID_BODY", "{end}");
    let detail = end["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("too slowly") && detail.contains("recorded"), "{detail}");
    assert!(!detail.contains("nothing of it was taken"), "{detail}");
}

/// Sends a line, and reads its result.
async fn told(
    sender: &mpsc::UnboundedSender<Bytes>,
    results: &mut (impl futures_util::Stream<Item = reqwest::Result<Bytes>> + Unpin),
    id: &str,
) -> Value {
    sender.send(line(id).into()).unwrap();
    let result = tokio::time::timeout(Duration::from_secs(20), results.next()).await;
    parsed(std::str::from_utf8(&result.unwrap().unwrap().unwrap()).unwrap()).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_does_not_outlast_the_right_to_send_it() {
    for (act, code) in
        [("revoke", "KEY_REVOKED"), ("expire", "TOKEN_EXPIRED"), ("suspend", "TENANT_SUSPENDED")]
    {
        let rig = Rig::start().await;
        let end = "2024-05-01T13:00:00.000000Z";
        let wanted = json!({"label": "short", "roles": ["writer"], "expires_at": end});
        let granting = rig.request(Method::POST, "/v1/api-keys", "acme", Role::Admin);
        let key = body_of(granting.json(&wanted)).await;
        let (sender, response) = open_stream_with(&rig, key["api_key"].as_str().unwrap()).await;
        let mut results = response.bytes_stream();
        assert_eq!(told(&sender, &mut results, "first").await["status"], "created");
        match act {
            "revoke" => {
                let path = format!("/v1/api-keys/{}/revoke", key["key_id"].as_str().unwrap());
                body_of(rig.request(Method::POST, &path, "acme", Role::Admin)).await;
            }
            "suspend" => {
                let path = "/v1/tenants/acme/suspend";
                body_of(rig.request(Method::POST, path, "_system", Role::Admin)).await;
            }
            _ => rig.clock.advance(Duration::from_hours(2)),
        }
        let size = rig.size("acme");
        let last = told(&sender, &mut results, "second").await;
        assert_eq!((&last["status"], &last["error"]["code"]), (&json!("stopped"), &json!(code)));
        assert_eq!((&last["lines"], &last["accepted"]), (&json!(1), &json!(1)), "{last}");
        assert_eq!(rig.size("acme"), size);
    }
}

async fn body_of(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{response:?}");
    crate::rig::json(response).await
}
