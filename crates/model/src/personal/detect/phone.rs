//! Telephone numbers: international (ITU-T E.164) with `+`, or national ones with separators.

use std::ops::Range;

use super::text_around::{is_tied_before, is_tied_behind};

/// ITU-T E.164 section 6.2.1.
const DIGITS_MAX: usize = 15;

/// No country's numbers are shorter, its code included.
const DIGITS_MIN: usize = 8;

/// The first number at or behind `from`.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|start| {
        let first = bytes.get(start)?;
        if !matches!(first, b'+' | b'(' | b'0'..=b'9') || is_tied_before(bytes, start) {
            return None;
        }
        let number = Number::read(bytes, start);
        let is_number =
            if *first == b'+' { number.is_international() } else { number.is_national() };
        (is_number && !is_tied_behind(bytes, number.end)).then_some(start..number.end)
    })
}

/// Digits in groups, with what stands between them.
struct Number {
    digits: usize,
    /// Digits of each group.
    groups: Vec<usize>,
    separators: Vec<u8>,
    starts_with: u8,
    has_parentheses: bool,
    end: usize,
}

impl Number {
    fn read(bytes: &[u8], start: usize) -> Self {
        let mut out = Self {
            digits: 0,
            groups: vec![0],
            separators: Vec::new(),
            starts_with: b' ',
            has_parentheses: false,
            end: start,
        };
        let mut at = start + usize::from(bytes.get(start) == Some(&b'+'));
        while let Some(byte) = bytes.get(at)
            && out.digits <= DIGITS_MAX
        {
            if byte.is_ascii_digit() {
                if out.digits == 0 {
                    out.starts_with = *byte;
                }
                out.digits += 1;
                if let Some(group) = out.groups.last_mut() {
                    *group += 1;
                }
                out.end = at + 1;
                at += 1;
            } else {
                let gap = gap_bytes(bytes.get(at..).unwrap_or_default());
                if gap == 0 {
                    break;
                }
                out.take_gap(bytes.get(at..at + gap).unwrap_or_default());
                at += gap;
            }
        }
        if out.groups.last() == Some(&0) {
            out.groups.pop();
        }
        out
    }

    /// A gap of several marks, like `) `, is one separator.
    fn take_gap(&mut self, gap: &[u8]) {
        self.has_parentheses |= gap.contains(&b'(') || gap.contains(&b')');
        if self.digits > 0 {
            let mark = gap.iter().find(|byte| !matches!(byte, b'(' | b')' | b' '));
            self.separators.push(mark.copied().unwrap_or(b' '));
            self.groups.push(0);
        }
    }

    fn is_international(&self) -> bool {
        self.starts_with != b'0'
            && (DIGITS_MIN..=DIGITS_MAX).contains(&self.digits)
            && self.groups.iter().all(|group| *group > 0)
    }

    /// A North American number, or one with a trunk prefix: `0…` in at least three groups.
    fn is_national(&self) -> bool {
        let is_north_american = match self.groups.as_slice() {
            [3, 3, 4] => !matches!(self.starts_with, b'0' | b'1'),
            [1, 3, 3, 4] => self.starts_with == b'1',
            _ => false,
        };
        let is_trunk = self.starts_with == b'0'
            && (10..=14).contains(&self.digits)
            && self.groups.len() >= 3
            && self.groups.iter().all(|group| (2..=4).contains(group));
        (is_north_american || is_trunk) && (self.has_parentheses || self.is_uniform())
    }

    fn is_uniform(&self) -> bool {
        self.separators.windows(2).all(|pair| pair.first() == pair.last())
    }
}

/// Bytes that may stand between two groups: one mark, with a space or parentheses beside it.
fn gap_bytes(rest: &[u8]) -> usize {
    const GAPS: &[&[u8]] = &[b") ", b")-", b" (", b"-(", b" ", b"-", b".", b"(", b")"];
    let gap = GAPS.iter().find(|gap| rest.starts_with(gap)).map_or(0, |gap| gap.len());
    let is_before_digit = rest.get(gap).is_some_and(u8::is_ascii_digit);
    if is_before_digit { gap } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::find;

    fn first(text: &str) -> Option<&str> {
        find(text, 0).map(|range| &text[range])
    }

    #[test]
    fn numbers_are_found_as_people_write_them() {
        for (text, expected) in [
            ("+12345678901", Some("+12345678901")),
            ("call +49 30 901820, now", Some("+49 30 901820")),
            ("+1 (212) 555-0123", Some("+1 (212) 555-0123")),
            ("(212) 555-0123", Some("(212) 555-0123")),
            ("212-555-0123", Some("212-555-0123")),
            ("1-212-555-0123", Some("1-212-555-0123")),
            ("212.555.0123.", Some("212.555.0123")),
            ("06 12 34 56 78", Some("06 12 34 56 78")),
            ("0171-555-0123", Some("0171-555-0123")),
            ("+44 20 7946 0958", Some("+44 20 7946 0958")),
            // Too short, too long, bare, dates, addresses of hosts, parts of something longer.
            ("+1234567", None),
            ("+1234567890123456", None),
            ("2125550123", None),
            ("123456789012", None),
            ("2024-05-01 12:00", None),
            ("192.168.100.2000", None),
            ("192.168.100.200", None),
            ("x212-555-0123", None),
            ("212-555-0123x", None),
            ("212-555 0123", None),
            ("a+12345678901", None),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
    }
}
