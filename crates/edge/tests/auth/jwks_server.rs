//! A server on loopback that answers with keys, or fails in every way that one can.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::keys::TestKey;

/// What the server does with the next request.
#[derive(Clone)]
pub enum Reply {
    /// Answers with a text and further header lines.
    Text(String, &'static str),
    Status(u16),
    /// Waits before it answers with a text.
    Slow(Duration, String),
    /// Writes without end.
    Endless,
    /// Closes the connection in the middle of the answer.
    Cut,
    RedirectTo(String),
}

pub struct JwksServer {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    reply: Mutex<Reply>,
    requests: AtomicUsize,
}

pub fn set(keys: &[&TestKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

impl JwksServer {
    pub fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { reply: Mutex::new(reply), requests: AtomicUsize::new(0) });
        let server = Arc::clone(&shared);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&server);
                std::thread::spawn(move || shared.answer(stream));
            }
        });
        Self { port, shared }
    }

    /// One that answers with these keys.
    pub fn with_keys(keys: &[&TestKey]) -> Self {
        Self::start(Reply::Text(set(keys), ""))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/keys", self.port)
    }

    pub fn now(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
    }

    pub fn now_with_keys(&self, keys: &[&TestKey]) {
        self.now(Reply::Text(set(keys), ""));
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
        self.requests.fetch_add(1, Ordering::SeqCst);
        let reply = self.reply.lock().unwrap().clone();
        // A client that has gone away is not this server's matter.
        let _ = match reply {
            Reply::Text(text, headers) => write_text(&mut stream, &text, headers),
            Reply::Status(status) => write!(
                stream,
                "HTTP/1.1 {status} Some\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
            Reply::Slow(wait, text) => {
                std::thread::sleep(wait);
                write_text(&mut stream, &text, "")
            }
            Reply::Endless => write_endless(&mut stream),
            Reply::Cut => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{{\"keys\":[")
            }
            Reply::RedirectTo(place) => write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            ),
        };
    }
}

fn write_text(stream: &mut TcpStream, text: &str, headers: &str) -> std::io::Result<()> {
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{text}"
    )
}

fn write_endless(stream: &mut TcpStream) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{{\"keys\":[")?;
    loop {
        stream.write_all(&[b' '; 4096])?;
    }
}
