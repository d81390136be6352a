//! Finds the name that was probably meant where the one that is given is not known.

/// How far a name may be from a known one, in edits, for the known one to be suggested.
const EDITS_MAX: usize = 2;

/// The known name that differs least, unless all differ too much.
pub(crate) fn nearest<S: AsRef<str>>(asked: &str, known: impl IntoIterator<Item = S>) -> Option<S> {
    known
        .into_iter()
        .map(|name| (edits(asked, name.as_ref()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= EDITS_MAX)
        .map(|(_, name)| name)
}

/// Letters to insert, remove or replace to make one text of the other (Levenshtein's distance).
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, letter) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(&right) {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            before = replaced.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{edits, nearest};

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["actor", "action"];
        assert_eq!(nearest("actr", known), Some("actor"));
        assert_eq!(nearest("actions", known), Some("action"));
        assert_eq!(nearest("target", known), None);
    }

    #[test]
    fn edits_are_counted() {
        for (left, right, count) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("actor", "actr", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(left, right), count, "{left} {right}");
        }
    }
}
