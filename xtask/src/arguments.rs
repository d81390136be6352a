//! The few options that tasks take, without a parser crate: every `cargo xtask` compiles this first.

use anyhow::{Context as _, Result, bail};

/// The words after the task's name that nobody has taken yet.
pub struct Arguments {
    words: Vec<String>,
}

impl Arguments {
    pub fn new(words: impl Iterator<Item = String>) -> Self {
        Self { words: words.collect() }
    }

    /// Takes a switch such as `--long`; true when it was given.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() < before
    }

    /// Takes an option with a whole number, such as `--minutes 5`.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>> {
        let Some(position) = self.words.iter().position(|word| word == name) else {
            return Ok(None);
        };
        self.words.remove(position);
        if position == self.words.len() {
            bail!("{name} needs a whole number after it");
        }
        let value = self.words.remove(position);
        let number =
            value.parse().with_context(|| format!("{name} needs a whole number, not `{value}`"))?;
        Ok(Some(number))
    }

    /// Takes the next word that is not an option.
    pub fn word(&mut self) -> Option<String> {
        let position = self.words.iter().position(|word| !word.starts_with('-'))?;
        Some(self.words.remove(position))
    }

    /// Refuses whatever is left: an option that is not understood must not be ignored.
    pub fn finish(self) -> Result<()> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => bail!("`{word}` is not understood; `cargo xtask help` lists the options"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn arguments(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_taken_in_any_order() {
        let mut given = arguments("canonical --minutes 7 --long");
        assert!(given.switch("--long"));
        assert!(!given.switch("--long"));
        assert_eq!(given.number("--minutes").unwrap(), Some(7));
        assert_eq!(given.word().as_deref(), Some("canonical"));
        assert!(given.finish().is_ok());
    }

    #[test]
    fn a_bad_number_and_a_left_over_word_are_errors() {
        assert!(arguments("--minutes").number("--minutes").is_err());
        assert!(arguments("--minutes soon").number("--minutes").is_err());
        assert!(arguments("--what").finish().is_err());
    }
}
