//! What of an event is about one person, to whom it is shown whole: theirs are the values that are
//! sealed under their keys, and what stands in clear where the event is about them.

use std::collections::HashSet;

use crate::sealing::{Envelope, SealingKeyId};

/// Whose own values are shown whole, whatever the sight.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The keys that their values are sealed under.
    pub keys: &'a HashSet<SealingKeyId>,
    pub role: OwnRole,
}

/// Who of an event they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnRole {
    pub is_actor: bool,
    pub is_target: bool,
    /// Whether the target is a person, and not known by its id to be them.
    pub targets_another: bool,
}

impl OwnRole {
    /// Whether what stands in clear below this member of the event is about them: by the same rule as
    /// it is decided whom a field is sealed for.
    pub fn has(self, member: &str) -> bool {
        match member {
            "target" => self.is_target,
            "data" => self.is_target || (self.is_actor && !self.targets_another),
            _ => self.is_actor,
        }
    }

    /// Whether what stands at the place is about another person, whosever key it is sealed under: where the
    /// target is a person who cannot be told by an id, that is the actor's key.
    pub fn is_anothers(self, pointer: &str) -> bool {
        let member = pointer.split('/').nth(1);
        self.targets_another && !self.is_target && matches!(member, Some("target" | "data"))
    }
}

impl Own<'_> {
    /// Whether a value out of the envelope, which was at the place, is theirs.
    pub(super) fn has_sealed(&self, envelope: &Envelope, pointer: &str) -> bool {
        self.has_envelope(envelope) && !self.role.is_anothers(pointer)
    }

    pub(super) fn has_envelope(&self, envelope: &Envelope) -> bool {
        self.keys.contains(envelope.key_id())
    }
}

#[cfg(test)]
mod tests {
    use super::OwnRole;

    #[test]
    fn data_is_the_targets_where_that_is_a_person() {
        let actor = OwnRole { is_actor: true, ..OwnRole::default() };
        assert!(actor.has("actor") && actor.has("data") && actor.has("metadata"));
        assert!(!actor.has("target"));
        let clerk = OwnRole { targets_another: true, ..actor };
        assert!(clerk.has("actor") && !clerk.has("data"));
        assert!(clerk.is_anothers("/target/name") && clerk.is_anothers("/data"));
        assert!(!clerk.is_anothers("/actor/name") && !actor.is_anothers("/data"));
        let customer = OwnRole { is_target: true, ..OwnRole::default() };
        assert!(customer.has("target") && customer.has("data"));
        assert!(!customer.has("actor") && !customer.has("metadata"));
        assert!(["actor", "target", "data"].iter().all(|part| !OwnRole::default().has(part)));
    }
}
