//! Lines of a body that is still coming, unpacked on the way.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::{Buf as _, Bytes};
use ledgerstone_model::ErrorCode;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::rest::encoding::Encoding;
use crate::rest::limits::LINE_BYTES_MAX;
use crate::rest::problem::Problem;

/// What comes next of a body.
#[derive(Debug)]
pub(super) enum Next {
    /// A line without its end.
    Line(Vec<u8>),
    /// A line that is too long to be an event; it was skipped.
    TooLong,
    /// Nothing has come yet; asking again waits for it.
    Pause,
    End,
    /// The body broke off or could not be unpacked.
    Broken(Problem),
}

/// Reads lines in a thread that may wait.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    pub(super) fn new(
        pieces: Receiver<Result<Bytes, Problem>>,
        encoding: Encoding,
    ) -> Result<Self, Problem> {
        let pieces = Pieces { coming: pieces, piece: Bytes::new(), has_paused: false };
        let reader = encoding.reader(pieces).map_err(|error| problem_of(&error))?;
        Ok(Self { reader, line: Vec::new(), is_too_long: false })
    }

    /// The next line. White space alone is no line.
    pub(super) fn next(&mut self) -> Next {
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Pause,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Next::Broken(problem_of(&error)),
            };
            if available.is_empty() {
                return self.take_line().unwrap_or(Next::End);
            }
            let end = memchr::memchr(b'\n', available);
            let piece = available.get(..end.unwrap_or(available.len())).unwrap_or(available);
            if self.line.len() + piece.len() > LINE_BYTES_MAX {
                self.is_too_long = true;
                self.line.clear();
            } else if !self.is_too_long {
                self.line.extend_from_slice(piece);
            }
            let used = piece.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some()
                && let Some(next) = self.take_line()
            {
                return next;
            }
        }
    }

    fn take_line(&mut self) -> Option<Next> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) {
            return Some(Next::TooLong);
        }
        (!line.iter().all(u8::is_ascii_whitespace)).then_some(Next::Line(line))
    }
}

/// The pieces of a body as a reader. It says once that nothing is there before it waits.
struct Pieces {
    coming: Receiver<Result<Bytes, Problem>>,
    piece: Bytes,
    has_paused: bool,
}

impl Pieces {
    fn receive(&mut self) -> io::Result<Option<Bytes>> {
        let received = match self.coming.try_recv() {
            Ok(received) => Some(received),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) if self.has_paused => self.coming.blocking_recv(),
            Err(TryRecvError::Empty) => {
                self.has_paused = true;
                return Err(ErrorKind::WouldBlock.into());
            }
        };
        self.has_paused = false;
        received.transpose().map_err(|problem| io::Error::other(Broken(problem)))
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let Some(piece) = self.receive()? else { return Ok(0) };
            self.piece = piece;
        }
        let length = into.len().min(self.piece.len());
        self.piece.copy_to_slice(into.get_mut(..length).unwrap_or_default());
        Ok(length)
    }
}

/// A problem on its way through readers.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.detail())]
struct Broken(Problem);

fn problem_of(error: &io::Error) -> Problem {
    let broken = error.get_ref().and_then(|inner| inner.downcast_ref::<Broken>());
    broken.map_or_else(
        || Problem::new(ErrorCode::InvalidBody, format!("the body could not be unpacked: {error}")),
        |Broken(problem)| problem.clone(),
    )
}
