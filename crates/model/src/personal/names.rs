//! The names of one person, and whether an event holds one of them in clear.
//!
//! A name counts where it stands in a value with no letter or digit beside it. Names of members, kinds
//! of things, and ids that many records share are not looked at: somebody may be called `status`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::json::{NotCanonical, Value, ValueKind};
use crate::sealing::is_clear;
use crate::sealing::plan::ENVELOPES;
use crate::sealing::spread::{TOKEN_BYTES_MIN, has_token};

/// Members of `actor` and `target` that name whoever is meant.
const NAMING: [(&str, &str); 4] =
    [("actor", "name"), ("actor", "email"), ("target", "name"), ("target", "email")];

/// Whether the place holds the name of the actor or the target, and which of the two that is.
pub fn names_party(pointer: &str) -> Option<&'static str> {
    let mut steps = pointer.split('/').skip(1);
    let (group, member) = (steps.next()?, steps.next()?);
    let found = NAMING.into_iter().find(|naming| *naming == (group, member))?;
    steps.next().is_none().then_some(found.0)
}

/// What one person is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Notes a name. One of fewer than 6 bytes is passed over: it stands in too many texts that are about
    /// somebody else.
    pub fn note(&mut self, name: &str) {
        let name = name.trim();
        if name.len() >= TOKEN_BYTES_MIN && !self.0.contains(name) {
            self.0.insert(name.to_owned());
        }
    }

    /// Notes what an event calls its actor or target in clear, and answers whether it does.
    pub fn note_party(&mut self, event: &[u8], group: &str) -> Result<bool, NotCanonical> {
        let mut is_named = false;
        let Some(party) = Value::new(event).member(group)? else { return Ok(false) };
        for (_, member) in NAMING.iter().filter(|(of, _)| *of == group) {
            let name = party.member(member)?.and_then(Value::text);
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                self.note(&name);
                is_named = true;
            }
        }
        Ok(is_named)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those that the other has not.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Whether a text holds one of them.
    pub fn stand_in_text(&self, text: &str) -> bool {
        self.0.iter().any(|name| has_token(text, name))
    }

    /// Whether a value of an event, in canonical form, holds one of them in clear.
    pub fn stand_in(&self, event: &[u8]) -> Result<bool, NotCanonical> {
        let may_name = |place: &[Cow<'_, str>]| {
            !is_clear(place) && place.first().is_none_or(|member| member != ENVELOPES)
        };
        self.stand_below(&mut Vec::new(), Value::new(event), &may_name)
    }

    /// Whether a text anywhere in a JSON value, in canonical form, holds one of them. The value may be no
    /// event: all places are looked at, and names of members are not.
    pub fn stand_in_json(&self, value: Value<'_>) -> Result<bool, NotCanonical> {
        self.stand_below(&mut Vec::new(), value, &|_| true)
    }

    fn stand_below<'a>(
        &self,
        place: &mut Vec<Cow<'a, str>>,
        value: Value<'a>,
        may_name: &impl Fn(&[Cow<'a, str>]) -> bool,
    ) -> Result<bool, NotCanonical> {
        if self.is_empty() || !may_name(place) {
            return Ok(false);
        }
        match value.kind() {
            ValueKind::Text => {
                return Ok(value.text().is_some_and(|text| self.stand_in_text(&text)));
            }
            ValueKind::Object => {
                let mut members = value.members();
                while let Some((name, member)) = members.next_member()? {
                    place.push(name.text());
                    let found = self.stand_below(place, member, may_name)?;
                    place.pop();
                    if found {
                        return Ok(true);
                    }
                }
            }
            ValueKind::Array => {
                let mut elements = value.elements();
                while let Some(element) = elements.next_element()? {
                    if self.stand_below(place, element, may_name)? {
                        return Ok(true);
                    }
                }
            }
            ValueKind::Number | ValueKind::Bool | ValueKind::Null => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, names_party};
    use crate::json::Value;

    fn names(of: &[&str]) -> Names {
        let mut names = Names::default();
        of.iter().for_each(|name| names.note(name));
        names
    }

    #[test]
    fn a_name_counts_where_it_stands_in_a_value_by_itself() {
        let ana = names(&["Ana Lima"]);
        for (event, expected) in [
            (r#"{"action":{"description":"for Ana Lima, early"},"event_type":"a.b"}"#, true),
            (r#"{"data":{"list":["x",{"of":"Ana Lima"}]},"event_type":"a.b"}"#, true),
            (r#"{"action":{"description":"Ana Limaro"},"event_type":"a.b"}"#, false),
            (r#"{"action":{"description":"Joana Lima"},"event_type":"a.b"}"#, false),
            (r#"{"data":{"Ana Lima":"x"},"event_type":"a.b"}"#, false),
            (r#"{"event_type":"a.b","sealed":[{"ct":"Ana Lima"}]}"#, false),
        ] {
            assert_eq!(ana.stand_in(event.as_bytes()), Ok(expected), "{event}");
        }
    }

    #[test]
    fn kinds_of_things_and_names_of_members_are_nobodys_name() {
        let odd = names(&["status", "invoice.created", "success"]);
        let event = br#"{"action":{"status":"success"},"data":{"status":1},"event_type":"invoice.created"}"#;
        assert_eq!(odd.stand_in(event), Ok(false));
    }

    #[test]
    fn in_json_that_is_no_event_every_value_is_looked_at() {
        let jose = names(&["José Lima"]);
        for (json, expected) in [
            (r#"["x",{"status":"of José Lima"}]"#, true),
            (r#""José Lima""#, true),
            (r#"{"event_type":"José Lima"}"#, true),
            (r#"{"José Lima":["x",1,null,true]}"#, false),
        ] {
            assert_eq!(jose.stand_in_json(Value::new(json.as_bytes())), Ok(expected), "{json}");
        }
    }

    #[test]
    fn short_names_are_not_looked_for() {
        assert!(names(&["Bo", "", " Ana  "]).is_empty());
        assert_eq!(names(&[" Ana Lima "]).iter().collect::<Vec<_>>(), ["Ana Lima"]);
    }

    #[test]
    fn a_party_is_named_by_its_own_members() {
        let event = br#"{"actor":{"id":"1","name":"Ana Lima"},"target":{"id":"2"}}"#;
        let mut names = Names::default();
        assert_eq!(names.note_party(event, "actor"), Ok(true));
        assert_eq!(names.note_party(event, "target"), Ok(false));
        assert_eq!(names.iter().collect::<Vec<_>>(), ["Ana Lima"]);
        assert_eq!(names_party("/target/name"), Some("target"));
        for elsewhere in ["/data/name", "/actor/name/first", "/actor", "/actor/id", ""] {
            assert_eq!(names_party(elsewhere), None, "{elsewhere}");
        }
    }
}
