//! What was wrong with a submission: every fault at once, each with its place and reason.

use std::fmt;

use ledgerstone_proof::{CanonError, CanonFault};

use crate::error_code::ErrorCode;

/// Faults listed in one rejection; the rest are counted.
const FAULTS_MAX: usize = 100;

/// One thing wrong with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pointer: String,
    code: ErrorCode,
    reason: String,
    offset: Option<usize>,
    /// What the text is, where that is no event and the code does not say it.
    whole: Option<&'static str>,
}

impl Fault {
    /// A fault of the field at `pointer` (RFC 6901; empty for the event as a whole).
    pub fn new(pointer: String, code: ErrorCode, reason: String) -> Self {
        Self { pointer, code, reason, offset: None, whole: None }
    }

    /// The place as a JSON pointer (RFC 6901); empty for the event as a whole.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The pointer, or what the whole is called.
    pub fn place(&self) -> &str {
        match self.code {
            _ if !self.pointer.is_empty() => &self.pointer,
            ErrorCode::InvalidFilter => "filter",
            ErrorCode::InvalidPolicy => "policy",
            ErrorCode::InvalidCorrection => "correction",
            _ => self.whole.unwrap_or("event"),
        }
    }

    /// Why, as a clause that follows the pointer.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// For faults of the JSON text: the byte of the text as sent, counted from 0.
    pub const fn offset(&self) -> Option<usize> {
        self.offset
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place(), self.reason, self.code)
    }
}

/// An event that was not taken, with everything that was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    code: ErrorCode,
    faults: Vec<Fault>,
    omitted: usize,
}

impl Rejection {
    /// The code that all faults share, or `INVALID_EVENT` where they differ.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The faults in the order of the canonical text, at most 100; never empty.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// How many more faults there were.
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// A rejection that somebody else made: the code of the whole and at least one fault.
    pub fn relayed(code: ErrorCode, faults: Vec<Fault>) -> Self {
        Self { code, faults, omitted: 0 }
    }

    /// The same of a text that is no event, but this.
    #[must_use]
    pub fn about(mut self, whole: &'static str) -> Self {
        self.faults.iter_mut().for_each(|fault| fault.whole = Some(whole));
        self
    }

    /// A rejection for one fault.
    pub fn of(fault: Fault) -> Self {
        Self { code: fault.code, faults: vec![fault], omitted: 0 }
    }
}

impl fmt::Display for Rejection {
    /// A code that several faults share stands behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut faults = self.faults.iter().peekable();
        while let Some(fault) = faults.next() {
            write!(f, "{}: {}", fault.place(), fault.reason)?;
            let next = faults.peek();
            if next.is_none_or(|next| next.code != fault.code) {
                write!(f, " ({})", fault.code)?;
            }
            if next.is_some() {
                f.write_str("; ")?;
            }
        }
        if self.omitted > 0 {
            write!(f, "; and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl From<CanonError> for Rejection {
    fn from(error: CanonError) -> Self {
        let code = match error.fault {
            CanonFault::NotUtf8 => ErrorCode::NotUtf8,
            CanonFault::DuplicateKey => ErrorCode::DuplicateKey,
            CanonFault::LoneSurrogate => ErrorCode::LoneSurrogate,
            CanonFault::NumberNotExact => ErrorCode::NumberNotExact,
            CanonFault::TooDeep => ErrorCode::TooDeep,
            _ => ErrorCode::NotJson,
        };
        Self::of(Fault {
            pointer: String::new(),
            code,
            reason: error.to_string(),
            offset: Some(error.offset),
            whole: None,
        })
    }
}

/// Gathers faults while an event is read.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    omitted: usize,
}

impl Faults {
    pub(crate) fn add(&mut self, pointer: String, code: ErrorCode, reason: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault::new(pointer, code, reason.into()));
        } else {
            self.omitted += 1;
        }
    }

    /// Whether nothing was wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The rejection, unless nothing was wrong.
    pub(crate) fn into_result(self) -> Result<(), Rejection> {
        self.into_rejection().map_or(Ok(()), Err)
    }

    /// The same as a value.
    pub(crate) fn into_rejection(self) -> Option<Rejection> {
        let first = self.faults.first()?.code;
        let shared = self.faults.iter().all(|fault| fault.code == first);
        Some(Rejection {
            code: if shared { first } else { ErrorCode::InvalidEvent },
            faults: self.faults,
            omitted: self.omitted,
        })
    }
}

/// Appends one step to a JSON pointer, escaped as RFC 6901 section 3 says.
pub fn pointer_push(pointer: &mut String, step: &str) {
    pointer.push('/');
    // Hardly any name has something to escape.
    if !step.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        pointer.push_str(step);
        return;
    }
    for letter in step.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The steps of a JSON pointer with their escapes undone.
pub fn pointer_steps(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::{Fault, Rejection};
    use crate::error_code::ErrorCode;

    #[test]
    fn a_code_that_faults_share_is_told_once() {
        let fault =
            |pointer: &str, code| Fault::new(pointer.to_owned(), code, "is wrong".to_owned());
        let faults = vec![
            fault("/a", ErrorCode::InvalidPolicy),
            fault("/b", ErrorCode::InvalidPolicy),
            fault("", ErrorCode::NotJson),
        ];
        let text = Rejection::relayed(ErrorCode::InvalidEvent, faults).to_string();
        let told = "/a: is wrong; /b: is wrong (INVALID_POLICY); event: is wrong (NOT_JSON)";
        assert_eq!(text, told);
        let one = Rejection::of(fault("/a", ErrorCode::InvalidPolicy));
        assert_eq!(one.to_string(), "/a: is wrong (INVALID_POLICY)");
    }
}
