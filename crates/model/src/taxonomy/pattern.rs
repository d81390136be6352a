//! What is wrong with a pattern of a schema, in words and with the place: of the schema library we
//! only learn that it cannot be used.

use regex::RegexBuilder;

use super::schema::SCHEMA_PATTERN_BYTES_MAX;
use crate::pattern_fault::syntax_fault;

/// Characters of a pattern that are shown.
const SHOWN_MAX: usize = 100;

/// Why a pattern cannot be used.
pub(super) fn fault(pattern: &str) -> String {
    let shown = shown(pattern);
    match syntax_fault(pattern) {
        Some(fault) => format!("is no pattern that can be used: {fault} of {shown}"),
        None if is_too_large(pattern) => format!(
            "is a pattern that takes more than {SCHEMA_PATTERN_BYTES_MAX} bytes when compiled: {shown}"
        ),
        None => format!("is no regular expression as JSON Schema knows them (ECMA-262): {shown}"),
    }
}

fn is_too_large(pattern: &str) -> bool {
    let built = RegexBuilder::new(pattern).size_limit(SCHEMA_PATTERN_BYTES_MAX).build();
    matches!(built, Err(regex::Error::CompiledTooBig(_)))
}

/// The beginning of a pattern in quotes.
fn shown(pattern: &str) -> String {
    match pattern.char_indices().nth(SHOWN_MAX) {
        None => format!("{pattern:?}"),
        Some((end, _)) => format!("{:?}…", pattern.get(..end).unwrap_or(pattern)),
    }
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn long_patterns_are_shown_as_far_as_anybody_reads() {
        let said = fault(&format!("{}(", "é".repeat(5_000)));
        assert!(said.contains("unclosed group, at character 5001 of \"éé"), "{said}");
        assert!(said.ends_with("é\"…") && said.chars().count() < 200, "{said}");
    }

    #[test]
    fn what_is_fine_here_and_nowhere_in_a_schema_is_said_so() {
        assert!(fault("(?x) a").contains("ECMA-262"), "{}", fault("(?x) a"));
    }
}
