//! Patterns as SQL's LIKE has them: `%` for any text, `_` for one character, `\` before either to
//! mean itself.

/// A pattern that a whole text must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LikePattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Letter(char),
    One,
    Any,
}

impl LikePattern {
    /// Reads a pattern; the error says why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let part = match letter {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => match letters.next() {
                    Some(escaped @ ('%' | '_' | '\\')) => Part::Letter(escaped),
                    _ => return Err(r"has a \ that is not followed by %, _ or \".to_owned()),
                },
                other => Part::Letter(other),
            };
            if part != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(part);
            }
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text that everything it fits begins with.
    pub fn literal_prefix(&self) -> String {
        let letters = self.parts.iter().map_while(|part| match part {
            Part::Letter(letter) => Some(*letter),
            Part::One | Part::Any => None,
        });
        letters.collect()
    }

    /// Whether the whole text fits. Needs time in the product of both lengths at worst, since only
    /// the last `%` that was met is ever taken back.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        let mut last_any: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            match self.parts.get(at) {
                Some(Part::Any) => {
                    at += 1;
                    last_any = Some((at, rest.clone()));
                    continue;
                }
                None if rest.as_str().is_empty() => return true,
                Some(part) => {
                    let mut next = rest.clone();
                    if next.next().is_some_and(|letter| part.fits(letter)) {
                        rest = next;
                        at += 1;
                        continue;
                    }
                }
                None => {}
            }
            let Some((after, begun)) = &mut last_any else {
                return false;
            };
            if begun.next().is_none() {
                return false;
            }
            at = *after;
            rest = begun.clone();
        }
    }
}

impl Part {
    const fn fits(self, letter: char) -> bool {
        match self {
            Self::Letter(own) => own == letter,
            Self::One | Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LikePattern;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        LikePattern::parse(pattern).unwrap().matches(text)
    }

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a%", "abcd", true),
            ("%d", "abcd", true),
            ("%b%", "abcd", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("_", "é", true),
            ("%%%", "x", true),
            ("%ab%ab", "abxab", true),
            ("%ab%ab", "abxa", false),
            (r"50\%", "50%", true),
            (r"50\%", "500", false),
            (r"a\_b\\", r"a_b\", true),
            ("a%b_c%", "aXXbYcZ", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_ends_in_an_escape_is_refused() {
        assert!(LikePattern::parse("a\\").is_err());
        assert!(LikePattern::parse(r"a\b").is_err());
    }

    #[test]
    fn the_literal_prefix_is_what_stands_before_the_first_wildcard() {
        let prefix = |text| LikePattern::parse(text).unwrap().literal_prefix();
        assert_eq!(prefix("user.%"), "user.");
        assert_eq!(prefix(r"a\%b_c"), "a%b");
        assert_eq!(prefix("%x"), "");
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let pattern = "%a".repeat(200);
        assert!(!fits(&pattern, &"a".repeat(199)));
        assert!(fits(&pattern, &"a".repeat(5000)));
    }

    /// The meaning, written as plainly as possible.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((&'%', after)), rest) => {
                naive(after, text) || rest.is_some_and(|(_, rest)| naive(pattern, rest))
            }
            (Some(_), None) => false,
            (Some((part, after)), Some((letter, rest))) => {
                (*part == '_' || part == letter) && naive(after, rest)
            }
        }
    }

    proptest! {
        #[test]
        fn it_means_what_the_plain_reading_says(pattern in "[ab_%]{0,8}", text in "[ab]{0,8}") {
            let plain: Vec<char> = pattern.chars().collect();
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(fits(&pattern, &text), naive(&plain, &letters));
        }
    }
}
