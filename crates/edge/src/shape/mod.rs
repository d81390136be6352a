//! Flat shapes of events that other systems send, and how each becomes an event of the model.
//!
//! A shape only renames: a member moves to the field that means the same, and everything else stays
//! where it is, for [`ledgerstone_model::ValidEvent::parse`] to take as a field or to keep in
//! `intake.unmapped`. `docs/shapes.md` says member by member where each goes.

mod agent;
pub(crate) mod answer;
mod entity;
mod nested;
mod user;

use std::borrow::Cow;

pub use answer::Source;

use ledgerstone_model::intake::FLAG_NUMBER_QUOTED;
use ledgerstone_model::json::{Value, ValueKind};
use ledgerstone_model::json_tree::Tree;
use ledgerstone_model::schema::{self, Field, FieldType};
use ledgerstone_model::{ErrorCode, Fault, IntakeSource, Numbers, Rejection};
use ledgerstone_proof::{Canonicalizer, canonical_string_into};

/// Every shape that is understood, in the order in which they are looked for. A new one is a file
/// and a line here.
pub const SHAPES: &[&Shape] = &[&nested::SHAPE, &agent::SHAPE, &user::SHAPE, &entity::SHAPE];

/// A field of the model, as a JSON pointer.
type Pointer = &'static str;

/// One flat shape.
#[derive(Debug)]
pub struct Shape {
    /// The name it is asked for by, which is also `intake.format`.
    pub name: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// The name and version of the mapping, for `intake.mapping`. One that differs in any way gets
    /// another number.
    pub mapping: &'static str,
    /// Members by any of which the shape is known.
    pub known_by: &'static [&'static str],
    /// Members by any of which it is known where they are texts: the model has groups of these names.
    pub known_by_text: &'static [&'static str],
    /// What moves where. A value that the field does not take, or for which its place is taken, stays.
    pub moves: &'static [(&'static str, Pointer)],
    /// Fields that the shape itself says, where another field came to be: (that one, this one, text).
    pub says: &'static [(Pointer, Pointer, &'static str)],
    /// The members of a record that is read in this shape; none where the shape is only sent.
    pub answers: &'static [(&'static str, Source)],
}

/// The shape of this name.
pub fn find(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().copied().find(|shape| shape.name == name)
}

/// An event in the model's own form, with what `intake` is to say of where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaped {
    pub text: Vec<u8>,
    pub intake: IntakeSource,
}

/// Turns an event of whichever shape it has into the model's own. `None` where it has none: then it is
/// in the model's own form, or no event at all.
pub fn detect(
    text: &[u8],
    numbers: Numbers,
    scratch: &mut Canonicalizer,
) -> Result<Option<Shaped>, Rejection> {
    let mut canonical = Vec::with_capacity(text.len());
    let quoted = numbers.canonical(text, scratch, &mut canonical)?;
    let value = Value::new(&canonical);
    if value.kind() != ValueKind::Object {
        return Ok(None);
    }
    let members = Tree::read(value, 2)?;
    let shape = SHAPES.iter().find(|shape| shape.fits(&members));
    shape.map(|shape| shape.apply(members, &quoted)).transpose()
}

impl Shape {
    /// Turns an event of this shape into the model's own form.
    pub fn map(
        &self,
        text: &[u8],
        numbers: Numbers,
        scratch: &mut Canonicalizer,
    ) -> Result<Shaped, Rejection> {
        let mut canonical = Vec::with_capacity(text.len());
        let quoted = numbers.canonical(text, scratch, &mut canonical)?;
        let value = Value::new(&canonical);
        if value.kind() != ValueKind::Object {
            let reason = "must be a json object".to_owned();
            return Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidEvent, reason)));
        }
        self.apply(Tree::read(value, 2)?, &quoted)
    }

    fn fits(&self, members: &Tree<'_>) -> bool {
        let is_text = |name| members.find(&[name]).and_then(Tree::value).is_some_and(is_text);
        self.known_by.iter().any(|name| members.find(&[name]).is_some())
            || self.known_by_text.iter().any(|name| is_text(name))
    }

    fn apply(&self, mut event: Tree<'_>, quoted: &[String]) -> Result<Shaped, Rejection> {
        let mut intake = IntakeSource::mapped(self.name, self.mapping);
        for pointer in quoted {
            intake = intake.with_flag(format!("{FLAG_NUMBER_QUOTED}{pointer}"));
        }
        for (from, to) in self.moves {
            move_member(&mut event, from, to)?;
        }
        for (because, to, text) in self.says {
            if event.find(&steps(because)).is_some() && event.find(&steps(to)).is_none() {
                let mut raw = Vec::new();
                canonical_string_into(text, &mut raw);
                put(&mut event, to, Tree::Text(Cow::Owned(raw)))?;
                intake = intake.with_set(to);
            }
        }
        let strays = take_strays(&mut event);
        if !strays.is_empty() {
            intake = intake.with_unmapped(strays.to_canonical());
        }
        Ok(Shaped { text: event.to_canonical(), intake })
    }
}

fn is_text(value: Value<'_>) -> bool {
    value.kind() == ValueKind::Text
}

/// Takes out what is no field of the model, nested as it was. Names that belong to the server stay,
/// to be refused.
fn take_strays<'a>(event: &mut Tree<'a>) -> Tree<'a> {
    let Tree::Object(members) = event else { return Tree::empty() };
    let mut strays = Vec::new();
    let mut fields = Vec::new();
    for (name, mut value) in std::mem::take(members) {
        match field_named("", &name).map(Field::kind) {
            None if !is_reserved(&name) => strays.push((name, value)),
            Some(FieldType::Group(_)) => {
                let below = take_strays_of_group(&name, &mut value);
                if !below.is_empty() {
                    strays.push((name.clone(), Tree::Object(below)));
                }
                fields.push((name, value));
            }
            _ => fields.push((name, value)),
        }
    }
    *members = fields;
    Tree::Object(strays)
}

fn take_strays_of_group<'a>(group: &str, value: &mut Tree<'a>) -> Vec<(String, Tree<'a>)> {
    let Tree::Object(members) = value else { return Vec::new() };
    let (fields, strays) = std::mem::take(members)
        .into_iter()
        .partition(|(name, _)| field_named(group, name).is_some() || is_reserved(name));
    *members = fields;
    strays
}

fn field_named(group: &str, name: &str) -> Option<&'static Field> {
    // A slash in a name is no step of a pointer.
    let pointer = if group.is_empty() { format!("/{name}") } else { format!("/{group}/{name}") };
    (!name.contains('/')).then(|| schema::at_pointer(&pointer)).flatten()
}

fn is_reserved(name: &str) -> bool {
    name.starts_with('_') || matches!(name, "intake" | "sealed")
}

fn steps(pointer: Pointer) -> Vec<&'static str> {
    pointer.split('/').skip(1).collect()
}

/// Moves a member to its field, unless it does not fit there or the field is taken.
fn move_member(event: &mut Tree<'_>, from: &'static str, to: Pointer) -> Result<(), Rejection> {
    let fits = event.find(&[from]).is_some_and(|value| fits(value, to));
    if !fits || is_taken(event, from, &steps(to)) {
        return Ok(());
    }
    event.take(&[from]).map_or(Ok(()), |value| put(event, to, value))
}

/// Whether something stands in the way: at the place itself, or a value where a group must be. The
/// member that moves is not in its own way.
fn is_taken(event: &Tree<'_>, from: &str, to: &[&str]) -> bool {
    match to {
        [name] => event.find(&[name]).is_some(),
        [group, ..] => {
            let stands = event.find(&[group]).filter(|_| *group != from);
            stands.is_some_and(|group| group.value().is_some()) || event.find(to).is_some()
        }
        [] => true,
    }
}

fn put<'a>(event: &mut Tree<'a>, to: Pointer, value: Tree<'a>) -> Result<(), Rejection> {
    event.put(&steps(to), value).map_err(|_| {
        let reason = "the shape wrote two values to one place".to_owned();
        Rejection::of(Fault::new(String::new(), ErrorCode::Internal, reason))
    })
}

/// Whether the model lets this value stand there.
fn fits(value: &Tree<'_>, to: Pointer) -> bool {
    let Some(field) = schema::at_pointer(to) else { return false };
    match value.value() {
        Some(value) => value.kind() == ValueKind::Null || field.kind().fault(value).is_none(),
        None => matches!(field.kind(), FieldType::Object | FieldType::Any),
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::{Numbers, ParseContext, ValidEvent, schema};
    use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId};
    use serde_json::{Value, json};

    use super::{SHAPES, detect, find};

    /// The event that becomes of it, parsed as it would be when sent.
    fn taken(sent: &Value) -> Value {
        let mut scratch = Canonicalizer::new();
        let shaped =
            detect(sent.to_string().as_bytes(), Numbers::Refuse, &mut scratch).unwrap().unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let at = IngestedAt::from_micros(0).unwrap();
        let context = ParseContext::new(&tenant, at, [0; 16]).with_intake(&shaped.intake);
        let event = ValidEvent::parse(&shaped.text, &context, &mut scratch).unwrap();
        serde_json::from_slice(event.text()).unwrap()
    }

    #[test]
    fn the_table_is_in_order() {
        for shape in SHAPES {
            assert_eq!(find(shape.name).unwrap().mapping, shape.mapping);
            assert!(shape.mapping.starts_with(shape.name) && shape.doc.len() > 20);
            let targets = shape.moves.iter().map(|(_, to)| to);
            for to in targets.chain(shape.says.iter().flat_map(|(because, to, _)| [because, to])) {
                assert!(schema::at_pointer(to).is_some(), "{}: {to} is no field", shape.name);
            }
        }
        assert!(find("other").is_none());
    }

    #[test]
    fn an_agents_event_is_understood() {
        let event = taken(&json!({
            "event_type": "policy.evaluated", "timestamp": "2024-05-01T12:00:00Z", "agent_id": "agent-7",
            "action": "deploy", "outcome": "allow", "payload": {"rule": 3}, "extra": true,
        }));
        assert_eq!(event["actor"], json!({"id": "agent-7", "type": "agent"}));
        assert_eq!(event["action"], json!({"status": "allow", "verb": "deploy"}));
        assert_eq!(event["data"]["metadata"], json!({"rule": 3}));
        assert_eq!(event["intake"]["unmapped"], json!({"extra": true}));
        assert_eq!(event["intake"]["mapping"], "agent/1");
        assert_eq!(event["intake"]["set"], json!(["/actor/type"]));
    }

    #[test]
    fn a_users_event_is_understood() {
        let event = taken(&json!({
            "event_type": "user.login", "user_id": "user123", "action": "successful_login",
            "resource_type": "authentication", "resource_id": "session_456",
            "details": {"login_method": "password"}, "risk_level": "low",
            "ip_address": "192.168.1.100", "user_agent": "Mozilla/5.0",
        }));
        assert_eq!(
            event["actor"],
            json!({
                "id": "user123", "ip_address": "192.168.1.100", "type": "user", "user_agent": "Mozilla/5.0",
            })
        );
        assert_eq!(event["target"], json!({"id": "session_456", "type": "authentication"}));
        assert_eq!(event["severity"], "low");
        assert_eq!(event["data"]["metadata"]["login_method"], "password");
        assert!(event["intake"].get("unmapped").is_none());
    }

    #[test]
    fn an_entitys_event_is_understood_in_both_spellings() {
        let camel = taken(&json!({
            "ID": "e-1", "EventType": "user.login", "Actor": "user123", "EntityType": "user",
            "EntityID": "user123", "Timestamp": "2024-05-01T12:00:00Z", "Metadata": {"ip_address": "1.2.3.4"},
        }));
        let snake = taken(&json!({
            "id": "e-1", "event_type": "user.login", "actor": "user123", "entity_type": "user",
            "entity_id": "user123", "timestamp": "2024-05-01T12:00:00Z", "metadata": {"ip_address": "1.2.3.4"},
        }));
        assert_eq!(camel, snake);
        assert_eq!(camel["actor"], json!({"id": "user123"}));
        assert_eq!(camel["target"], json!({"id": "user123", "type": "user"}));
    }

    #[test]
    fn an_entitys_event_is_known_without_an_entity() {
        for sent in [
            json!({"event_type": "a.b", "Actor": "user123", "Metadata": {"n": 1}}),
            json!({"event_type": "a.b", "actor": "user123", "metadata": {"n": 1}}),
        ] {
            let event = taken(&sent);
            assert_eq!(event["actor"], json!({"id": "user123"}));
            assert_eq!(event["metadata"], json!({"n": 1}));
            assert_eq!(event["intake"].get("unmapped"), None);
        }
    }

    #[test]
    fn an_audit_id_is_the_id() {
        let event = taken(&json!({
            "audit_id": "0190b5a0-7c1e-7d5c-a0a1-2d3f4b5c6d7e", "event_type": "load.test",
            "actor": {"type": "user", "id": "u"}, "action": {"verb": "test", "status": "success"},
        }));
        assert_eq!(event["id"], "0190b5a0-7c1e-7d5c-a0a1-2d3f4b5c6d7e");
        assert_eq!(event["actor"]["id"], "u");
    }

    #[test]
    fn what_does_not_fit_or_is_said_already_stays_where_it_is() {
        let event = taken(&json!({
            "event_type": "a.b", "user_id": "u1", "actor": {"id": "u2"}, "risk_level": "extreme",
            "details": [1], "resource_type": 7,
        }));
        assert_eq!(event["actor"], json!({"id": "u2", "type": "user"}));
        assert_eq!(
            event["intake"]["unmapped"],
            json!({
                "details": [1], "resource_type": 7, "risk_level": "extreme", "user_id": "u1",
            })
        );
    }

    #[test]
    fn strays_are_kept_and_the_servers_names_are_refused() {
        let event = taken(&json!({
            "event_type": "a.b", "user_id": "u", "actor/id": 1, "~": 2,
            "context": {"request_id": "r", "zone": "z"},
        }));
        assert_eq!(
            event["intake"]["unmapped"],
            json!({"actor/id": 1, "context": {"zone": "z"}, "~": 2})
        );
        for name in ["intake", "sealed", "_x"] {
            let sent = json!({"event_type": "a.b", "user_id": "u", name: {}});
            let mut scratch = Canonicalizer::new();
            let shaped = detect(sent.to_string().as_bytes(), Numbers::Refuse, &mut scratch)
                .unwrap()
                .unwrap();
            let tenant = TenantId::parse("acme").unwrap();
            let context = ParseContext::new(&tenant, IngestedAt::from_micros(0).unwrap(), [0; 16])
                .with_intake(&shaped.intake);
            let refused = ValidEvent::parse(&shaped.text, &context, &mut scratch).unwrap_err();
            assert_eq!(refused.code(), ledgerstone_model::ErrorCode::ReservedName, "{name}");
        }
    }

    #[test]
    fn the_models_own_form_has_no_shape() {
        let mut scratch = Canonicalizer::new();
        for text in [r#"{"event_type":"a.b","actor":{"id":"u"}}"#, "[]", "7", "{}"] {
            assert_eq!(
                detect(text.as_bytes(), Numbers::Refuse, &mut scratch).unwrap(),
                None,
                "{text}"
            );
        }
        assert!(detect(br#"{"a":1,"a":2}"#, Numbers::Refuse, &mut scratch).is_err());
    }
}
