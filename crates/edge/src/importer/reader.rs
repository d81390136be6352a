//! Reads an input byte by byte, line by line or value by value, with a bounded buffer.

use memchr::{memchr, memchr2};

use super::{ImportError, Input, Position};

const CHUNK_BYTES: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The unread part of an input.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    input: Input<'a>,
    chunk: Vec<u8>,
    at: usize,
    /// Offset of the chunk's first byte.
    offset: u64,
}

/// Why a piece could not be gathered.
#[derive(Debug)]
pub(super) enum Gather {
    /// It is longer than the limit.
    TooLong,
    /// The input ended inside it.
    Ended,
    Failed(ImportError),
}

impl Gather {
    /// The error for the piece at `position`.
    pub(super) fn at(self, position: Position, limit: usize) -> ImportError {
        match self {
            Self::TooLong => ImportError::RecordTooLarge { position, limit },
            Self::Ended => ImportError::Unfinished(position),
            Self::Failed(error) => error,
        }
    }
}

impl From<ImportError> for Gather {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Reader<'a> {
    /// Starts behind the byte order mark, if there is one; an empty input is refused.
    pub(super) fn open(input: Input<'a>) -> Result<Self, ImportError> {
        let mut reader = Self { input, chunk: Vec::new(), at: 0, offset: 0 };
        let mut head = Vec::new();
        while head.len() < BYTE_ORDER_MARK.len() && reader.fill()? {
            head.append(&mut reader.chunk);
        }
        reader.at = usize::from(head.starts_with(BYTE_ORDER_MARK)) * BYTE_ORDER_MARK.len();
        reader.chunk = head;
        match reader.peek()? {
            Some(_) => Ok(reader),
            None => Err(ImportError::Empty),
        }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// The next byte, without reading it.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ImportError> {
        Ok(self.unread()?.first().copied())
    }

    /// Reads over the byte that was peeked at.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Reads over white space, and peeks at what comes then.
    pub(super) fn peek_token(&mut self) -> Result<Option<u8>, ImportError> {
        while let Some(byte) = self.peek()? {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
            self.advance();
        }
        Ok(None)
    }

    /// Reads a line without its end; `None` at the end of the input.
    pub(super) fn line(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Gather> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        let mut line = Vec::new();
        loop {
            let unread = self.unread()?;
            let end = memchr(b'\n', unread);
            let piece = unread.get(..end.unwrap_or(unread.len())).unwrap_or_default();
            let (is_last, count) = (end.is_some() || unread.is_empty(), piece.len());
            if line.len() + count > limit {
                return Err(Gather::TooLong);
            }
            line.extend_from_slice(piece);
            self.at += count + usize::from(end.is_some());
            if is_last {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    /// Reads the JSON string, object or array that starts here, without looking at more of its
    /// grammar than where it ends.
    pub(super) fn value(&mut self, limit: usize) -> Result<Vec<u8>, Gather> {
        let mut value = Vec::new();
        let mut scan = Scan::default();
        loop {
            let unread = self.unread()?;
            if unread.is_empty() {
                return Err(Gather::Ended);
            }
            let end = scan.end(unread);
            let piece = unread.get(..end.unwrap_or(unread.len())).unwrap_or_default();
            let count = piece.len();
            if value.len() + count > limit {
                return Err(Gather::TooLong);
            }
            value.extend_from_slice(piece);
            self.at += count;
            if end.is_some() {
                return Ok(value);
            }
        }
    }

    /// Reads the JSON value that starts here, of whatever kind, up to where it ends; what is no
    /// value at all is empty.
    pub(super) fn any_value(&mut self, limit: usize) -> Result<Vec<u8>, Gather> {
        if matches!(self.peek()?, Some(b'{' | b'[' | b'"')) {
            return self.value(limit);
        }
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let mut value = Vec::new();
        while let Some(byte) = self.peek()?.filter(is_part) {
            if value.len() >= limit {
                return Err(Gather::TooLong);
            }
            value.push(byte);
            self.advance();
        }
        Ok(value)
    }

    /// What is left of the chunk, or of the next one; empty only at the end of the input.
    fn unread(&mut self) -> Result<&[u8], ImportError> {
        if self.at >= self.chunk.len() {
            self.fill()?;
        }
        Ok(self.chunk.get(self.at..).unwrap_or_default())
    }

    /// Replaces the chunk by the next one, and says whether there was one.
    fn fill(&mut self) -> Result<bool, ImportError> {
        self.offset += self.chunk.len() as u64;
        self.chunk.resize(CHUNK_BYTES, 0);
        self.at = 0;
        let result = self.input.read(&mut self.chunk);
        self.chunk.truncate(*result.as_ref().unwrap_or(&0));
        Ok(result? > 0)
    }
}

/// Finds where a value ends that comes in pieces.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Scan {
    /// The end of the value, if it lies in this piece.
    fn end(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            at += 1;
            if self.in_string {
                at = self.in_string(piece, at - 1);
            } else {
                self.outside(*byte);
            }
            if self.depth == 0 && !self.in_string {
                return Some(at);
            }
        }
        None
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// Goes on in a string from `at`, to its end or the end of the piece.
    fn in_string(&mut self, piece: &[u8], at: usize) -> usize {
        if self.is_escaped {
            self.is_escaped = false;
            return at + 1;
        }
        let rest = piece.get(at..).unwrap_or_default();
        let Some(found) = memchr2(b'"', b'\\', rest) else {
            return piece.len();
        };
        if rest.get(found) == Some(&b'"') {
            self.in_string = false;
        } else {
            self.is_escaped = true;
        }
        at + found + 1
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use super::{Gather, Reader};
    use crate::importer::{ImportError, Input, InputLimits};

    /// A stream that hands out few bytes at a time, as pipes and sockets do.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            let (head, tail) = self.0.split_at(count);
            buffer[..count].copy_from_slice(head);
            self.0 = tail;
            Ok(count)
        }
    }

    fn reader(text: &[u8], step: usize) -> Result<Reader<'_>, ImportError> {
        Reader::open(Input::open(Drip(text, step), InputLimits::default())?)
    }

    #[test]
    fn pieces_of_any_size_give_the_same_lines() {
        let text = b"\xef\xbb\xbfone\r\n\ntwo two\nthree";
        for step in 1..text.len() {
            let mut reader = reader(text, step).unwrap();
            let mut lines = Vec::new();
            while let Some(line) = reader.line(100).unwrap() {
                lines.push(String::from_utf8(line).unwrap());
            }
            assert_eq!(lines, ["one", "", "two two", "three"]);
            assert_eq!(reader.offset(), text.len() as u64);
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_same_values() {
        let text = br#"  {"a\"}":[{}," \\"],"b":"]"} [1] "x""#;
        for step in 1..text.len() {
            let mut reader = reader(text, step).unwrap();
            let mut values = Vec::new();
            while reader.peek_token().unwrap().is_some() {
                values.push(String::from_utf8(reader.value(100).unwrap()).unwrap());
            }
            assert_eq!(values, [r#"{"a\"}":[{}," \\"],"b":"]"}"#, "[1]", r#""x""#]);
        }
    }

    #[test]
    fn limits_hold_and_ends_are_seen() {
        let line = reader(b"0123456789\n", 3).unwrap().line(9);
        assert!(matches!(line, Err(Gather::TooLong)));
        let value = reader(br#"{"a":"0123456789"}"#, 3).unwrap().value(9);
        assert!(matches!(value, Err(Gather::TooLong)));
        let value = reader(br#"{"a":"}"#, 3).unwrap().value(9);
        assert!(matches!(value, Err(Gather::Ended)));
        for text in [&b""[..], b"\xef\xbb\xbf"] {
            assert!(matches!(reader(text, 1), Err(ImportError::Empty)));
        }
    }
}
