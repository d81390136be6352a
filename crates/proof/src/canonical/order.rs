//! The order of an object's members: UTF-16 code units of the unescaped names (RFC 8785 §3.2.3).

use std::cmp::Ordering;

use super::{CanonError, CanonFault};

/// Working memory of one canonicalisation, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Members of all objects that are open, outermost first.
    pub(super) members: Vec<Member>,
    /// The containers that are open, outermost first.
    pub(super) frames: Vec<Frame>,
    /// Unescaped text of the names that are written with escapes.
    pub(super) names: Vec<u8>,
    /// An object's members while they are put in order.
    body: Vec<u8>,
}

/// One member of an open object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Range of the unescaped name: in the text, or in `Scratch::names` if it has escapes.
    pub(super) name_start: usize,
    pub(super) name_end: usize,
    pub(super) escaped: bool,
    /// Offset of the name's opening quote in the text.
    pub(super) offset: usize,
    /// Range of the member in the output; the end is known once the object closes.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A container that is open.
#[derive(Debug, Clone, Copy)]
pub(super) enum Frame {
    Array {
        /// Index of the element at hand.
        index: usize,
    },
    Object {
        /// Index of its first member in `Scratch::members`.
        first: usize,
        /// Whether the names came in ascending order so far.
        ascending: bool,
    },
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.members.clear();
        self.frames.clear();
        self.names.clear();
    }

    /// The unescaped name of a member.
    pub(super) fn name<'a>(&'a self, member: &Member, text: &'a [u8]) -> &'a [u8] {
        name_of(member, text, &self.names)
    }

    /// Puts the members of an object, which end `out`, into canonical order.
    pub(super) fn sort_members(
        &mut self,
        first: usize,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CanonError> {
        let Some(members) = self.members.get_mut(first..) else {
            return Ok(());
        };
        let body_start = members.first().map_or(out.len(), |member| member.start);
        let mut end = out.len();
        for member in members.iter_mut().rev() {
            member.end = end;
            // A comma stands between a member and the next.
            end = member.start.saturating_sub(1);
        }
        let names = &self.names;
        members.sort_by(|a, b| compare_names(name_of(a, text, names), name_of(b, text, names)));
        refuse_duplicates(members, text, names)?;
        self.body.clear();
        for member in members {
            if !self.body.is_empty() {
                self.body.push(b',');
            }
            let bytes = out.get(member.start..member.end).unwrap_or_default();
            self.body.extend_from_slice(bytes);
        }
        out.truncate(body_start);
        out.extend_from_slice(&self.body);
        Ok(())
    }
}

fn name_of<'a>(member: &Member, text: &'a [u8], names: &'a [u8]) -> &'a [u8] {
    let source = if member.escaped { names } else { text };
    source.get(member.name_start..member.name_end).unwrap_or_default()
}

/// The sort is stable, so of two equal names the one sent later stands second.
fn refuse_duplicates(members: &[Member], text: &[u8], names: &[u8]) -> Result<(), CanonError> {
    let later = members
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if name_of(a, text, names) == name_of(b, text, names) => Some(b.offset),
            _ => None,
        })
        .min();
    later.map_or(Ok(()), |offset| Err(CanonError { offset, fault: CanonFault::DuplicateKey }))
}

/// Compares two UTF-8 names as sequences of UTF-16 code units.
///
/// Byte order is code point order; UTF-16 differs only in that surrogates, which stand for
/// U+10000 and above (lead bytes from 0xF0), sort before U+E000 to U+FFFF (0xEE and 0xEF). The
/// first bytes that differ stand at the same place of a character on both sides.
pub(super) fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: u8| match byte {
        0xee | 0xef => byte + 0x10,
        _ => byte,
    };
    a.iter()
        .zip(b)
        .find(|(x, y)| x != y)
        .map_or_else(|| a.len().cmp(&b.len()), |(x, y)| rank(*x).cmp(&rank(*y)))
}
