//! What stands around a piece of text, and numbers that are written in groups.

use std::ops::Range;

/// Whether a letter or digit stands right before `at`, or a mark that ties it to one.
pub(super) fn is_tied_before(text: &[u8], at: usize) -> bool {
    match text.get(..at).unwrap_or_default() {
        [.., before] if is_word(*before) => true,
        [.., far, before] if is_joint(*before) => is_word(*far),
        _ => false,
    }
}

/// Whether a letter or digit stands right behind `end`, or a mark that ties it to one.
pub(super) fn is_tied_behind(text: &[u8], end: usize) -> bool {
    match text.get(end..).unwrap_or_default() {
        [behind, ..] if is_word(*behind) => true,
        [behind, far, ..] if is_joint(*behind) => is_word(*far),
        _ => false,
    }
}

/// Bytes above ASCII belong to letters more often than not.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

const fn is_joint(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'/' | b'\\')
}

/// Digits from `start` on, in groups with one of `separators` between two of them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) digits: Vec<u8>,
    /// Digits of each group.
    pub(super) lengths: Vec<usize>,
    pub(super) separators: Vec<u8>,
    pub(super) range: Range<usize>,
}

impl Groups {
    /// Reads as many groups as there are, up to `digits_max` digits.
    pub(super) fn read(text: &[u8], start: usize, separators: &[u8], digits_max: usize) -> Self {
        let mut out = Self { range: start..start, ..Self::default() };
        let mut at = start;
        loop {
            let group = text.get(at..).unwrap_or_default();
            let length = group.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 || out.digits.len() + length > digits_max {
                // A separator without digits behind it does not belong.
                out.separators.truncate(out.lengths.len().saturating_sub(1));
                return out;
            }
            out.digits.extend(group.iter().take(length).map(|byte| byte - b'0'));
            out.lengths.push(length);
            at += length;
            out.range.end = at;
            match text.get(at) {
                Some(byte) if separators.contains(byte) => out.separators.push(*byte),
                _ => return out,
            }
            at += 1;
        }
    }

    /// Whether all separators are the same byte.
    pub(super) fn is_uniform(&self) -> bool {
        self.separators.windows(2).all(|pair| pair.first() == pair.last())
    }
}

/// The places at or behind `from` where a digit begins a number.
pub(super) fn number_starts(text: &[u8], from: usize) -> impl Iterator<Item = usize> {
    let is_start = move |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        text.get(*at).is_some_and(u8::is_ascii_digit) && !before.is_some_and(u8::is_ascii_digit)
    };
    (from..text.len()).filter(is_start)
}
