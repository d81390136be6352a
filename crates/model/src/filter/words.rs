//! Words of free text, split the same way in what is asked and in what is searched.

use std::collections::BTreeSet;

/// Words that one question may have.
const WORDS_MAX: usize = 32;

/// The words that must all stand in a text: runs of letters and digits, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    words: BTreeSet<String>,
}

impl Words {
    /// The words of a question; the error says why it has none or too many.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words: BTreeSet<String> = split(text).collect();
        match words.len() {
            0 => Err("has no letter and no digit, so there is no word to look for".to_owned()),
            count if count > WORDS_MAX => {
                Err(format!("has {count} words; at most {WORDS_MAX} are allowed"))
            }
            _ => Ok(Self { words }),
        }
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// A search for all of them over several texts.
    pub(super) fn search(&self) -> WordSearch<'_> {
        WordSearch { missing: self.words.iter().map(String::as_str).collect() }
    }
}

/// What is still missing while texts are read.
pub(super) struct WordSearch<'w> {
    missing: BTreeSet<&'w str>,
}

impl WordSearch<'_> {
    /// Reads one more text; answers whether every word has been met.
    pub(super) fn read(&mut self, text: &str) -> bool {
        for word in split(text) {
            self.missing.remove(word.as_str());
            if self.missing.is_empty() {
                return true;
            }
        }
        self.missing.is_empty()
    }
}

/// Lower case letter by letter, so that no letter depends on its neighbours, and both Greek forms
/// of a small sigma as one.
fn split(text: &str) -> impl Iterator<Item = String> {
    let folded: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .map(|letter| if letter == 'ς' { 'σ' } else { letter })
        .collect();
    let words: Vec<String> = folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let words = Words::parse("Failed LOGIN, user_id=u-42 Ärger failed").unwrap();
        let found: Vec<&str> = words.iter().collect();
        assert_eq!(found, ["42", "failed", "id", "login", "u", "user", "ärger"]);
    }

    #[test]
    fn words_of_words_are_the_same_words() {
        for text in ["ΟΔΟΣ οδος", "İstanbul", "STRASSE straße", "ﬁne"] {
            let words = Words::parse(text).unwrap();
            let again: Vec<&str> = words.iter().collect();
            assert_eq!(Words::parse(&again.join(" ")), Ok(words.clone()), "{text}");
        }
        assert_eq!(Words::parse("ΟΔΟΣ").unwrap(), Words::parse("οδος").unwrap());
    }

    #[test]
    fn all_words_must_be_met_in_whatever_text() {
        let words = Words::parse("login failed").unwrap();
        let mut search = words.search();
        assert!(!search.read("the Login of ana"));
        assert!(!search.read("loginfailed"));
        assert!(search.read("has FAILED"));
    }

    #[test]
    fn a_question_needs_words_and_not_too_many() {
        assert!(Words::parse("").is_err());
        assert!(Words::parse("--- !").is_err());
        let many: Vec<String> = (0..33).map(|word| word.to_string()).collect();
        assert!(Words::parse(&many.join(" ")).is_err());
    }
}
