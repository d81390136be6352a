//! Redactions that a tenant defines for itself, as data.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use super::MASK;
use ledgerstone_proof::sha256;

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

/// Bytes of a salt, at least.
const SALT_BYTES_MIN: usize = 16;

/// One redaction with parameters. Applying it twice is applying it once.
#[derive(Clone, Debug)]
pub enum Sanitizer {
    /// Every match of a pattern is replaced.
    Pattern { pattern: Regex, replacement: String },
    /// The same text for every value.
    Fixed(String),
    /// A salted SHA-256, which tells equal values and nothing else.
    Hash { salt: Vec<u8> },
    /// The first characters, and `****`.
    Truncate { kept: usize },
}

/// Why a sanitizer cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SanitizerError {
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
    #[error("pattern and replacement may have {PATTERN_BYTES_MAX} bytes each")]
    Length,
    #[error(
        "the pattern changes `****`, so what it hides could change again; let it not match `*`"
    )]
    ChangesMask,
    #[error("a salt has at least {SALT_BYTES_MIN} bytes")]
    Salt,
    #[error("truncation leaves at most {KEPT_MAX} characters")]
    Kept,
}

impl Sanitizer {
    /// Replaces every match of a regular expression; `$1` and `${name}` in the replacement stand
    /// for groups of it. The expression is matched in time linear in the text.
    pub fn pattern(pattern: &str, replacement: &str) -> Result<Self, SanitizerError> {
        if pattern.len() > PATTERN_BYTES_MAX || replacement.len() > PATTERN_BYTES_MAX {
            return Err(SanitizerError::Length);
        }
        let pattern = RegexBuilder::new(pattern)
            .size_limit(PATTERN_MEMORY_MAX)
            .dfa_size_limit(PATTERN_MEMORY_MAX)
            .build()
            .map_err(|error| SanitizerError::Pattern(error.to_string()))?;
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
        Ok(Self::Fixed(text.to_owned()))
    }

    /// Shows a hash under a salt, without which common values could be guessed.
    pub fn hash(salt: &[u8]) -> Result<Self, SanitizerError> {
        if salt.len() < SALT_BYTES_MIN {
            return Err(SanitizerError::Salt);
        }
        Ok(Self::Hash { salt: salt.to_vec() })
    }

    /// Shows the first `kept` characters.
    pub const fn truncate(kept: usize) -> Result<Self, SanitizerError> {
        if kept > KEPT_MAX {
            return Err(SanitizerError::Kept);
        }
        Ok(Self::Truncate { kept })
    }

    /// The text as it is shown.
    pub fn apply(&self, text: &str) -> String {
        match self {
            Self::Pattern { pattern, replacement } => replaced(pattern, replacement, text),
            Self::Fixed(fixed) => fixed.clone(),
            Self::Hash { salt } => hashed(salt, text),
            Self::Truncate { kept } => truncated(*kept, text),
        }
    }
}

/// Where the result would change again, nothing is shown.
fn replaced(pattern: &Regex, replacement: &str, text: &str) -> String {
    let once = pattern.replace_all(text, replacement);
    if pattern.replace_all(&once, replacement) == once {
        once.into_owned()
    } else {
        MASK.to_owned()
    }
}

fn hashed(salt: &[u8], text: &str) -> String {
    let is_hash = text.strip_prefix(HASH_PREFIX).is_some_and(|digits| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        digits.len() == HASH_DIGITS && digits.bytes().all(is_digit)
    });
    if is_hash {
        return text.to_owned();
    }
    let mut input = Vec::with_capacity(8 + salt.len() + text.len());
    input.extend_from_slice(&(salt.len() as u64).to_be_bytes());
    input.extend_from_slice(salt);
    input.extend_from_slice(text.as_bytes());
    let digits = sha256(&input).to_string();
    format!("{HASH_PREFIX}{}", digits.get(..HASH_DIGITS).unwrap_or_default())
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

    #[test]
    fn each_does_what_it_says() {
        let account = Sanitizer::pattern(r"\b(\d{4})\d{8}\b", "$1********").unwrap();
        assert_eq!(account.apply("account 123456789012"), "account 1234********");
        assert_eq!(Sanitizer::fixed("(hidden)").unwrap().apply("x"), "(hidden)");
        assert_eq!(Sanitizer::truncate(3).unwrap().apply("abcdef"), "abc****");
        assert_eq!(Sanitizer::truncate(3).unwrap().apply("abc"), "****");
        let hash = Sanitizer::hash(b"sixteen bytes or").unwrap();
        assert_eq!(hash.apply("ana"), hash.apply("ana"));
        assert_ne!(hash.apply("ana"), hash.apply("bob"));
        assert_ne!(hash.apply("ana"), Sanitizer::hash(b"other 16 bytes..").unwrap().apply("ana"));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        assert!(matches!(Sanitizer::pattern("(", ""), Err(SanitizerError::Pattern(_))));
        assert!(matches!(
            Sanitizer::pattern("((a{100}){100}){100}", ""),
            Err(SanitizerError::Pattern(_))
        ));
        assert!(matches!(Sanitizer::pattern(&"a".repeat(513), ""), Err(SanitizerError::Length)));
        assert!(matches!(Sanitizer::pattern(".", "#"), Err(SanitizerError::ChangesMask)));
        assert!(matches!(Sanitizer::hash(b"short"), Err(SanitizerError::Salt)));
        assert!(matches!(Sanitizer::truncate(65), Err(SanitizerError::Kept)));
    }

    #[test]
    fn a_pattern_that_would_go_on_hides_everything() {
        let growing = Sanitizer::pattern("a", "aa").unwrap();
        assert_eq!(growing.apply("banana"), "****");
    }

    #[test]
    fn a_pattern_that_is_slow_elsewhere_is_not_here() {
        let bomb = Sanitizer::pattern("(a+)+$", "x").unwrap();
        assert!(bomb.apply(&("a".repeat(100_000) + "!")).ends_with('!'));
    }

    proptest! {
        #[test]
        fn twice_is_once(text in "[a-f0-9*$ ]{0,20}", kept in 0_usize..8, pattern in "[ab]{1,2}|[0-9]", replacement in "[abx0]{0,3}") {
            let hash = Sanitizer::hash(b"0123456789abcdef").unwrap();
            let pattern = Sanitizer::pattern(&pattern, &replacement).unwrap();
            for one in [Sanitizer::truncate(kept).unwrap(), hash, pattern] {
                let once = one.apply(&text);
                prop_assert_eq!(one.apply(&once), once);
            }
        }
    }
}
