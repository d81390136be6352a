//! Reads canonical JSON text in place, because a tree of every event would cost more than all
//! else that ingest does.
//!
//! The text must be canonical (RFC 8785): no white space, sorted keys, no needless escapes. The
//! walker checks only what it must to stay in bounds; on any other bytes it answers
//! [`NotCanonical`] or reads something meaningless, and it never panics or recurses.

use std::borrow::Cow;
use std::cmp::Ordering;

use memchr::memchr2;
use thiserror::Error;

/// Bytes of a string that are searched without a vector search.
const SHORT_STRING_BYTES: usize = 40;

/// The text is not the canonical JSON it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("text is not canonical json near byte {offset}")]
pub struct NotCanonical {
    offset: usize,
}

impl NotCanonical {
    /// Where reading stopped, in bytes from the start of the value being read.
    pub const fn offset(self) -> usize {
        self.offset
    }
}

/// The six kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

/// The bytes of one value inside a canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// Takes the bytes of exactly one canonical value, which is not checked here.
    pub const fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The value's own bytes.
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// What kind of value this is, told by its first byte.
    pub fn kind(self) -> ValueKind {
        match self.raw.first() {
            Some(b'{') => ValueKind::Object,
            Some(b'[') => ValueKind::Array,
            Some(b'"') => ValueKind::Text,
            Some(b't' | b'f') => ValueKind::Bool,
            Some(b'n') => ValueKind::Null,
            _ => ValueKind::Number,
        }
    }

    /// The members of an object; of any other value, none.
    pub fn members(self) -> Members<'a> {
        Members { text: self.raw.strip_prefix(b"{").unwrap_or(b"}"), at: 0 }
    }

    /// The elements of an array; of any other value, none.
    pub fn elements(self) -> Elements<'a> {
        Elements { text: self.raw.strip_prefix(b"[").unwrap_or(b"]"), at: 0 }
    }

    /// The text of a string with its escapes undone; `None` for other kinds.
    pub fn text(self) -> Option<Cow<'a, str>> {
        (self.kind() == ValueKind::Text).then(|| decode(string_body(self.raw))).flatten()
    }

    /// The value of a boolean; `None` for other kinds.
    pub fn boolean(self) -> Option<bool> {
        match self.raw {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The value of a number; `None` for other kinds.
    pub fn number(self) -> Option<f64> {
        if self.kind() != ValueKind::Number {
            return None;
        }
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// The value of a number that is whole and not negative; `None` for everything else.
    pub fn unsigned(self) -> Option<u64> {
        std::str::from_utf8(self.raw).ok()?.parse().ok()
    }

    /// The value of the member named `key` (a name without escapes) of an object.
    pub fn member(self, key: &str) -> Result<Option<Value<'a>>, NotCanonical> {
        let mut members = self.members();
        while let Some((name, value)) = members.next_member()? {
            if name.raw() == key.as_bytes() {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// The name of a member, as it stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    raw: &'a [u8],
}

impl<'a> Key<'a> {
    /// The bytes between the quotes, escapes and all.
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The name with its escapes undone.
    pub fn text(self) -> Cow<'a, str> {
        decode(self.raw).unwrap_or_else(|| String::from_utf8_lossy(self.raw))
    }
}

/// The order of two names in canonical JSON: by UTF-16 code units (RFC 8785 section 3.2.3).
pub fn name_order(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        return left.cmp(right);
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Walks the members of an object in the order of the text.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    /// What stands behind the opening bracket, the closing one and maybe more included.
    text: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    /// The next name and value, or `None` after the last.
    pub fn next_member(&mut self) -> Result<Option<(Key<'a>, Value<'a>)>, NotCanonical> {
        match self.next_name()? {
            Some(key) => Ok(Some((key, self.value()?))),
            None => Ok(None),
        }
    }

    /// The next name, or `None` after the last. [`Self::value`], or [`Self::enter`] and
    /// [`Self::leave`], must come before the one after it.
    pub fn next_name(&mut self) -> Result<Option<Key<'a>>, NotCanonical> {
        let Some(start) = next_start(self.text, self.at, b'}')? else {
            return Ok(None);
        };
        let colon = skip_string(self.text, start)?;
        if self.text.get(colon) != Some(&b':') {
            return Err(NotCanonical { offset: colon });
        }
        self.at = colon + 1;
        Ok(Some(Key { raw: slice(self.text, start + 1, colon - 1) }))
    }

    /// The value of the name that was just read.
    pub fn value(&mut self) -> Result<Value<'a>, NotCanonical> {
        let end = skip_value(self.text, self.at)?;
        let raw = slice(self.text, self.at, end);
        self.at = end;
        Ok(Value { raw })
    }

    /// The members of the value of the name that was just read, if it is an object. Unlike
    /// [`Self::value`] this does not look for its end first.
    pub fn enter(&self) -> Option<Self> {
        let rest = self.text.get(self.at..)?.strip_prefix(b"{")?;
        Some(Self { text: rest, at: 0 })
    }

    /// Goes on behind an entered object of which every member was read.
    pub fn leave(&mut self, inner: &Self) {
        self.at += inner.at + 2;
    }
}

/// Walks the elements of an array in the order of the text.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    /// The next element, or `None` after the last.
    pub fn next_element(&mut self) -> Result<Option<Value<'a>>, NotCanonical> {
        let Some(start) = next_start(self.text, self.at, b']')? else {
            return Ok(None);
        };
        let end = skip_value(self.text, start)?;
        self.at = end;
        Ok(Some(Value { raw: slice(self.text, start, end) }))
    }
}

/// Where the next member or element starts: after a comma unless it is the first.
fn next_start(text: &[u8], at: usize, close: u8) -> Result<Option<usize>, NotCanonical> {
    match text.get(at) {
        Some(byte) if *byte == close => Ok(None),
        Some(_) if at == 0 => Ok(Some(0)),
        Some(b',') => Ok(Some(at + 1)),
        _ => Err(NotCanonical { offset: at }),
    }
}

/// The end of the value that starts at `at`; objects and arrays are crossed by counting brackets.
fn skip_value(text: &[u8], at: usize) -> Result<usize, NotCanonical> {
    match text.get(at) {
        Some(b'"') => skip_string(text, at),
        Some(b'{' | b'[') => skip_nested(text, at),
        _ => skip_scalar(text, at),
    }
}

fn skip_scalar(text: &[u8], at: usize) -> Result<usize, NotCanonical> {
    let rest = text.get(at..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b'}' | b']' | b'"' | b':' | b'{' | b'['))
        .unwrap_or(rest.len());
    if length == 0 {
        return Err(NotCanonical { offset: at });
    }
    Ok(at + length)
}

fn skip_nested(text: &[u8], start: usize) -> Result<usize, NotCanonical> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
    Err(NotCanonical { offset: at })
}

/// The byte after the closing quote of the string that starts at `start`.
fn skip_string(text: &[u8], start: usize) -> Result<usize, NotCanonical> {
    if text.get(start) != Some(&b'"') {
        return Err(NotCanonical { offset: start });
    }
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(found) = find_quote_or_escape(rest) else {
            return Err(NotCanonical { offset: text.len() });
        };
        at += found;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// Most names and many values are shorter than what a vector search costs to set up, so the first
/// bytes are searched eight at a time.
fn find_quote_or_escape(rest: &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_at(rest.len().min(SHORT_STRING_BYTES));
    let (words, odd) = head.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let found = quotes_and_escapes(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(place * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    match odd.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(found) => Some(words.len() * 8 + found),
        None => memchr2(b'"', b'\\', tail).map(|found| head.len() + found),
    }
}

/// Sets the high bit of each byte of a word that is `"` or `\`. Bits above the lowest one that is
/// set may be wrong, and are not looked at.
const fn quotes_and_escapes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = word ^ (ONES * b'"' as u64);
    let escape = word ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_escape = escape.wrapping_sub(ONES) & !escape;
    (is_quote | is_escape) & (ONES << 7)
}

fn string_body(raw: &[u8]) -> &[u8] {
    match raw {
        [b'"', body @ .., b'"'] => body,
        _ => &[],
    }
}

fn slice(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to).unwrap_or_default()
}

/// Undoes the escapes of RFC 8785 section 3.2.2.2; `None` where the bytes hold anything else.
fn decode(body: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        out.push(match chars.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let digits = escape.get(1..5)?;
                chars = escape.get(5..)?.chars();
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            other => other,
        });
        rest = chars.as_str();
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::{NotCanonical, Value, ValueKind, name_order};
    use std::cmp::Ordering;

    fn names(text: &str) -> Result<Vec<(String, String)>, NotCanonical> {
        let mut members = Value::new(text.as_bytes()).members();
        let mut out = Vec::new();
        while let Some((key, value)) = members.next_member()? {
            let raw = String::from_utf8_lossy(value.raw()).into_owned();
            out.push((key.text().into_owned(), raw));
        }
        Ok(out)
    }

    #[test]
    fn members_are_walked_in_order() {
        let text = r#"{"a":[1,{"x":"]"}],"b\"":"q\\","c":-1.5,"d":{},"e":null}"#;
        let found = names(text).unwrap();
        let expected = [
            ("a", r#"[1,{"x":"]"}]"#),
            ("b\"", r#""q\\""#),
            ("c", "-1.5"),
            ("d", "{}"),
            ("e", "null"),
        ];
        assert_eq!(found.len(), expected.len());
        for ((key, value), (want_key, want_value)) in found.iter().zip(expected) {
            assert_eq!((key.as_str(), value.as_str()), (want_key, want_value));
        }
    }

    #[test]
    fn elements_and_scalars() {
        let mut elements = Value::new(br#"[1,"a\u0000b\n\"",true,[],0.5]"#).elements();
        assert_eq!(elements.next_element().unwrap().unwrap().unsigned(), Some(1));
        let text = elements.next_element().unwrap().unwrap();
        assert_eq!(text.text().unwrap(), "a\0b\n\"");
        assert_eq!(elements.next_element().unwrap().unwrap().boolean(), Some(true));
        assert_eq!(elements.next_element().unwrap().unwrap().kind(), ValueKind::Array);
        assert_eq!(elements.next_element().unwrap().unwrap().number(), Some(0.5));
        assert_eq!(elements.next_element().unwrap(), None);
    }

    #[test]
    fn empty_containers_have_nothing_in_them() {
        assert_eq!(names("{}").unwrap(), []);
        assert_eq!(Value::new(b"[]").elements().next_element().unwrap(), None);
        assert_eq!(Value::new(b"7").members().next_member().unwrap(), None);
    }

    #[test]
    fn broken_text_is_an_error_and_not_a_panic() {
        for text in [
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"b":2}"#,
            r#"{"a:1}"#,
            r"{a:1}",
            r#"{"a":[1}"#,
            r#"{"a":"\}"#,
            r#"{,"a":1}"#,
        ] {
            assert!(names(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_ordered_by_utf16() {
        assert_eq!(name_order("a", "b"), Ordering::Less);
        // U+1F600 is D83D DE00 in UTF-16 and sorts before U+FB33, though not in UTF-8.
        assert_eq!(name_order("\u{1f600}", "\u{fb33}"), Ordering::Less);
    }
}
