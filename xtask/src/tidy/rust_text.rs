//! Rust source with its comments blanked and its literals made inert, so that a brace or a word
//! in a string is never mistaken for code.

/// The same text, byte for byte as long: comments become spaces, what literals hold becomes `x`,
/// line ends stay.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (end, inert) = token(bytes, at);
        for &byte in &bytes[at..end] {
            out.push(match inert {
                Some(_) if byte == b'\n' => b'\n',
                Some(filler) => filler,
                None => byte,
            });
        }
        at = end;
    }
    // Only whole tokens were replaced, and by ASCII, so this loses nothing.
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the token at `at` ends, and what to write in its place if it is not code.
fn token(bytes: &[u8], at: usize) -> (usize, Option<u8>) {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|&byte| byte == b'\n');
        return (at + length.unwrap_or(rest.len()), Some(b' '));
    }
    if rest.starts_with(b"/*") {
        return (at + block_comment(rest), Some(b' '));
    }
    if let Some(length) = raw_string(rest) {
        return (at + length, Some(b'x'));
    }
    match rest[0] {
        b'"' => (at + quoted(rest, b'"'), Some(b'x')),
        b'\'' => match character(rest) {
            Some(length) => (at + length, Some(b'x')),
            None => (at + 1, None),
        },
        _ => (at + 1, None),
    }
}

/// Whether a byte belongs to an identifier.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of `r"…"`, `br#"…"#` and the like, if one begins here.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix =
        [b"br".as_slice(), b"cr", b"r"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let after = &rest[prefix.len()..];
    let hashes = after.iter().take_while(|&&byte| byte == b'#').count();
    if after.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let body = &after[hashes + 1..];
    let end = body.windows(close.len()).position(|window| window == close)?;
    Some(prefix.len() + hashes + 1 + end + close.len())
}

/// The length of a literal in `quote`s, escapes understood.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal; none where the quote opens a lifetime or a loop label.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]);
    let width = match text {
        Ok(text) => text.chars().next()?.len_utf8(),
        Err(cut) if cut.valid_up_to() > 0 => {
            let text = std::str::from_utf8(&rest[1..=cut.valid_up_to()]).ok()?;
            text.chars().next()?.len_utf8()
        }
        Err(_) => return None,
    };
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

#[cfg(test)]
mod tests {
    use super::code_only;

    #[test]
    fn literals_and_comments_are_made_inert() {
        for (source, expected) in [
            ("a // { fn\nb", "a        \nb"),
            ("a /* { /* } */ */ b", "a                 b"),
            (r#"f("{\"}") }"#, "f(xxxxxx) }"),
            ("r#\"{\"#;", "xxxxxx;"),
            ("for x in br\"{\" {", "for x in xxxxx {"),
            ("'{' '\\'' 'ä'", "xxx xxxx xxxx"),
            ("fn a<'a>(b: &'a str)", "fn a<'a>(b: &'a str)"),
            ("'outer: loop {", "'outer: loop {"),
            ("\"a\nb\"", "xx\nxx"),
            ("unclosed \"{", "unclosed xx"),
        ] {
            assert_eq!(code_only(source), expected, "{source}");
        }
    }
}
