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

/// Where a command writes.
#[derive(Debug)]
pub struct Console {
    out: BufWriter<io::Stdout>,
    is_terminal: bool,
    errors_as_json: bool,
    reader_left: bool,
}

impl Console {
    /// The process's own output. Failures are JSON when `--json` stands anywhere on the command
    /// line, so that those of a wrong command line are too.
    pub fn new() -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()),
            is_terminal: io::stdout().is_terminal(),
            errors_as_json: std::env::args_os().any(|argument| argument == "--json"),
            reader_left: false,
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

    /// Says something beside the results.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        self.error_line(&format!("note: {text}"));
    }

    /// Says what went wrong.
    pub fn failure(&mut self, failure: &Failure) {
        let told = if self.errors_as_json { failure.to_json() } else { failure.to_text() };
        self.error_line(&told);
    }

    fn error_line(&mut self, text: &str) {
        // What was written before it comes before it, also where both go to one place.
        let _ = self.flush();
        // Without standard error there is nobody left to tell.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}
