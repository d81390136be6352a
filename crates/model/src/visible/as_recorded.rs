//! What an event that is shown has to do with the one that is recorded, for whoever has both and no
//! keys: what stands in clear in the record is what is shown, and what is sealed may be anything.

use crate::json::{Members, NotCanonical, Value, ValueKind, name_order};
use crate::rejection::{pointer_push, pointer_steps};
use crate::sealing::opening::envelope_index;
use crate::sealing::plan::ENVELOPES;

/// Whether anything stands in clear at a JSON pointer into a recorded event; names of members are not
/// looked at. A pointer that leads nowhere is taken to lead to something that does.
pub fn is_in_clear(recorded: &[u8], pointer: &str) -> Result<bool, NotCanonical> {
    let mut value = Value::new(recorded);
    for step in pointer_steps(pointer) {
        if envelope_index(value)?.is_some() {
            return Ok(false);
        }
        match inner(value, &step)? {
            Some(found) => value = found,
            None => return Ok(true),
        }
    }
    has_clear_values(value)
}

/// The JSON pointer to the first place at which the event that is shown is not the recorded one; `None`
/// where they go together. Where values are sealed, or all of those in an object or array that
/// `is_replaced`, anything may be shown.
pub fn departure(
    recorded: &[u8],
    shown: &[u8],
    is_replaced: &impl Fn(&str) -> bool,
) -> Result<Option<String>, NotCanonical> {
    let mut comparing = Comparing { is_replaced, pointer: String::new() };
    let is_same = comparing.values(Value::new(recorded), Value::new(shown))?;
    Ok((!is_same).then_some(comparing.pointer))
}

struct Comparing<'a, F> {
    is_replaced: &'a F,
    /// Where the walk is; once something is not the same, where that stands.
    pointer: String,
}

impl<F: Fn(&str) -> bool> Comparing<'_, F> {
    /// Goes no deeper than canonical JSON is nested.
    fn values(&mut self, recorded: Value<'_>, shown: Value<'_>) -> Result<bool, NotCanonical> {
        if envelope_index(recorded)?.is_some()
            || ((self.is_replaced)(&self.pointer) && !has_clear_values(recorded)?)
        {
            return Ok(true);
        }
        match (recorded.kind(), shown.kind()) {
            (ValueKind::Object, ValueKind::Object) => self.members(recorded, shown),
            (ValueKind::Array, ValueKind::Array) => self.elements(recorded, shown),
            _ => Ok(recorded.raw() == shown.raw()),
        }
    }

    fn members(&mut self, recorded: Value<'_>, shown: Value<'_>) -> Result<bool, NotCanonical> {
        let is_event = self.pointer.is_empty();
        let (mut left, mut right) = (recorded.members(), shown.members());
        loop {
            let next = match left.next_member()? {
                Some((key, _)) if is_event && key.raw() == ENVELOPES.as_bytes() => {
                    left.next_member()?
                }
                next => next,
            };
            let length = self.pointer.len();
            match (next, right.next_member()?) {
                (None, None) => return Ok(true),
                (Some((key, value)), Some((other, shown))) if key.raw() == other.raw() => {
                    pointer_push(&mut self.pointer, &key.text());
                    if !self.values(value, shown)? {
                        return Ok(false);
                    }
                    self.pointer.truncate(length);
                }
                (Some((key, _)), None) | (None, Some((key, _))) => {
                    pointer_push(&mut self.pointer, &key.text());
                    return Ok(false);
                }
                (Some((lacking, _)), Some((added, _))) => {
                    // What comes first in the order of names is what only one of them has.
                    let (lacking, added) = (lacking.text(), added.text());
                    let first = std::cmp::min_by(lacking, added, |a, b| name_order(a, b));
                    pointer_push(&mut self.pointer, &first);
                    return Ok(false);
                }
            }
        }
    }

    fn elements(&mut self, recorded: Value<'_>, shown: Value<'_>) -> Result<bool, NotCanonical> {
        let (mut left, mut right) = (recorded.elements(), shown.elements());
        for index in 0_usize.. {
            let length = self.pointer.len();
            let both = (left.next_element()?, right.next_element()?);
            if both == (None, None) {
                break;
            }
            pointer_push(&mut self.pointer, &index.to_string());
            let (Some(value), Some(shown)) = both else { return Ok(false) };
            if !self.values(value, shown)? {
                return Ok(false);
            }
            self.pointer.truncate(length);
        }
        Ok(true)
    }
}

/// The member or element of this name, escapes undone.
fn inner<'a>(value: Value<'a>, step: &str) -> Result<Option<Value<'a>>, NotCanonical> {
    if value.kind() == ValueKind::Array {
        return crate::json_pointer::step_into(value, step);
    }
    let mut members: Members<'a> = value.members();
    while let Some((key, member)) = members.next_member()? {
        if key.text() == step {
            return Ok(Some(member));
        }
    }
    Ok(None)
}

fn has_clear_values(value: Value<'_>) -> Result<bool, NotCanonical> {
    if envelope_index(value)?.is_some() {
        return Ok(false);
    }
    match value.kind() {
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                if has_clear_values(member)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if has_clear_values(element)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::{departure, is_in_clear};

    const RECORDED: &[u8] = br#"{"actor":{"id":"u-1","name":{"$sealed":0}},"data":{"a\"b":[1,{"$sealed":1}],"all":{"x":{"$sealed":0}}},"event_type":"user.login","sealed":["x","y"]}"#;

    fn departs(shown: &str, replaced: &[&str]) -> Option<String> {
        let is_replaced = |pointer: &str| replaced.contains(&pointer);
        departure(RECORDED, shown.as_bytes(), &is_replaced).unwrap()
    }

    #[test]
    fn what_is_sealed_is_shown_as_anything_and_what_is_clear_as_it_is() {
        let shown = r#"{"actor":{"id":"u-1","name":"Ana"},"data":{"a\"b":[1,{"n":2}],"all":{"x":0}},"event_type":"user.login"}"#;
        assert_eq!(departs(shown, &[]), None);
        for (from, to, place) in [
            ("user.login", "user.delete", "/event_type"),
            ("u-1", "u-2", "/actor/id"),
            ("[1,", "[2,", "/data/a\"b/0"),
            (r#",{"n":2}]"#, "]", "/data/a\"b/1"),
            (r#"{"n":2}]"#, r#"{"n":2},3]"#, "/data/a\"b/2"),
            (r#""id":"u-1","#, "", "/actor/id"),
            (r#""id":"u-1","#, r#""id":"u-1","mail":"x","#, "/actor/mail"),
            (r#""actor":"#, r#""aardvark":1,"actor":"#, "/aardvark"),
            (r#"{"x":0}"#, "7", "/data/all"),
            (r#","event_type":"user.login""#, "", "/event_type"),
            (r#""user.login"}"#, r#""user.login","zeal":1}"#, "/zeal"),
        ] {
            assert_eq!(departs(&shown.replacen(from, to, 1), &[]).as_deref(), Some(place), "{to}");
        }
    }

    #[test]
    fn an_object_is_replaced_only_where_nothing_in_it_is_clear() {
        let shown =
            r#"{"actor":"****","data":{"a\"b":[1,0],"all":"****"},"event_type":"user.login"}"#;
        let replaced = ["/actor", "/data/all"];
        assert_eq!(departs(shown, &replaced).as_deref(), Some("/actor"));
        let shown = shown.replace(r#""actor":"****""#, r#""actor":{"id":"u-1","name":0}"#);
        assert_eq!(departs(&shown, &replaced), None);
    }

    #[test]
    fn what_is_in_clear_is_told_from_what_is_sealed() {
        for (pointer, is) in [
            ("", true),
            ("/actor", true),
            ("/actor/id", true),
            ("/actor/name", false),
            ("/actor/name/first", false),
            ("/data/a\"b/0", true),
            ("/data/a\"b/1", false),
            ("/data/all", false),
            ("/data/nothing", true),
        ] {
            assert_eq!(is_in_clear(RECORDED, pointer), Ok(is), "{pointer}");
        }
    }
}
