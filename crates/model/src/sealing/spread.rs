//! Finds sealed values again in the clear texts of the same event: an error message that repeats a
//! name must not tell what the sealed name hides.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::timestamp::EventTime;

/// Shorter values are found only where a text consists of nothing else.
pub(crate) const TOKEN_BYTES_MIN: usize = 6;

/// Values that are compared with a text one by one; more of them are looked for all at once.
const SINGLE_VALUES_MAX: usize = 64;

/// Most events have no more sealed texts.
const USUAL_TEXTS: usize = 16;

/// In a text of no more bytes, tokens are looked for where words begin: longer ones are searched for
/// each token, which takes no time even where words begin everywhere.
const SHORT_TEXT_BYTES: usize = 256;

/// Letters and digits of an account id, which stands in every record of a cloud.
const ACCOUNT_DIGITS: usize = 12;

/// A UUID without hyphens (RFC 9562 section 4 has them, others leave them out).
const UUID_BYTES_MIN: usize = 32;

/// The sealed texts of one event, each with the envelope it went into.
#[derive(Debug, Default)]
pub(crate) struct SealedTexts<'a> {
    /// As long as there are few, which comparing finds faster than hashing.
    few: Vec<(Cow<'a, str>, usize)>,
    /// All of them, once there are more.
    many: HashMap<Cow<'a, str>, usize>,
    /// Those that are looked for inside texts, the longest first.
    tokens: Vec<Cow<'a, str>>,
    /// The bytes that they begin with.
    starts: ByteSet,
    /// Finds all of them in one pass, where there are many; made when it is first needed.
    finder: OnceCell<Option<AhoCorasick>>,
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    /// The bytes that these texts begin with.
    fn of_starts(texts: &[Cow<'_, str>]) -> Self {
        let mut out = Self::default();
        for byte in texts.iter().filter_map(|text| text.bytes().next()) {
            if let Some(word) = out.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        out
    }

    fn has(self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }
}

impl<'a> SealedTexts<'a> {
    /// Notes one sealed text.
    pub(crate) fn note(&mut self, text: Cow<'a, str>, envelope: usize) {
        if text.is_empty() || is_shared(&text) || self.whole(&text).is_some() {
            return;
        }
        if self.is_empty() {
            self.few.reserve(USUAL_TEXTS);
            self.tokens.reserve(USUAL_TEXTS);
        }
        if text.len() >= TOKEN_BYTES_MIN {
            self.tokens.push(text.clone());
        }
        if self.many.is_empty() && self.few.len() < SINGLE_VALUES_MAX {
            self.few.push((text, envelope));
        } else {
            self.many.extend(self.few.drain(..));
            self.many.insert(text, envelope);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    /// The envelope of exactly this text.
    fn whole(&self, text: &str) -> Option<usize> {
        let few = self.few.iter().find(|(own, _)| own == text).map(|(_, envelope)| *envelope);
        few.or_else(|| self.many.get(text).copied())
    }

    /// Must be called after the last [`Self::note`] and before the first [`Self::envelope_of`].
    pub(crate) fn settle(&mut self) {
        self.tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
        self.starts = ByteSet::of_starts(&self.tokens);
    }

    /// The envelope that a clear text belongs in, because a sealed one stands in it.
    pub(crate) fn envelope_of(&self, text: &str) -> Option<usize> {
        if let Some(envelope) = self.whole(text) {
            return Some(envelope);
        }
        let found = if text.len() < TOKEN_BYTES_MIN || self.tokens.is_empty() {
            None
        } else if self.tokens.len() > SINGLE_VALUES_MAX {
            self.one_of_many(text)
        } else if text.len() > SHORT_TEXT_BYTES {
            self.tokens.iter().find(|token| has_token(text, token)).map(AsRef::as_ref)
        } else {
            longest_token(text, &self.tokens, self.starts)
        };
        found.and_then(|token| self.whole(token))
    }

    /// The first of many tokens that stands in the text with no letter or digit beside it.
    fn one_of_many(&self, text: &str) -> Option<&str> {
        let finder = self.finder.get_or_init(|| {
            AhoCorasick::new(self.tokens.iter().map(|token| token.as_bytes())).ok()
        });
        let Some(finder) = finder else {
            // They are too many for it.
            return self.tokens.iter().find(|token| has_token(text, token)).map(AsRef::as_ref);
        };
        let places = finder.find_overlapping_iter(text);
        let free = places.filter(|place| stands_free(text, place.range()));
        let first = free.map(|place| place.pattern().as_usize()).min();
        first.and_then(|first| self.tokens.get(first)).map(AsRef::as_ref)
    }
}

/// Whether no letter or digit stands beside a part of a text.
fn stands_free(text: &str, part: Range<usize>) -> bool {
    let is_free = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    let before = text.get(..part.start).unwrap_or_default();
    let behind = text.get(part.end..).unwrap_or_default();
    is_free(before.chars().next_back()) && is_free(behind.chars().next())
}

/// Values that many records share and that name nobody: account ids, times, UUIDs of requests.
fn is_shared(text: &str) -> bool {
    let is_account = text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_uuid = text.len() >= UUID_BYTES_MIN && uuid::Uuid::try_parse(text).is_ok();
    is_account || is_uuid || EventTime::parse(text).is_ok()
}

/// The first of the tokens, which begin with these bytes, that stands in the text with no letter or digit
/// beside it.
fn longest_token<'t>(text: &str, tokens: &'t [Cow<'_, str>], starts: ByteSet) -> Option<&'t str> {
    let mut found = tokens;
    let mut longest = None;
    let mut is_free = true;
    for (at, byte) in text.bytes().enumerate() {
        if is_free
            && starts.has(byte)
            && let Some(rest) = text.get(at..)
            && let Some(place) = found.iter().position(|token| begins_with_token(rest, token))
        {
            longest = found.get(place).map(AsRef::as_ref);
            found = found.get(..place).unwrap_or_default();
        }
        is_free = is_free_behind(text, at, byte);
    }
    longest
}

/// Whether no letter or digit stands before what begins behind this byte of a text. Of a letter of several bytes
/// the last one tells.
fn is_free_behind(text: &str, at: usize, byte: u8) -> bool {
    if byte.is_ascii() {
        return !byte.is_ascii_alphanumeric();
    }
    let before = text.get(..=at).and_then(|before| before.chars().next_back());
    before.is_some_and(|letter| !letter.is_alphanumeric())
}

fn begins_with_token(text: &str, token: &str) -> bool {
    let behind = text.strip_prefix(token);
    behind.is_some_and(|behind| !behind.chars().next().is_some_and(char::is_alphanumeric))
}

/// Whether the token stands in the text with no letter or digit beside it.
pub(crate) fn has_token(text: &str, token: &str) -> bool {
    if token.len() > text.len() {
        return false;
    }
    let finder = memmem::Finder::new(token);
    let is_free = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    let mut rest = text;
    while let Some(at) = finder.find(rest.as_bytes()) {
        let (before, found) = rest.split_at_checked(at).unwrap_or_default();
        let whole = text.get(..text.len() - rest.len() + before.len()).unwrap_or_default();
        if is_free(whole.chars().next_back()) && begins_with_token(found, token) {
            return true;
        }
        // The next one that counts stands behind something that is no letter or digit.
        let mut behind = found.split_inclusive(|letter: char| !letter.is_alphanumeric());
        let skipped = behind.next().map_or(0, str::len);
        rest = found.get(skipped..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{ByteSet, SealedTexts, has_token, longest_token};
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn texts<'a>(values: &[&'a str]) -> SealedTexts<'a> {
        let mut out = SealedTexts::default();
        for (index, value) in values.iter().enumerate() {
            out.note(Cow::Borrowed(value), index);
        }
        out.settle();
        out
    }

    #[test]
    fn sealed_texts_are_found_whole_and_as_tokens() {
        let sealed = texts(&["ana.lima", "bo", "Ana Lima"]);
        for (text, found) in [
            ("ana.lima", Some(0)),
            ("bo", Some(1)),
            ("user bo failed", None),
            ("arn:aws:iam::123456789012:user/ana.lima", Some(0)),
            ("no right for Ana Lima.", Some(2)),
            ("xana.lima", None),
            ("ana.limax", None),
            ("ärger", None),
        ] {
            assert_eq!(sealed.envelope_of(text), found, "{text}");
        }
    }

    #[test]
    fn shared_values_are_not_looked_for() {
        let sealed = texts(&[
            "123456789012",
            "550e8400-e29b-41d4-a716-446655440000",
            "2026-03-02T08:00:00Z",
            "",
        ]);
        for text in ["123456789012", "arn:aws:iam::123456789012:root", "2026-03-02T08:00:00Z", ""] {
            assert_eq!(sealed.envelope_of(text), None, "{text}");
        }
    }

    #[test]
    fn many_values_are_found_too() {
        let many: Vec<String> = (0..5000).map(|index| format!("person-{index:05}")).collect();
        let names: Vec<&str> = many.iter().map(String::as_str).collect();
        let sealed = texts(&names);
        assert_eq!(sealed.envelope_of("arn:aws:iam::1:user/person-04711 did it"), Some(4711));
        assert_eq!(sealed.envelope_of(&"nobody ".repeat(10_000)), None);
    }

    #[test]
    fn many_values_are_found_as_few_are() {
        let mut values: Vec<String> = (0..70).map(|index| format!("column_{index:02}")).collect();
        values.extend(["77 Tulip Avenue", "ana.lima"].map(str::to_owned));
        let names: Vec<&str> = values.iter().map(String::as_str).collect();
        let sealed = texts(&names);
        for (text, found) in [
            ("address 77 Tulip Avenue is not known", Some(70)),
            ("[ana.lima]", Some(71)),
            ("[ana.limax] at 177 Tulip Avenue", None),
            ("column_07, 77 Tulip Avenue", Some(70)),
        ] {
            assert_eq!(sealed.envelope_of(text), found, "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_texts_are_looked_through_as_long_ones_are(
            text in "[ab. ä]{0,24}",
            tokens in proptest::collection::vec("[ab. ä]{1,5}", 0..6),
        ) {
            let tokens: Vec<Cow<'_, str>> = tokens.into_iter().map(Cow::Owned).collect();
            let one_by_one = tokens.iter().find(|token| has_token(&text, token));
            let starts = ByteSet::of_starts(&tokens);
            prop_assert_eq!(longest_token(&text, &tokens, starts), one_by_one.map(AsRef::as_ref));
        }

        #[test]
        fn many_are_looked_for_as_few_are(
            text in "[ab. ä]{0,24}",
            tokens in proptest::collection::vec("[ab. ä]{1,5}", 0..6),
        ) {
            let tokens: Vec<Cow<'_, str>> = tokens.into_iter().map(Cow::Owned).collect();
            let one_by_one = tokens.iter().find(|token| has_token(&text, token));
            let many = SealedTexts { tokens: tokens.clone(), ..SealedTexts::default() };
            prop_assert_eq!(many.one_of_many(&text), one_by_one.map(AsRef::as_ref));
        }
    }
}
