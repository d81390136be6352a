//! Schemas that may come from anybody: checked so that none of them reads anything from elsewhere
//! or takes long over an event, and compiled.
//!
//! A schema is JSON Schema 2020-12 on its own. `$ref` leads to places of the same schema and never
//! in a circle, and the schema with every `$ref` written out has a limited number of values: so an
//! event costs at most that many checks for each of its own values. Patterns run on an engine whose
//! time is linear in the text.

use std::collections::HashMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use super::pattern;
use crate::error_code::ErrorCode;
use crate::rejection::{Faults, pointer_push};

/// Bytes of one schema in canonical JSON.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// How deep the values of a schema may nest.
pub const SCHEMA_DEPTH_MAX: usize = 32;

/// Values of a schema, with what its references lead to counted at each of them.
pub const SCHEMA_VALUES_MAX: u64 = 4_000;

/// References that one `$ref` may lead through.
const REFERENCES_DEEP_MAX: usize = 16;

/// Bytes that a compiled pattern may take.
pub const SCHEMA_PATTERN_BYTES_MAX: usize = 256 * 1024;

/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Bytes of a reason.
const REASON_BYTES_MAX: usize = 500;

/// Compiles the schema of an event type, or names everything that is wrong with it.
pub(super) fn compile(name: &str, text: &[u8], faults: &mut Faults) -> Option<Validator> {
    let mut place = String::from("/event_types");
    pointer_push(&mut place, name);
    pointer_push(&mut place, "schema");
    let found = checked(text).and_then(|schema| build(&schema));
    match found {
        Ok(validator) => Some(validator),
        Err(found) => {
            for (pointer, reason) in found {
                faults.add(format!("{place}{pointer}"), ErrorCode::InvalidTaxonomy, reason);
            }
            None
        }
    }
}

/// Places within the schema, and what is wrong there.
type Found = Vec<(String, String)>;

fn found_at(pointer: impl Into<String>, reason: impl Into<String>) -> Found {
    vec![(pointer.into(), reason.into())]
}

fn checked(text: &[u8]) -> Result<Value, Found> {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(found_at("", format!("has more than {SCHEMA_BYTES_MAX} bytes")));
    }
    let schema: Value =
        serde_json::from_slice(text).map_err(|error| found_at("", error.to_string()))?;
    let mut found = Vec::new();
    check(&schema, &mut String::new(), 1, &mut found);
    if !found.is_empty() {
        return Err(found);
    }
    let mut sizes = Sizes { schema: &schema, known: HashMap::new(), open: Vec::new() };
    let values = sizes.written_out(&schema).map_err(|pointer| {
        let reason = format!(
            "`$ref` {pointer:?} leads back to itself or through more than {REFERENCES_DEEP_MAX} others"
        );
        found_at("", reason)
    })?;
    if values > SCHEMA_VALUES_MAX {
        let reason = format!(
            "has {values} values with every `$ref` written out; at most {SCHEMA_VALUES_MAX} are allowed"
        );
        return Err(found_at("", reason));
    }
    Ok(schema)
}

fn build(schema: &Value) -> Result<Validator, Found> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(SCHEMA_PATTERN_BYTES_MAX))
        .build(schema)
        .map_err(|error| {
            let place = error.instance_path().to_string();
            if let (ValidationErrorKind::Format { format }, Value::String(pattern)) =
                (error.kind(), error.instance().as_ref())
                && format == "regex"
            {
                return found_at(place, pattern::fault(pattern));
            }
            let mut reason = format!("cannot be used: {error}");
            if reason.len() > REASON_BYTES_MAX {
                reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            }
            found_at(place, reason)
        })
}

/// Looks at every value, whether or not it stands where a schema does: the names below mean
/// something special in few other places, and there they are not worth the doubt.
fn check(value: &Value, pointer: &mut String, depth: usize, found: &mut Found) {
    if depth > SCHEMA_DEPTH_MAX {
        found.push((pointer.clone(), format!("nests deeper than {SCHEMA_DEPTH_MAX}")));
        return;
    }
    let length = pointer.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer_push(pointer, &index.to_string());
                check(item, pointer, depth + 1, found);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                pointer_push(pointer, name);
                if let Some(reason) = keyword_fault(name, member, depth == 1) {
                    found.push((pointer.clone(), reason));
                }
                check(member, pointer, depth + 1, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// What keeps a keyword from being used. Where the name is that of a property, the value is an object.
fn keyword_fault(name: &str, value: &Value, is_root: bool) -> Option<String> {
    match (name, value) {
        ("$ref", Value::String(to)) => reference_fault(to),
        ("$schema", Value::String(dialect)) if dialect.trim_end_matches('#') != DIALECT => {
            Some(format!("{dialect:?} is not understood; the dialect is {DIALECT}"))
        }
        ("$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef", value)
            if value.is_string() =>
        {
            Some("is not supported; refer to places of the schema with `$ref` and `#/…`".to_owned())
        }
        ("$vocabulary", _) => Some("is not supported".to_owned()),
        ("unevaluatedProperties" | "unevaluatedItems", _) if !is_root => {
            Some("may stand at the top of a schema only".to_owned())
        }
        ("format", Value::String(format)) if format == "regex" => {
            Some("`regex` is not supported: it would compile what a sender makes up".to_owned())
        }
        _ => None,
    }
}

fn reference_fault(to: &str) -> Option<String> {
    match to.strip_prefix('#') {
        Some(pointer) if pointer.contains('%') => {
            Some(format!("{to:?} has an escape with %; write the name as it is"))
        }
        Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => None,
        Some(_) => Some(format!("{to:?} names an anchor; write `#/…`")),
        None => Some(format!(
            "{to:?} lies outside of this schema, and nothing is fetched; put it under `$defs`"
        )),
    }
}

/// Counts values, with what references lead to.
struct Sizes<'s> {
    schema: &'s Value,
    /// By the pointer of a reference.
    known: HashMap<&'s str, u64>,
    /// References that are being followed.
    open: Vec<&'s str>,
}

impl<'s> Sizes<'s> {
    /// The number of values, or the reference that leads back to itself.
    fn written_out(&mut self, value: &'s Value) -> Result<u64, &'s str> {
        let mut sum: u64 = 1;
        match value {
            Value::Array(items) => {
                for item in items {
                    sum = sum.saturating_add(self.written_out(item)?);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let size = match (name.as_str(), member) {
                        ("$ref", Value::String(to)) => self.referred(to)?,
                        _ => self.written_out(member)?,
                    };
                    sum = sum.saturating_add(size);
                }
            }
            _ => {}
        }
        Ok(sum)
    }

    fn referred(&mut self, to: &'s str) -> Result<u64, &'s str> {
        if let Some(size) = self.known.get(to) {
            return Ok(*size);
        }
        if self.open.contains(&to) || self.open.len() == REFERENCES_DEEP_MAX {
            return Err(to);
        }
        // One that leads nowhere is refused when the schema is compiled.
        let Some(target) = self.schema.pointer(to.trim_start_matches('#')) else { return Ok(1) };
        self.open.push(to);
        let size = self.written_out(target)?;
        self.open.pop();
        self.known.insert(to, size);
        Ok(size)
    }
}
