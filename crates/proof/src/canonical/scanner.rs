//! The one pass: reads JSON, keeps what is canonical already in long runs, mends the rest.
//!
//! Nothing recurses; open containers stand on a list. Bytes that need no change are not copied
//! one by one: `kept_from` marks where the run of them began, and the run goes to the output when
//! something has to be left out or written differently.

use super::number::{self, Form};
use super::order::{Frame, Member, Scratch, compare_names};
use super::string;
use super::{CanonError, CanonFault, MAX_DEPTH, MAX_DEPTH_LENIENT};

/// Most bytes that the pointers of one text may have. Each repeats the names above it, so that a
/// long name over many numbers would make a small text into a large answer.
const MAX_POINTER_BYTES: usize = 1 << 20;

/// U+FEFF in UTF-8, which some editors write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is done with a number that strict canonical JSON refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    Strict,
    Lenient,
    Quoting,
}

/// One canonicalisation under way.
pub(super) struct Run<'a> {
    text: &'a [u8],
    at: usize,
    /// `text[kept_from..at]` is canonical and not yet in `out`.
    kept_from: usize,
    out: &'a mut Vec<u8>,
    scratch: &'a mut Scratch,
    rules: Rules,
    /// JSON pointers of the numbers that became strings.
    quoted: Vec<String>,
    pointer_bytes: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        text: &'a [u8],
        out: &'a mut Vec<u8>,
        scratch: &'a mut Scratch,
        rules: Rules,
    ) -> Self {
        scratch.clear();
        Self {
            text,
            at: 0,
            kept_from: 0,
            out,
            scratch,
            rules,
            quoted: Vec::new(),
            pointer_bytes: 0,
        }
    }

    /// Reads the text, which is UTF-8, to its end; answers the pointers of the quoted numbers.
    pub(super) fn run(mut self) -> Result<Vec<String>, CanonError> {
        self.skip_space();
        loop {
            let opened = self.value()?;
            if !opened && self.after_value()? {
                break;
            }
        }
        self.skip_space();
        if self.at < self.text.len() {
            return Err(self.syntax("expected nothing after the value"));
        }
        self.flush();
        Ok(self.quoted)
    }

    /// Reads a scalar or an empty container, or enters a container up to its first value.
    /// Answers whether it entered one.
    fn value(&mut self) -> Result<bool, CanonError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'{') => self.open_object(),
            Some(b'[') => self.open_array(),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.literal(b"true").map(|()| false),
            Some(b'f') => self.literal(b"false").map(|()| false),
            Some(b'n') => self.literal(b"null").map(|()| false),
            // RFC 8259 section 8.1 forbids it to be sent, and lets readers refuse it.
            _ if self.at == 0 && self.text.starts_with(BYTE_ORDER_MARK) => {
                Err(self.syntax("a byte order mark stands before the text; send it without one"))
            }
            _ => Err(self.syntax("expected a value")),
        }
    }

    /// After a value: closes what ends here, up to the next value. Answers whether all is closed.
    fn after_value(&mut self) -> Result<bool, CanonError> {
        while let Some(frame) = self.scratch.frames.last().copied() {
            self.skip_space();
            match (frame, self.peek()) {
                (Frame::Array { index }, Some(b',')) => {
                    self.at += 1;
                    self.skip_space();
                    if let Some(frame) = self.scratch.frames.last_mut() {
                        *frame = Frame::Array { index: index + 1 };
                    }
                    return Ok(false);
                }
                (Frame::Object { first, ascending }, Some(b',')) => {
                    self.at += 1;
                    self.skip_space();
                    self.name(first, ascending)?;
                    return Ok(false);
                }
                (Frame::Array { .. }, Some(b']')) => self.at += 1,
                (Frame::Object { first, ascending }, Some(b'}')) => {
                    self.close_object(first, ascending)?;
                }
                (Frame::Array { .. }, _) => return Err(self.syntax("expected `,` or `]`")),
                (Frame::Object { .. }, _) => return Err(self.syntax("expected `,` or `}`")),
            }
            self.scratch.frames.pop();
        }
        Ok(true)
    }

    fn open_array(&mut self) -> Result<bool, CanonError> {
        self.check_depth()?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(false);
        }
        self.scratch.frames.push(Frame::Array { index: 0 });
        Ok(true)
    }

    fn open_object(&mut self) -> Result<bool, CanonError> {
        self.check_depth()?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(false);
        }
        let first = self.scratch.members.len();
        self.scratch.frames.push(Frame::Object { first, ascending: true });
        self.name(first, true)?;
        Ok(true)
    }

    fn check_depth(&self) -> Result<(), CanonError> {
        let limit = match self.rules {
            Rules::Strict | Rules::Quoting => MAX_DEPTH,
            Rules::Lenient => MAX_DEPTH_LENIENT,
        };
        if self.scratch.frames.len() >= limit {
            return Err(self.fault(self.at, CanonFault::TooDeep));
        }
        Ok(())
    }

    /// Reads a member's name and colon, up to its value.
    fn name(&mut self, first: usize, ascending: bool) -> Result<(), CanonError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a member name in quotes"));
        }
        let offset = self.at;
        let start = self.out_position();
        let escaped = self.string()?;
        let (mut name_start, mut name_end) = (offset + 1, self.at - 1);
        if escaped {
            let raw = self.text.get(name_start..name_end).unwrap_or_default();
            name_start = self.scratch.names.len();
            string::unescape_into(raw, &mut self.scratch.names);
            name_end = self.scratch.names.len();
        }
        let member = Member { name_start, name_end, escaped, offset, start, end: start };
        if ascending {
            self.check_order(first, &member)?;
        }
        self.scratch.members.push(member);
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("expected `:` after a member name"));
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Compares a name with the one before it, which was the greatest of its object so far.
    fn check_order(&mut self, first: usize, member: &Member) -> Result<(), CanonError> {
        let Some(previous) = self.scratch.members.get(first..).and_then(<[_]>::last) else {
            return Ok(());
        };
        let names = (self.scratch.name(previous, self.text), self.scratch.name(member, self.text));
        match compare_names(names.0, names.1) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                return Err(self.fault(member.offset, CanonFault::DuplicateKey));
            }
            std::cmp::Ordering::Greater => {
                if let Some(frame) = self.scratch.frames.last_mut() {
                    *frame = Frame::Object { first, ascending: false };
                }
            }
        }
        Ok(())
    }

    fn close_object(&mut self, first: usize, ascending: bool) -> Result<(), CanonError> {
        if !ascending {
            self.flush();
            self.scratch.sort_members(first, self.text, self.out)?;
        }
        self.scratch.members.truncate(first);
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), CanonError> {
        if !self.rest().starts_with(word) {
            return Err(self.syntax("expected `true`, `false` or `null`"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads a string from its opening quote on; answers whether it has escapes.
    fn string(&mut self) -> Result<bool, CanonError> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += string::plain_run(self.rest());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.syntax("expected control characters to be escaped")),
                None => return Err(self.syntax("expected a quote to end the string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), CanonError> {
        if let [_, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] = self.rest() {
            self.at += 2;
            return Ok(());
        }
        let (character, length) =
            string::decode_escape(self.rest()).map_err(|fault| self.fault(self.at, fault))?;
        self.flush();
        string::write_escaped(character, self.out);
        self.leave_out(length);
        Ok(())
    }

    fn number(&mut self) -> Result<(), CanonError> {
        let shape = number::scan(self.rest())
            .map_err(|(offset, fault)| self.fault(self.at + offset, fault))?;
        let text = self.text.get(self.at..self.at + shape.length).unwrap_or_default();
        match number::form(text, shape) {
            Form::Verbatim => self.at += shape.length,
            Form::Double(double) => self.replace_number(text, double),
            Form::Inexact(double) => self.inexact_number(text, double)?,
        }
        Ok(())
    }

    fn inexact_number(&mut self, text: &[u8], double: f64) -> Result<(), CanonError> {
        match self.rules {
            Rules::Strict => Err(self.fault(self.at, CanonFault::NumberNotExact)),
            Rules::Lenient if double.is_finite() => {
                self.replace_number(text, double);
                Ok(())
            }
            Rules::Lenient => Err(self.fault(self.at, CanonFault::NumberNotFinite)),
            Rules::Quoting => {
                let pointer = self.pointer();
                self.pointer_bytes += pointer.len();
                if self.pointer_bytes > MAX_POINTER_BYTES {
                    return Err(self.fault(self.at, CanonFault::NumberNotExact));
                }
                self.quoted.push(pointer);
                self.flush();
                self.out.push(b'"');
                self.out.extend_from_slice(text);
                self.out.push(b'"');
                self.leave_out(text.len());
                Ok(())
            }
        }
    }

    fn replace_number(&mut self, text: &[u8], double: f64) {
        self.flush();
        number::write_double(double, self.out);
        self.leave_out(text.len());
    }

    /// The JSON pointer (RFC 6901) of the value at hand.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        let frames = &self.scratch.frames;
        let mut next_first = self.scratch.members.len();
        let mut steps = Vec::with_capacity(frames.len());
        for frame in frames.iter().rev() {
            match frame {
                Frame::Array { index } => steps.push(index.to_string()),
                Frame::Object { first, .. } => {
                    let member = self.scratch.members.get(..next_first);
                    let name = member.and_then(<[_]>::last).map(|member| {
                        String::from_utf8_lossy(self.scratch.name(member, self.text))
                    });
                    let name = name.unwrap_or_default();
                    steps.push(name.replace('~', "~0").replace('/', "~1"));
                    next_first = *first;
                }
            }
        }
        for step in steps.iter().rev() {
            pointer.push('/');
            pointer.push_str(step);
        }
        pointer
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.skip_space_run();
        }
    }

    fn skip_space_run(&mut self) {
        self.flush();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.kept_from = self.at;
    }

    /// Where the text at hand will stand in the output.
    fn out_position(&self) -> usize {
        self.out.len() + (self.at - self.kept_from)
    }

    /// Moves what was kept to the output.
    fn flush(&mut self) {
        let kept = self.text.get(self.kept_from..self.at).unwrap_or_default();
        self.out.extend_from_slice(kept);
        self.kept_from = self.at;
    }

    /// Passes over text that the output does not hold as it stands; what was kept is flushed.
    fn leave_out(&mut self, length: usize) {
        self.at += length;
        self.kept_from = self.at;
    }

    fn syntax(&self, expected: &'static str) -> CanonError {
        self.fault(self.at, CanonFault::Syntax(expected))
    }

    #[cold]
    fn fault(&self, offset: usize, fault: CanonFault) -> CanonError {
        // An offset beyond the text means that the text ended too early.
        let offset = offset.min(self.text.len());
        CanonError { offset, fault }
    }
}
