//! The names of fields in filters and policies: `actor.id`, `data.after.role`, or a JSON pointer.

use std::fmt;

use crate::nearest::nearest;
use crate::rejection::{pointer_push, pointer_steps};
use crate::schema::{FieldType, pointers};
use crate::schema_path::SchemaPlace;

/// Steps that a path may have.
const STEPS_MAX: usize = 16;

/// Bytes that a path may have.
const PATH_BYTES_MAX: usize = 512;

/// One field of a record: a member of its event, or something that its header says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldPath {
    place: Place,
    kind: FieldKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Record(RecordField),
    Event(Vec<String>),
}

/// What the header says of a record. Its names stand for the header even where the event has a
/// member of the same name, since the header has an id also when the sender gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordField {
    Id,
    TenantId,
    SequenceNumber,
    IngestedAt,
    Kind,
}

/// What the values of a field can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Strings, ordered by their code points.
    Text,
    /// One of these strings, ordered as they stand here.
    Choice(&'static [&'static str]),
    /// Points in time, whatever their spelling.
    Time,
    /// Numbers.
    Number,
    /// `true` and `false`.
    Bool,
    /// The sender's own: any of these, told by the value.
    Free,
}

const RECORD_FIELDS: &[(&str, RecordField)] = &[
    ("id", RecordField::Id),
    ("tenant_id", RecordField::TenantId),
    ("sequence_number", RecordField::SequenceNumber),
    ("ingested_at", RecordField::IngestedAt),
    ("kind", RecordField::Kind),
];

impl RecordField {
    /// The name in filters, which is the header's.
    pub fn as_str(self) -> &'static str {
        RECORD_FIELDS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    const fn kind(self) -> FieldKind {
        match self {
            Self::Id | Self::TenantId => FieldKind::Text,
            Self::SequenceNumber => FieldKind::Number,
            Self::IngestedAt => FieldKind::Time,
            Self::Kind => FieldKind::Choice(&["event", "audit", "system"]),
        }
    }
}

impl FieldPath {
    /// Reads a path: names with dots between, or a JSON pointer (RFC 6901), which begins with `/`.
    /// The error says what is wrong and which known field may have been meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > PATH_BYTES_MAX {
            return Err(format!("has {} bytes; at most {PATH_BYTES_MAX} are allowed", text.len()));
        }
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(_) => pointer_steps(text).collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if steps.len() > STEPS_MAX {
            return Err(format!("has {} steps; at most {STEPS_MAX} are allowed", steps.len()));
        }
        if text.is_empty() || steps.iter().any(String::is_empty) {
            return Err("has an empty name in it; write it like actor.id or /actor/id".to_owned());
        }
        Self::resolve(steps)
    }

    fn resolve(steps: Vec<String>) -> Result<Self, String> {
        if let [only] = steps.as_slice()
            && let Some((_, field)) = RECORD_FIELDS.iter().find(|(name, _)| name == only)
        {
            return Ok(Self { place: Place::Record(*field), kind: field.kind() });
        }
        let kind = kind_of(&steps)?;
        Ok(Self { place: Place::Event(steps), kind })
    }

    /// What its values can be compared with.
    pub const fn kind(&self) -> FieldKind {
        self.kind
    }

    /// What the header says, where it is that.
    pub const fn record_field(&self) -> Option<RecordField> {
        match &self.place {
            Place::Record(field) => Some(*field),
            Place::Event(_) => None,
        }
    }

    /// The names of members that lead to it from the event; none for a field of the header.
    pub fn steps(&self) -> &[String] {
        match &self.place {
            Place::Record(_) => &[],
            Place::Event(steps) => steps,
        }
    }
}

impl fmt::Display for FieldPath {
    /// Names with dots between where that can be read back, a JSON pointer otherwise.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = match &self.place {
            Place::Record(field) => return f.write_str(field.as_str()),
            Place::Event(steps) => steps,
        };
        if steps.iter().all(|step| !step.contains(['.', '/'])) {
            return f.write_str(&steps.join("."));
        }
        let mut pointer = String::new();
        for step in steps {
            pointer_push(&mut pointer, step);
        }
        f.write_str(&pointer)
    }
}

/// The kind of the field at `steps`.
fn kind_of(steps: &[String]) -> Result<FieldKind, String> {
    let mut at = SchemaPlace::Event;
    for (index, step) in steps.iter().enumerate() {
        at = match at.below(step) {
            Some(below) => below,
            None if matches!(at, SchemaPlace::Field(_)) => {
                return Err(format!("has nothing below {}", steps[..index].join(".")));
            }
            None => return Err(unknown(steps)),
        };
    }
    match at {
        SchemaPlace::Field(kind) => Ok(FieldKind::of(kind)),
        _ => Err("is a group; name a field in it".to_owned()),
    }
}

impl FieldKind {
    const fn of(kind: FieldType) -> Self {
        match kind {
            FieldType::OneOf(choices) => Self::Choice(choices),
            FieldType::Timestamp => Self::Time,
            FieldType::Integer { .. } | FieldType::Number { .. } => Self::Number,
            FieldType::Bool => Self::Bool,
            FieldType::Object | FieldType::Any | FieldType::Group(_) => Self::Free,
            FieldType::Text { .. }
            | FieldType::EventId
            | FieldType::Tenant
            | FieldType::EventType
            | FieldType::TextList { .. } => Self::Text,
        }
    }
}

/// Says that no such field is known, and which one may have been meant.
fn unknown(steps: &[String]) -> String {
    let asked = steps.join(".");
    let known = pointers().into_iter().map(|(pointer, _)| pointer[1..].replace('/', "."));
    let record = RECORD_FIELDS.iter().map(|(name, _)| (*name).to_owned());
    match nearest(&asked, known.chain(record)) {
        Some(name) => format!("is no field of an event; {name} is one"),
        None => format!(
            "is no field of an event; what no field takes stands below intake.unmapped, e.g. intake.unmapped.{asked}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldKind, FieldPath, RecordField};

    fn kind(text: &str) -> FieldKind {
        FieldPath::parse(text).unwrap().kind()
    }

    #[test]
    fn paths_lead_to_kinds() {
        assert_eq!(kind("actor.id"), FieldKind::Text);
        assert_eq!(kind("/actor/id"), FieldKind::Text);
        assert_eq!(kind("timestamp"), FieldKind::Time);
        assert_eq!(kind("ingested_at"), FieldKind::Time);
        assert_eq!(kind("ai_specific.confidence_score"), FieldKind::Number);
        assert_eq!(kind("ai_specific.tools_used"), FieldKind::Text);
        assert_eq!(kind("security.pii_detected"), FieldKind::Bool);
        assert_eq!(kind("data.after"), FieldKind::Free);
        assert_eq!(kind("metadata.a.b.c"), FieldKind::Free);
        assert_eq!(kind("intake.flags"), FieldKind::Text);
        assert_eq!(kind("intake.unmapped.eventVersion"), FieldKind::Free);
        assert!(matches!(kind("severity"), FieldKind::Choice(choices) if choices.len() == 5));
    }

    #[test]
    fn the_header_has_precedence() {
        let id = FieldPath::parse("id").unwrap();
        assert_eq!((id.record_field(), id.steps().len()), (Some(RecordField::Id), 0));
        let field = FieldPath::parse("context.tenant_id").unwrap();
        assert_eq!(field.record_field(), None);
    }

    #[test]
    fn every_spelling_is_read_back() {
        for text in ["actor.id", "sequence_number", "/metadata/a.b", "/intake/original/~1actor~1id"]
        {
            let field = FieldPath::parse(text).unwrap();
            assert_eq!(field.to_string(), text);
            assert_eq!(FieldPath::parse(&field.to_string()), Ok(field));
        }
        assert_eq!(FieldPath::parse("/actor/id").unwrap().to_string(), "actor.id");
    }

    #[test]
    fn what_is_no_field_is_named_with_what_may_have_been_meant() {
        for (text, words) in [
            ("actr.id", "actor.id is one"),
            ("severty", "severity is one"),
            ("eventVersion", "intake.unmapped.eventVersion"),
            ("actor", "is a group"),
            ("intake", "is a group"),
            ("intake.secret", "is no field"),
            ("actor.id.deeper", "nothing below actor.id"),
            ("id.deeper", "nothing below id"),
            ("actor..id", "empty name"),
            ("", "empty name"),
            ("/", "empty name"),
        ] {
            let reason = FieldPath::parse(text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
        assert!(FieldPath::parse(&"a.".repeat(300)).unwrap_err().contains("bytes"));
        assert!(FieldPath::parse(&vec!["metadata"; 17].join(".")).unwrap_err().contains("steps"));
    }
}
