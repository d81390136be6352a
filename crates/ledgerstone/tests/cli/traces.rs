//! Traces and the access log of a real server, with a collector that decodes what it is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ledgerstone_testkit::Served;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::Value;

use crate::program::Program;
use crate::served::{append, plainly, start};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector on a port of its own: its address, and what it was sent.
fn collector() -> (String, Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sent = sent.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some(request) = read_request(&mut stream) {
                    sent.send(request).unwrap();
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.get_mut().write_all(answer).unwrap();
                }
            });
        }
    });
    (format!("http://{address}"), received)
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<ExportTraceServiceRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    assert!(line.starts_with("POST /v1/traces "), "{line}");
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).unwrap();
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if let Some(value) = header.strip_prefix("content-type: ") {
            assert_eq!(value, "application/x-protobuf");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Some(ExportTraceServiceRequest::decode(body.as_slice()).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

/// Sends an event as part of somebody's trace.
fn append_within_a_trace(server: &Served, key: &str) {
    let body = r#"{"id":"t-1","event_type":"user.login","actor":{"id":"u-secret-name"}}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let request = format!(
        "POST /v1/events?wait=durable HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         authorization: Bearer {key}\r\ncontent-type: application/json\r\nx-request-id: r-1\r\n\
         traceparent: 00-{TRACE}-{PARENT}-01\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn spans_continue_the_senders_trace_and_tell_no_content() {
    let program = Program::new("traces");
    let (endpoint, received) = collector();
    let server = start(&program, |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).env("OTEL_SERVICE_NAME", "books");
    });
    let key = server.first_key();
    append_within_a_trace(&server, &key);
    assert_eq!(server.request("GET", "/v1/events/none", Some(&key), "").0, 404);
    server.stop();
    let requests: Vec<_> = received.try_iter().collect();
    let resources: Vec<_> = requests.iter().flat_map(|request| &request.resource_spans).collect();
    let all = format!("{requests:?}");
    assert!(!all.contains("u-secret-name") && !all.contains(&key) && !all.contains("wait=durable"));
    for resource in &resources {
        let named = &resource.resource.as_ref().unwrap().attributes;
        let name = named.iter().find(|attribute| attribute.key == "service.name").unwrap();
        let name = name.value.clone().unwrap().value.unwrap();
        assert_eq!(name, Any::StringValue("books".to_owned()));
    }
    let spans = resources.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<&Span> = spans.flat_map(|scope| &scope.spans).collect();
    let named = |name: &str| {
        let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
        assert_eq!(
            found.len(),
            1,
            "{name}: {:?}",
            spans.iter().map(|s| &s.name).collect::<Vec<_>>()
        );
        *found[0]
    };
    let append = named("POST /v1/events");
    assert_eq!((hex(&append.trace_id), hex(&append.parent_span_id)), (TRACE.into(), PARENT.into()));
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/events"),
        ("http.response.status_code", "201"),
        ("ledgerstone.request_id", "r-1"),
        ("ledgerstone.tenant", "default"),
    ] {
        assert_eq!(attribute(append, key).as_deref(), Some(value), "{key}");
    }
    for part in ["parse and seal", "wait for the commit"] {
        let part = named(part);
        assert_eq!((&part.trace_id, &part.parent_span_id), (&append.trace_id, &append.span_id));
        assert_eq!(attribute(part, "ledgerstone.events").as_deref(), Some("1"));
    }
    let missing = named("GET /v1/events/{id}");
    assert_eq!(attribute(missing, "error.type").as_deref(), Some("EVENT_NOT_FOUND"));
    assert!(missing.parent_span_id.is_empty());
}

#[test]
fn a_collector_that_is_not_there_holds_nothing_up() {
    let program = Program::new("no-collector");
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = start(&program, |command| {
        command.env("LEDGERSTONE_OTLP_ENDPOINT", &endpoint);
    });
    let key = server.first_key();
    let began = Instant::now();
    for number in 0..20 {
        assert_eq!(append(&server, &key, &format!("e-{number}")).0, 201);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let began = Instant::now();
    let log = server.stop();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert!(log.contains("the last spans were not sent"), "{log}");
}

#[test]
fn each_request_has_a_line_without_contents_and_polls_have_none() {
    let program = Program::new("access");
    let server = plainly(&program);
    let key = server.first_key();
    append_within_a_trace(&server, &key);
    assert_eq!(server.request("GET", "/v1/events?cursor=secret", Some(&key), "").0, 400);
    assert_eq!(server.request("GET", "/v1/status", None, "").0, 401);
    assert_eq!(server.request("GET", "/health", None, "").0, 200);
    let log = server.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests: Vec<_> = lines.iter().filter(|line| line["target"] == "access").collect();
    assert_eq!(requests.len(), 3, "{log}");
    let sent = requests[0];
    assert_eq!((&sent["method"], &sent["route"]), (&"POST".into(), &"/v1/events".into()));
    assert_eq!((&sent["status"], &sent["request_id"]), (&201.into(), &"r-1".into()));
    assert_eq!(sent["tenant"], "default");
    let id = key.split('_').nth(1).unwrap();
    assert_eq!(sent["principal"], format!("key:{id}"));
    assert!(sent["bytes"].as_u64().unwrap() > 100 && sent["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(requests[1]["code"], "INVALID_CURSOR");
    assert!(requests[2].get("principal").is_none());
    assert!(!log.contains("secret") && !log.contains(&key), "{log}");
    let server = start(&program, |command| {
        command.env("LEDGERSTONE_LOG_ACCESS", "false");
    });
    assert_eq!(append(&server, &key, "t-2").0, 201);
    assert!(!server.stop().contains("\"access\""));
}

#[test]
fn nobody_waits_for_whoever_reads_the_log() {
    let program = Program::new("unread");
    // Its standard error is a pipe that nobody reads before the end.
    let server = plainly(&program);
    let began = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..1_000 {
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        answers.read_exact(&mut body).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    drop((stream, answers));
    server.stop();
}
