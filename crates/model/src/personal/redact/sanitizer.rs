//! Redactions that a tenant defines for itself, as data.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::MASK;
use super::form::HASH_KEY_BYTES;
use crate::json::Value;
use crate::json_write::ObjectWriter;
use crate::pattern_fault::syntax_fault;
use crate::personal::detect::has_personal_data;
use crate::policy_text::{member, only};

/// Bytes of a sanitizer's name.
pub const SANITIZER_NAME_BYTES_MAX: usize = 64;

/// Bytes of a pattern, and of what takes its matches' place.
const PATTERN_BYTES_MAX: usize = 512;

/// Memory that one compiled pattern may need.
const PATTERN_MEMORY_MAX: usize = 256 * 1024;

/// Characters that truncation may leave.
const KEPT_MAX: usize = 64;

/// Marks a hashed value, so that it is not hashed again.
const HASH_PREFIX: &str = "sha256:";

/// Hexadecimal digits of a hash that are shown.
const HASH_DIGITS: usize = 32;

/// What replacements have in them, so that what is replaced is known from what is not.
const REPLACED: &str = "***";

/// Bytes that a replaced text may be longer than the text; beyond them nothing is shown.
const GROWTH_BYTES_MAX: usize = 4 * 1024;

/// One redaction with parameters. Applying it twice is applying it once.
#[derive(Clone, Debug)]
pub enum Sanitizer {
    /// Every match of a pattern is replaced; of a text without a match nothing is shown.
    Pattern { pattern: Regex, replacement: String },
    /// The same text for every value.
    Fixed(String),
    /// A SHA-256 under a key of the tenant, which tells equal values and nothing else.
    Hash,
    /// The first characters, and `****`.
    Truncate { kept: usize },
}

/// Sanitizers are the same that are written in the same way.
impl PartialEq for Sanitizer {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Pattern { pattern, replacement },
                Self::Pattern { pattern: others, replacement: other },
            ) => pattern.as_str() == others.as_str() && replacement == other,
            (Self::Fixed(one), Self::Fixed(other)) => one == other,
            (Self::Hash, Self::Hash) => true,
            (Self::Truncate { kept: one }, Self::Truncate { kept: other }) => one == other,
            _ => false,
        }
    }
}

impl Eq for Sanitizer {}

/// Why a sanitizer cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SanitizerError {
    #[error("pattern cannot be used: {0}")]
    Pattern(String),
    #[error(
        "pattern takes more than {PATTERN_MEMORY_MAX} bytes when compiled; write a simpler one"
    )]
    TooLarge,
    #[error("has more than {PATTERN_BYTES_MAX} bytes of pattern or of text")]
    Length,
    #[error(
        "pattern changes `****`, so that what it hides could change again; let it not match `*`"
    )]
    ChangesMask,
    #[error("replacement must have {REPLACED} in it, by which what is redacted is known")]
    NoMask,
    #[error("fixed text looks like personal data itself")]
    Personal,
    #[error("truncate leaves at most {KEPT_MAX} characters")]
    Kept,
    #[error("must have pattern and replacement, or fixed, or truncate, or \"hash\":true")]
    Form,
}

impl Sanitizer {
    /// Replaces every match of a regular expression; `$1` and `${name}` in the replacement stand
    /// for groups of it. The expression is matched in time linear in the text.
    pub fn pattern(pattern: &str, replacement: &str) -> Result<Self, SanitizerError> {
        if pattern.len() > PATTERN_BYTES_MAX || replacement.len() > PATTERN_BYTES_MAX {
            return Err(SanitizerError::Length);
        }
        if !replacement.contains(REPLACED) {
            return Err(SanitizerError::NoMask);
        }
        let built = RegexBuilder::new(pattern)
            .size_limit(PATTERN_MEMORY_MAX)
            .dfa_size_limit(PATTERN_MEMORY_MAX)
            .build();
        let pattern = built.map_err(|error| match syntax_fault(pattern) {
            Some(fault) => SanitizerError::Pattern(fault),
            None if matches!(error, regex::Error::CompiledTooBig(_)) => SanitizerError::TooLarge,
            None => SanitizerError::Pattern("it is no regular expression".to_owned()),
        })?;
        if pattern.replace_all(MASK, replacement) != MASK {
            return Err(SanitizerError::ChangesMask);
        }
        Ok(Self::Pattern { pattern, replacement: replacement.to_owned() })
    }

    /// Shows the same text for every value.
    pub fn fixed(text: &str) -> Result<Self, SanitizerError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(SanitizerError::Length);
        }
        if has_personal_data(text) {
            return Err(SanitizerError::Personal);
        }
        Ok(Self::Fixed(text.to_owned()))
    }

    /// Shows the first `kept` characters.
    pub const fn truncate(kept: usize) -> Result<Self, SanitizerError> {
        if kept > KEPT_MAX {
            return Err(SanitizerError::Kept);
        }
        Ok(Self::Truncate { kept })
    }

    /// Reads an object with a name and what [`Self::write`] writes beside it. The error is a clause.
    pub(super) fn parse(value: Value<'_>) -> Result<Self, String> {
        let text = |name| {
            let found = member(value, name)?
                .map(|value| value.text().ok_or(SanitizerError::Form.to_string()));
            found.transpose()
        };
        let told = |error: SanitizerError| error.to_string();
        let form = |names: &[&str]| only(value, names);
        if let Some(pattern) = text("pattern")? {
            form(&["name", "pattern", "replacement"])?;
            let replacement = text("replacement")?.ok_or_else(|| told(SanitizerError::Form))?;
            return Self::pattern(&pattern, &replacement).map_err(told);
        }
        if let Some(fixed) = text("fixed")? {
            form(&["name", "fixed"])?;
            return Self::fixed(&fixed).map_err(told);
        }
        if let Some(kept) = member(value, "truncate")? {
            form(&["name", "truncate"])?;
            let kept = kept.unsigned().and_then(|kept| usize::try_from(kept).ok());
            return Self::truncate(kept.ok_or_else(|| told(SanitizerError::Kept))?).map_err(told);
        }
        form(&["name", "hash"])?;
        match member(value, "hash")?.and_then(Value::boolean) {
            Some(true) => Ok(Self::Hash),
            _ => Err(told(SanitizerError::Form)),
        }
    }

    /// Appends the canonical JSON of the sanitizer under a name.
    pub(super) fn write(&self, name: &str, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        match self {
            Self::Fixed(text) => object.text("fixed", text),
            Self::Hash => object.boolean("hash", true),
            Self::Pattern { .. } | Self::Truncate { .. } => {}
        }
        object.text("name", name);
        match self {
            Self::Pattern { pattern, replacement } => {
                object.text("pattern", pattern.as_str());
                object.text("replacement", replacement);
            }
            Self::Truncate { kept } => object.number("truncate", *kept as u64),
            Self::Fixed(_) | Self::Hash => {}
        }
        object.close();
    }

    /// The text as it is shown. Without a key, what is to be hashed is masked.
    pub fn apply(&self, text: &str, key: Option<&[u8; HASH_KEY_BYTES]>) -> String {
        match (self, key) {
            (Self::Pattern { pattern, replacement }, _) => replaced(pattern, replacement, text),
            (Self::Fixed(fixed), _) => fixed.clone(),
            (Self::Hash, Some(key)) => hashed(key, text),
            (Self::Hash, None) => MASK.to_owned(),
            (Self::Truncate { kept }, _) => truncated(*kept, text),
        }
    }
}

/// Where nothing matches, the text stays only if it was replaced before. Where the result would
/// change again, or grows beyond measure, nothing is shown.
fn replaced(pattern: &Regex, replacement: &str, text: &str) -> String {
    let room = text.len() + GROWTH_BYTES_MAX;
    let once = replaced_within(pattern, replacement, text, room);
    let twice = once.as_deref().and_then(|once| replaced_within(pattern, replacement, once, room));
    match once {
        Some(once) if Some(&once) == twice.as_ref() && once.contains(REPLACED) => once,
        _ => MASK.to_owned(),
    }
}

/// The text with every match replaced; `None` where that takes more bytes than there is room for.
fn replaced_within(pattern: &Regex, replacement: &str, text: &str, room: usize) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for found in pattern.captures_iter(text) {
        let whole = found.get(0)?;
        out.push_str(text.get(at..whole.start())?);
        found.expand(replacement, &mut out);
        at = whole.end();
        if out.len() > room {
            return None;
        }
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

fn hashed(key: &[u8; HASH_KEY_BYTES], text: &str) -> String {
    let is_hash = text.strip_prefix(HASH_PREFIX).is_some_and(|digits| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        digits.len() == HASH_DIGITS && digits.bytes().all(is_digit)
    });
    if is_hash {
        return text.to_owned();
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, text.as_bytes());
    let mut shown = HASH_PREFIX.to_owned();
    for byte in tag.as_ref().iter().take(HASH_DIGITS / 2) {
        // Writing to a string does not fail.
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}

fn truncated(kept: usize, text: &str) -> String {
    let is_shown = text.strip_suffix(MASK).is_some_and(|start| start.chars().count() <= kept);
    if is_shown {
        return text.to_owned();
    }
    // A value that is no longer than what stays would be shown whole.
    let length = text.chars().count();
    let start: String = text.chars().take(if length > kept { kept } else { 0 }).collect();
    format!("{start}{MASK}")
}

#[cfg(test)]
mod tests {
    use super::{Sanitizer, SanitizerError};
    use proptest::prelude::*;

    const KEY: Option<&[u8; 32]> = Some(&[7; 32]);

    #[test]
    fn each_does_what_it_says() {
        let account = Sanitizer::pattern(r"\b(\d{4})\d{8}\b", "$1********").unwrap();
        assert_eq!(account.apply("account 123456789012", KEY), "account 1234********");
        assert_eq!(account.apply("account 1234********", KEY), "account 1234********");
        assert_eq!(account.apply("Ana Lima", KEY), "****", "it says nothing about such a text");
        assert_eq!(Sanitizer::fixed("(hidden)").unwrap().apply("x", KEY), "(hidden)");
        assert_eq!(Sanitizer::truncate(3).unwrap().apply("abcdef", KEY), "abc****");
        assert_eq!(Sanitizer::truncate(3).unwrap().apply("abc", KEY), "****");
        let hash = Sanitizer::Hash;
        assert_eq!(hash.apply("ana", KEY), hash.apply("ana", KEY));
        assert_ne!(hash.apply("ana", KEY), hash.apply("bob", KEY));
        assert_ne!(hash.apply("ana", KEY), hash.apply("ana", Some(&[8; 32])));
        // printf ana | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
        assert_eq!(hash.apply("ana", KEY), "sha256:93876e94ca57b9c90b3075987f6c9e34");
        assert_eq!(hash.apply("ana", None), "****");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let pattern = |text: &str| Sanitizer::pattern(text, "***").unwrap_err();
        assert_eq!(
            pattern("a(").to_string(),
            "pattern cannot be used: unclosed group, at character 2"
        );
        assert_eq!(pattern("((a{100}){100}){100}"), SanitizerError::TooLarge);
        assert_eq!(pattern(&"a".repeat(513)), SanitizerError::Length);
        assert_eq!(Sanitizer::pattern(".", "***#"), Err(SanitizerError::ChangesMask));
        assert_eq!(Sanitizer::pattern("a", "b"), Err(SanitizerError::NoMask));
        assert_eq!(Sanitizer::fixed("ana@example.com"), Err(SanitizerError::Personal));
        assert_eq!(Sanitizer::truncate(65), Err(SanitizerError::Kept));
    }

    #[test]
    fn a_pattern_that_would_go_on_or_grows_hides_everything() {
        let going_on = Sanitizer::pattern("a", "aa***").unwrap();
        assert_eq!(going_on.apply("banana", KEY), "****");
        let growing = Sanitizer::pattern("(?s)(b.*)?a", &"***$1".repeat(90)).unwrap();
        assert_eq!(growing.apply(&("b".to_owned() + &"x".repeat(100_000) + "a"), KEY), "****");
    }

    #[test]
    fn a_pattern_that_is_slow_elsewhere_is_not_here() {
        let bomb = Sanitizer::pattern("(a+)+$", "***").unwrap();
        assert_eq!(bomb.apply(&("a".repeat(100_000) + "!"), KEY), "****");
        assert_eq!(bomb.apply(&("!".to_owned() + &"a".repeat(100_000)), KEY), "!***");
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "[a-f0-9*$ ]{0,20}", kept in 0_usize..8, pattern in "[ab]{1,2}|[0-9]", replacement in "[abx0]{0,3}\\*{3}[$0a]{0,2}") {
            let pattern = Sanitizer::pattern(&pattern, &replacement).unwrap();
            for one in [Sanitizer::truncate(kept).unwrap(), Sanitizer::Hash, pattern] {
                let once = one.apply(&text, KEY);
                prop_assert_eq!(one.apply(&once, KEY), once);
            }
        }
    }
}
