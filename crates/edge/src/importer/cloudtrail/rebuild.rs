//! The mapping `cloudtrail/1` backwards, from a stored event to the record it was made from.

use std::borrow::Cow;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::intake::FLAG_NUMBER_QUOTED;
use ledgerstone_model::json::{NotCanonical, Value, ValueKind};
use ledgerstone_model::json_tree::Tree;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::rejection::pointer_push;
use ledgerstone_proof::canonical_string_into;
use thiserror::Error;

use super::map::{
    ACTOR_ID, ACTOR_TYPE, MOVES, RESOURCE_MOVES, SERVICE_SUFFIX, identity_member, is_arn,
    join_first, split_first, text_at,
};
use super::{FORMAT, MAPPING};

/// The deepest place that the mapping writes to, `/data/metadata/requestParameters`.
const EVENT_DEPTH: usize = 3;

/// Why no record can be made out of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RebuildError {
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    #[error("the event was not made by the mapping cloudtrail/1")]
    OtherMapping,
    #[error("the event holds something in `{0}` that the mapping did not put there")]
    Surplus(&'static str),
}

impl RebuildError {
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotCanonical(_) | Self::Surplus(_) => ErrorCode::RecordDamaged,
            Self::OtherMapping => ErrorCode::InvalidArgument,
        }
    }
}

/// The record in canonical JSON, except that numbers which canonical JSON cannot hold exactly are
/// spelt as they were sent.
pub fn rebuild(event: &[u8]) -> Result<Vec<u8>, RebuildError> {
    let value = Value::new(event);
    let intake = value.member("intake")?.unwrap_or(Value::new(b"{}"));
    let named = |member: &str| Ok::<_, NotCanonical>(intake.member(member)?.and_then(Value::text));
    if (named("format")?.as_deref(), named("mapping")?.as_deref()) != (Some(FORMAT), Some(MAPPING))
    {
        return Err(RebuildError::OtherMapping);
    }
    let unmapped = intake.member("unmapped")?.unwrap_or(Value::new(b"{}"));
    let mut back =
        Rebuild { event: Tree::read(value, EVENT_DEPTH)?, record: Tree::read(unmapped, 2)? };
    back.event_source()?;
    back.identity()?;
    for (from, to) in MOVES {
        back.move_back(to, from)?;
    }
    back.resources()?;
    back.server_named("timestamp", "eventTime")?;
    back.server_named("id", "eventID")?;
    back.event.take(&["action", "status"]);
    back.event.take(&["intake"]);
    if let Some(name) = surplus(&back.event) {
        return Err(RebuildError::Surplus(name));
    }
    let record = back.record.to_canonical();
    let mut out = Vec::with_capacity(record.len());
    let quoted = quoted_numbers(intake)?;
    unquote(Value::new(&record), &mut String::new(), &quoted, &mut out)?;
    Ok(out)
}

struct Rebuild<'a> {
    event: Tree<'a>,
    record: Tree<'a>,
}

impl<'a> Rebuild<'a> {
    fn put(&mut self, path: &[&str], value: Tree<'a>) -> Result<(), RebuildError> {
        let stands_there = self.record.find(path).is_some();
        if stands_there || self.record.put(path, value).is_err() {
            return Err(RebuildError::Surplus("/intake/unmapped"));
        }
        Ok(())
    }

    fn put_text(&mut self, path: &[&str], text: &str) -> Result<(), RebuildError> {
        let mut raw = Vec::new();
        canonical_string_into(text, &mut raw);
        self.put(path, Tree::Text(Cow::Owned(raw)))
    }

    fn move_back(&mut self, to: &[&str], from: &[&str]) -> Result<(), RebuildError> {
        match self.event.take(to) {
            Some(value) => self.put(from, value),
            None => Ok(()),
        }
    }

    /// The service out of `aws.<service>.<eventName>`.
    fn event_source(&mut self) -> Result<(), RebuildError> {
        let event_type = text_at(&self.event, &["event_type"]).unwrap_or_default();
        self.event.take(&["event_type"]);
        let verb = text_at(&self.event, &["action", "verb"]).unwrap_or_default();
        let service =
            event_type.strip_suffix(&format!(".{verb}")).and_then(|rest| rest.strip_prefix("aws."));
        match service {
            Some(service) if !verb.is_empty() => {
                self.put_text(&["eventSource"], &format!("{service}{SERVICE_SUFFIX}"))
            }
            _ => Ok(()),
        }
    }

    fn identity(&mut self) -> Result<(), RebuildError> {
        let other = identity_member(self.event.find(ACTOR_TYPE));
        let is_arn = text_at(&self.event, ACTOR_ID).is_some_and(|id| is_arn(&id));
        let member = if is_arn { "arn" } else { other };
        self.move_back(ACTOR_ID, &["userIdentity", member])
    }

    fn resources(&mut self) -> Result<(), RebuildError> {
        let taken: Vec<(&str, Tree<'a>)> = RESOURCE_MOVES
            .iter()
            .filter_map(|(name, from)| Some((*name, self.event.take(from)?)))
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        let surplus = RebuildError::Surplus("/target");
        let Some(Tree::Text(raw)) = self.record.take(&["resources"]) else {
            return Err(surplus);
        };
        let (first, others) = split_first(&raw)?.ok_or(surplus)?;
        let mut first = Tree::read(first, 1)?;
        for (name, value) in &taken {
            let value = Tree::Text(Cow::Owned(value.to_canonical()));
            first.put(&[name], value).map_err(|_| surplus)?;
        }
        let joined = Tree::Text(Cow::Owned(join_first(&first, others)));
        self.put(&["resources"], joined)
    }

    /// A field that the server may have filled in or respelt.
    fn server_named(
        &mut self,
        field: &'static str,
        from: &'static str,
    ) -> Result<(), RebuildError> {
        let pointer = format!("/{field}");
        let value = self.event.take(&[field]);
        let set = self.event.find(&["intake", "set"]).and_then(Tree::value);
        if set.is_some_and(|set| lists(set, &pointer)) {
            return Ok(());
        }
        let original = self.event.take(&["intake", "original", &pointer]);
        match original.or(value) {
            Some(value) => self.put(&[from], value),
            None => Ok(()),
        }
    }
}

fn lists(array: Value<'_>, wanted: &str) -> bool {
    let mut elements = array.elements();
    while let Ok(Some(element)) = elements.next_element() {
        if element.text().as_deref() == Some(wanted) {
            return true;
        }
    }
    false
}

/// The first group that is not empty yet, after everything the mapping writes was taken out.
fn surplus(event: &Tree<'_>) -> Option<&'static str> {
    const GROUPS: &[&str] = &["action", "actor", "context", "data", "metadata", "target"];
    let Tree::Object(members) = event else {
        return Some("/");
    };
    members
        .iter()
        .find(|(_, value)| !is_hollow(value))
        .map(|(name, _)| GROUPS.iter().find(|group| *group == name).copied().unwrap_or("/"))
}

fn is_hollow(tree: &Tree<'_>) -> bool {
    match tree {
        Tree::Text(_) => false,
        Tree::Object(members) => members.iter().all(|(_, value)| is_hollow(value)),
    }
}

/// Pointers, within the record, of numbers that became strings.
fn quoted_numbers(intake: Value<'_>) -> Result<Vec<String>, NotCanonical> {
    let mut out = Vec::new();
    let Some(flags) = intake.member("flags")? else {
        return Ok(out);
    };
    let mut flags = flags.elements();
    while let Some(flag) = flags.next_element()? {
        let flag = flag.text().unwrap_or_default();
        out.extend(flag.strip_prefix(FLAG_NUMBER_QUOTED).map(str::to_owned));
    }
    Ok(out)
}

/// Writes the value with the quotes taken off those numbers. The depth of stored events is bounded.
fn unquote(
    value: Value<'_>,
    pointer: &mut String,
    quoted: &[String],
    out: &mut Vec<u8>,
) -> Result<(), NotCanonical> {
    let length = pointer.len();
    match value.kind() {
        _ if quoted.is_empty() => out.extend_from_slice(value.raw()),
        ValueKind::Object => {
            let mut object = ObjectWriter::open(out);
            let mut members = value.members();
            while let Some((key, member)) = members.next_member()? {
                pointer_push(pointer, &key.text());
                unquote(member, pointer, quoted, object.raw_key(key.raw()))?;
                pointer.truncate(length);
            }
            object.close();
        }
        ValueKind::Array => {
            out.push(b'[');
            let mut elements = value.elements();
            let mut index = 0_usize;
            while let Some(element) = elements.next_element()? {
                if index > 0 {
                    out.push(b',');
                }
                pointer_push(pointer, &index.to_string());
                unquote(element, pointer, quoted, out)?;
                pointer.truncate(length);
                index += 1;
            }
            out.push(b']');
        }
        ValueKind::Text if quoted.iter().any(|one| one == pointer) => {
            let text = value.text().unwrap_or_default();
            out.extend_from_slice(text.as_bytes());
        }
        _ => out.extend_from_slice(value.raw()),
    }
    Ok(())
}
