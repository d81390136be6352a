//! A tenant's taxonomy: the event types it knows, with a JSON Schema for those that have one.
//!
//! [`Taxonomy::admit`] is the stage between a valid event and a sealed one. [`AdmittedEvent`] is
//! made there and nowhere else, so that no way in leads past it. What a taxonomy keeps out may still
//! be the repetition of what was recorded before it was set; as such it is compared and never recorded.

mod document;
mod pattern;
mod schema;

use std::collections::HashMap;
use std::sync::OnceLock;

use jsonschema::Validator;

use crate::error_code::ErrorCode;
use crate::event::ValidEvent;
use crate::intake::{FLAG_EVENT_TYPE_UNKNOWN, FLAG_SCHEMA_VIOLATION};
use crate::rejection::{Fault, Faults, Rejection};

pub use document::{
    TAXONOMY_BYTES_MAX, TAXONOMY_TYPES_MAX, TaxonomyDocument, TaxonomyDraft, TaxonomyMode,
    VERSION_MAX,
};
pub use schema::{SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, SCHEMA_PATTERN_BYTES_MAX, SCHEMA_VALUES_MAX};

/// Faults looked for in one event; beyond them nobody learns anything new.
const VIOLATIONS_MAX: usize = 1_000;

/// Bytes of one violation's reason.
const REASON_BYTES_MAX: usize = 500;

/// A taxonomy in force.
#[derive(Debug)]
pub struct Taxonomy {
    document: TaxonomyDocument,
    /// Made when first needed: a tenant that sends nothing costs nothing.
    compiled: OnceLock<Result<Compiled, Rejection>>,
}

/// The types by name, and the families by their name without `*`.
#[derive(Debug, Default)]
struct Compiled {
    types: HashMap<String, Rule>,
    families: HashMap<String, Rule>,
}

/// What an event of a type must be like.
#[derive(Debug)]
struct Rule {
    schema: Option<Validator>,
}

/// An event that its tenant's taxonomy lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedEvent {
    event: ValidEvent,
    findings: Option<Rejection>,
    repeats_only: Option<ErrorCode>,
}

/// An event that its tenant's taxonomy keeps out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOut {
    event: Box<ValidEvent>,
    rejection: Rejection,
}

impl KeptOut {
    pub const fn event(&self) -> &ValidEvent {
        &self.event
    }

    /// Everything that is wrong with it.
    pub const fn rejection(&self) -> &Rejection {
        &self.rejection
    }

    pub fn into_rejection(self) -> Rejection {
        self.rejection
    }

    /// The event as the repetition of what is recorded under its id: it can be compared with that,
    /// and makes no record.
    pub fn into_repetition(self) -> AdmittedEvent {
        let repeats_only = Some(self.rejection.code());
        AdmittedEvent { event: *self.event, findings: None, repeats_only }
    }
}

impl AdmittedEvent {
    const fn of(event: ValidEvent) -> Self {
        Self { event, findings: None, repeats_only: None }
    }

    pub const fn event(&self) -> &ValidEvent {
        &self.event
    }

    /// The same with another text of the event.
    pub(crate) fn with_event(self, event: ValidEvent) -> Self {
        Self { event, ..self }
    }

    /// What would have kept the event out if the taxonomy were enforced.
    pub const fn findings(&self) -> Option<&Rejection> {
        self.findings.as_ref()
    }

    /// Why it may not become a record of its own, where it is only to be compared with one.
    pub const fn repeats_only(&self) -> Option<ErrorCode> {
        self.repeats_only
    }

    pub(crate) fn into_event(self) -> ValidEvent {
        self.event
    }
}

impl Taxonomy {
    /// The taxonomy that a document describes. Schemas are compiled when they are first needed.
    pub const fn new(document: TaxonomyDocument) -> Self {
        Self { document, compiled: OnceLock::new() }
    }

    /// What a tenant has that never set one: nothing is looked at.
    pub const fn none() -> Self {
        Self::new(TaxonomyDocument::none())
    }

    /// The taxonomy that a draft describes, if every schema in it can be used.
    pub fn compile(document: TaxonomyDocument) -> Result<Self, Rejection> {
        let compiled = Compiled::of(&document)?;
        Ok(Self { document, compiled: OnceLock::from(Ok(compiled)) })
    }

    pub const fn document(&self) -> &TaxonomyDocument {
        &self.document
    }

    /// Lets an event in, or refuses it with everything that is wrong with it. Where the taxonomy is
    /// a warning only, the event is flagged in its `intake` and says what was found.
    pub fn admit(&self, event: ValidEvent) -> Result<AdmittedEvent, KeptOut> {
        if self.document.mode() == TaxonomyMode::Off {
            return Ok(AdmittedEvent::of(event));
        }
        let keep_out = |event, rejection| KeptOut { event: Box::new(event), rejection };
        let findings = match self.findings(&event) {
            Ok(None) => return Ok(AdmittedEvent::of(event)),
            Ok(Some(findings)) => findings,
            Err(unusable) => return Err(keep_out(event, unusable)),
        };
        if self.document.mode() == TaxonomyMode::Enforce {
            return Err(keep_out(event, findings));
        }
        let flag = match findings.code() {
            ErrorCode::EventTypeUnknown => FLAG_EVENT_TYPE_UNKNOWN,
            _ => FLAG_SCHEMA_VIOLATION,
        };
        match event.with_flag(flag) {
            Ok(flagged) => {
                Ok(AdmittedEvent { findings: Some(findings), ..AdmittedEvent::of(flagged) })
            }
            Err(error) => Err(keep_out(event, error.into())),
        }
    }

    /// What the taxonomy has against an event, whatever its mode. Fails where a schema cannot be
    /// used, which was seen to when it was set.
    pub fn findings(&self, event: &ValidEvent) -> Result<Option<Rejection>, Rejection> {
        let compiled = self.compiled.get_or_init(|| Compiled::of(&self.document));
        let compiled = compiled.as_ref().map_err(Clone::clone)?;
        let mut faults = Faults::default();
        match compiled.find(event.event_type()) {
            None => faults.add(
                "/event_type".to_owned(),
                ErrorCode::EventTypeUnknown,
                format!("is no type of the taxonomy (version {})", self.document.version()),
            ),
            Some(Rule { schema: None }) => {}
            Some(Rule { schema: Some(schema) }) => violations(schema, event, &mut faults)?,
        }
        Ok(faults.into_rejection())
    }
}

impl Compiled {
    fn of(document: &TaxonomyDocument) -> Result<Self, Rejection> {
        let mut compiled = Self::default();
        let mut faults = Faults::default();
        document.each(|name, text| {
            let schema = text.and_then(|text| schema::compile(name, text, &mut faults));
            let rule = Rule { schema };
            match name.strip_suffix('*') {
                Some(family) => compiled.families.insert(family.to_owned(), rule),
                None => compiled.types.insert(name.to_owned(), rule),
            };
        })?;
        faults.into_result()?;
        Ok(compiled)
    }

    /// The rule of a type: its own, or that of the nearest family.
    fn find(&self, event_type: &str) -> Option<&Rule> {
        if let Some(rule) = self.types.get(event_type) {
            return Some(rule);
        }
        let dots = event_type.rmatch_indices('.');
        let mut families = dots.filter_map(|(dot, _)| event_type.get(..=dot));
        families.find_map(|family| self.families.get(family))
    }
}

/// The event as it will be recorded, without `intake`, under its schema.
fn violations(
    schema: &Validator,
    event: &ValidEvent,
    faults: &mut Faults,
) -> Result<(), Rejection> {
    let mut value: serde_json::Value = serde_json::from_slice(event.text()).map_err(|error| {
        let reason = format!("canonical text could not be read again: {error}");
        Rejection::of(Fault::new(String::new(), ErrorCode::Internal, reason))
    })?;
    if let Some(members) = value.as_object_mut() {
        members.remove("intake");
    }
    if schema.is_valid(&value) {
        return Ok(());
    }
    for error in schema.iter_errors(&value).take(VIOLATIONS_MAX) {
        let pointer = error.instance_path().to_string();
        let reason = shortened(error.masked().to_string());
        faults.add(pointer, ErrorCode::SchemaViolation, reason);
    }
    Ok(())
}

/// The reason, cut where it is longer than anybody reads.
fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        reason.truncate(end);
        reason.push('…');
    }
    reason
}
