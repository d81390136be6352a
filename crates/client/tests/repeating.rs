//! What is sent again and what is not, against a server that answers as the test says.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledgerstone_client::{
    Append, Client, ClientError, Event, IdempotencyKey, Retry, VerifyRequest,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\n\
    content-type: application/problem+json\r\nconnection: close\r\n\r\n\
    {\"status\":503,\"code\":\"QUEUE_FULL\",\"detail\":\"full\",\"remedy\":\"wait\"}";
const UNKNOWN: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\n\
    content-type: application/problem+json\r\nconnection: close\r\n\r\n\
    {\"status\":503,\"code\":\"OUTCOME_UNKNOWN\",\"detail\":\"?\",\"remedy\":\"again\",\"id\":\"e-1\"}";
/// The connection ends without an answer.
const RESET: &str = "";
const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\n\
    connection: close\r\n\r\n\
    {\"status\":403,\"code\":\"FORBIDDEN\",\"detail\":\"no\",\"remedy\":\"ask\"}";
const ELSEWHERE: &str =
    "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
const PAGE: &str =
    "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<p>";

fn receipt(id: &str, status: &str) -> String {
    let hash = "0".repeat(64);
    json!({
        "id": id, "tenant_id": "default", "sequence_number": 1, "content_hash": hash,
        "previous_hash": hash, "record_hash": hash, "signature": null, "key_id": null,
        "ingested_at": "2026-01-01T00:00:00.000000Z", "status": status,
    })
    .to_string()
}

fn answer(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    format!("{head}{body}")
}

/// A server that answers one request a connection, in this order, and keeps what it was sent.
struct Scripted {
    client: Client,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            // What comes after the last answer is counted too, and gets none.
            for answer in answers.into_iter().chain(std::iter::repeat(RESET.to_owned())) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                kept.lock().unwrap().push(request);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let ms = Duration::from_millis;
        let client = Client::builder(&url).api_key("lsk_geheim").retry(Retry::new(4, ms(1), ms(2)));
        Self { client: client.build().unwrap(), requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A request with its whole body.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return String::from_utf8(bytes).unwrap();
            }
        }
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "the request broke off");
        bytes.extend_from_slice(&piece[..count]);
    }
}

fn named() -> Event {
    Event::from_text(r#"{"id":"e-1","event_type":"a.b"}"#)
}

fn unnamed() -> Event {
    Event::from_text(r#"{"event_type":"a.b"}"#)
}

#[tokio::test]
async fn an_event_with_an_id_is_sent_again() {
    let answers =
        vec![BUSY.into(), RESET.into(), UNKNOWN.into(), answer(&receipt("e-1", "created"))];
    let server = Scripted::start(answers).await;
    server.client.append(&named(), &Append::new()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| request.contains("authorization: Bearer lsk_geheim")));
}

#[tokio::test]
async fn an_event_without_an_id_is_sent_again_only_where_nothing_was_taken() {
    for (failing, expected) in
        [(RESET, ErrorCode::ServerUnreachable), (UNKNOWN, ErrorCode::OutcomeUnknown)]
    {
        let server = Scripted::start(vec![BUSY.into(), failing.into()]).await;
        let error = server.client.append(&unnamed(), &Append::new()).await.unwrap_err();
        assert_eq!(error.code(), Some(expected), "{error}");
        assert_eq!(server.requests().len(), 2);
        assert!(!format!("{error} {error:?}").contains("geheim"));
    }
    let key = IdempotencyKey::new("k-1").unwrap();
    let answers = vec![RESET.into(), answer(&receipt("x", "created"))];
    let server = Scripted::start(answers).await;
    server.client.append(&unnamed(), &Append::new().key(key)).await.unwrap();
    assert!(server.requests().iter().all(|request| request.contains("idempotency-key: k-1")));
}

#[tokio::test]
async fn attempts_are_counted_and_end() {
    let server = Scripted::start(vec![BUSY.into(); 4]).await;
    let error = server.client.verify(&VerifyRequest::new()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::QueueFull));
    assert_eq!(server.requests().len(), 4);
    let error = server.client.status().await.unwrap_err();
    let ClientError::Unreachable { attempts, call, .. } = &error else { panic!("{error}") };
    assert!(*attempts == 4 && call.starts_with("GET http://127.0.0.1:"), "{error}");
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn what_changes_something_else_is_not_repeated_blindly() {
    let server = Scripted::start(vec![RESET.into()]).await;
    let tenant = TenantId::parse("acme").unwrap();
    let error = server.client.create_tenant(&tenant).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::ServerUnreachable));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_and_what_is_no_answer_are_final() {
    for (answer, code) in [
        (REFUSED, ErrorCode::Forbidden),
        (ELSEWHERE, ErrorCode::UnexpectedAnswer),
        (PAGE, ErrorCode::UnexpectedAnswer),
    ] {
        let server = Scripted::start(vec![answer.into()]).await;
        let error = server.client.status().await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_broken_batch_is_sent_whole_and_keeps_what_was_told_first() {
    let line = |number: u64, status: &str| {
        let receipt = receipt(&format!("e-{number}"), status);
        format!("{{\"line\":{number},\"receipt\":{receipt},\"status\":\"{status}\"}}\n")
    };
    let refused = "{\"line\":2,\"status\":\"rejected\",\"error\":{\"status\":503,\"code\":\"OUTCOME_UNKNOWN\",\"detail\":\"?\",\"remedy\":\"r\"}}\n";
    let end =
        "{\"accepted\":0,\"duplicates\":0,\"lines\":2,\"rejected\":0,\"status\":\"complete\"}\n";
    let answers = vec![
        RESET.to_owned(),
        answer(&line(1, "created")),
        answer(&format!("{}{refused}{end}", line(1, "duplicate"))),
        answer(&format!("{}{}{end}", line(1, "duplicate"), line(2, "created"))),
    ];
    let server = Scripted::start(answers).await;
    let key = IdempotencyKey::new("batch-1").unwrap();
    let events = [named(), unnamed()];
    let (outcomes, ended) = server.client.append_all(&events, &key, &Append::new()).await;
    ended.unwrap();
    let told: Vec<String> = outcomes
        .iter()
        .map(|one| one.as_ref().unwrap().receipt().unwrap().json().to_owned())
        .collect();
    assert_eq!(told, [receipt("e-1", "created"), receipt("e-2", "created")]);
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        assert!(request.contains("idempotency-key: batch-1"));
        assert!(
            request
                .ends_with("{\"id\":\"e-1\",\"event_type\":\"a.b\"}\n{\"event_type\":\"a.b\"}\n")
        );
    }
}

#[tokio::test]
async fn what_is_known_of_a_batch_is_told_when_it_ends_early() {
    let receipt = receipt("e-1", "created");
    let first = format!("{{\"line\":1,\"receipt\":{receipt},\"status\":\"created\"}}\n");
    let stopped = "{\"accepted\":1,\"duplicates\":0,\"lines\":1,\"rejected\":0,\"status\":\"stopped\",\"error\":{\"status\":503,\"code\":\"STORE_DAMAGED\",\"detail\":\"d\",\"remedy\":\"r\"}}\n";
    let server = Scripted::start(vec![answer(&format!("{first}{stopped}"))]).await;
    let key = IdempotencyKey::new("batch-2").unwrap();
    let (outcomes, ended) =
        server.client.append_all(&[named(), unnamed()], &key, &Append::new()).await;
    assert_eq!(ended.unwrap_err().code(), Some(ErrorCode::StoreDamaged));
    assert!(outcomes[0].as_ref().unwrap().receipt().is_some() && outcomes[1].is_none());
}
