//! The fields in which nobody looks for personal data that no rule names.

use std::borrow::Cow;

/// Fields that name kinds of things and never people, and ids that many records share.
const CLEAR_PATHS: &[&[&str]] = &[
    &["id"],
    &["tenant_id"],
    &["event_type"],
    &["timestamp"],
    &["severity"],
    &["actor", "type"],
    &["target", "type"],
    &["action", "verb"],
    &["action", "status"],
    &["context"],
    &["security"],
    &["performance"],
    &["compliance", "regulations_checked"],
    &["compliance", "traffic_light_status"],
    &["ai_specific", "agent_type"],
    &["ai_specific", "model"],
    &["ai_specific", "tools_used"],
    &["intake", "format"],
    &["intake", "mapping"],
    &["intake", "set"],
    &["intake", "flags"],
];

/// Whether the place is in one of these fields.
pub(crate) fn is_clear(names: &[Cow<'_, str>]) -> bool {
    CLEAR_PATHS.iter().any(|path| {
        path.len() <= names.len()
            && path.iter().zip(names).all(|(step, name)| *step == name.as_ref())
    })
}
