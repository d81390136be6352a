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
