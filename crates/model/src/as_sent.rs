//! Turns a stored event back into what its sender sent, so that a repeated delivery can be told
//! from another event under the same id.
//!
//! For an event sent in the model's own form the result is the canonical form of the text that was
//! sent. An event that a mapping made is compared by the mapping's result: what the mapping did not
//! take stays apart, under `intake`, because its names are another format's. Numbers that were
//! quoted stay quoted, and `intake` says which.

use std::borrow::Cow;

use thiserror::Error;

use crate::error_code::ErrorCode;
use crate::intake::FLAG_NUMBER_QUOTED;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_tree::{NotMergeable, Tree};
use crate::json_write::ObjectWriter;
use crate::rejection::pointer_steps;
use crate::sealing::opening::GONE;

/// Fields stand at most two names deep (`/actor/id`), and so do the server's notes about them.
const FIELD_DEPTH: usize = 2;

/// Why a stored event could not be turned back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AsSentError {
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    #[error("event is not an object; verify the ledger")]
    NotAnObject,
    #[error("`intake` names the place {0:?}, which the event does not have; verify the ledger")]
    Place(String),
    #[error("`intake.{0}` is not of its form; verify the ledger")]
    Intake(&'static str),
}

impl AsSentError {
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::RecordDamaged
    }
}

/// The canonical form of what was sent, out of a stored event in canonical JSON.
pub fn as_sent(event: &[u8]) -> Result<Vec<u8>, AsSentError> {
    let value = Value::new(event);
    if value.kind() != ValueKind::Object {
        return Err(AsSentError::NotAnObject);
    }
    let Some(intake) = value.member("intake")? else {
        return Ok(event.to_vec());
    };
    let mut tree = Tree::read(value, FIELD_DEPTH)?;
    tree.take(&["intake"]);
    take_out_set(&mut tree, intake)?;
    put_originals_back(&mut tree, intake)?;
    let is_mapped = intake.member("mapping")?.is_some();
    let unmapped = intake.member("unmapped")?;
    if let (Some(unmapped), false) = (unmapped, is_mapped) {
        tree.merge(Tree::read(unmapped, FIELD_DEPTH)?)
            .map_err(|NotMergeable| AsSentError::Intake("unmapped"))?;
    }
    let remark = remark(intake, unmapped.filter(|_| is_mapped))?;
    if let Some(remark) = &remark {
        put(&mut tree, "/intake", Value::new(remark))?;
    }
    Ok(tree.to_canonical())
}

/// Whether a stored event of which some values are gone says the same as one that was sent, as far
/// as it is kept.
///
/// Gone values stand as `{"$sealed":true}`, as [`open_event`](crate::sealing::open_event) writes
/// them, and whatever was sent in their places counts as the same. What the server wrote on either
/// side is left out, and so are the originals of normalised values: the values themselves are
/// compared.
pub fn is_same_as_far_as_kept(stored: &[u8], sent: &[u8]) -> Result<bool, AsSentError> {
    let (stored, sent) = (Value::new(stored), Value::new(sent));
    let (mut kept, mut whole) = (Tree::read(stored, FIELD_DEPTH)?, Tree::read(sent, FIELD_DEPTH)?);
    for intake in [stored.member("intake")?, sent.member("intake")?].into_iter().flatten() {
        let Some(filled_in) = intake.member("set")? else { continue };
        let mut pointers = filled_in.elements();
        while let Some(pointer) = pointers.next_element()? {
            let pointer = pointer.text().ok_or(AsSentError::Intake("set"))?;
            let steps: Vec<String> = pointer_steps(&pointer).collect();
            let path: Vec<&str> = steps.iter().map(String::as_str).collect();
            kept.take(&path);
            whole.take(&path);
        }
    }
    kept.take(&["intake"]);
    whole.take(&["intake"]);
    let (kept, whole) = (kept.to_canonical(), whole.to_canonical());
    Ok(is_same_where_kept(Value::new(&kept), Value::new(&whole))?)
}

fn is_same_where_kept(kept: Value<'_>, sent: Value<'_>) -> Result<bool, NotCanonical> {
    match (kept.kind(), sent.kind()) {
        _ if kept.raw() == GONE => Ok(true),
        (ValueKind::Object, ValueKind::Object) => {
            let (mut kept, mut sent) = (kept.members(), sent.members());
            loop {
                match (kept.next_member()?, sent.next_member()?) {
                    (None, None) => return Ok(true),
                    (Some((name, one)), Some((other_name, other)))
                        if name.raw() == other_name.raw() && is_same_where_kept(one, other)? => {}
                    _ => return Ok(false),
                }
            }
        }
        (ValueKind::Array, ValueKind::Array) => {
            let (mut kept, mut sent) = (kept.elements(), sent.elements());
            loop {
                match (kept.next_element()?, sent.next_element()?) {
                    (None, None) => return Ok(true),
                    (Some(one), Some(other)) if is_same_where_kept(one, other)? => {}
                    _ => return Ok(false),
                }
            }
        }
        _ => Ok(kept.raw() == sent.raw()),
    }
}

fn take_out_set(tree: &mut Tree<'_>, intake: Value<'_>) -> Result<(), AsSentError> {
    let Some(set) = intake.member("set")? else {
        return Ok(());
    };
    let mut pointers = set.elements();
    while let Some(pointer) = pointers.next_element()? {
        let pointer = pointer.text().ok_or(AsSentError::Intake("set"))?;
        let steps: Vec<String> = pointer_steps(&pointer).collect();
        let path: Vec<&str> = steps.iter().map(String::as_str).collect();
        if tree.take(&path).is_none() {
            return Err(AsSentError::Place(pointer.into_owned()));
        }
    }
    Ok(())
}

fn put_originals_back<'a>(tree: &mut Tree<'a>, intake: Value<'a>) -> Result<(), AsSentError> {
    let Some(original) = intake.member("original")? else {
        return Ok(());
    };
    let mut originals = original.members();
    while let Some((pointer, value)) = originals.next_member()? {
        put(tree, &pointer.text(), value)?;
    }
    Ok(())
}

/// Puts a value where the pointer says, which must be in an object that the event has.
fn put<'a>(tree: &mut Tree<'a>, pointer: &str, value: Value<'a>) -> Result<(), AsSentError> {
    let absent = || AsSentError::Place(pointer.to_owned());
    let steps: Vec<String> = pointer_steps(pointer).collect();
    let path: Vec<&str> = steps.iter().map(String::as_str).collect();
    let (_, parents) = path.split_last().ok_or_else(absent)?;
    tree.find(parents).ok_or_else(absent)?;
    let value = Tree::Text(Cow::Borrowed(value.raw()));
    tree.put(&path, value).map_err(|_| absent())
}

/// What cannot be put back into the event and yet belongs to what was sent.
fn remark(intake: Value<'_>, unmapped: Option<Value<'_>>) -> Result<Option<Vec<u8>>, AsSentError> {
    let mut quoted = Vec::new();
    if let Some(flags) = intake.member("flags")? {
        let mut flags = flags.elements();
        while let Some(flag) = flags.next_element()? {
            let flag = flag.text().ok_or(AsSentError::Intake("flags"))?;
            if flag.starts_with(FLAG_NUMBER_QUOTED) {
                quoted.push(flag);
            }
        }
    }
    if quoted.is_empty() && unmapped.is_none() {
        return Ok(None);
    }
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    if !quoted.is_empty() {
        object.texts("flags", &quoted);
    }
    if let Some(unmapped) = unmapped {
        object.key("unmapped").extend_from_slice(unmapped.raw());
    }
    object.close();
    Ok(Some(out))
}
