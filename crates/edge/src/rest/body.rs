//! Reading a request's body as a whole: within its limits, its time, and the memory there is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use ledgerstone_model::ErrorCode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::encoding::Encoding;
use super::limits::{DRAIN_BYTES_MAX, DRAIN_TIME_MAX, Limits};
use super::problem::Problem;
use super::service::Service;

/// Bytes that one permit of the memory for bodies stands for.
pub(super) const PERMIT_BYTES: usize = 1024;

/// The rest of the body is not read, so nothing else can come over this connection.
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Frames of a body, each of which must come in time.
pub(super) struct Frames {
    body: Body,
    started: Instant,
    received: u64,
    pause: Duration,
    bytes_per_second: u64,
    /// Of a body that is taken line by line.
    lines: Option<LastLine>,
}

/// When the last line of a body ended: known to whoever unpacks it, which may be another thread.
#[derive(Clone, Debug)]
pub(super) struct LastLine(Arc<Mutex<Instant>>);

impl LastLine {
    /// As if a line had ended where the body begins.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// A line has ended now.
    pub(super) fn ended(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Frames {
    pub(super) fn new(body: Body, limits: &Limits) -> Self {
        Self {
            body,
            started: Instant::now(),
            received: 0,
            pause: limits.body_pause,
            bytes_per_second: limits.body_bytes_per_second.max(1),
            lines: None,
        }
    }

    /// Frames of a body that is taken line by line: as long as lines end, few bytes will do.
    pub(super) fn of_lines(body: Body, limits: &Limits, last_line: LastLine) -> Self {
        Self { lines: Some(last_line), ..Self::new(body, limits) }
    }

    /// The next piece; `None` at the end. A body that pauses too long, or brings less than it must,
    /// is given up.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let mut asked = Instant::now();
        loop {
            let deadline = self.deadline(asked);
            let Ok(frame) = timeout_at(deadline, self.body.frame()).await else {
                // What came before may have ended a line only now.
                if self.deadline(asked) > deadline {
                    continue;
                }
                return Err(self.fault("came too slowly").with_status(StatusCode::REQUEST_TIMEOUT));
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| self.fault("ended before its announced length"))?;
            if let Ok(data) = frame.into_data() {
                self.received += data.len() as u64;
                return Ok(Some(data));
            }
            asked = Instant::now();
        }
    }

    /// Until when the piece must come that has been waited for since then.
    fn deadline(&self, asked: Instant) -> Instant {
        let earned = Duration::from_secs(self.received / self.bytes_per_second);
        let by_rate = self.started + self.pause + earned;
        let by_line = self.lines.as_ref().map(|last_line| last_line.at() + self.pause);
        by_line.map_or(by_rate, |by_line| by_rate.max(by_line)).min(asked + self.pause)
    }

    fn fault(&self, what: &str) -> Problem {
        let taken = match self.lines {
            None => "nothing of it was taken",
            Some(_) => {
                "the lines that were answered as created are recorded, those without an answer are to be sent again"
            }
        };
        Problem::new(ErrorCode::InvalidBody, format!("the body {what}; {taken}"))
    }

    /// Refuses a body that announces more than `max` bytes, without waiting for any of them.
    pub(super) fn announcing_at_most(self, headers: &HeaderMap, max: u64) -> Result<Self, Problem> {
        if announced(headers).is_none_or(|bytes| bytes <= max) {
            return Ok(self);
        }
        // Who asked before sending does not send.
        if headers.contains_key(header::EXPECT) {
            return Err(too_large(max).with_header(header::CONNECTION, CLOSE));
        }
        Err(self.refused_as_too_large(max))
    }

    /// The answer to a body that is too large. What is left of it is read beside the answer, within
    /// reason, so that a sender who sends all before reading anything gets to read it.
    fn refused_as_too_large(mut self, max: u64) -> Problem {
        tokio::spawn(async move { self.drop_rest().await });
        too_large(max)
    }

    /// Reads what is left and drops it, for as long as that is worth it.
    pub(super) async fn drop_rest(&mut self) {
        let deadline = Instant::now() + DRAIN_TIME_MAX;
        let most = self.received + DRAIN_BYTES_MAX;
        while self.received < most
            && let Ok(Ok(Some(_))) = timeout_at(deadline, self.next()).await
        {}
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body in memory, counted until it is dropped.
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    memory: OwnedSemaphorePermit,
}

impl Service {
    /// Reads a body of at most `max` bytes. A larger one is refused as soon as that is known.
    pub(super) async fn read_body(
        &self,
        headers: &HeaderMap,
        body: Body,
        max: usize,
    ) -> Result<HeldBody, Problem> {
        let frames = Frames::new(body, self.limits());
        let mut frames = frames.announcing_at_most(headers, max as u64)?;
        let first_claim = announced(headers).and_then(|bytes| usize::try_from(bytes).ok());
        let memory = self.claim_memory(first_claim.unwrap_or(PERMIT_BYTES))?;
        let mut held = HeldBody { bytes: Bytes::new(), memory };
        let mut whole = BytesMut::new();
        while let Some(next) = frames.next().await? {
            if whole.is_empty() && held.bytes.is_empty() {
                held.bytes = next;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(first_claim.unwrap_or_default());
                whole.extend_from_slice(&std::mem::take(&mut held.bytes));
            }
            if whole.len() + next.len() > max {
                return Err(frames.refused_as_too_large(max as u64));
            }
            whole.extend_from_slice(&next);
            if whole.len() > held.memory.num_permits() * PERMIT_BYTES {
                held.memory.merge(self.claim_memory(whole.len())?);
            }
        }
        if !whole.is_empty() {
            held.bytes = whole.freeze();
        }
        if held.bytes.len() > max { Err(too_large(max as u64)) } else { Ok(held) }
    }

    /// Unpacks a body in a thread of its own.
    pub(super) async fn unpack(
        &self,
        encoding: Encoding,
        packed: Bytes,
        max: usize,
    ) -> Result<Bytes, Problem> {
        self.blocking(move |_| encoding.unpack(&packed, max).map(Bytes::from)).await
    }

    fn claim_memory(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let permits = u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX);
        self.body_memory().try_acquire_many_owned(permits).map_err(|_| {
            Problem::new(
                ErrorCode::ServerBusy,
                "too many bytes of requests are held in memory; send again a little later",
            )
            .with_header(header::CONNECTION, CLOSE)
        })
    }
}

fn too_large(max: u64) -> Problem {
    Problem::new(
        ErrorCode::InputTooLarge,
        format!("the body has more than {max} bytes, which is the limit of this route"),
    )
}
