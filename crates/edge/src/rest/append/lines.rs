//! Lines of a body that is still coming, unpacked on the way.

use std::io::{self, BufRead, ErrorKind, Read};

use bytes::{Buf as _, Bytes};
use ledgerstone_model::ErrorCode;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;

use crate::rest::body::LastLine;
use crate::rest::encoding::Encoding;
use crate::rest::limits::{
    BLANK_BYTES_MAX, LINE_BYTES_MAX, STREAM_BYTES_MAX, UNANSWERED_BYTES_MAX,
};
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
    /// Much has come and no line has ended; it is time to ask whether anybody waits.
    Unanswered,
    End,
    /// The body broke off or could not be unpacked.
    Broken(Problem),
}

/// Reads lines in a thread that may wait.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    is_too_long: bool,
    last_line: LastLine,
    /// Bytes that may still come, unpacked.
    bytes_left: u64,
    /// Bytes of blank lines since the last line.
    blank: usize,
}

impl Lines {
    pub(super) fn new(
        pieces: Receiver<Result<Bytes, Problem>>,
        encoding: Encoding,
        last_line: LastLine,
    ) -> Result<Self, Problem> {
        let pieces = Pieces { coming: pieces, piece: Bytes::new(), has_paused: false };
        let reader = encoding.reader(pieces).map_err(|error| problem_of(&error))?;
        Ok(Self {
            reader,
            line: Vec::new(),
            is_too_long: false,
            last_line,
            bytes_left: STREAM_BYTES_MAX,
            blank: 0,
        })
    }

    /// The next line. White space alone is no line.
    pub(super) fn next(&mut self) -> Next {
        let mut unanswered = 0;
        while unanswered < UNANSWERED_BYTES_MAX {
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
            unanswered += used;
            if let Err(problem) = self.count(used) {
                return Next::Broken(problem);
            }
            if end.is_some()
                && let Some(next) = self.take_line()
            {
                return next;
            }
        }
        Next::Unanswered
    }

    /// Counts bytes that were read.
    fn count(&mut self, read: usize) -> Result<(), Problem> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(read as u64)
            .ok_or_else(|| too_large("bytes unpacked", STREAM_BYTES_MAX))?;
        Ok(())
    }

    fn take_line(&mut self) -> Option<Next> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) {
            self.end_line();
            return Some(Next::TooLong);
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            self.blank += line.len() + 1;
            let is_enough = self.blank > BLANK_BYTES_MAX;
            let problem =
                || too_large("bytes of blank lines one after the other", BLANK_BYTES_MAX as u64);
            return is_enough.then(|| Next::Broken(problem()));
        }
        self.end_line();
        Some(Next::Line(line))
    }

    fn end_line(&mut self) {
        self.blank = 0;
        self.last_line.ended();
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

fn too_large(what: &str, max: u64) -> Problem {
    let detail = format!("the request has more than {max} {what}; send the rest in another");
    Problem::new(ErrorCode::InputTooLarge, detail)
}

fn problem_of(error: &io::Error) -> Problem {
    let broken = error.get_ref().and_then(|inner| inner.downcast_ref::<Broken>());
    broken.map_or_else(
        || Problem::new(ErrorCode::InvalidBody, format!("the body could not be unpacked: {error}")),
        |Broken(problem)| problem.clone(),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ledgerstone_model::ErrorCode;
    use tokio::sync::mpsc;

    use super::{Encoding, LastLine, Lines, Next};
    use crate::rest::limits::{BLANK_BYTES_MAX, LINE_BYTES_MAX, UNANSWERED_BYTES_MAX};

    /// Lines of a body that is all there.
    fn lines(text: Vec<u8>) -> Lines {
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(Ok(Bytes::from(text))).unwrap();
        Lines::new(receiver, Encoding::Identity, LastLine::new()).unwrap()
    }

    /// What comes once there is something to say.
    fn next(lines: &mut Lines) -> Next {
        loop {
            match lines.next() {
                Next::Pause | Next::Unanswered => {}
                next => return next,
            }
        }
    }

    fn assert_too_large(next: &Next) {
        assert!(
            matches!(next, Next::Broken(problem) if problem.code() == ErrorCode::InputTooLarge),
            "{next:?}"
        );
    }

    #[test]
    fn blank_lines_are_passed_over_up_to_a_limit() {
        let blank = |bytes: usize| [b" \r\n".repeat(bytes / 3), b"\n".repeat(bytes % 3)].concat();
        // What blank lines there may be counts anew after each line.
        let most = blank(BLANK_BYTES_MAX - 2);
        let mut twice = lines([&most[..], b"a\n", &most, b"b\n"].concat());
        assert!(matches!(next(&mut twice), Next::Line(line) if line == b"a"));
        assert!(matches!(next(&mut twice), Next::Line(line) if line == b"b"));
        assert!(matches!(next(&mut twice), Next::End));
        assert_too_large(&next(&mut lines([&blank(BLANK_BYTES_MAX + 3)[..], b"a\n"].concat())));
    }

    #[test]
    fn bytes_are_counted_over_the_whole_body() {
        let mut lines = lines(b"one\ntwo\nthree\n".to_vec());
        lines.bytes_left = 8;
        assert!(matches!(next(&mut lines), Next::Line(line) if line == b"one"));
        assert!(matches!(next(&mut lines), Next::Line(line) if line == b"two"));
        assert_too_large(&next(&mut lines));
    }

    #[test]
    fn a_line_without_end_lets_others_ask_in_between() {
        let mut lines = lines(vec![b'x'; 3 * UNANSWERED_BYTES_MAX.max(LINE_BYTES_MAX)]);
        let mut asked = 0;
        loop {
            match lines.next() {
                Next::Unanswered => asked += 1,
                Next::Pause => {}
                next => break assert!(matches!(next, Next::TooLong), "{next:?}"),
            }
        }
        assert!(asked >= 2, "{asked}");
    }
}
