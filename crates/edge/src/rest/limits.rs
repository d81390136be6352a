//! Every limit of the HTTP interface, by name.

use std::time::Duration;

use ledgerstone_model::EVENT_BYTES_DEFAULT;

/// Bytes of a body that is read as a whole: one event or an array, packed and unpacked.
pub const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Events in an array.
pub const ARRAY_ITEMS_MAX: usize = 1_000;

/// Lines of one NDJSON request.
pub const LINES_MAX: usize = 100_000;

/// Bytes of one line of NDJSON, white space included.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one NDJSON request once they are unpacked. A few kilobytes may stand for billions.
pub const STREAM_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of blank lines between two lines of NDJSON: they cost time and bring nothing.
pub const BLANK_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of NDJSON that are looked at before it is asked whether anybody waits for the answer.
pub const UNANSWERED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of results that wait for a client that sends and does not read.
pub const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a client may go on sending what is no longer taken, before the connection is closed.
pub const DRAIN_TIME_MAX: Duration = Duration::from_mins(1);

/// Bytes that a client may go on sending likewise.
pub const DRAIN_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Memory that a compressed body may ask for in order to be unpacked, as a power of two.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Bytes of an answer that are not counted: as few as any request costs.
pub const ANSWER_BYTES_UNCOUNTED: usize = 4 * 1024;

/// How long an answer waits for memory before it is refused.
pub const ANSWER_MEMORY_WAIT: Duration = Duration::from_secs(2);

/// One tenant's answers have this part of the memory for answers: one fourth.
pub const ANSWER_SHARES: usize = 4;

/// Characters of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;

/// Limits that an operator may set.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one event in canonical form, at most [`ledgerstone_model::EVENT_BYTES_MAX`]; larger
    /// ones are refused with `EVENT_TOO_LARGE`.
    pub event_bytes: usize,
    /// Bytes of memory for all request bodies at one moment, each of which counts as it is unpacked and
    /// three times, for what is made of it; more are answered `SERVER_BUSY`.
    pub body_bytes_in_memory: usize,
    /// Bytes of all answers that are held at one moment, until they have gone out; a fourth of it for
    /// one tenant's. Where there is no memory for one within [`ANSWER_MEMORY_WAIT`], it is
    /// `SERVER_BUSY`.
    pub response_bytes_in_memory: usize,
    /// How long a body may pause, and how long it may take before its rate counts.
    pub body_pause: Duration,
    /// Bytes a second that a body must bring once `body_pause` is over. A body that is taken line by
    /// line may bring less as long as each line ends within `body_pause` of the one before.
    pub body_bytes_per_second: u64,
    /// NDJSON requests that run at one moment; more are answered `SERVER_BUSY`.
    pub streams: usize,
    /// How many of them one credential may have; more are answered `SERVER_BUSY`.
    pub streams_per_credential: usize,
    /// Requests that read or compute in a blocking thread at one moment; others wait their turn.
    pub blocking_requests: usize,
    /// How many of them one credential may have; its others wait behind them.
    pub blocking_requests_per_credential: usize,
    /// Requests that each credential may send; more are answered 429 `RATE_LIMITED`.
    pub rate: Option<RateLimit>,
}

/// How many requests a credential may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In the long run, at least 1.
    pub requests_per_second: u64,
    /// At once, after a pause; at least 1.
    pub burst: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes: EVENT_BYTES_DEFAULT,
            body_bytes_in_memory: 256 * 1024 * 1024,
            response_bytes_in_memory: 256 * 1024 * 1024,
            body_pause: Duration::from_secs(30),
            body_bytes_per_second: 1024,
            streams: 64,
            streams_per_credential: 16,
            blocking_requests: 64,
            blocking_requests_per_credential: 16,
            rate: None,
        }
    }
}
