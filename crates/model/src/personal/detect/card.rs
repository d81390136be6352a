//! Numbers of payment cards (ISO/IEC 7812-1).

use std::ops::Range;

use super::text_around::{Groups, is_tied_before, is_tied_behind, number_starts};

const DIGITS_MAX: usize = 19;

/// The first card number at or behind `from`: bare, or in groups of equal separators.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    number_starts(bytes, from).find_map(|start| {
        if is_tied_before(bytes, start) {
            return None;
        }
        let groups = Groups::read(bytes, start, b" -", DIGITS_MAX);
        let is_card = !is_tied_behind(bytes, groups.range.end)
            && groups.is_uniform()
            && groups.lengths.len() <= 5
            && (groups.lengths.len() == 1 || groups.lengths.iter().all(|length| *length >= 3))
            && has_issuer(&groups.digits)
            && passes_luhn(&groups.digits);
        is_card.then_some(groups.range)
    })
}

/// Whether prefix and length are those of an issuer.
fn has_issuer(digits: &[u8]) -> bool {
    let prefix = |count: usize| {
        digits.iter().take(count).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    match digits.len() {
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        13 | 16..=19 if prefix(1) == 4 => digits.len() != 17 && digits.len() != 18,
        16 => {
            matches!(prefix(2), 51..=55 | 65 | 62)
                || matches!(prefix(4), 2221..=2720 | 6011 | 3528..=3589)
                || matches!(prefix(3), 644..=649)
        }
        17..=19 => prefix(2) == 62,
        _ => false,
    }
}

/// The check of ISO/IEC 7812-1 annex B: every second digit from the right doubled, the sum of all
/// digits a multiple of ten.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (1, digit) if digit > 4 => digit * 2 - 9,
            (1, digit) => digit * 2,
            (_, digit) => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::find;

    fn first(text: &str) -> Option<&str> {
        find(text, 0).map(|range| &text[range])
    }

    #[test]
    fn cards_are_found_by_issuer_length_and_check_digit() {
        for (text, expected) in [
            ("4111111111111111", Some("4111111111111111")),
            ("card=5555-5555-5555-4444;", Some("5555-5555-5555-4444")),
            ("3782 822463 10005", Some("3782 822463 10005")),
            ("6011111111111117 and", Some("6011111111111117")),
            ("4222222222222", Some("4222222222222")),
            ("30569309025904", Some("30569309025904")),
            // A wrong check digit, no issuer, a part of something longer.
            ("4111111111111112", None),
            ("9111111111111111", None),
            ("x4111111111111111", None),
            ("4111111111111111a", None),
            ("urn-4111111111111111", None),
            ("41111111111111110000", None),
            ("4111-1111 1111-1111", None),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
    }
}
