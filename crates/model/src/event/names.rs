//! Names that belong to the server and may not come from outside.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::rejection::{Faults, pointer_push};

/// Marks a sealed place in a stored event; a sender's own would be taken for one.
const SEALED_MARK: &str = "$sealed";

/// Finds it as a member's name. Built once, since building costs more than searching an event.
static SEALED_MARK_KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"$sealed\":"));

/// Why a member of the event or of one of its groups may not have this name.
pub(super) fn reserved_member(name: &[u8], is_top_level: bool) -> Option<&'static str> {
    match name {
        [b'_', ..] => Some("begins with `_`; such names are the server's own"),
        b"intake" | b"sealed" if is_top_level => Some("is written by the server only"),
        _ => None,
    }
}

/// Why an event from outside may not have this type.
pub(crate) fn reserved_event_type(event_type: &str) -> Option<&'static str> {
    match event_type {
        text if text.starts_with("system.") => {
            Some("begins with system., which only the server writes")
        }
        text if text.starts_with("audit.") => {
            Some("begins with audit., which only the server writes")
        }
        text if text.starts_with('_') => Some("begins with `_`, which only the server writes"),
        _ => None,
    }
}

/// Finds members named `$sealed` at any depth of a canonical text.
pub(super) fn check_sealed_marks(canonical: &[u8], faults: &mut Faults) {
    // The same letters may stand inside a string; the walk tells.
    if SEALED_MARK_KEY.find(canonical).is_some() {
        // Hardly any text comes here, so looking again for the places costs nothing.
        let found = walk(Value::new(canonical), &mut String::new(), faults);
        debug_assert!(found.is_ok(), "canonical text can be walked");
    }
}

/// Depth is bounded by the canonicaliser, so recursion is safe here.
fn walk(value: Value<'_>, pointer: &mut String, faults: &mut Faults) -> Result<(), NotCanonical> {
    let length = pointer.len();
    if value.kind() == ValueKind::Array {
        let mut elements = value.elements();
        let mut index = 0;
        while let Some(element) = elements.next_element()? {
            pointer_push(pointer, &index.to_string());
            walk(element, pointer, faults)?;
            pointer.truncate(length);
            index += 1;
        }
        return Ok(());
    }
    let mut members = value.members();
    while let Some((key, member)) = members.next_member()? {
        let name = key.text();
        pointer_push(pointer, &name);
        if name == SEALED_MARK {
            faults.add(
                pointer.clone(),
                ErrorCode::ReservedName,
                "is the mark of sealed values, which only the server writes",
            );
        }
        walk(member, pointer, faults)?;
        pointer.truncate(length);
    }
    Ok(())
}
