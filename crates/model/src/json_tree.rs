//! An object opened as far as somebody wants to change it; everything deeper stays text.
//!
//! For the rare roads on which members move: imports, and turning stored events back.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::json::{NotCanonical, Value, ValueKind, name_order};
use crate::json_write::ObjectWriter;

/// A canonical value: opened, or still text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree<'a> {
    /// Canonical JSON of any kind.
    Text(Cow<'a, [u8]>),
    /// The members of an object, in canonical order.
    Object(Vec<(String, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// An object without members.
    pub const fn empty() -> Self {
        Self::Object(Vec::new())
    }

    /// Opens a canonical value `depth` levels deep.
    pub fn read(value: Value<'a>, depth: usize) -> Result<Self, NotCanonical> {
        if depth == 0 || value.kind() != ValueKind::Object {
            return Ok(Self::Text(Cow::Borrowed(value.raw())));
        }
        let mut members = value.members();
        let mut out = Vec::new();
        while let Some((key, member)) = members.next_member()? {
            out.push((key.text().into_owned(), Self::read(member, depth - 1)?));
        }
        Ok(Self::Object(out))
    }

    /// The value, where it is still text.
    pub fn value(&self) -> Option<Value<'_>> {
        match self {
            Self::Text(raw) => Some(Value::new(raw)),
            Self::Object(_) => None,
        }
    }

    /// Whether this is an opened object without members.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Object(members) if members.is_empty())
    }

    /// The value reached by these member names, if all of them are opened.
    pub fn find(&self, path: &[&str]) -> Option<&Self> {
        let mut at = self;
        for name in path {
            let Self::Object(members) = at else {
                return None;
            };
            at = members.iter().find_map(|(key, value)| (key == name).then_some(value))?;
        }
        Some(at)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        let mut at = self;
        for name in path {
            let Self::Object(members) = at else {
                return None;
            };
            at = members.iter_mut().find_map(|(key, value)| (key == name).then_some(value))?;
        }
        Some(at)
    }

    /// Takes out the value at these names.
    pub fn take(&mut self, path: &[&str]) -> Option<Self> {
        let (name, parents) = path.split_last()?;
        let Self::Object(members) = self.find_mut(parents)? else {
            return None;
        };
        let at = members.iter().position(|(key, _)| key == name)?;
        Some(members.remove(at).1)
    }

    /// Writes the value at these names, over what stands there; objects that are missing on the way
    /// are made. Gives the value back where something on the way is not an opened object.
    pub fn put(&mut self, path: &[&str], value: Self) -> Result<(), Self> {
        let Some((name, rest)) = path.split_first() else {
            *self = value;
            return Ok(());
        };
        let Self::Object(members) = self else {
            return Err(value);
        };
        let at = members.partition_point(|(key, _)| name_order(key, name) == Ordering::Less);
        let is_there = members.get(at).is_some_and(|(key, _)| key == name);
        if !is_there {
            members.insert(at, ((*name).to_owned(), Self::empty()));
        }
        match members.get_mut(at) {
            Some((_, member)) => member.put(rest, value),
            None => Err(value),
        }
    }

    /// Adds the members of `other`, going into objects that both have opened. Fails where both give
    /// a value of their own.
    pub fn merge(&mut self, other: Self) -> Result<(), NotMergeable> {
        let (Self::Object(_), Self::Object(members)) = (&self, other) else {
            return Err(NotMergeable);
        };
        for (name, value) in members {
            match self.find_mut(&[&name]) {
                Some(own) => own.merge(value)?,
                None => self.put(&[&name], value).map_err(|_| NotMergeable)?,
            }
        }
        Ok(())
    }

    /// Writes canonical JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(raw) => out.extend_from_slice(raw),
            Self::Object(members) => {
                let mut object = ObjectWriter::open(out);
                for (name, value) in members {
                    value.write(object.key(name));
                }
                object.close();
            }
        }
    }

    /// The canonical JSON.
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// Two values stand at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMergeable;

#[cfg(test)]
mod tests {
    use super::{NotMergeable, Tree};
    use crate::json::Value;

    fn tree(text: &str) -> Tree<'_> {
        Tree::read(Value::new(text.as_bytes()), 2).unwrap()
    }

    fn text(tree: &Tree<'_>) -> String {
        String::from_utf8(tree.to_canonical()).unwrap()
    }

    #[test]
    fn members_are_put_in_canonical_order() {
        let mut one = tree(r#"{"b":{"y":1},"d":2}"#);
        one.put(&["b", "x"], tree("3")).unwrap();
        one.put(&["c", "new"], tree("4")).unwrap();
        one.put(&["d"], tree("5")).unwrap();
        one.put(&["\u{fb33}"], tree("6")).unwrap();
        one.put(&["\u{1f600}"], tree("7")).unwrap();
        assert_eq!(
            text(&one),
            "{\"b\":{\"x\":3,\"y\":1},\"c\":{\"new\":4},\"d\":5,\"\u{1f600}\":7,\"\u{fb33}\":6}"
        );
        assert_eq!(one.put(&["d", "x"], tree("8")), Err(tree("8")));
    }

    #[test]
    fn what_is_taken_is_gone() {
        let mut one = tree(r#"{"a":{"b":1,"c":2}}"#);
        assert_eq!(one.take(&["a", "b"]), Some(tree("1")));
        assert_eq!(one.take(&["a", "b"]), None);
        assert_eq!(one.take(&["a", "c", "d"]), None);
        assert_eq!(text(&one), r#"{"a":{"c":2}}"#);
    }

    #[test]
    fn objects_merge_and_values_do_not() {
        let mut one = tree(r#"{"a":{"b":1}}"#);
        assert_eq!(one.merge(tree(r#"{"a":{"c":2},"d":3}"#)), Ok(()));
        assert_eq!(text(&one), r#"{"a":{"b":1,"c":2},"d":3}"#);
        assert_eq!(one.merge(tree(r#"{"d":3}"#)), Err(NotMergeable));
        assert_eq!(one.merge(tree("7")), Err(NotMergeable));
    }
}
