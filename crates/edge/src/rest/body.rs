//! Reading a request's body as a whole: within its limits, its time, and the memory there is.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use ledgerstone_model::ErrorCode;
use tokio::time::{Instant, timeout_at};

use super::encoding::Encoding;
use super::limits::{DRAIN_BYTES_MAX, DRAIN_TIME_MAX, Limits};
use super::memory::Claim;
use super::problem::Problem;
use super::service::Service;

/// How often a body is in memory, at most, while something is made of it: as it was sent or unpacked, and
/// twice as what becomes of it (canonical, and sealed into contents).
const COPIES: usize = 3;

/// Bytes claimed for a body of which nothing is known.
const FIRST_CLAIM: usize = 1024;

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

/// A body in memory with what is made of it, counted until the last copy of this is dropped.
#[derive(Clone, Debug)]
pub(super) struct HeldBody {
    bytes: Bytes,
    _memory: Arc<Claim>,
}

impl Deref for HeldBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Service {
    /// Reads a body of at most `max` bytes, packed and unpacked, and unpacks it in a thread of its own.
    /// A larger one is refused as soon as that is known, and so is one that memory has no room for.
    pub(super) async fn read_body(
        &self,
        headers: &HeaderMap,
        body: Body,
        encoding: Encoding,
        max: usize,
    ) -> Result<HeldBody, Problem> {
        let (packed, mut memory) = self.receive(headers, body, max).await?;
        if encoding == Encoding::Identity {
            claim(&mut memory, COPIES * packed.len())?;
            return Ok(HeldBody { bytes: packed, _memory: Arc::new(memory) });
        }
        let unpacked = self.blocking(move |_| {
            let sent = packed.len();
            // A decoder may hold as much again as it has unpacked.
            let unpacked =
                encoding.unpack(&packed, max, |bytes| claim(&mut memory, sent + COPIES * bytes))?;
            drop(packed);
            claim(&mut memory, COPIES * unpacked.len())?;
            Ok::<_, Problem>(HeldBody { bytes: unpacked.into(), _memory: Arc::new(memory) })
        });
        unpacked.await
    }

    /// The bytes of a body as they were sent.
    async fn receive(
        &self,
        headers: &HeaderMap,
        body: Body,
        max: usize,
    ) -> Result<(Bytes, Claim), Problem> {
        let frames = Frames::new(body, self.limits());
        let mut frames = frames.announcing_at_most(headers, max as u64)?;
        let announced = announced(headers).and_then(|bytes| usize::try_from(bytes).ok());
        let first_claim = announced.unwrap_or(FIRST_CLAIM);
        let mut memory = self.body_memory().claim(first_claim).ok_or_else(no_room)?;
        let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
        while let Some(next) = frames.next().await? {
            let received = first.len() + whole.len() + next.len();
            if received > max {
                return Err(frames.refused_as_too_large(max as u64));
            }
            if received > memory.bytes() {
                // As much as the buffer has, which doubles when it grows.
                claim(&mut memory, received.max(2 * whole.capacity()))?;
            }
            // Most bodies come in one piece, which is kept as it is.
            if first.is_empty() && whole.is_empty() {
                first = next;
                continue;
            }
            if whole.is_empty() {
                whole.reserve(announced.unwrap_or_default());
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&next);
        }
        Ok((if whole.is_empty() { first } else { whole.freeze() }, memory))
    }
}

fn claim(memory: &mut Claim, bytes: usize) -> Result<(), Problem> {
    if memory.hold(bytes) { Ok(()) } else { Err(no_room()) }
}

fn no_room() -> Problem {
    Problem::new(
        ErrorCode::ServerBusy,
        "too many bytes of requests are held in memory; send again a little later",
    )
    .with_header(header::CONNECTION, CLOSE)
}

fn too_large(max: u64) -> Problem {
    Problem::new(
        ErrorCode::InputTooLarge,
        format!("the body has more than {max} bytes, which is the limit of this route"),
    )
}
