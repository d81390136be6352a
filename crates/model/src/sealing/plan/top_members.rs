//! The members of an event, each found and its name read once, because finding where each ends is most of what
//! it costs to look into an event.

use std::borrow::Cow;

use super::offset_in;
use crate::json::{Key, NotCanonical, Value, name_order};

/// Most events have no more.
const USUAL_MEMBERS: usize = 16;

/// Where the envelopes go into the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberGap {
    pub(super) at: usize,
    /// Whether no member stands behind it.
    pub(super) is_last: bool,
}

/// The members of one event, in its order.
pub(super) struct TopMembers<'a>(Vec<TopMember<'a>>);

pub(super) struct TopMember<'a> {
    pub(super) name: Cow<'a, str>,
    key: Key<'a>,
    pub(super) value: Value<'a>,
}

impl<'a> TopMembers<'a> {
    pub(super) fn read(text: &'a [u8]) -> Result<Self, NotCanonical> {
        let mut found = Vec::with_capacity(USUAL_MEMBERS);
        let mut members = Value::new(text).members();
        while let Some((key, value)) = members.next_member()? {
            found.push(TopMember { name: key.text(), key, value });
        }
        Ok(Self(found))
    }

    pub(super) fn member(&self, name: &str) -> Option<Value<'a>> {
        let found = self.0.iter().find(|member| member.name == name);
        found.map(|member| member.value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TopMember<'a>> {
        self.0.iter()
    }

    /// Where a new member goes, if the event is not empty.
    pub(super) fn gap(&self, text: &[u8], name: &str) -> MemberGap {
        let behind = self.0.iter().find(|member| name_order(&member.name, name).is_gt());
        match behind {
            // The quote stands before the name.
            Some(member) => MemberGap {
                at: offset_in(text, member.key.raw()).saturating_sub(1),
                is_last: false,
            },
            None => MemberGap { at: text.len().saturating_sub(1), is_last: true },
        }
    }
}
