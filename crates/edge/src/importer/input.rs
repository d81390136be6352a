//! A stream of bytes, unpacked where it is compressed, under limits that keep a small file from
//! becoming an endless one.

use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::ImportError;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const BUFFER_BYTES: usize = 64 * 1024;

/// How much an input may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    bytes: u64,
    gzip_ratio: u64,
    gzip_free_bytes: u64,
}

impl InputLimits {
    /// Inputs of at most so many bytes, unpacked.
    #[must_use]
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Compressed inputs that unpack to `free_bytes` and `ratio` times their own size.
    #[must_use]
    pub const fn with_gzip(mut self, ratio: u64, free_bytes: u64) -> Self {
        self.gzip_ratio = ratio;
        self.gzip_free_bytes = free_bytes;
        self
    }
}

impl Default for InputLimits {
    /// No end to plain streams; logs compress ten to fifty times, and bombs a thousand.
    fn default() -> Self {
        Self { bytes: u64::MAX, gzip_ratio: 200, gzip_free_bytes: 64 * 1024 * 1024 }
    }
}

/// An opened input.
pub struct Input<'a> {
    source: Source<'a>,
    limits: InputLimits,
    unpacked: u64,
}

enum Source<'a> {
    Plain(Box<dyn Read + Send + 'a>),
    Gzip(Box<MultiGzDecoder<BufReader<Compressed<'a>>>>),
}

/// The stream below the decoder: counts its bytes, and remembers whether it failed itself, so that
/// a disk error is not taken for a damaged file.
struct Compressed<'a> {
    inner: Box<dyn Read + Send + 'a>,
    bytes: u64,
    has_failed: bool,
}

impl Read for Compressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        match &result {
            Ok(count) => self.bytes += *count as u64,
            Err(error) => self.has_failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        result
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("is_gzip", &matches!(self.source, Source::Gzip(_)))
            .field("limits", &self.limits)
            .field("unpacked", &self.unpacked)
            .finish_non_exhaustive()
    }
}

impl<'a> Input<'a> {
    /// Opens a stream; gzip (RFC 1952, also several members in a row) is known by its first bytes.
    pub fn open(
        mut stream: impl Read + Send + 'a,
        limits: InputLimits,
    ) -> Result<Self, ImportError> {
        let mut head = Vec::new();
        let magic_bytes = GZIP_MAGIC.len() as u64;
        stream.by_ref().take(magic_bytes).read_to_end(&mut head)?;
        let is_gzip = head == GZIP_MAGIC;
        let stream = Box::new(Cursor::new(head).chain(stream));
        let source = if is_gzip {
            let compressed = Compressed { inner: stream, bytes: 0, has_failed: false };
            let buffered = BufReader::with_capacity(BUFFER_BYTES, compressed);
            Source::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Source::Plain(stream)
        };
        Ok(Self { source, limits, unpacked: 0 })
    }

    /// Fills a part of `buffer`; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ImportError> {
        let count = loop {
            let result = match &mut self.source {
                Source::Plain(stream) => stream.read(buffer),
                Source::Gzip(decoder) => decoder.read(buffer),
            };
            match result {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.blame(error)),
            }
        };
        self.unpacked += count as u64;
        self.check_limits()?;
        Ok(count)
    }

    fn blame(&self, error: io::Error) -> ImportError {
        match &self.source {
            Source::Gzip(decoder) if !decoder.get_ref().get_ref().has_failed => {
                ImportError::Gzip(error.to_string())
            }
            _ => ImportError::Read(error),
        }
    }

    fn check_limits(&self) -> Result<(), ImportError> {
        if self.unpacked > self.limits.bytes {
            return Err(ImportError::TooLarge(self.limits.bytes));
        }
        let Source::Gzip(decoder) = &self.source else {
            return Ok(());
        };
        let compressed = decoder.get_ref().get_ref().bytes;
        let by_ratio = self.limits.gzip_ratio.saturating_mul(compressed);
        let allowed = self.limits.gzip_free_bytes.saturating_add(by_ratio);
        if self.unpacked > allowed {
            return Err(ImportError::Bomb { allowed, compressed });
        }
        Ok(())
    }
}
