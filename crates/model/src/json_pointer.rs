//! Finds the value that a JSON pointer (RFC 6901) leads to.

use crate::json::{NotCanonical, Value, ValueKind};
use crate::rejection::{pointer_push, pointer_steps};

/// Whether a text is a pointer to something inside a value, written as RFC 6901 section 3 says.
pub fn is_pointer(text: &str) -> bool {
    let mut again = String::with_capacity(text.len());
    for step in pointer_steps(text) {
        pointer_push(&mut again, &step);
    }
    !text.is_empty() && again == text
}

/// The value at a pointer; `None` where it leads nowhere.
pub fn value_at<'a>(value: Value<'a>, pointer: &str) -> Result<Option<Value<'a>>, NotCanonical> {
    let mut found = value;
    for step in pointer_steps(pointer) {
        match step_into(found, &step)? {
            Some(inner) => found = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// The member or element of this name.
pub fn step_into<'a>(value: Value<'a>, step: &str) -> Result<Option<Value<'a>>, NotCanonical> {
    if value.kind() != ValueKind::Array {
        return value.member(step);
    }
    let is_index = step == "0" || (!step.starts_with('0') && !step.starts_with('+'));
    let Some(index) = step.parse::<usize>().ok().filter(|_| is_index) else { return Ok(None) };
    let mut elements = value.elements();
    let mut at = 0;
    while let Some(element) = elements.next_element()? {
        if at == index {
            return Ok(Some(element));
        }
        at += 1;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::{is_pointer, value_at};
    use crate::json::Value;

    #[test]
    fn the_examples_of_the_rfc_lead_where_it_says() {
        let text = br#"{"":0,"a/b":1,"foo":["bar","baz"],"m~n":8}"#;
        for (pointer, found) in [
            ("", Some(&text[..])),
            ("/foo", Some(br#"["bar","baz"]"#)),
            ("/foo/0", Some(br#""bar""#)),
            ("/foo/1", Some(br#""baz""#)),
            ("/foo/2", None),
            ("/foo/01", None),
            ("/foo/+1", None),
            ("/foo/-", None),
            ("/foo/0/x", None),
            ("/", Some(b"0")),
            ("/a~1b", Some(b"1")),
            ("/m~0n", Some(b"8")),
            ("/nothing", None),
        ] {
            let value = value_at(Value::new(text), pointer).unwrap().map(Value::raw);
            assert_eq!(value, found, "{pointer}");
        }
    }

    #[test]
    fn other_texts_are_no_pointers() {
        for (text, is) in
            [("/a/b", true), ("/", true), ("", false), ("a", false), ("/a~2", false), ("/~", false)]
        {
            assert_eq!(is_pointer(text), is, "{text}");
        }
    }
}
