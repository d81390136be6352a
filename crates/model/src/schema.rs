//! The one table of every field an event may have; parsing, mapping and `docs/events.md` follow it.

use crate::json::{Value, ValueKind};

/// The largest whole number that every reader of JSON keeps exactly, 2^53 - 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Bytes of UTF-8 that a name, a type or an identifier of somebody else's may have.
const NAME: FieldType = FieldType::Text { max_bytes: 1024 };

/// Free text is bounded by the size of the event alone.
const LONG_TEXT: FieldType = FieldType::Text { max_bytes: 1024 * 1024 };

const COUNT: FieldType = FieldType::Integer { max: INTEGER_MAX };

/// One known field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: &'static str,
    tag: usize,
    kind: FieldType,
    required: bool,
    doc: &'static str,
}

/// What a known field may hold. `null` stands for «not given» in every field that is not required.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    /// An object whose members are known fields themselves.
    Group(&'static [Field]),
    /// A string of at most so many bytes of UTF-8.
    Text { max_bytes: usize },
    /// An event id (`[A-Za-z0-9.:-][A-Za-z0-9._:-]{0,127}`).
    EventId,
    /// The name of the tenant that the event is sent to.
    Tenant,
    /// A type of event: 1 to 256 bytes, no control characters, not the server's own.
    EventType,
    /// An RFC 3339 date and time.
    Timestamp,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A whole number from 0 on.
    Integer { max: u64 },
    /// A number from 0 on.
    Number { max: f64 },
    /// `true` or `false`.
    Bool,
    /// An array of strings.
    TextList { max_items: usize, max_bytes: usize },
    /// Any object; its members are the sender's own.
    Object,
    /// Any JSON value.
    Any,
}

impl Field {
    const fn new(name: &'static str, kind: FieldType, doc: &'static str) -> Self {
        Self { name, tag: tag(name.as_bytes()), kind, required: false, doc }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// The member's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it may hold.
    pub const fn kind(&self) -> FieldType {
        self.kind
    }

    /// Whether an event without it is refused.
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// What it means.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }
}

/// Length, first and last byte of a name: they tell nearly all names of a group apart, and one
/// number is compared faster than a text.
const fn tag(name: &[u8]) -> usize {
    match name {
        [first, .., last] => name.len() << 16 | (*first as usize) << 8 | *last as usize,
        _ => name.len(),
    }
}

/// The field of this name in a group, if there is one.
pub fn find(fields: &'static [Field], name: &[u8]) -> Option<&'static Field> {
    let tag = tag(name);
    fields.iter().find(|field| field.tag == tag && field.name.as_bytes() == name)
}

/// The field at a JSON pointer such as `/actor/id`, if there is one.
pub fn at_pointer(pointer: &str) -> Option<&'static Field> {
    let mut fields = FIELDS;
    let mut steps = pointer.strip_prefix('/')?.split('/').peekable();
    while let Some(step) = steps.next() {
        let field = find(fields, step.as_bytes())?;
        match field.kind {
            _ if steps.peek().is_none() => return Some(field),
            FieldType::Group(members) => fields = members,
            _ => return None,
        }
    }
    None
}

/// Every field with its JSON pointer, groups before their members, in the order of the table.
pub fn pointers() -> Vec<(String, &'static Field)> {
    let mut out = Vec::new();
    for field in FIELDS {
        out.push((format!("/{}", field.name), field));
        if let FieldType::Group(members) = field.kind {
            for member in members {
                out.push((format!("/{}/{}", field.name, member.name), member));
            }
        }
    }
    out
}

impl FieldType {
    /// Says why a value cannot stand in a field of this type, or `None` where it can.
    ///
    /// Event ids, tenants, event types and timestamps are judged as text only; their grammar
    /// belongs to their own types.
    pub fn fault(self, value: Value<'_>) -> Option<String> {
        match self {
            Self::Group(_) | Self::Object => wrong_kind(value, ValueKind::Object, "an object"),
            Self::Text { max_bytes } => text_fault(value, max_bytes),
            Self::EventId | Self::Tenant | Self::EventType | Self::Timestamp => {
                wrong_kind(value, ValueKind::Text, "a string")
            }
            Self::OneOf(choices) => choice_fault(value, choices),
            Self::Integer { max } => integer_fault(value, max),
            Self::Number { max } => number_fault(value, max),
            Self::Bool => wrong_kind(value, ValueKind::Bool, "true or false"),
            Self::TextList { .. } => wrong_kind(value, ValueKind::Array, "an array of strings"),
            Self::Any => None,
        }
    }

    /// The type in words, as it stands in `docs/events.md`.
    pub fn words(self) -> String {
        match self {
            Self::Group(_) => "group".to_owned(),
            Self::Text { max_bytes } if max_bytes >= 1024 * 1024 => "text".to_owned(),
            Self::Text { max_bytes } => format!("text, at most {max_bytes} bytes"),
            Self::EventId => "event id".to_owned(),
            Self::Tenant => "tenant name".to_owned(),
            Self::EventType => "text, 1 to 256 bytes".to_owned(),
            Self::Timestamp => "timestamp".to_owned(),
            Self::OneOf(choices) => format!("one of `{}`", choices.join("`, `")),
            Self::Integer { .. } => "whole number, 0 to 2^53 - 1".to_owned(),
            Self::Number { max } => format!("number, 0 to {max}"),
            Self::Bool => "true or false".to_owned(),
            Self::TextList { max_items, max_bytes } => {
                format!("array of at most {max_items} texts of at most {max_bytes} bytes")
            }
            Self::Object => "any object".to_owned(),
            Self::Any => "any value".to_owned(),
        }
    }
}

/// Why a string is no text of at most `max_bytes` bytes.
pub fn text_fault(value: Value<'_>, max_bytes: usize) -> Option<String> {
    if value.kind() != ValueKind::Text {
        return Some("must be a string".to_owned());
    }
    // Escapes only ever make the text longer, so most strings need no decoding here.
    if value.raw().len() <= max_bytes + 2 {
        return None;
    }
    let length = value.text().map_or(0, |text| text.len());
    (length > max_bytes).then(|| format!("has {length} bytes; at most {max_bytes} are allowed"))
}

fn wrong_kind(value: Value<'_>, wanted: ValueKind, words: &str) -> Option<String> {
    (value.kind() != wanted).then(|| format!("must be {words}"))
}

fn choice_fault(value: Value<'_>, choices: &[&str]) -> Option<String> {
    let text = value.text();
    let known = text.is_some_and(|text| choices.contains(&text.as_ref()));
    (!known).then(|| format!("must be one of {}", choices.join(", ")))
}

fn integer_fault(value: Value<'_>, max: u64) -> Option<String> {
    let good = value.unsigned().is_some_and(|number| number <= max);
    (!good).then(|| format!("must be a whole number from 0 to {max}"))
}

fn number_fault(value: Value<'_>, max: f64) -> Option<String> {
    let good = value.number().is_some_and(|number| (0.0..=max).contains(&number));
    (!good).then(|| format!("must be a number from 0 to {max}"))
}

/// The fields of an event.
pub const FIELDS: &[Field] = &[
    Field::new(
        "id",
        FieldType::EventId,
        "The sender's name for this event, unique in the tenant for ever: sending it again adds nothing. Without one the server makes a UUIDv7, which stands in the header only.",
    ),
    Field::new(
        "tenant_id",
        FieldType::Tenant,
        "The tenant the event belongs to. May be left out; an event that names another tenant than the one it is sent to is refused.",
    ),
    Field::new(
        "event_type",
        FieldType::EventType,
        "What kind of thing happened, e.g. `user.login`. `system.*`, `audit.*` and names beginning with `_` are the server's own.",
    )
    .required(),
    Field::new(
        "timestamp",
        FieldType::Timestamp,
        "When it happened. Filled in with the time of receipt when absent.",
    ),
    Field::new(
        "severity",
        FieldType::OneOf(&["info", "low", "medium", "high", "critical"]),
        "How much it matters.",
    ),
    Field::new(
        "metadata",
        FieldType::Object,
        "Whatever else the sender wants to keep.",
    ),
    Field::new("actor", FieldType::Group(ACTOR), "Who did it."),
    Field::new("target", FieldType::Group(TARGET), "What it was done to."),
    Field::new("action", FieldType::Group(ACTION), "What was done."),
    Field::new(
        "context",
        FieldType::Group(CONTEXT),
        "Where in the sender's world it happened.",
    ),
    Field::new("data", FieldType::Group(DATA), "What it changed."),
    Field::new(
        "ai_specific",
        FieldType::Group(AI_SPECIFIC),
        "What a language model or an agent did.",
    ),
    Field::new(
        "compliance",
        FieldType::Group(COMPLIANCE),
        "Checks against rules.",
    ),
    Field::new(
        "security",
        FieldType::Group(SECURITY),
        "How the data must be handled.",
    ),
    Field::new(
        "performance",
        FieldType::Group(PERFORMANCE),
        "What it cost.",
    ),
];

const ACTOR: &[Field] = &[
    Field::new("type", NAME, "What kind of actor, e.g. `user`, `service`, `agent`."),
    Field::new("id", NAME, "Who, by a name that does not change."),
    Field::new("name", NAME, "Who, as people call them."),
    Field::new("email", NAME, "Their address."),
    Field::new(
        "ip_address",
        NAME,
        "Where they came from. Text, since many systems write a host or a service here.",
    ),
    Field::new("user_agent", LONG_TEXT, "The program they used."),
    Field::new("session_id", NAME, "The session it happened in."),
];

const TARGET: &[Field] = &[
    Field::new("type", NAME, "What kind of thing."),
    Field::new("id", NAME, "Which one, by a name that does not change."),
    Field::new("name", NAME, "Which one, as people call it."),
    Field::new("metadata", FieldType::Object, "More about it."),
];

const ACTION: &[Field] = &[
    Field::new("verb", NAME, "What was done, e.g. `create`."),
    Field::new("description", LONG_TEXT, "The same in words."),
    Field::new("status", NAME, "How it ended, e.g. `success`, `failure`."),
    Field::new("error", LONG_TEXT, "Why it failed."),
];

const CONTEXT: &[Field] = &[
    Field::new("tenant_id", FieldType::Tenant, "The tenant, as in `/tenant_id`."),
    Field::new("project_id", NAME, "The project within the tenant."),
    Field::new("request_id", NAME, "The request that led to the event."),
    Field::new("parent_audit_id", NAME, "The id of the event that this one follows from."),
];

const DATA: &[Field] = &[
    Field::new("before", FieldType::Any, "The state before."),
    Field::new("after", FieldType::Any, "The state after."),
    Field::new(
        "changes",
        FieldType::Any,
        "What changed, as a list of names or as old and new values.",
    ),
    Field::new("metadata", FieldType::Object, "More about the change."),
];

const AI_SPECIFIC: &[Field] = &[
    Field::new("agent_type", NAME, "What kind of agent."),
    Field::new("model", NAME, "Which model."),
    Field::new("prompt_tokens", COUNT, "Tokens sent."),
    Field::new("completion_tokens", COUNT, "Tokens received."),
    Field::new(
        "confidence_score",
        FieldType::Number { max: 1.0 },
        "How sure the agent says it is.",
    ),
    Field::new("reasoning", LONG_TEXT, "Why, in the agent's words."),
    Field::new(
        "tools_used",
        FieldType::TextList { max_items: 1000, max_bytes: 1024 },
        "The tools it called.",
    ),
    Field::new("execution_time_ms", COUNT, "Milliseconds it took."),
];

const COMPLIANCE: &[Field] = &[
    Field::new(
        "regulations_checked",
        FieldType::TextList { max_items: 1000, max_bytes: 1024 },
        "The rules it was checked against.",
    ),
    Field::new("traffic_light_status", NAME, "The result, e.g. `green`, `amber`, `red`."),
    Field::new("issues_found", COUNT, "Number of issues."),
    Field::new("critical_issues", COUNT, "Number of critical ones."),
    Field::new("findings", FieldType::Any, "The issues themselves."),
];

const SECURITY: &[Field] = &[
    Field::new("encryption_used", FieldType::Bool, "Whether the data was encrypted."),
    Field::new("data_classification", NAME, "Its class, e.g. `confidential`."),
    Field::new("retention_period_days", COUNT, "Days it must be kept."),
    Field::new("pii_detected", FieldType::Bool, "Whether personal data was found in it."),
];

const PERFORMANCE: &[Field] = &[
    Field::new("response_time_ms", COUNT, "Milliseconds until the answer."),
    Field::new("database_query_time_ms", COUNT, "Milliseconds of it in the database."),
    Field::new("external_api_time_ms", COUNT, "Milliseconds of it in other services."),
    Field::new("memory_used_mb", COUNT, "Megabytes used."),
];
