//! What HTTP/1.1 clients send, in good faith and in bad.

use std::time::{Duration, Instant};

use ledgerstone_edge::server::ConnectionLimits;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::rig::{Rig, answers, read_to_end, read_until, short};

const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn requests_follow_each_other_on_a_connection() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    let text = rig.exchange(format!("{PLAIN}{PLAIN}{LAST}").as_bytes()).await;
    assert_eq!(answers(&text), 3, "{text}");
    assert_eq!(text.matches("hello").count(), 3);
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("slow"), "{text}");
}

/// One request hidden in the body of another: whoever is in front must not see another border
/// between them than this server (RFC 9112 section 11.2).
#[tokio::test]
async fn no_request_is_smuggled_in_a_body() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    for (name, headers, body) in [
        ("two lengths", "content-length: 0\r\ncontent-length: 34\r\n".to_owned(), ""),
        ("a length twice", "content-length: 0\r\ncontent-length: 0\r\n".to_owned(), ""),
        ("a line that ends bare", "x: a\ncontent-length: 0\r\n".to_owned(), ""),
        ("a header that ends bare", "x: a\r\n\n".to_owned(), ""),
        ("a list of lengths", "content-length: 0, 34\r\n".to_owned(), ""),
        ("a signed length", "content-length: +0\r\n".to_owned(), ""),
        ("a negative length", "content-length: -1\r\n".to_owned(), ""),
        ("no number", "content-length: 0x0\r\n".to_owned(), ""),
        ("an overlong length", "content-length: 99999999999999999999\r\n".to_owned(), ""),
        ("chunked is not last", "transfer-encoding: chunked, identity\r\n".to_owned(), "0\r\n\r\n"),
        ("an unknown coding", "transfer-encoding: xchunked\r\n".to_owned(), "0\r\n\r\n"),
        ("a folded header", "x: a\r\n transfer-encoding: chunked\r\n".to_owned(), "0\r\n\r\n"),
        ("a space before the colon", "content-length : 0\r\n".to_owned(), ""),
        ("a bare line feed in a name", "x\n: a\r\n".to_owned(), ""),
        ("a null byte", "x: a\0b\r\n".to_owned(), ""),
        ("a wrong chunk size", chunked.to_owned(), "zz\r\n\r\n"),
        ("an overlong chunk size", chunked.to_owned(), "ffffffffffffffff1\r\n\r\n"),
        ("a chunk without its end", chunked.to_owned(), "1\r\nab0\r\n\r\n"),
    ] {
        let text = rig.exchange(format!("{post}{headers}\r\n{body}{hidden}").as_bytes()).await;
        assert!(answers(&text) <= 1, "{name}: {text}");
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{name}: {text}");
        // Where the request was refused before it was one, the answer says so as every other does.
        assert!(!text.contains("content-length: 0"), "{name}: {text}");
    }
}

/// RFC 9112 section 6.1: where the request ends is in doubt, so it is refused, and nothing behind it
/// is taken for a request.
#[tokio::test]
async fn a_request_with_a_length_and_a_coding_is_refused() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
    ] {
        let request =
            format!("POST /echo HTTP/1.1\r\nhost: a\r\n{headers}\r\n2\r\nok\r\n0\r\n\r\n{PLAIN}");
        let text = rig.exchange(request.as_bytes()).await;
        assert_eq!(answers(&text), 1, "{headers}: {text}");
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("connection: close"), "{text}");
        assert!(text.contains("\"MALFORMED_REQUEST\""), "{headers}: {text}");
        // The same behind requests that are well-formed.
        let body = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok";
        let text = rig.exchange(format!("{PLAIN}{body}{request}").as_bytes()).await;
        assert_eq!(answers(&text), 3, "{headers}: {text}");
        assert!(text.contains("HTTP/1.1 400") && !text.contains("hidden"), "{headers}: {text}");
    }
    let old = "POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(rig.exchange(old.as_bytes()).await.starts_with("HTTP/1.1 400"));
}

/// RFC 9112 sections 2.2 and 6.3 let a recipient take these. Whatever stands in front may read them
/// otherwise, so they are refused and said to be what they are, also behind other requests.
#[tokio::test]
async fn what_others_may_read_otherwise_is_refused() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    for (request, words) in [
        (
            "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok",
            "more than one Content-Length",
        ),
        ("GET / HTTP/1.1\nhost: a\r\n\r\n", "line feed alone"),
        ("GET / HTTP/1.1\r\nhost: a\n\r\n", "line feed alone"),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n", "line feed alone"),
        ("GET / HTTP/1.1\nhost: a\n\n", "line feed alone"),
    ] {
        let body = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n\n\n";
        for (before, count) in [("", 1), (PLAIN, 2), (body, 2)] {
            let text = rig.exchange(format!("{before}{request}{PLAIN}").as_bytes()).await;
            assert_eq!(answers(&text), count, "{request:?}: {text}");
            assert!(text.contains("HTTP/1.1 400") && text.contains(words), "{request:?}: {text}");
            assert!(text.contains("\"MALFORMED_REQUEST\""), "{request:?}: {text}");
        }
    }
}

#[tokio::test]
async fn large_headers_are_refused() {
    let rig = Rig::start(ConnectionLimits { header_bytes: 8 * 1024, headers: 16, ..short() }).await;
    let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(9 * 1024));
    let text = rig.exchange(large.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 431") && text.contains("\"HEADERS_TOO_LARGE\""), "{text}");
    assert!(text.contains("content-type: application/problem+json"), "{text}");
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(16));
    assert!(rig.exchange(many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let line = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(9 * 1024));
    assert!(rig.exchange(line.as_bytes()).await.starts_with("HTTP/1.1 4"));
    let fits =
        format!("GET / HTTP/1.1\r\nhost: a\r\n{}connection: close\r\n\r\n", "x: y\r\n".repeat(14));
    assert!(rig.exchange(fits.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_sends_a_header_byte_by_byte_is_given_up() {
    let rig = Rig::start(short()).await;
    // Nothing, the beginning of HTTP/2's preface, half a header: all are given up in time.
    for beginning in ["", "PRI * HT", "GET / HTTP/1.1\r\nx: "] {
        let mut stream = rig.connect().await;
        let began = Instant::now();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let dripping = tokio::spawn(async move {
            // The drip of a client that wants to look alive.
            for _ in 0..100 {
                sleep(Duration::from_millis(50)).await;
                if !beginning.is_empty() && writer.write_all(b"y").await.is_err() {
                    break;
                }
            }
        });
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut rest).await;
        dripping.abort();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(3), "{beginning:?} took {took:?}");
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{beginning:?}");
    }
    // The same within a connection that began well.
    let mut stream = rig.connect().await;
    stream.write_all(PLAIN.as_bytes()).await.unwrap();
    read_until(&mut stream, "hello").await;
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_working_one_is_not() {
    let rig = Rig::start(short()).await;
    let mut idle = rig.connect().await;
    idle.write_all(PLAIN.as_bytes()).await.unwrap();
    let mut working = rig.connect().await;
    working.write_all(b"GET /lines HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let text = read_to_end(&mut idle).await;
    assert_eq!(answers(&text), 1);
    let text = read_until(&mut working, "line 29").await;
    assert!(text.starts_with("HTTP/1.1 200"));
}

/// A request runs as long as its body is read, also after its answer.
#[tokio::test]
async fn a_body_may_go_on_after_the_answer() {
    let rig = Rig::start(short()).await;
    let mut stream = rig.connect().await;
    let head = "POST /drop HTTP/1.1\r\nhost: a\r\ncontent-length: 20\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let text = read_until(&mut stream, "dropped").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    for _ in 0..20 {
        sleep(Duration::from_millis(50)).await;
        stream.write_all(b"y").await.unwrap();
    }
    stream.write_all(LAST.as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    assert!(text.ends_with("hello"), "{text}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let rig = Rig::start(ConnectionLimits { connections: 1, ..short() }).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    // Its place comes free although it never reads.
    for _ in 0..100 {
        let text = rig.exchange(LAST.as_bytes()).await;
        if text.starts_with("HTTP/1.1 200") {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it kept its place");
}

#[tokio::test]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let rig =
        Rig::start(ConnectionLimits { connections: 1_200, ..ConnectionLimits::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        match tokio::net::TcpStream::connect(rig.address).await {
            Ok(stream) => idle.push(stream),
            // The test's own process may have too few handles for both ends.
            Err(_) => break,
        }
    }
    assert!(idle.len() > 300, "{}", idle.len());
    idle.truncate(idle.len() - 50);
    sleep(Duration::from_millis(200)).await;
    let text = rig.exchange(LAST.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let rig = Rig::start(ConnectionLimits { connections: 2, ..ConnectionLimits::default() }).await;
    let mut first = rig.connect().await;
    first.write_all(PLAIN.as_bytes()).await.unwrap();
    read_until(&mut first, "hello").await;
    let second = rig.connect().await;
    sleep(Duration::from_millis(100)).await;
    let text = rig.exchange(LAST.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("\"SERVER_BUSY\""), "{text}");
    assert!(text.contains("retry-after: 1"), "{text}");
    drop(second);
    sleep(Duration::from_millis(100)).await;
    assert!(rig.exchange(LAST.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

/// RFC 9112 section 3.2: which host is asked must be said, once.
#[tokio::test]
async fn a_request_names_one_host() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    for (name, hosts) in [
        ("none", ""),
        ("two", "host: a\r\nhost: b\r\n"),
        ("the same twice", "host: a\r\nHost: a\r\n"),
        ("a list", "host: a, b\r\n"),
        ("a user", "host: u@a\r\n"),
        ("a path", "host: a/b\r\n"),
    ] {
        let text = rig.exchange(format!("GET / HTTP/1.1\r\n{hosts}\r\n{PLAIN}").as_bytes()).await;
        assert_eq!(answers(&text), 1, "{name}: {text}");
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("connection: close"), "{text}");
        assert!(text.contains("\"MALFORMED_REQUEST\""), "{name}: {text}");
    }
    for host in ["a", "a:80", "127.0.0.1:8080", "[::1]:80", ""] {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let text = rig.exchange(request.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{host:?}: {text}");
    }
    let old = rig.exchange(b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200"), "{old}");
}

/// RFC 9112 section 6.1: a coding that is not undone must not be passed over.
#[tokio::test]
async fn chunked_is_the_only_transfer_coding() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    for codings in [
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    ] {
        let request =
            format!("POST /echo HTTP/1.1\r\nhost: a\r\n{codings}\r\n2\r\nok\r\n0\r\n\r\n{PLAIN}");
        let text = rig.exchange(request.as_bytes()).await;
        assert_eq!(answers(&text), 1, "{codings}: {text}");
        assert!(text.starts_with("HTTP/1.1 400"), "{codings}: {text}");
        assert!(text.contains("\"MALFORMED_REQUEST\""), "{codings}: {text}");
    }
    let request = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\
                   connection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let text = rig.exchange(request.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("ok"), "{text}");
}
