//! Schemas of what is sent, where no type of ours stands for it: events are read by the model's own
//! table, and so their schema follows from it.

use ledgerstone_ledger::FirstAdminKey;
use ledgerstone_ledger::api_keys::LABEL_MAX;
use ledgerstone_model::schema::{FIELDS, Field, FieldType};
use serde_json::{Map, Value, json};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::limits::ARRAY_ITEMS_MAX;
use super::tenants::REASON_MAX;

/// One of these texts.
pub(super) fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build()
}

/// One of these texts, or null, which stands for «not given».
pub(super) fn one_of_or_null<'n>(names: impl IntoIterator<Item = &'n str>) -> Object {
    let kind = SchemaType::from_iter([Type::String, Type::Null]);
    let names = names.into_iter().map(Some).chain([None]);
    ObjectBuilder::new().schema_type(kind).enum_values(Some(names)).build()
}

/// What somebody says in words: 1 to 500 characters, not all blank, none of them control characters.
pub(super) fn words() -> Object {
    words_of(Type::String.into(), REASON_MAX)
}

/// The same, or null, which stands for «not given».
pub(super) fn words_or_null() -> Object {
    words_of(SchemaType::from_iter([Type::String, Type::Null]), REASON_MAX)
}

/// What people call a key: the same with 1 to 200 characters.
pub(super) fn label() -> Object {
    words_of(Type::String.into(), LABEL_MAX)
}

/// What people call the key with which a tenant begins: the same, or null, which stands for «not given».
pub(super) fn first_label() -> Object {
    let mut label = words_of(SchemaType::from_iter([Type::String, Type::Null]), LABEL_MAX);
    let usual = FirstAdminKey::LABEL;
    label.description = label.description.map(|words| format!("{words}; `{usual}` unless given"));
    label
}

fn words_of(kind: SchemaType, characters_max: usize) -> Object {
    const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
    let pattern = format!(r"^[^{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$");
    ObjectBuilder::new()
        .schema_type(kind)
        .min_length(Some(1))
        .max_length(Some(characters_max))
        .pattern(Some(pattern))
        .description(Some(format!(
            "1 to {characters_max} characters, not all blank, none of them control characters"
        )))
        .build()
}

/// Texts of at least so many bytes are bounded by the size of the event alone.
const BOUNDED_BELOW: usize = 1024 * 1024;

/// The highest version of a taxonomy.
const VERSION_MAX: u64 = (1 << 53) - 1;

/// The types of events that only the server writes.
const RESERVED_TYPES: &str = "^(_|system\\.|audit\\.)";

/// The schemas by the names that others refer to them by.
pub(super) fn components() -> [(&'static str, Value); 2] {
    [("Event", event()), ("TaxonomyDraft", taxonomy_draft())]
}

/// The body of an append: one event or several, in a form that its media type says.
pub(super) fn events_body() -> Value {
    let lines = "One event a line, at most 100,000 of them";
    json!({
        "required": true,
        "content": {
            "application/json": {"schema": one_or_more()},
            "application/x-ndjson": {"schema": {"type": "string", "description": lines}},
        },
    })
}

/// What may be asked about: anything that may be meant as an event, or an array of such.
pub(super) fn anything_to_check() -> Value {
    json!({
        "anyOf": [
            {"type": ["object", "string", "number", "boolean", "null"]},
            {"type": "array", "minItems": 1, "maxItems": ARRAY_ITEMS_MAX},
        ],
        "examples": [{"event_type": "user.login", "actor": {"id": "u-17"}}],
    })
}

/// An event, or an array of events.
fn one_or_more() -> Value {
    let event = json!({"$ref": "#/components/schemas/Event"});
    let events =
        json!({"type": "array", "minItems": 1, "maxItems": ARRAY_ITEMS_MAX, "items": event});
    json!({"oneOf": [event, events]})
}

fn event() -> Value {
    let mut schema = group(FIELDS);
    schema["propertyNames"] = json!({"not": {"pattern": "^(_.*|intake|sealed|\\$sealed)$"}});
    schema["description"] = json!(
        "An event as the model has it. Members that no field knows are kept in `intake.unmapped`. \
         Lengths are those of UTF-8. Numbers are exact up to 2^53 - 1 and no member at any depth is \
         called `$sealed`, which is not said here: generators of clients know no such schemas."
    );
    schema["examples"] = json!([{
        "event_type": "document.approved",
        "timestamp": "2024-05-01T11:59:58.123Z",
        "severity": "info",
        "actor": {"type": "user", "id": "u-17", "ip_address": "192.0.2.7"},
        "target": {"type": "document", "id": "d-9", "name": "plan.pdf"},
        "action": {"verb": "approve", "status": "success"},
    }]);
    schema
}

fn group(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name().to_owned(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required()).map(Field::name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "propertyNames": {"not": {"pattern": "^(_.*|\\$sealed)$"}},
        "additionalProperties": true,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A member; `null` stands for «not given» where it may be left out.
fn property(field: &Field) -> Value {
    let mut schema = of_type(field.kind());
    if !field.is_required()
        && let Some(kind) = schema.get("type").cloned()
    {
        schema["type"] = json!([kind, "null"]);
        if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
    schema["description"] = json!(field.doc());
    schema
}

fn of_type(kind: FieldType) -> Value {
    match kind {
        FieldType::Group(fields) => group(fields),
        FieldType::Text { max_bytes } => text(max_bytes),
        FieldType::EventId => {
            json!({"type": "string", "pattern": "^[A-Za-z0-9.:-][A-Za-z0-9._:-]{0,127}$"})
        }
        FieldType::Tenant => json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}),
        FieldType::EventType => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
            "not": {"pattern": RESERVED_TYPES},
        }),
        FieldType::Timestamp => json!({"type": "string", "format": "date-time"}),
        FieldType::OneOf(choices) => json!({"type": "string", "enum": choices}),
        FieldType::Integer { max } => json!({"type": "integer", "minimum": 0, "maximum": max}),
        FieldType::Number { max } => json!({"type": "number", "minimum": 0, "maximum": max}),
        FieldType::Bool => json!({"type": "boolean"}),
        FieldType::TextList { max_items, max_bytes } => {
            json!({"type": "array", "maxItems": max_items, "items": text(max_bytes)})
        }
        FieldType::Object => json!({"type": "object", "additionalProperties": true}),
        FieldType::Any => json!({}),
    }
}

fn text(max_bytes: usize) -> Value {
    if max_bytes >= BOUNDED_BELOW {
        return json!({"type": "string"});
    }
    json!({"type": "string", "maxLength": max_bytes})
}

fn taxonomy_draft() -> Value {
    json!({
        "type": "object",
        "description": "A taxonomy as somebody wishes it",
        "required": ["mode", "event_types"],
        "additionalProperties": false,
        "properties": {
            "mode": {"type": "string", "enum": ["off", "warn", "enforce"]},
            "version": {
                "type": "integer", "minimum": 0, "maximum": VERSION_MAX,
                "description": "The version that was changed",
            },
            "event_types": {
                "type": "object",
                "maxProperties": 1000,
                "propertyNames": {
                    "maxLength": 256,
                    "pattern": "^[^*\\u0000-\\u001f\\u007f-\\u009f]+(\\.\\*)?$",
                    "not": {"pattern": RESERVED_TYPES},
                },
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "description": {"type": "string", "maxLength": 1024},
                        "schema": {
                            "type": "object",
                            "description": "JSON Schema 2020-12, within the limits of docs/taxonomy.md",
                        },
                    },
                },
            },
        },
        "examples": [{
            "mode": "warn",
            "event_types": {"user.login": {"schema": {"required": ["actor"]}}, "payment.*": {}},
        }],
    })
}
