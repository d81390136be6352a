//! US social security numbers, as the Social Security Administration gives them out.

use std::ops::Range;

use super::text_around::{Groups, is_tied_before, is_tied_behind, number_starts};

/// The first number at or behind `from`, written as 3, 2 and 4 digits with `-` or a space between.
/// Nine bare digits may be anything.
pub(super) fn find(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    number_starts(bytes, from).find_map(|start| {
        if is_tied_before(bytes, start) {
            return None;
        }
        let groups = Groups::read(bytes, start, b" -", 9);
        let is_number = groups.lengths == [3, 2, 4]
            && groups.is_uniform()
            && is_given_out(&groups.digits)
            && !is_tied_behind(bytes, groups.range.end);
        is_number.then_some(groups.range)
    })
}

/// No part is all zeros; areas 666 and 900 to 999 are never given out.
fn is_given_out(digits: &[u8]) -> bool {
    let part = |range: std::ops::Range<usize>| {
        let digits = digits.get(range).unwrap_or_default();
        digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    let area = part(0..3);
    area != 0 && area != 666 && area < 900 && part(3..5) != 0 && part(5..9) != 0
}

#[cfg(test)]
mod tests {
    use super::find;

    fn first(text: &str) -> Option<&str> {
        find(text, 0).map(|range| &text[range])
    }

    #[test]
    fn only_numbers_that_are_given_out_are_found() {
        for (text, expected) in [
            ("536-90-4399", Some("536-90-4399")),
            ("ssn: 536 90 4399.", Some("536 90 4399")),
            ("536904399", None),
            ("536-90 4399", None),
            ("000-90-4399", None),
            ("666-90-4399", None),
            ("900-90-4399", None),
            ("536-00-4399", None),
            ("536-90-0000", None),
            ("1536-90-4399", None),
            ("a-536-90-4399", None),
            ("536-90-4399-1", None),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
    }
}
