//! International bank account numbers (ISO 13616-1).

use std::ops::Range;

use super::text_around::{is_tied_before, is_tied_behind};

/// Length of the whole number by country, from the registry of ISO 13616.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// The first number at or behind `from`, bare or with single spaces.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find_map(|start| {
        let country = bytes.get(start..start + 2)?;
        if !country.first().is_some_and(u8::is_ascii_uppercase) {
            return None;
        }
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        if !is_digit(start + 2) || !is_digit(start + 3) || is_tied_before(bytes, start) {
            return None;
        }
        let (_, length) = LENGTHS.iter().find(|(known, _)| known.as_slice() == country)?;
        let end = end_of(bytes, start, *length)?;
        let number = bytes.get(start..end)?;
        (!is_tied_behind(bytes, end) && passes_check(number)).then_some(start..end)
    })
}

/// Where the `length`th letter or digit ends; single spaces may stand between them.
fn end_of(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut count = 0;
    let mut was_space = false;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b' ' if !was_space => was_space = true,
            byte if byte.is_ascii_uppercase() || byte.is_ascii_digit() => {
                was_space = false;
                count += 1;
            }
            _ => return None,
        }
        if count == length {
            return Some(at + 1);
        }
    }
    None
}

/// ISO 7064 MOD 97-10 with the first four characters moved to the end.
fn passes_check(number: &[u8]) -> bool {
    let letters = || number.iter().filter(|byte| **byte != b' ');
    let moved = letters().skip(4).chain(letters().take(4));
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter.wrapping_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::{LENGTHS, find};

    fn first(text: &str) -> Option<&str> {
        find(text, 0).map(|range| &text[range])
    }

    #[test]
    fn numbers_are_found_by_country_length_and_check_digits() {
        for (text, expected) in [
            ("GB82WEST12345698765432", Some("GB82WEST12345698765432")),
            ("to GB82 WEST 1234 5698 7654 32.", Some("GB82 WEST 1234 5698 7654 32")),
            ("FR1420041010050500013M02606", Some("FR1420041010050500013M02606")),
            ("NO9386011117947", Some("NO9386011117947")),
            ("GB82WEST12345698765433", None),
            ("GB82WEST1234569876543", None),
            ("GB82WEST123456987654321", None),
            ("XX82WEST12345698765432", None),
            ("AGB82WEST12345698765432", None),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
    }

    #[test]
    fn countries_are_in_order() {
        assert!(LENGTHS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
