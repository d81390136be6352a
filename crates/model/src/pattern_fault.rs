//! What is wrong with a regular expression, in words and with the place; the library that compiles
//! them only draws it.

use regex_syntax::{Error, Parser};

/// What is wrong with the syntax of a pattern, as a clause; `None` where nothing is.
pub(crate) fn syntax_fault(pattern: &str) -> Option<String> {
    let at = |kind: String, offset: usize| {
        let before = pattern.get(..offset).unwrap_or(pattern).chars().count();
        format!("{kind}, at character {}", before + 1)
    };
    match Parser::new().parse(pattern) {
        Err(Error::Parse(error)) => Some(at(error.kind().to_string(), error.span().start.offset)),
        Err(Error::Translate(error)) => {
            Some(at(error.kind().to_string(), error.span().start.offset))
        }
        _ => None,
    }
}
