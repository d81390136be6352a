//! Finds sealed values again in the clear texts of the same event: an error message that repeats a
//! name must not tell what the sealed name hides.

use std::collections::HashMap;

use memchr::memmem;

use crate::timestamp::EventTime;

/// Shorter values are found only where a text consists of nothing else.
const TOKEN_BYTES_MIN: usize = 6;

/// Values that are compared with a text one by one; with more, the text is cut into its tokens.
const SINGLE_VALUES_MAX: usize = 64;

/// Letters and digits of an account id, which stands in every record of a cloud.
const ACCOUNT_DIGITS: usize = 12;

/// The sealed texts of one event, each with the envelope it went into.
#[derive(Debug, Default)]
pub(crate) struct SealedTexts {
    envelopes: HashMap<String, usize>,
    /// Those that are looked for inside texts, the longest first.
    tokens: Vec<String>,
}

impl SealedTexts {
    /// Notes one sealed text.
    pub(crate) fn note(&mut self, text: &str, envelope: usize) {
        if text.is_empty() || is_shared(text) || self.envelopes.contains_key(text) {
            return;
        }
        self.envelopes.insert(text.to_owned(), envelope);
        if text.len() >= TOKEN_BYTES_MIN {
            self.tokens.push(text.to_owned());
        }
    }

    /// Must be called after the last [`Self::note`] and before the first [`Self::envelope_of`].
    pub(crate) fn settle(&mut self) {
        self.tokens.sort_by_key(|token| std::cmp::Reverse(token.len()));
    }

    /// The envelope that a clear text belongs in, because a sealed one stands in it.
    pub(crate) fn envelope_of(&self, text: &str) -> Option<usize> {
        if let Some(envelope) = self.envelopes.get(text) {
            return Some(*envelope);
        }
        let found = if self.tokens.len() <= SINGLE_VALUES_MAX {
            self.tokens.iter().find(|token| has_token(text, token)).map(String::as_str)
        } else {
            words(text)
                .find(|word| word.len() >= TOKEN_BYTES_MIN && self.envelopes.contains_key(*word))
        };
        found.and_then(|token| self.envelopes.get(token)).copied()
    }
}

/// Values that many records share and that name nobody: account ids, times, UUIDs of requests.
fn is_shared(text: &str) -> bool {
    let is_account = text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    is_account || uuid::Uuid::try_parse(text).is_ok() || EventTime::parse(text).is_ok()
}

/// Whether the token stands in the text with no letter or digit beside it.
fn has_token(text: &str, token: &str) -> bool {
    let is_free = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    memmem::find_iter(text.as_bytes(), token.as_bytes()).any(|at| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text.get(at + token.len()..).and_then(|behind| behind.chars().next());
        is_free(before) && is_free(behind)
    })
}

/// What stands between white space and quotes, as it is and cut at the marks of ARNs and URLs.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let outer = text.split(|letter: char| {
        letter.is_whitespace() || matches!(letter, '"' | '\'' | ',' | ';' | '(' | ')' | '<' | '>')
    });
    outer.flat_map(|word| {
        let inner = word.split([':', '/', '=', '?', '&']);
        std::iter::once(word).chain(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::SealedTexts;

    fn texts(values: &[&str]) -> SealedTexts {
        let mut out = SealedTexts::default();
        for (index, value) in values.iter().enumerate() {
            out.note(value, index);
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
}
