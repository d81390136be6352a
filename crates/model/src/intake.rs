//! The server's own corner of an event, `intake`: what it filled in, respelt, moved aside or
//! noticed while taking the event in.
//!
//! Its members, each left out where it would be empty: `flags` (short words), `format` and
//! `mapping` (how a foreign format became an event), `original` (JSON pointer → value as sent, for
//! fields the server wrote over), `set` (pointers of fields the server filled in) and `unmapped`
//! (what was sent but is no field of the model, nested as it was sent).

use std::borrow::Cow;

use crate::json::name_order;
use crate::json_write::ObjectWriter;

/// The sender's timestamp named no zone and was taken as UTC.
pub const FLAG_WITHOUT_ZONE: &str = "timestamp_without_zone";

/// The sender's timestamp lay more than five minutes after the time of receipt.
pub const FLAG_IN_FUTURE: &str = "timestamp_in_future";

/// Begins a flag that names, by JSON pointer into the text as it came in, a number that was turned
/// into a string because JSON numbers cannot hold it exactly.
pub const FLAG_NUMBER_QUOTED: &str = "number_quoted:";

/// The tenant's taxonomy, in force as a warning, does not know the event's type.
pub const FLAG_EVENT_TYPE_UNKNOWN: &str = "event_type_unknown";

/// The event does not fit the schema that the tenant's taxonomy, in force as a warning, has for it.
pub const FLAG_SCHEMA_VIOLATION: &str = "schema_violation";

/// What an importer says about where an event came from.
///
/// All values are canonical JSON; [`crate::ValidEvent::parse`] checks that they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeSource {
    format: Option<Cow<'static, str>>,
    mapping: Option<Cow<'static, str>>,
    flags: Vec<String>,
    original: Vec<(String, Vec<u8>)>,
    set: Vec<&'static str>,
    unmapped: Option<Vec<u8>>,
}

impl IntakeSource {
    /// The event was sent in the model's own form.
    pub const NATIVE: &'static Self = &Self {
        format: None,
        mapping: None,
        flags: Vec::new(),
        original: Vec::new(),
        set: Vec::new(),
        unmapped: None,
    };

    /// The event was made from a foreign `format` by a named version of a `mapping`.
    pub fn mapped(
        format: impl Into<Cow<'static, str>>,
        mapping: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { format: Some(format.into()), mapping: Some(mapping.into()), ..Self::default() }
    }

    /// Adds a flag.
    #[must_use]
    pub fn with_flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Keeps the canonical JSON that was sent for the field at `pointer`, where the event holds
    /// something else.
    #[must_use]
    pub fn with_original(mut self, pointer: impl Into<String>, value: Vec<u8>) -> Self {
        self.original.push((pointer.into(), value));
        self
    }

    /// Names, by pointer, a field that nothing sent stands behind, such as an id that was made up.
    #[must_use]
    pub fn with_set(mut self, pointer: &'static str) -> Self {
        self.set.push(pointer);
        self
    }

    /// Keeps a canonical JSON object of what the mapping did not take.
    #[must_use]
    pub fn with_unmapped(mut self, object: Vec<u8>) -> Self {
        self.unmapped = Some(object);
        self
    }

    /// Whether the event was made by a mapping and not sent in the model's own form.
    pub const fn is_mapped(&self) -> bool {
        self.mapping.is_some()
    }

    /// The flags the importer raised.
    pub fn flags(&self) -> &[String] {
        &self.flags
    }

    pub(crate) fn original(&self) -> &[(String, Vec<u8>)] {
        &self.original
    }

    pub(crate) fn unmapped(&self) -> Option<&[u8]> {
        self.unmapped.as_deref()
    }
}

/// Everything that goes into one event's `intake`.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    pub(crate) flags: Vec<String>,
    pub(crate) original: Vec<(String, Vec<u8>)>,
    pub(crate) set: Vec<&'static str>,
    pub(crate) unmapped: Option<Vec<u8>>,
}

impl Intake {
    pub(crate) fn is_empty(&self, source: &IntakeSource) -> bool {
        self.flags.is_empty()
            && self.original.is_empty()
            && self.set.is_empty()
            && self.unmapped.is_none()
            && source == IntakeSource::NATIVE
    }

    /// Joins what the importer said, and brings lists into their one order.
    pub(crate) fn join(&mut self, source: &IntakeSource) {
        self.flags.extend_from_slice(&source.flags);
        self.flags.sort_unstable();
        self.flags.dedup();
        self.set.extend_from_slice(&source.set);
        self.set.sort_unstable();
        self.set.dedup();
        // Where both name a field, the importer knows what was really sent.
        self.original.splice(0..0, source.original.iter().cloned());
        self.original.sort_by(|(left, _), (right, _)| name_order(left, right));
        self.original.dedup_by(|(later, _), (first, _)| later == first);
        if self.unmapped.is_none() {
            self.unmapped.clone_from(&source.unmapped);
        }
    }

    pub(crate) fn write(&self, source: &IntakeSource, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        if !self.flags.is_empty() {
            object.texts("flags", &self.flags);
        }
        object.optional_text("format", source.format.as_deref());
        object.optional_text("mapping", source.mapping.as_deref());
        if !self.original.is_empty() {
            let mut originals = ObjectWriter::open(object.key("original"));
            for (pointer, value) in &self.original {
                originals.key(pointer).extend_from_slice(value);
            }
            originals.close();
        }
        if !self.set.is_empty() {
            object.texts("set", &self.set);
        }
        if let Some(unmapped) = &self.unmapped {
            object.key("unmapped").extend_from_slice(unmapped);
        }
        object.close();
    }
}
