//! NDJSON: events go out one a line while their outcomes come in.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Frame;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Response};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::answer::unexpected;
use crate::append::Append;
use crate::call::NDJSON;
use crate::client::Client;
use crate::error::{ClientError, with_causes};
use crate::event::Event;
use crate::outcome::{Item, Outcome};
use crate::problem::Problem;

/// Lines that wait to be sent.
const LINES_WAITING: usize = 256;

/// Bytes of one line of an answer.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Client {
    /// Opens a request that events are sent through one by one, up to 100,000 of them, and that
    /// answers each as it becomes durable. Outcomes are to be read while events are sent: a server
    /// keeps few of them. The request is not repeated; what has no outcome when it breaks off is for
    /// the caller to send again, under the same ids.
    pub async fn append_stream(
        &self,
        how: &Append,
    ) -> Result<(EventSender, Outcomes), ClientError> {
        let (lines, waiting) = mpsc::channel(LINES_WAITING);
        let call = how.call(self).header(CONTENT_TYPE, NDJSON);
        let response = self.open(&call, Body::wrap(Lines(waiting))).await?;
        Ok((EventSender { lines }, Outcomes::new(AnswerLines::new(response, call.name()))))
    }
}

/// The end that events go into. Dropping it ends the request.
#[derive(Debug)]
pub struct EventSender {
    lines: Sender<Bytes>,
}

impl EventSender {
    /// Sends an event; waits where the server takes them more slowly. Answers whether the request
    /// still goes on: where not, [`Outcomes`] tells why.
    pub async fn send(&self, event: &Event) -> bool {
        let mut line = Vec::with_capacity(event.text().len() + 1);
        event.write_line(&mut line);
        self.lines.send(line.into()).await.is_ok()
    }
}

/// The body of the request.
struct Lines(Receiver<Bytes>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|line| Some(Ok(Frame::data(line?))))
    }
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Every line that was sent has its outcome.
    Complete { lines: u64 },
    /// The server took no more; lines behind `lines` were not taken.
    Stopped { lines: u64, problem: Box<Problem> },
}

/// The end that outcomes come out of, in the order of the events.
#[derive(Debug)]
pub struct Outcomes {
    lines: AnswerLines,
    end: Option<StreamEnd>,
}

impl Outcomes {
    const fn new(lines: AnswerLines) -> Self {
        Self { lines, end: None }
    }

    /// The next outcome; none at the end.
    pub async fn next(&mut self) -> Result<Option<Outcome>, ClientError> {
        if self.end.is_some() {
            return Ok(None);
        }
        match self.lines.next().await? {
            Line::Outcome(_, outcome) => Ok(Some(outcome)),
            Line::End(end) => {
                self.end = Some(end);
                Ok(None)
            }
        }
    }

    /// How it ended, once it did.
    pub const fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref()
    }
}

/// One line of an answer.
pub(crate) enum Line {
    /// Of the line with this number, counted from 1.
    Outcome(u64, Outcome),
    End(StreamEnd),
}

/// The lines of an answer that is still coming.
#[derive(Debug)]
pub(crate) struct AnswerLines {
    response: Response,
    /// What came and is not read yet.
    waiting: BytesMut,
    /// Bytes of it in which there is no line end.
    searched: usize,
    call: String,
}

impl AnswerLines {
    pub(crate) fn new(response: Response, call: String) -> Self {
        Self { response, waiting: BytesMut::new(), searched: 0, call }
    }

    pub(crate) async fn next(&mut self) -> Result<Line, ClientError> {
        loop {
            if let Some(line) = self.take() {
                return parse(&line).map_err(|reason| unexpected(self.call.clone(), reason));
            }
            if self.waiting.len() > LINE_BYTES_MAX {
                let reason = format!("a line has more than {LINE_BYTES_MAX} bytes");
                return Err(unexpected(self.call.clone(), reason));
            }
            match self.response.chunk().await {
                Ok(Some(piece)) => self.waiting.extend_from_slice(&piece),
                Ok(None) => return Err(self.broken_off("it ended without a last line".to_owned())),
                Err(error) => return Err(self.broken_off(with_causes(&error.without_url()))),
            }
        }
    }

    fn take(&mut self) -> Option<BytesMut> {
        let unseen = self.waiting.get(self.searched..)?;
        let Some(end) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.waiting.len();
            return None;
        };
        let line = self.waiting.split_to(self.searched + end);
        self.waiting.advance(1);
        self.searched = 0;
        Some(line)
    }

    fn broken_off(&self, reason: String) -> ClientError {
        ClientError::Unreachable { call: self.call.clone(), attempts: 1, reason }
    }
}

fn parse(line: &[u8]) -> Result<Line, String> {
    let item: Item = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if let Some(number) = item.line {
        return Ok(Line::Outcome(number, item.outcome()?));
    }
    let lines = item.lines.ok_or("a line without a number")?;
    Ok(Line::End(match item.stopped_by()? {
        None => StreamEnd::Complete { lines },
        Some(problem) => StreamEnd::Stopped { lines, problem: Box::new(problem) },
    }))
}
