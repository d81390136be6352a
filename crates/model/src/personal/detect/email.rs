//! Addresses of electronic mail.

use std::ops::Range;

/// RFC 5321 section 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;

/// RFC 5321 section 4.5.3.1.2.
const DOMAIN_BYTES_MAX: usize = 255;

/// The first address at or behind `from`.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len())
        .filter(|at| bytes.get(*at) == Some(&b'@'))
        .find_map(|at| around(bytes, at).filter(|range| range.start >= from))
}

fn around(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let before = bytes.get(..at)?;
    let mut local = before.iter().rev().take_while(|byte| is_local(**byte)).count();
    while before.get(at - local) == Some(&b'.') {
        local -= 1;
    }
    let domain = domain_bytes(bytes.get(at + 1..)?);
    let is_address = (1..=LOCAL_BYTES_MAX).contains(&local) && domain > 0;
    is_address.then(|| at - local..at + 1 + domain)
}

/// Letters of any script, since addresses may have them (RFC 6531).
const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
        || byte >= 0x80
}

/// Bytes of the host name at the beginning: at least two labels, of which the last is no number.
fn domain_bytes(text: &[u8]) -> usize {
    let is_host = |byte: &&u8| {
        byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'-') || **byte >= 0x80
    };
    let mut end = text.iter().take(DOMAIN_BYTES_MAX).take_while(is_host).count();
    while end > 0 && matches!(text.get(end - 1), Some(b'.' | b'-')) {
        end -= 1;
    }
    let name = text.get(..end).unwrap_or_default();
    let mut labels = name.rsplit(|byte| *byte == b'.');
    let last = labels.next().unwrap_or_default();
    let has_more = labels.next().is_some_and(|label| !label.is_empty());
    let is_top = last.len() >= 2 && last.iter().any(|byte| !byte.is_ascii_digit());
    if has_more && is_top { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::find;

    fn first(text: &str) -> Option<&str> {
        find(text, 0).map(|range| &text[range])
    }

    #[test]
    fn addresses_are_found_where_they_begin_and_end() {
        for (text, expected) in [
            ("ana@example.com", Some("ana@example.com")),
            ("<ana.lima+x@mail.example.co.uk>.", Some("ana.lima+x@mail.example.co.uk")),
            ("see jürgen@müller.example, please", Some("jürgen@müller.example")),
            ("to ana@example.com.", Some("ana@example.com")),
            ("...ana@example.com", Some("ana@example.com")),
            ("@ana@example.com", Some("ana@example.com")),
            ("ana@localhost", None),
            ("ana@10.0.0.7", None),
            ("ana@.com", None),
            ("@", None),
            ("a @ b.com", None),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
    }
}
