//! Words that must not stand in the tree: leftovers of the place where somebody worked, addresses
//! of package mirrors, and promises to do something later.

use super::Fault;
use crate::project::SourceFile;

/// What is looked for, and what to do about it. Split, so that this file does not find itself.
const WORDS: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), MACHINE),
    (concat!("/tmp/", "target"), MACHINE),
    (concat!("/tmp/", "plan"), MACHINE),
    (concat!("/ro", "ot/"), MACHINE),
    (concat!("help", "er-"), MACHINE),
    (concat!("index.", "crates.io"), MIRROR),
    (concat!("static.", "crates.io"), MIRROR),
    (concat!("replace", "-with"), MIRROR),
    (concat!("arti", "factory"), MIRROR),
    (concat!("TO", "DO"), LATER),
    (concat!("FIX", "ME"), LATER),
];

const MACHINE: &str = "names a place on somebody's machine; the project speaks of itself alone";
const MIRROR: &str = "names where packages were fetched from; that is each machine's own setting";
const LATER: &str = "promises something for later; do it or open an issue";

/// Texts that are not ours to word.
const FOREIGN: &[&str] = &["LICENSE", "Cargo.lock"];

pub fn check(file: &SourceFile) -> Vec<Fault> {
    if FOREIGN.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (word, reason) in WORDS {
            if stands_in(line, word) {
                let told = format!("`{word}` {reason}");
                faults.push(Fault::in_line(file, number + 1, told));
            }
        }
    }
    faults
}

/// Whether `word` stands in `line` as the beginning of a word or of an absolute path.
fn stands_in(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-*}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::{WORDS, check};
    use crate::project::SourceFile;

    fn count(path: &str, text: &str) -> usize {
        check(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn every_word_is_found_where_it_begins() {
        for (word, _) in WORDS {
            assert_eq!(count("docs/a.md", &format!("see `{word}x`")), 1, "{word}");
            assert_eq!(count("LICENSE", word), 0, "{word}");
        }
    }

    #[test]
    fn innocent_neighbours_stay() {
        for line in [
            concat!("https://example.com/wo", "rk/item"),
            concat!("../wo", "rk/notes"),
            concat!("AU", "TO", "DO", "R"),
            "https://crates.io/crates/serde",
            "the helper of a helper",
            "arn:aws:iam::123456789012:root",
        ] {
            assert_eq!(count("a.rs", line), 0, "{line}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let text = format!("fine\n{}\n", concat!("FIX", "ME: later"));
        let faults = check(&SourceFile::new("a.rs", &text));
        assert!(faults[0].to_string().starts_with("a.rs:2: "));
    }
}
