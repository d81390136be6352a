//! Standard output and standard error: what goes where, and in which form.
//!
//! Results go to standard output, as a table on a terminal and as one JSON object a line in a pipe;
//! everything else goes to standard error. A reader who goes away is no error: what is written to
//! nobody is dropped.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use ledgerstone_model::ErrorCode;

use crate::failure::Failure;

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// So many of something whose plural ends in `s`.
pub fn counted(count: u64, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// Where a command writes.
#[derive(Debug)]
pub struct Console {
    out: BufWriter<io::Stdout>,
    is_terminal: bool,
    reader_left: bool,
    messages: Messages,
}

/// How what is no result is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    /// For people.
    Text,
    /// Failures as JSON, notes for people.
    Json,
    /// As lines of the log, which has standard error to itself.
    Log,
}

impl Console {
    /// The process's own output. Failures are JSON when `--json` stands anywhere on the command
    /// line, so that those of a wrong command line are too.
    pub fn new() -> Self {
        let is_json = std::env::args_os().any(|argument| argument == "--json");
        Self {
            out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()),
            is_terminal: io::stdout().is_terminal(),
            reader_left: false,
            messages: if is_json { Messages::Json } else { Messages::Text },
        }
    }

    /// Whether people read the results.
    pub const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether nobody reads the results any more.
    pub const fn reader_left(&self) -> bool {
        self.reader_left
    }

    /// Writes text as it is.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.out.write_all(bytes);
        self.judge(written)
    }

    /// Writes one line.
    pub fn line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.bytes(line.as_ref())?;
        self.bytes(b"\n")
    }

    /// Hands over what was gathered.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        self.judge(flushed)
    }

    fn judge(&mut self, result: io::Result<()>) -> Result<(), Failure> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.reader_left = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(
                ErrorCode::StorageFailed,
                format!("writing the results failed: {error}"),
            )),
            Ok(()) => Ok(()),
        }
    }

    /// From now on notes are lines of the log, which has standard error to itself.
    pub fn notes_to_log(&mut self) {
        self.messages = Messages::Log;
    }

    /// Says something beside the results.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        if self.messages == Messages::Log {
            tracing::warn!("{text}");
            return;
        }
        self.error_line(&format!("note: {text}"));
    }

    /// Says what went wrong.
    pub fn failure(&mut self, failure: &Failure) {
        match self.messages {
            Messages::Text => self.error_line(&failure.to_text()),
            Messages::Json => self.error_line(&failure.to_json()),
            Messages::Log => {
                let (code, remedy) = (failure.code().as_str(), failure.remedy());
                tracing::error!(code, remedy, "{}", failure.message());
            }
        }
    }

    fn error_line(&mut self, text: &str) {
        // What was written before it comes before it, also where both go to one place.
        let _ = self.flush();
        // Without standard error there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
