//! The senders: each has a connection, sends a request, and waits for its acknowledgement.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Until;
use super::bodies::Bodies;
use crate::bench::Latencies;

/// What all senders share.
pub(super) struct Load {
    bodies: Bodies,
    until: Until,
    connections: usize,
    next: AtomicU64,
}

/// What was acknowledged.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) acknowledged: u64,
    /// Of requests, not of events.
    pub(super) latencies: Latencies,
}

/// A connection that is ready.
pub(super) struct Connected {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Load {
    pub(super) fn new(bodies: Bodies, until: Until, connections: usize) -> Self {
        Self { bodies, until, connections, next: AtomicU64::new(0) }
    }

    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        key: &str,
    ) -> anyhow::Result<Vec<Connected>> {
        let host = HeaderValue::from_str(&address.to_string())?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}"))?;
        authorization.set_sensitive(true);
        let mut connected = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // What goes wrong with it is told to the sender.
            tokio::spawn(async move { drop(connection.await) });
            let (host, authorization) = (host.clone(), authorization.clone());
            connected.push(Connected { sender, host, authorization });
        }
        Ok(connected)
    }

    /// Sends until it is enough; the first failure ends all.
    pub(super) async fn send(self: &Arc<Self>, connected: Vec<Connected>) -> anyhow::Result<Sent> {
        let begun = Instant::now();
        let mut senders = JoinSet::new();
        for connection in connected {
            let load = Arc::clone(self);
            senders.spawn(async move { load.send_over(connection, begun).await });
        }
        let mut all = Sent::default();
        while let Some(ended) = senders.join_next().await {
            let sent = ended.context("a sender panicked")??;
            all.acknowledged += sent.acknowledged;
            all.latencies.join(sent.latencies);
        }
        Ok(all)
    }

    async fn send_over(&self, mut connected: Connected, begun: Instant) -> anyhow::Result<Sent> {
        let mut sent = Sent::default();
        let batch = self.bodies.batch();
        loop {
            let first = self.next.fetch_add(batch, Ordering::Relaxed);
            let enough = match self.until {
                Until::Events(events) => first >= events,
                Until::Time(time) => begun.elapsed() >= time,
            };
            if enough {
                return Ok(sent);
            }
            let request = connected.request(self.bodies.body(first), self.bodies.content_type())?;
            let asked = Instant::now();
            let accepted = connected.exchange(request).await?;
            sent.latencies.push(asked.elapsed());
            if accepted != batch {
                bail!("of {batch} new events of a request, {accepted} were recorded");
            }
            sent.acknowledged += accepted;
        }
    }
}

impl Connected {
    fn request(
        &self,
        body: Bytes,
        content_type: &'static str,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let request = Request::post("/v1/events")
            .header(HOST, &self.host)
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, content_type);
        Ok(request.body(Full::new(body))?)
    }

    /// Sends a request and reads its answer whole; answers how many events were recorded by it.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<u64> {
        self.sender.ready().await.context("the server closed a connection")?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        accepted(status, &body).with_context(|| {
            let shown = body.get(..body.len().min(500)).unwrap_or_default();
            format!("answered {status}: {}", String::from_utf8_lossy(shown))
        })
    }
}

/// How many events an answer acknowledges as recorded by this very request.
fn accepted(status: StatusCode, body: &[u8]) -> Option<u64> {
    match status {
        StatusCode::CREATED => body.ends_with(b"\"status\":\"created\"}").then_some(1),
        StatusCode::OK => {
            // Of lines, the last counts; an array begins with the sums.
            let text = body.strip_suffix(b"\n").unwrap_or(body);
            let line = text.rsplit(|byte| *byte == b'\n').next()?;
            let digits = line.strip_prefix(b"{\"accepted\":")?;
            let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
            std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::accepted;

    #[test]
    fn only_what_is_recorded_counts() {
        let ok = StatusCode::OK;
        assert_eq!(accepted(StatusCode::CREATED, br#"{"id":"a","status":"created"}"#), Some(1));
        assert_eq!(accepted(ok, br#"{"id":"a","status":"duplicate"}"#), None);
        assert_eq!(accepted(StatusCode::ACCEPTED, br#"{"id":"a","status":"queued"}"#), None);
        assert_eq!(accepted(ok, br#"{"accepted":12,"duplicates":0,"items":[]}"#), Some(12));
        let lines = b"{\"line\":1,\"status\":\"created\"}\n{\"accepted\":7,\"duplicates\":0}\n";
        assert_eq!(accepted(ok, lines), Some(7));
        assert_eq!(accepted(ok, b"{\"line\":1,\"status\":\"created\"}\n"), None);
        assert_eq!(accepted(StatusCode::MULTI_STATUS, br#"{"accepted":12}"#), None);
    }
}
