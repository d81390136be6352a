//! A server of HTTP/1.1 for one test: answers what it is told to, over TLS if it is given a
//! certificate, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

#[derive(Clone, Debug)]
pub struct Request {
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A member of the body, which is a JSON object.
    pub fn member(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        body.get(name).map(|value| value.as_str().unwrap().to_owned())
    }
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Reply {
    Json(u16, String),
    /// With one more header.
    Header(u16, &'static str, String),
    /// The connection is closed.
    Close,
    /// Nothing comes.
    Silence,
}

type Answering = dyn Fn(&Request) -> Reply + Send + Sync;

pub struct Stub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_over: Arc<AtomicBool>,
    authority: Option<String>,
}

impl Stub {
    pub fn new(answering: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(answering), None, None)
    }

    /// One that speaks TLS as `localhost`, with a certificate of an authority of its own.
    pub fn with_tls(answering: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Self::start(Arc::new(answering), Some(Arc::new(config)), Some(authority.pem()))
    }

    fn start(
        answering: Arc<Answering>,
        tls: Option<Arc<ServerConfig>>,
        authority: Option<String>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (kept, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (answering, kept, tls) =
                    (Arc::clone(&answering), Arc::clone(&kept), tls.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
                    match tls {
                        None => serve(stream, &*answering, &kept),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(connection, stream), &*answering, &kept);
                        }
                    }
                });
            }
        });
        Self { address, requests, is_over, authority }
    }

    pub fn url(&self) -> String {
        match self.authority {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// Answers requests until the client goes.
fn serve(mut stream: impl Read + Write, answering: &Answering, kept: &Mutex<Vec<Request>>) {
    while let Some(request) = read(&mut stream) {
        kept.lock().unwrap().push(request.clone());
        let (status, header, body) = match answering(&request) {
            Reply::Json(status, body) => (status, String::new(), body),
            Reply::Header(status, name, value) => {
                (status, format!("{name}: {value}\r\n"), String::new())
            }
            Reply::Close => return,
            Reply::Silence => {
                // Until the client has had enough.
                drop(stream.read(&mut [0]));
                return;
            }
        };
        // In one piece: the second of two would wait for the client to have acknowledged the first.
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{header}content-length: {length}\r\n\r\n{body}"
        );
        let written = stream.write_all(answer.as_bytes());
        if written.and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Request> {
    // One byte at a time, so that nothing of the next request is taken.
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let target = line()?.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { target, headers, body })
}
