//! Bodies that are larger than their route takes: the answer does not wait for them, and whoever sends
//! all before reading gets to read it.

use std::time::Duration;

use ledgerstone_edge::rest::limits::{BODY_BYTES_MAX, STREAM_BYTES_MAX};
use ledgerstone_model::access::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::Rig;

/// Much less than a body may pause.
const AT_ONCE: Duration = Duration::from_secs(5);

fn head(rig: &Rig, path: &str, headers: &str) -> String {
    let key = rig.key("acme", Role::Admin);
    format!("POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n{headers}\r\n")
}

async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let mut piece = [0; 4096];
    while !read.contains(text) {
        let count = timeout(AT_ONCE, stream.read(&mut piece)).await.expect(text).unwrap();
        assert!(count > 0, "it ended before {text}: {read}");
        read.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_too_large_is_refused_before_it_comes() {
    let rig = Rig::start().await;
    let events = "/v1/events";
    for (path, media_type, bytes) in [
        (events, "application/json", BODY_BYTES_MAX as u64 + 1),
        (events, "application/x-ndjson", STREAM_BYTES_MAX + 1),
        (events, "application/json", u64::MAX - 2),
        ("/v1/verify", "application/json", 64 * 1024 + 1),
        ("/v1/taxonomy/check", "application/json", BODY_BYTES_MAX as u64 + 1),
    ] {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        let headers = format!("content-type: {media_type}\r\ncontent-length: {bytes}\r\n");
        stream.write_all(head(&rig, path, &headers).as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\"INPUT_TOO_LARGE\"").await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path} {media_type}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_too_large_is_refused_as_soon_as_it_is() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let head = head(&rig, "/v1/verify", "transfer-encoding: chunked\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = " ".repeat(70_000);
    stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await.unwrap();
    // No end of the body, and yet an answer.
    let answer = read_until(&mut stream, "\"INPUT_TOO_LARGE\"").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_all_before_reading_reads_the_answer_and_may_go_on() {
    let rig = Rig::start().await;
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    let body = vec![b' '; 40 << 20];
    let length = body.len();
    let headers = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    stream.write_all(head(&rig, "/v1/events", &headers).as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    let answer = read_until(&mut stream, "\"INPUT_TOO_LARGE\"").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    stream.write_all(head(&rig, "/v1/verify", "content-length: 0\r\n").as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 20").await;
}
