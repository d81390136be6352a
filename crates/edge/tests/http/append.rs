//! `POST /v1/events` with one event and with arrays.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerstone_edge::rest::Limits;
use ledgerstone_model::access::Role;
use ledgerstone_proof::{EventId, TenantId};
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Rig, RigOptions, assert_problem, json as body};

fn event(id: &str) -> String {
    TestEvent::new("user.login").id(id).json()
}

fn array(count: usize) -> String {
    let events: Vec<String> = (0..count).map(|index| event(&format!("e{index}"))).collect();
    format!("[{}]", events.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_answered_with_its_receipt() {
    let rig = Rig::start().await;
    let response = rig.append("", event("e1")).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "/v1/events/e1");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers().contains_key("x-request-id"));
    let receipt = body(response).await;
    let acme = TenantId::parse("acme").unwrap();
    let stored = rig.ledger.reader().get(&acme, &EventId::parse("e1").unwrap()).unwrap();
    assert_eq!(receipt["id"], "e1");
    assert_eq!(receipt["tenant_id"], "acme");
    assert_eq!(receipt["sequence_number"], stored.sequence_number.value());
    assert_eq!(receipt["content_hash"], stored.content_hash.to_hex());
    assert_eq!(receipt["status"], "created");
    assert!(receipt["signature"].is_string() && receipt["key_id"].is_string());

    let again = rig.append("", event("e1")).send().await.unwrap();
    assert_eq!(again.status(), 200);
    let mut repeated = body(again).await;
    assert_eq!(repeated["status"], "duplicate");
    repeated["status"] = json!("created");
    assert_eq!(repeated, receipt, "the first receipt again");

    let other = TestEvent::new("user.logout").id("e1").json();
    assert_problem(rig.append("", other), 409, "ID_CONFLICT").await;
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_answered_item_by_item() {
    let rig = Rig::start().await;
    let response = rig.append("", array(1_000)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer = body(response).await;
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"], &answer["rejected"]),
        (&json!(1_000), &json!(0), &json!(0))
    );
    let items = answer["items"].as_array().unwrap();
    for (index, item) in items.iter().enumerate() {
        assert_eq!(item["status"], "created");
        assert_eq!(item["receipt"]["id"], format!("e{index}"));
    }

    let mixed = format!("[{},{{\"event_type\":7}},{}]", event("e0"), event("new"));
    let response = rig.append("", mixed).send().await.unwrap();
    assert_eq!(response.status(), 207);
    let answer = body(response).await;
    let statuses: Vec<&Value> =
        answer["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, ["duplicate", "rejected", "created"]);
    let error = &answer["items"][1]["error"];
    assert!(
        error["errors"].as_array().unwrap().iter().any(|fault| fault["pointer"] == "#/event_type"),
        "{error}"
    );

    let response = rig.append("", "[1,\"x\",null]").send().await.unwrap();
    assert_eq!(response.status(), 422);
    assert_eq!(body(response).await["rejected"], 3);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn atomic_takes_all_or_nothing() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    let faulty = format!("[{},{{}}]", event("a"));
    let response = rig.append("?atomic=true", faulty).send().await.unwrap();
    assert_eq!(response.status(), 422);
    let answer = body(response).await;
    assert_eq!(answer["items"][0]["error"]["code"], "BATCH_REFUSED");
    assert_eq!(rig.size("acme"), before);
    let response = rig.append("?atomic=true", array(3)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let conflict = format!("[{},{}]", event("b"), TestEvent::new("other.type").id("e1").json());
    let response = rig.append("?atomic=true", conflict).send().await.unwrap();
    assert_eq!(response.status(), 422);
    let answer = body(response).await;
    assert_eq!(answer["items"][0]["error"]["code"], "BATCH_REFUSED");
    assert_eq!(answer["items"][1]["error"]["code"], "ID_CONFLICT");
    assert_eq!(rig.size("acme"), before + 3);
    assert_problem(rig.append("?atomic=true&wait=none", array(1)), 400, "INVALID_ARGUMENT").await;
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_is_told_that_it_is_queued() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    let response = rig.append("?wait=none", event("q1")).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(body(response).await, json!({"id": "q1", "status": "queued"}));
    let response = rig.append("?wait=none", array(10)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(body(response).await["accepted"], 10);
    // Whoever comes later is durable only after those who came before.
    rig.append("", event("q2")).send().await.unwrap();
    assert_eq!(rig.size("acme"), before + 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_checkpoint_gets_a_proof() {
    use ledgerstone_proof::{Checkpoint, Hash, leaf_hash, verify_inclusion};

    let rig = Rig::start().await;
    let response = rig.append("?wait=checkpoint", array(5)).send().await.unwrap();
    let answer = body(response).await;
    let single = body(rig.append("?wait=checkpoint", event("e0")).send().await.unwrap()).await;
    let acme = TenantId::parse("acme").unwrap();
    let keys = rig.ledger.reader().log_keys(&acme, &rig.ledger.history()).unwrap();
    let receipts = answer["items"].as_array().unwrap().iter().map(|item| &item["receipt"]);
    for receipt in receipts.chain([&single]) {
        let note = receipt["checkpoint"].as_str().unwrap();
        let checkpoint = Checkpoint::open(note.as_bytes(), &keys).unwrap();
        let id = EventId::parse(receipt["id"].as_str().unwrap()).unwrap();
        let header = rig.ledger.reader().get(&acme, &id).unwrap().header_bytes();
        let proof = &receipt["inclusion_proof"];
        assert_eq!(proof["tree_size"], checkpoint.size().value());
        let hashes: Vec<Hash> = proof["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| Hash::from_base64(hash.as_str().unwrap()).unwrap())
            .collect();
        let index = proof["leaf_index"].as_u64().unwrap();
        let size = checkpoint.size().value();
        verify_inclusion(index, size, &leaf_hash(&header), &hashes, checkpoint.root()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_finds_the_first_request() {
    let rig = Rig::start().await;
    let anonymous = |text: &str| {
        TestEvent::new("user.login").set("/action/description", text.into()).without("id").json()
    };
    let send =
        |key: &'static str, text: String| rig.append("", text).header("idempotency-key", key);
    let first = body(send("\"k-1\"", anonymous("x")).send().await.unwrap()).await;
    let again = send("k-1", anonymous("x")).send().await.unwrap();
    assert_eq!(again.status(), 200);
    assert_eq!(body(again).await["id"], first["id"]);
    assert_problem(send("k-1", anonymous("y")), 422, "IDEMPOTENCY_CONFLICT").await;
    let other = body(send("k-2", anonymous("x")).send().await.unwrap()).await;
    assert_ne!(other["id"], first["id"]);
    let both = format!("[{},{}]", anonymous("x"), anonymous("x"));
    let answer = body(send("k-3", both.clone()).send().await.unwrap()).await;
    assert_eq!(answer["accepted"], 2);
    assert_eq!(body(send("k-3", both).send().await.unwrap()).await["duplicates"], 2);
    for bad in ["a b", "\"\"", "\u{e9}"] {
        let request = rig.append("", event("x")).header("idempotency-key", bad.as_bytes());
        assert_problem(request, 400, "INVALID_ARGUMENT").await;
    }
    let twice =
        rig.append("", event("x")).header("idempotency-key", "a").header("idempotency-key", "b");
    assert_problem(twice, 400, "INVALID_ARGUMENT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_packed() {
    let rig = Rig::start().await;
    let text = array(200);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (name, packed, field) in [("gzip", &gzip, "accepted"), ("zstd", &zstd, "duplicates")] {
        let answer =
            rig.append("", packed.clone()).header("content-encoding", name).send().await.unwrap();
        assert_eq!(body(answer).await[field], 200, "{name}");
        let cut =
            rig.append("", packed[..packed.len() - 9].to_vec()).header("content-encoding", name);
        assert_problem(cut, 400, "INVALID_BODY").await;
    }
    let zeros = vec![b' '; 64 << 20];
    let bomb = zstd::encode_all(&*zeros, 1).unwrap();
    assert!(bomb.len() < 1 << 20);
    assert_problem(rig.append("", bomb).header("content-encoding", "zstd"), 413, "INPUT_TOO_LARGE")
        .await;
    let twice = rig
        .append("", gzip.clone())
        .header("content-encoding", "gzip")
        .header("content-encoding", "gzip");
    assert_problem(twice, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    assert_problem(
        rig.append("", gzip).header("content-encoding", "br"),
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_has_its_code_and_leaves_the_ledger_as_it_was() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = format!(r#"{{"event_type":"a.b","data":{{"before":{deep}}}}}"#);
    let large =
        TestEvent::new("a.b").set("/data/metadata", json!({"x": "y".repeat(257 << 10)})).json();
    for (text, status, code) in [
        ("", 400, "EMPTY_INPUT"),
        ("  \n", 400, "EMPTY_INPUT"),
        ("[]", 400, "EMPTY_INPUT"),
        ("not json", 400, "NOT_JSON"),
        ("[{},", 400, "NOT_JSON"),
        ("[{}] x", 400, "NOT_JSON"),
        ("7", 422, "INVALID_EVENT"),
        (r#"{"event_type":"a.b","event_type":"a.b"}"#, 422, "DUPLICATE_KEY"),
        (r#"{"event_type":"a.b","data":{"before":1e400}}"#, 422, "NUMBER_NOT_EXACT"),
        (r#"{"event_type":"a.b","data":{"before":9007199254740993}}"#, 422, "NUMBER_NOT_EXACT"),
        (r#"{"event_type":"a.b","data":{"before":"\ud800"}}"#, 422, "LONE_SURROGATE"),
        (r#"{"event_type":"system.genesis"}"#, 422, "RESERVED_EVENT_TYPE"),
        (r#"{"event_type":"a.b","intake":{}}"#, 422, "RESERVED_NAME"),
        (r#"{"event_type":"a.b","id":"_7"}"#, 422, "RESERVED_NAME"),
        (r#"{"event_type":"a.b","id":"a b"}"#, 422, "INVALID_ID"),
        (r#"{"event_type":"a.b","timestamp":"99999-01-01T00:00:00Z"}"#, 422, "INVALID_TIMESTAMP"),
        (r#"{"event_type":"a.b","context":{"tenant_id":"beta"}}"#, 422, "TENANT_MISMATCH"),
        (&deep, 422, "TOO_DEEP"),
        (&large, 413, "EVENT_TOO_LARGE"),
    ] {
        let problem = assert_problem(rig.append("", text.to_owned()), status, code).await;
        assert!(problem["detail"].as_str().unwrap().len() < 1_000);
    }
    assert_problem(rig.append("", vec![b'"', 0xff, b'"']), 400, "NOT_UTF8").await;
    assert_problem(rig.append("", b"[\"\xff\"]".to_vec()), 400, "NOT_UTF8").await;
    assert_problem(rig.append("", array(1_001)), 413, "TOO_MANY_ITEMS").await;
    assert_problem(rig.append("", vec![b' '; (5 << 20) + 1]), 413, "INPUT_TOO_LARGE").await;
    assert_problem(rig.append("?wait=soon", event("x")), 400, "INVALID_ARGUMENT").await;
    assert_problem(rig.append("?wiat=none", event("x")), 400, "INVALID_ARGUMENT").await;
    let form = rig.request(Method::POST, "/v1/events", "acme", Role::Writer).form(&[("a", "b")]);
    assert_problem(form, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    assert_eq!(rig.size("acme"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_write_do() {
    let rig = Rig::start().await;
    let post = |tenant: &str, role: Role| {
        rig.request(Method::POST, "/v1/events", tenant, role).body(event("x"))
    };
    for role in [Role::Admin, Role::Writer] {
        assert!(post("beta", role).send().await.unwrap().status().is_success());
    }
    for role in [Role::Auditor, Role::Viewer] {
        assert_problem(post("acme", role), 403, "FORBIDDEN").await;
    }
    assert_problem(post("_system", Role::Admin), 403, "FORBIDDEN").await;
    assert_problem(
        rig.anonymous(Method::POST, "/v1/events").body(event("x")),
        401,
        "UNAUTHENTICATED",
    )
    .await;
    assert_problem(rig.anonymous(Method::GET, "/nowhere"), 404, "NOT_FOUND").await;
    assert_problem(rig.anonymous(Method::PUT, "/v1/events"), 405, "METHOD_NOT_ALLOWED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_memory_are_put_off() {
    let limits = Limits { body_bytes_in_memory: 64 << 10, ..Limits::default() };
    let rig = Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await;
    let response = assert_problem(rig.append("", array(1_000)), 503, "SERVER_BUSY").await;
    assert!(response["remedy"].is_string());
    assert_eq!(rig.append("", event("small")).send().await.unwrap().status(), 201);
}

/// What counts is what a body becomes: a few kilobytes on the wire stand for much more.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_unpack_beyond_memory_are_put_off() {
    let limits = Limits { body_bytes_in_memory: 64 << 10, ..Limits::default() };
    let rig = Rig::start_with(RigOptions { limits, ..RigOptions::default() }).await;
    let before = rig.size("acme");
    let text = array(1_000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 19).unwrap();
    for (encoding, packed) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        assert!(packed.len() < 16 << 10, "{}", packed.len());
        let append = rig.append("", packed.clone()).header("content-encoding", encoding);
        assert_problem(append, 503, "SERVER_BUSY").await;
        let check = rig.request(Method::POST, "/v1/taxonomy/check", "acme", Role::Admin);
        let check = check.header("content-encoding", encoding).body(packed);
        assert_problem(check, 503, "SERVER_BUSY").await;
    }
    assert_eq!(rig.size("acme"), before);
    assert_eq!(rig.append("", array(10)).send().await.unwrap().status(), 200);
}

/// Whatever is wrong with how a body is packed or sent, nothing of it is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_cannot_be_read_leave_the_ledger_as_it_was() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 19).unwrap();
    let bomb = format!("[{}{}]", event("bomb"), " ".repeat(64 << 20));
    let good = gzip(&event("good"));
    for (encoding, packed, status, code) in [
        ("zstd", zstd(&bomb), 413, "INPUT_TOO_LARGE"),
        ("gzip", gzip(&bomb), 413, "INPUT_TOO_LARGE"),
        ("gzip", good[..good.len() - 4].to_vec(), 400, "INVALID_BODY"),
        ("gzip", good[..good.len() / 2].to_vec(), 400, "INVALID_BODY"),
        ("zstd", zstd(&event("good"))[..20].to_vec(), 400, "INVALID_BODY"),
        ("gzip, gzip", gzip(&event("good")), 415, "UNSUPPORTED_MEDIA_TYPE"),
    ] {
        assert!(packed.len() < 128 << 10, "{}", packed.len());
        let request = rig.append("", packed).header("content-encoding", encoding);
        assert_problem(request, status, code).await;
    }
    let twice = rig.append("", gzip(&event("good")));
    let twice = twice.header("content-encoding", "gzip").header("content-encoding", "gzip");
    assert_problem(twice, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    assert_eq!(rig.size("acme"), before);
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_shorter_than_announced_is_not_taken() {
    let rig = Rig::start().await;
    let before = rig.size("acme");
    for text in [event("short"), format!("[{},{}]", event("a"), event("b"))] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            rig.key("acme", Role::Writer),
            text.len() + 1,
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("INVALID_BODY"), "{answer}");
    }
    assert_eq!(rig.size("acme"), before);
}
