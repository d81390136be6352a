//! JSON strings: finding the runs that need no work, reading escapes, writing the canonical form.

use super::CanonFault;
use crate::hash::{hex_digit, hex_value};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Number of leading bytes that are neither `"` nor `\` nor below U+0020.
///
/// Eight bytes at a time; a mask's lowest set bit is exact, which is all that is looked at.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let mask = special_mask(u64::from_le_bytes(*word));
        if mask != 0 {
            return length + (mask.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length
        + rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')).unwrap_or(rest.len())
}

const fn special_mask(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    (below_space | is_quote | is_backslash) & HIGHS
}

/// Reads the escape that `bytes` begins with: its character and its length in bytes.
pub(super) fn decode_escape(bytes: &[u8]) -> Result<(char, usize), CanonFault> {
    let character = match bytes.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return decode_unicode_escape(bytes),
        _ => return Err(CanonFault::Syntax("unknown escape in a string")),
    };
    Ok((character, 2))
}

fn decode_unicode_escape(bytes: &[u8]) -> Result<(char, usize), CanonFault> {
    let first = code_unit(bytes)?;
    if !(0xd800..0xe000).contains(&first) {
        let character = char::from_u32(first).ok_or(CanonFault::LoneSurrogate)?;
        return Ok((character, 6));
    }
    let after = bytes.get(6..).unwrap_or_default();
    if first >= 0xdc00 || !after.starts_with(b"\\u") {
        return Err(CanonFault::LoneSurrogate);
    }
    let second = code_unit(after)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(CanonFault::LoneSurrogate);
    }
    let scalar = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    let character = char::from_u32(scalar).ok_or(CanonFault::LoneSurrogate)?;
    Ok((character, 12))
}

/// The code unit of `\uXXXX`; digits of either case.
fn code_unit(bytes: &[u8]) -> Result<u32, CanonFault> {
    const FAULT: CanonFault = CanonFault::Syntax("a \\u escape needs four hexadecimal digits");
    let digits = bytes.get(2..6).ok_or(FAULT)?;
    digits.iter().try_fold(0, |unit, digit| {
        let value = hex_value(digit.to_ascii_lowercase()).ok_or(FAULT)?;
        Ok(unit << 4 | u32::from(value))
    })
}

/// Appends the unescaped text of a string's raw inside, which the scanner has already accepted.
pub(super) fn unescape_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    loop {
        let run = plain_run(rest);
        let (plain, after) = rest.split_at(run);
        out.extend_from_slice(plain);
        let Ok((character, length)) = decode_escape(after) else {
            return;
        };
        push_char(character, out);
        rest = after.get(length..).unwrap_or_default();
    }
}

/// Appends one character as it stands inside a canonical string (RFC 8785 §3.2.2.2).
pub(super) fn write_escaped(character: char, out: &mut Vec<u8>) {
    match u8::try_from(character) {
        Ok(byte @ (0..0x20 | b'"' | b'\\')) => write_special(byte, out),
        _ => push_char(character, out),
    }
}

/// Appends the escape of `"`, `\` or a control character below U+0020.
fn write_special(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0..0x20 => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
            return;
        }
        other => other,
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn push_char(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Appends `text` as a canonical JSON string, quotes included (RFC 8785 §3.2.2.2).
pub fn canonical_string_into(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((special, after)) = after.split_first() else {
            break;
        };
        write_special(*special, out);
        rest = after;
    }
    out.push(b'"');
}
