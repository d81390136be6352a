//! Canonical JSON (RFC 8785, JCS), written in one pass over the text.
//!
//! A record is for ever, so the strict form refuses what canonicalisation would silently change:
//! a number that is not exact, a duplicate member name, half of a surrogate pair. The lenient form
//! is RFC 8785 as published: numbers are rounded to doubles.

mod number;
mod order;
mod scanner;
mod string;

use thiserror::Error;

use order::Scratch;
use scanner::{Rules, Run};

pub use string::canonical_string_into;

/// How deep objects and arrays may nest in strict canonical JSON: 64 are fine, 65 are refused.
pub const MAX_DEPTH: usize = 64;

/// How deep they may nest in the lenient form.
pub const MAX_DEPTH_LENIENT: usize = 1024;

/// Why a text has no canonical form, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{fault}, at byte {offset}")]
pub struct CanonError {
    /// Offset of the fault in the text, in bytes from 0.
    pub offset: usize,
    /// What is wrong there.
    pub fault: CanonFault,
}

/// What can be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CanonFault {
    /// The text is not JSON (RFC 8259); the words say what was expected.
    #[error("not JSON: {0}")]
    Syntax(&'static str),
    /// The text is not UTF-8; the offset is that of the first bad byte.
    #[error("not UTF-8")]
    NotUtf8,
    /// A member name appears twice in one object; the offset is that of the later name.
    #[error("duplicate member name: send it once")]
    DuplicateKey,
    /// Half of a surrogate pair in a `\u` escape.
    #[error("lone surrogate in a string: send whole characters")]
    LoneSurrogate,
    /// The number's value would change, or is beyond 2^53 - 1 (strict only).
    #[error("number cannot be kept exactly: send it as a string")]
    NumberNotExact,
    /// The number is too large for a double (lenient only; strict says `NumberNotExact`).
    #[error("number is too large for a double: send it as a string")]
    NumberNotFinite,
    /// Objects and arrays nest deeper than [`MAX_DEPTH`] (lenient: [`MAX_DEPTH_LENIENT`]).
    #[error("nested too deep: send a flatter value")]
    TooDeep,
}

/// Canonicalises many texts, keeping its working memory between them.
#[derive(Debug, Default)]
pub struct Canonicalizer {
    scratch: Scratch,
}

impl Canonicalizer {
    /// A canonicaliser with no working memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the strict canonical form of `text` to `out`; on error `out` is as it was.
    ///
    /// Refused are, beyond what RFC 8785 refuses, numbers of magnitude beyond 2^53 - 1 however
    /// spelled, and numbers whose decimal value would change, unless they are the
    /// 17-significant-digit spelling of the same double.
    pub fn strict(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), CanonError> {
        self.run(text, out, Rules::Strict).map(drop)
    }

    /// Appends the RFC 8785 form of `text` to `out`; on error `out` is as it was.
    pub fn lenient(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), CanonError> {
        self.run(text, out, Rules::Lenient).map(drop)
    }

    /// Appends the strict canonical form, with each number that [`Self::strict`] refuses turned
    /// into a string that holds its text as sent. Answers the JSON pointers (RFC 6901) of those
    /// numbers, in the order of the text. Pointers of more than 1 MiB together are too many: the
    /// number that goes beyond is refused after all.
    pub fn quoting(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<Vec<String>, CanonError> {
        self.run(text, out, Rules::Quoting)
    }

    fn run(
        &mut self,
        text: &[u8],
        out: &mut Vec<u8>,
        rules: Rules,
    ) -> Result<Vec<String>, CanonError> {
        if let Err(error) = std::str::from_utf8(text) {
            return Err(CanonError { offset: error.valid_up_to(), fault: CanonFault::NotUtf8 });
        }
        let start = out.len();
        out.reserve(text.len());
        let result = Run::new(text, out, &mut self.scratch, rules).run();
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

/// The strict canonical form of a text, see [`Canonicalizer::strict`].
pub fn canonicalize(text: &[u8]) -> Result<Vec<u8>, CanonError> {
    let mut out = Vec::new();
    Canonicalizer::new().strict(text, &mut out)?;
    Ok(out)
}

/// The RFC 8785 form of a text, see [`Canonicalizer::lenient`].
pub fn canonicalize_lenient(text: &[u8]) -> Result<Vec<u8>, CanonError> {
    let mut out = Vec::new();
    Canonicalizer::new().lenient(text, &mut out)?;
    Ok(out)
}

/// The strict canonical form with refused numbers as strings, and the JSON pointers of those
/// numbers, see [`Canonicalizer::quoting`].
pub fn canonicalize_quoting(text: &[u8]) -> Result<(Vec<u8>, Vec<String>), CanonError> {
    let mut out = Vec::new();
    let quoted = Canonicalizer::new().quoting(text, &mut out)?;
    Ok((out, quoted))
}
