//! The fields that stay in clear whatever a policy says: they tell what kind of thing happened and how
//! it is to be handled, and routing, retention and duplicates depend on them.

use std::fmt::Write as _;

use crate::rejection::pointer_steps;

/// What of a member of an event stays in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClearPart {
    Nothing,
    /// These members of it.
    Members(&'static [&'static str]),
    Everything,
}

/// By the names of an event's members; whatever is not here may be sealed.
const CLEAR: &[(&str, ClearPart)] = &[
    ("id", ClearPart::Everything),
    ("tenant_id", ClearPart::Everything),
    ("event_type", ClearPart::Everything),
    ("timestamp", ClearPart::Everything),
    ("severity", ClearPart::Everything),
    ("actor", ClearPart::Members(&["type"])),
    ("target", ClearPart::Members(&["type"])),
    ("action", ClearPart::Members(&["verb", "status"])),
    ("context", ClearPart::Everything),
    ("security", ClearPart::Everything),
    ("performance", ClearPart::Everything),
    ("compliance", ClearPart::Members(&["regulations_checked", "traffic_light_status"])),
    ("ai_specific", ClearPart::Members(&["agent_type", "model", "tools_used"])),
    ("intake", ClearPart::Members(&["format", "mapping", "set", "flags"])),
];

fn clear_part(member: &str) -> ClearPart {
    CLEAR.iter().find(|(name, _)| *name == member).map_or(ClearPart::Nothing, |(_, part)| *part)
}

/// Whether the place is in one of these fields: no rule seals it, and nobody looks there for personal
/// data.
pub(crate) fn is_clear<S: AsRef<str>>(names: &[S]) -> bool {
    let Some((member, below)) = names.split_first() else { return false };
    match clear_part(member.as_ref()) {
        ClearPart::Nothing => false,
        ClearPart::Members(clear) => {
            below.first().is_some_and(|name| clear.contains(&name.as_ref()))
        }
        ClearPart::Everything => true,
    }
}

/// Whether some of these fields, and others, stand below the place.
pub(crate) fn is_partly_clear<S: AsRef<str>>(names: &[S]) -> bool {
    matches!(names, [member] if matches!(clear_part(member.as_ref()), ClearPart::Members(_)))
}

/// The list, for whoever wrote a rule about one of them.
pub(crate) fn clear_list() -> String {
    let mut out = String::new();
    for (member, part) in CLEAR {
        let members = match part {
            ClearPart::Members(members) => *members,
            ClearPart::Nothing | ClearPart::Everything => &[""],
        };
        for name in members {
            let (comma, dot) =
                (if out.is_empty() { "" } else { ", " }, if name.is_empty() { "" } else { "." });
            // Writing to a string cannot fail.
            let _ = write!(out, "{comma}{member}{dot}{name}");
        }
    }
    out
}

/// Ids of those whom an event names: whom a record is about is what it says, and no value of theirs.
const NAMED: &[&[&str]] = &[&["actor", "id"], &["target", "id"]];

/// Whether a JSON pointer into an event leads to what the record says of itself, or to something that holds
/// such a thing: which event it is, when it was, what happened, and whom it names.
pub fn is_fact_of_log(pointer: &str) -> bool {
    let steps: Vec<String> = pointer_steps(pointer).collect();
    let is_named = |path: &&[&str]| path.iter().zip(&steps).all(|(name, step)| name == step);
    is_clear(&steps) || is_partly_clear(&steps) || NAMED.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use super::{CLEAR, ClearPart, clear_list, is_clear, is_fact_of_log, is_partly_clear};
    use crate::sealing::PathPattern;

    #[test]
    fn places_are_clear_with_all_that_stands_below() {
        for names in [&["id"][..], &["actor", "type"], &["security", "retention_period_days"]] {
            assert!(is_clear(names) && !is_partly_clear(names), "{names:?}");
        }
        for names in [&["actor"][..], &["intake"]] {
            assert!(!is_clear(names) && is_partly_clear(names), "{names:?}");
        }
        for names in [&[][..], &["data"], &["actor", "id"], &["data", "type"]] {
            assert!(!is_clear(names) && !is_partly_clear(names), "{names:?}");
        }
    }

    #[test]
    fn every_clear_field_is_one_of_an_event() {
        for path in clear_list().split(", ") {
            assert!(PathPattern::parse(path).is_ok(), "{path}");
        }
        assert!(CLEAR.iter().all(|(_, part)| *part != ClearPart::Nothing));
    }

    #[test]
    fn facts_of_the_log_are_told_from_values_of_people() {
        for pointer in [
            "/event_type",
            "/id",
            "/timestamp",
            "/actor",
            "/actor/id",
            "/target/type",
            "/action/status",
            "/context/request_id",
            "/security/pii_detected",
            "",
        ] {
            assert!(is_fact_of_log(pointer), "{pointer}");
        }
        for pointer in [
            "/actor/name",
            "/target/name",
            "/action/description",
            "/data",
            "/data/after/id",
            "/metadata/id",
        ] {
            assert!(!is_fact_of_log(pointer), "{pointer}");
        }
    }
}
