//! HTTP/2 without TLS, by prior knowledge: frames as they are.

use std::time::{Duration, Instant};

use ledgerstone_edge::server::ConnectionLimits;
use reqwest::{Client, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::rig::{Rig, short};

/// The preface and an empty SETTINGS frame (RFC 9113 section 3.4).
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Everything that comes until the server closes, and how long that took.
async fn until_closed(rig: &Rig, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let mut stream = rig.connect().await;
    let began = Instant::now();
    stream.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    // A reset ends a connection too.
    let _ = read.expect("the connection stayed open");
    (rest, began.elapsed())
}

#[tokio::test]
async fn many_requests_run_on_one_connection() {
    let rig = Rig::start(ConnectionLimits { connections: 1, ..ConnectionLimits::default() }).await;
    let client = Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/slow", rig.address);
    let requests = (0..20).map(|_| client.get(&url).send());
    let began = Instant::now();
    for answer in futures_util::future::join_all(requests).await {
        let answer = answer.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "slow");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "one after the other");
}

#[tokio::test]
async fn an_idle_or_half_begun_connection_is_closed() {
    let rig = Rig::start(short()).await;
    let mut half_header = BEGINNING.to_vec();
    // A HEADERS frame that announces more than it brings and no END_HEADERS.
    half_header.extend_from_slice(b"\0\0\x20\x01\0\0\0\0\x01\x82");
    for bytes in [BEGINNING, &BEGINNING[..24], &half_header] {
        let (_, took) = until_closed(&rig, bytes).await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[tokio::test]
async fn a_stop_says_goaway() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    let mut stream = rig.connect().await;
    stream.write_all(BEGINNING).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.stop();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    let _ = read.expect("the connection stayed open");
    // Frames have their type in the fourth byte; 7 is GOAWAY (RFC 9113 section 6.8).
    let mut frames = &rest[..];
    let mut types = Vec::new();
    while let [a, b, c, kind, ..] = frames {
        types.push(*kind);
        let length = 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = frames.get(length..).unwrap_or_default();
    }
    assert!(types.contains(&7), "{types:?}");
}
