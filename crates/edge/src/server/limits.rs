//! Every limit of a connection, by name.

use std::time::Duration;

/// How long a connection that was told to close may take for it while nothing runs on it.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(1);

/// How long the listener rests after the system refused to hand over a connection.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections over the limit that are told so at one moment; others are closed without a word.
pub(super) const REFUSALS: usize = 64;

/// Bytes of what HTTP/2 clients may send unread on one connection; a stream may send half of it.
pub(super) const HTTP2_WINDOW_BYTES: u32 = 512 * 1024;

/// Bytes of answers that HTTP/2 keeps for one stream whose client does not read.
pub(super) const HTTP2_SEND_BYTES: usize = 256 * 1024;

/// Streams that clients opened and reset before they were served, after which the connection ends
/// (CVE-2023-44487).
pub(super) const HTTP2_RESETS_PENDING: usize = 20;

/// The smallest limit for the bytes of a request's header.
pub const HEADER_BYTES_MIN: usize = 8 * 1024;

/// Limits that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at one moment. More are answered 503 `SERVER_BUSY` and closed; over TLS they are
    /// closed before the handshake.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake_time: Duration,
    /// How long the header of a request may take from its first byte on, and the first byte of a
    /// new connection from its beginning; then the connection is closed.
    pub header_time: Duration,
    /// How long a connection may be idle between two requests.
    pub idle_time: Duration,
    /// How long a client may leave what is sent to it unread.
    pub write_pause: Duration,
    /// Bytes of a request's line and headers, at least [`HEADER_BYTES_MIN`]; larger ones are
    /// answered 431.
    pub header_bytes: usize,
    /// Headers of a request; more are answered 431.
    pub headers: usize,
    /// Requests that run at one moment on one HTTP/2 connection.
    pub http2_streams: u32,
    /// How often an HTTP/2 client is asked whether it is still there, and how long it may take to
    /// answer.
    pub http2_ping: Duration,
    /// How long running requests may take to end once the server stops.
    pub drain_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
            write_pause: Duration::from_mins(1),
            header_bytes: 64 * 1024,
            headers: 64,
            http2_streams: 128,
            http2_ping: Duration::from_secs(20),
            drain_time: Duration::from_secs(20),
        }
    }
}
