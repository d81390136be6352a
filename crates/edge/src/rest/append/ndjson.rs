//! One event a line: taken as they come, and answered one line for each as they become durable.
//!
//! The request is read by a task, its lines are prepared and handed over by a thread, and the
//! results go out while more comes in. A client that sends everything before it reads anything is
//! given its results from memory, up to a limit; then nothing more is taken, the rest of what it
//! sends is read and dropped, and the last line tells how far its events were taken.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use ledgerstone_ledger::Ledger;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use tokio::sync::mpsc::{self, Sender};
use tracing::Span;

use super::following::Texts;
use super::lines::{Lines, Next};
use super::options::{Options, Wait};
use super::prepare::Source;
use super::result::{ItemResult, Tally};
use super::results::{Full, Results};
use super::submit::{Manner, Taken, take};
use crate::auth::Caller;
use crate::rest::body::{Frames, LastLine};
use crate::rest::encoding::Encoding;
use crate::rest::limits::{LINE_BYTES_MAX, LINES_MAX, STREAM_BYTES_MAX};
use crate::rest::problem::Problem;
use crate::rest::service::Service;

/// Lines handed over at once.
const BATCH_LINES: usize = 512;

/// Bytes of lines handed over at once.
const BATCH_BYTES: usize = 512 * 1024;

/// Batches that are on their way to the disk while the next is read.
const BATCHES_IN_FLIGHT: usize = 3;

/// Pieces of the body that wait to be read.
const PIECES: usize = 8;

pub(super) fn append(
    service: &Service,
    caller: &Caller,
    source: Source,
    options: &Options,
    (headers, encoding): (&HeaderMap, Encoding),
    body: Body,
) -> Result<Response, Problem> {
    if options.atomic || options.wait == Wait::Checkpoint {
        return Err(Problem::new(
            ErrorCode::InvalidArgument,
            "atomic=true and wait=checkpoint are for arrays; NDJSON is taken line by line",
        ));
    }
    let last_line = LastLine::new();
    let frames = Frames::of_lines(body, service.limits(), last_line.clone());
    let frames = frames.announcing_at_most(headers, STREAM_BYTES_MAX)?;
    let turn = Arc::new(service.stream_turns().take(caller)?);
    let (pieces, received) = mpsc::channel(PIECES);
    tokio::spawn(read(frames, pieces));
    let lines = Lines::new(received, encoding, last_line)?;
    let (results, answer) = Results::new(Arc::clone(&turn));
    let (ledger, wait) = (Arc::clone(service.ledger()), options.wait);
    let caller = caller.clone();
    let span = Span::current();
    tokio::task::spawn_blocking(move || {
        let (_turn, _span) = (turn, span.entered());
        Intake {
            ledger: &ledger,
            source: &source,
            caller: &caller,
            wait,
            results,
            flight: VecDeque::new(),
            tally: Tally::default(),
            lines: 0,
            is_unread: false,
        }
        .run(lines);
    });
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, ndjson)], answer).into_response())
}

/// Passes the body on; once nobody takes it any more, reads and drops what is left, so that the
/// client gets to read its results.
async fn read(mut frames: Frames, pieces: Sender<Result<Bytes, Problem>>) {
    loop {
        let piece = match frames.next().await {
            Ok(Some(piece)) => Ok(piece),
            Ok(None) => return,
            Err(problem) => Err(problem),
        };
        let is_end = piece.is_err();
        if pieces.send(piece).await.is_err() {
            break;
        }
        if is_end {
            return;
        }
    }
    frames.drop_rest().await;
}

/// One request's way through the ledger.
struct Intake<'a> {
    ledger: &'a Ledger,
    source: &'a Source,
    caller: &'a Caller,
    wait: Wait,
    results: Results,
    flight: VecDeque<Taken>,
    tally: Tally,
    /// Lines whose results have been written.
    lines: u64,
    /// More results wait for the client than may.
    is_unread: bool,
}

/// Why no more lines are taken.
enum Stop {
    /// They have all been.
    End,
    Because(Problem),
    /// The client is gone.
    Gone,
}

impl Intake<'_> {
    fn run(mut self, mut lines: Lines) {
        let stop = self.take_lines(&mut lines);
        let stop = match (self.settle(0), stop) {
            (Err(stop), _) | (Ok(()), stop) => stop,
        };
        drop(lines);
        if let Err(full) = self.tell_end(stop) {
            tracing::debug!(?full, "the end of an NDJSON answer found no reader");
        }
    }

    fn take_lines(&mut self, lines: &mut Lines) -> Stop {
        let mut count = 0;
        let mut batch = Batch::default();
        loop {
            let next = lines.next();
            let ended = match next {
                Next::Line(line) => {
                    batch.push(line);
                    count += 1;
                    None
                }
                Next::TooLong => {
                    // What is no event here is refused like one: with its line's result in its place.
                    batch.push(Vec::new());
                    batch.too_long.push(batch.lines.len() - 1);
                    count += 1;
                    None
                }
                Next::Pause => {
                    if let Err(stop) = self.submit(&mut batch).and_then(|()| self.settle(0)) {
                        return stop;
                    }
                    None
                }
                Next::Unanswered if self.results.is_gone() => Some(Stop::Gone),
                Next::Unanswered => None,
                Next::End => Some(Stop::End),
                Next::Broken(problem) => Some(Stop::Because(problem)),
            };
            let is_last = ended.is_some() || count == LINES_MAX;
            if (batch.is_full() || is_last)
                && let Err(stop) = self.submit(&mut batch)
            {
                return stop;
            }
            if let Some(stop) = ended {
                return stop;
            }
            if count == LINES_MAX {
                return self.past_the_limit(lines);
            }
        }
    }

    fn submit(&mut self, batch: &mut Batch) -> Result<(), Stop> {
        let Batch { lines, too_long, .. } = std::mem::take(batch);
        if lines.is_empty() {
            return Ok(());
        }
        self.source.service().check_again(self.caller).map_err(Stop::Because)?;
        let first = self.lines_before();
        let texts: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let mut taken = take(self.ledger, self.source, (first, &texts), Manner::Patient)
            .map_err(|error| Stop::Because(error.into()))?;
        for line in too_long {
            taken.refuse(line, line_too_long());
        }
        taken.keep_refused(self.source);
        if self.wait == Wait::None {
            self.tell(&taken.queued(self.source, Texts::Lines(lines)))?;
        } else {
            self.flight.push_back(taken);
            self.settle(BATCHES_IN_FLIGHT)?;
        }
        if self.is_unread {
            let detail = "the results were not read while the events were sent";
            return Err(Stop::Because(Problem::new(ErrorCode::ResultsNotRead, detail)));
        }
        Ok(())
    }

    /// After as many lines as a request may have: whether that was all.
    fn past_the_limit(&self, lines: &mut Lines) -> Stop {
        loop {
            match lines.next() {
                Next::Unanswered if self.results.is_gone() => return Stop::Gone,
                Next::Pause | Next::Unanswered => {}
                Next::End => return Stop::End,
                Next::Broken(problem) => return Stop::Because(problem),
                Next::Line(_) | Next::TooLong => {
                    let detail =
                        format!("a request may have {LINES_MAX} lines; send the rest in another");
                    return Stop::Because(Problem::new(ErrorCode::TooManyItems, detail));
                }
            }
        }
    }

    /// Lines that were handed over before the batch that comes next.
    fn lines_before(&self) -> usize {
        let waiting: usize = self.flight.iter().map(Taken::len).sum();
        usize::try_from(self.lines).unwrap_or(usize::MAX) + waiting
    }

    /// Waits for the oldest batches until no more than `left` are on their way.
    fn settle(&mut self, left: usize) -> Result<(), Stop> {
        while self.flight.len() > left {
            let Some(taken) = self.flight.pop_front() else { break };
            let results = taken.wait(self.source);
            self.tell(&results)?;
        }
        Ok(())
    }

    fn tell(&mut self, results: &[ItemResult]) -> Result<(), Stop> {
        let mut out = Vec::with_capacity(640 * results.len());
        for result in results {
            self.tally.count(result);
            self.lines += 1;
            let mut line = ObjectWriter::open(&mut out);
            line.number("line", self.lines);
            result.write_members(None, &mut line);
            line.close();
            out.push(b'\n');
        }
        match self.results.send(out.into()) {
            Ok(()) => Ok(()),
            Err(Full::Unread) => {
                self.is_unread = true;
                Ok(())
            }
            Err(Full::Gone) => Err(Stop::Gone),
        }
    }

    /// The last line: that all was read, or how far and why not further.
    fn tell_end(&mut self, stop: Stop) -> Result<(), Full> {
        let problem = match stop {
            Stop::Gone => return Ok(()),
            Stop::End => None,
            Stop::Because(problem) => Some(problem),
        };
        let mut out = Vec::with_capacity(512);
        let mut line = ObjectWriter::open(&mut out);
        self.tally.write_members(&mut line);
        if let Some(problem) = &problem {
            line.key("error").extend_from_slice(problem.to_json(None).to_string().as_bytes());
        }
        line.number("lines", self.lines);
        line.number("rejected", self.tally.rejected);
        line.text("status", if problem.is_some() { "stopped" } else { "complete" });
        line.close();
        out.push(b'\n');
        self.results.send_last(out.into())
    }
}

/// Lines that are handed over together.
#[derive(Default)]
struct Batch {
    lines: Vec<Vec<u8>>,
    bytes: usize,
    /// Which of the lines stand for one that was too long.
    too_long: Vec<usize>,
}

impl Batch {
    fn push(&mut self, line: Vec<u8>) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    const fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES
    }
}

fn line_too_long() -> Problem {
    let detail = format!("the line has more than {LINE_BYTES_MAX} bytes");
    Problem::new(ErrorCode::EventTooLarge, detail)
}
