//! Schemas of what is answered about events, which are written by hand and have no type that says how
//! they look.

use ledgerstone_model::sealing::FieldClass;
use ledgerstone_model::visible::Why;
use serde_json::{Map, Value, json};

use crate::shape::{SHAPES, Shape, Source};

/// A SHA-256 in small hexadecimal digits.
const HASH: &str = "^[0-9a-f]{64}$";

/// An answer of a route: method, path, status, and the schema's name.
type Answer = (&'static str, &'static str, &'static str, &'static str);

/// Which schema stands for which answer. Routes that take events answer as `POST /v1/events` does.
const ANSWERS: &[Answer] = &[
    ("post", "/v1/events", "200", "Appended"),
    ("post", "/v1/events", "201", "Receipt"),
    ("post", "/v1/events", "202", "Queued"),
    ("post", "/v1/events", "207", "AppendedItems"),
    ("post", "/v1/events", "422", "AppendedItems"),
    ("get", "/v1/events", "200", "EventPage"),
    ("get", "/v1/events/{id}", "200", "RecordedEvent"),
    ("get", "/v1/events/{id}/proof", "200", "EventProof"),
    ("post", "/v1/dead-letters/{id}/resend", "200", "Receipt"),
    ("post", "/v1/dead-letters/{id}/resend", "201", "Receipt"),
    ("get", "/api/v1/audit/events", "200", "CursorPage"),
    ("get", "/api/v1/audit/events/{id}", "200", "FlatEvent"),
    ("get", "/api/v1/audit", "200", "NumberedPage"),
    ("get", "/api/v1/audit/{id}", "200", "FlatEvent"),
];

/// Says of each answer in [`ANSWERS`] how its JSON looks.
pub(super) fn describe(paths: &mut Map<String, Value>) {
    for (method, path, status, schema) in ANSWERS {
        let answer = &mut paths[*path][*method]["responses"][*status];
        answer["content"]["application/json"]["schema"] = reference(schema);
    }
}

/// The schemas by the names that others refer to them by.
pub(super) fn components() -> Vec<(String, Value)> {
    let named = [
        ("Receipt", receipt()),
        ("ReceiptProof", inclusion_proof()),
        ("AppendedItem", appended_item()),
        ("AppendedItems", appended_items()),
        ("Appended", any_of(&["Receipt", "AppendedItems"])),
        ("QueuedEvent", queued_event()),
        ("Queued", any_of(&["QueuedEvent", "AppendedItems"])),
        ("HiddenPart", hidden_part()),
        ("CorrectingRecord", correcting_record()),
        ("Record", record()),
        ("RecordedEvent", recorded_event()),
        ("EventPage", event_page()),
        ("EventProof", event_proof()),
        ("FlatEvent", flat_event()),
        ("CursorPage", cursor_page()),
        ("NumberedPage", numbered_page()),
    ];
    let shapes = answering().map(|shape| (flat_name(shape), flat(shape)));
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).chain(shapes).collect()
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn any_of(names: &[&str]) -> Value {
    json!({"anyOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>()})
}

fn list_of(name: &str) -> Value {
    json!({"type": "array", "items": reference(name)})
}

/// An object with these members and no others; those that are named last may be missing.
fn object(description: &str, members: Value, optional: Value) -> Value {
    let mut properties = take_members(members);
    let required: Vec<String> = properties.keys().cloned().collect();
    properties.extend(take_members(optional));
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn take_members(value: Value) -> Map<String, Value> {
    if let Value::Object(members) = value { members } else { Map::new() }
}

fn hash() -> Value {
    json!({"type": "string", "pattern": HASH})
}

fn moment() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

fn warnings() -> Value {
    let description = "What the tenant's taxonomy, in force as a warning, has against the event";
    json!({"type": "array", "description": description, "items": {"type": "object", "additionalProperties": true}})
}

fn receipt() -> Value {
    let members = json!({
        "id": {"type": "string"},
        "tenant_id": {"type": "string"},
        "sequence_number": count(),
        "content_hash": hash(),
        "previous_hash": hash(),
        "record_hash": hash(),
        "signature": text_or_null(),
        "key_id": text_or_null(),
        "ingested_at": moment(),
        "status": {"enum": ["created", "duplicate"]},
    });
    let optional = json!({
        "checkpoint": {"type": "string", "description": "A signed note (C2SP), asked for with wait=checkpoint"},
        "inclusion_proof": reference("ReceiptProof"),
        "compared": {"enum": ["partly", "not_at_all"], "description": "How much of a repeated event could be compared, where that was not all"},
        "warnings": warnings(),
    });
    object("Evidence that an event is durable, and where it stands", members, optional)
}

fn inclusion_proof() -> Value {
    let members = json!({
        "hashes": {"type": "array", "items": {"type": "string"}},
        "leaf_index": count(),
        "tree_size": count(),
    });
    object("The way from a record to the checkpoint's root (RFC 9162)", members, json!({}))
}

fn appended_item() -> Value {
    let members = json!({"status": {"enum": ["created", "duplicate", "queued", "rejected"]}});
    let optional = json!({
        "receipt": reference("Receipt"),
        "id": {"type": "string"},
        "error": reference("Problem"),
        "warnings": warnings(),
    });
    object("What became of one event of an array", members, optional)
}

fn appended_items() -> Value {
    let members = json!({
        "accepted": count(),
        "duplicates": count(),
        "rejected": count(),
        "items": list_of("AppendedItem"),
    });
    object("What became of an array of events, in their order", members, json!({}))
}

fn queued_event() -> Value {
    let members = json!({"id": {"type": "string"}, "status": {"const": "queued"}});
    let optional = json!({"warnings": warnings()});
    object("An event that is in memory and will be written", members, optional)
}

fn hidden_part() -> Value {
    let classes = FieldClass::all().map(FieldClass::as_str).collect::<Vec<_>>();
    let whys = Why::all().map(Why::as_str).collect::<Vec<_>>();
    let members = json!({
        "pointer": {"type": "string", "description": "Where, as a JSON pointer; empty for the event as a whole"},
        "why": {"enum": whys},
    });
    let optional = json!({
        "certificate": count(),
        "class": {"enum": classes},
        "reason": {"type": "string"},
    });
    object("A place of an event that is not seen as it was sent", members, optional)
}

fn correcting_record() -> Value {
    let members = json!({"event_id": {"type": "string"}, "sequence_number": count()});
    object("An `audit.rectification` record that corrects this one", members, json!({}))
}

fn record() -> Value {
    let members = json!({
        "content_hash": hash(),
        "event_id": {"type": "string"},
        "ingested_at": moment(),
        "kind": {"enum": ["event", "audit", "system"]},
        "previous_hash": hash(),
        "sequence_number": count(),
        "tenant_id": {"type": "string"},
        "version": {"const": 1},
        "record_hash": hash(),
        "signature": text_or_null(),
        "key_id": text_or_null(),
    });
    object("A record's header, with its hash and signature", members, json!({}))
}

fn event_or_null() -> Value {
    let description = "The event as far as it is seen; null where nothing of it is";
    json!({"type": ["object", "null"], "additionalProperties": true, "description": description})
}

fn recorded_event() -> Value {
    let members = json!({"event": event_or_null(), "record": reference("Record")});
    let optional =
        json!({"corrected_by": list_of("CorrectingRecord"), "hidden": list_of("HiddenPart")});
    object("An event and its record", members, optional)
}

fn event_page() -> Value {
    let members = json!({"events": list_of("RecordedEvent"), "next_cursor": text_or_null()});
    object("A page of records", members, json!({}))
}

fn event_proof() -> Value {
    let members = json!({
        "checkpoint": {"type": "string", "description": "A signed note (C2SP)"},
        "content": event_or_null(),
        "hashes": {"type": "array", "items": {"type": "string"}},
        "header": {"type": "object", "additionalProperties": true},
        "leaf_index": count(),
        "tree_size": count(),
        "vkey": {"type": "string"},
    });
    let optional = json!({
        "content_withheld": {"type": "boolean"},
        "hidden": list_of("HiddenPart"),
    });
    object("A record with the way to a signed root", members, optional)
}

/// The shapes that records are read in.
fn answering() -> impl Iterator<Item = &'static Shape> {
    SHAPES.iter().copied().filter(|shape| !shape.answers.is_empty())
}

fn flat_name(shape: &Shape) -> String {
    let mut letters = shape.name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain("Event".chars()).collect()
}

/// A record in a flat shape.
fn flat(shape: &Shape) -> Value {
    let members = shape.answers.iter().map(|(member, source)| {
        let schema = match source {
            // What no field took comes back as it was sent.
            Source::Field(_) => json!({}),
            Source::Id => json!({"type": "string"}),
            Source::IngestedAt => moment(),
            Source::SequenceNumber => count(),
            Source::ContentHash | Source::RecordHash | Source::PreviousHash => hash(),
            Source::Signature => text_or_null(),
        };
        ((*member).to_owned(), schema)
    });
    object(shape.doc, members.collect(), json!({"hidden": list_of("HiddenPart")}))
}

fn flat_event() -> Value {
    let names: Vec<String> = answering().map(flat_name).collect();
    any_of(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cursor_page() -> Value {
    let members = json!({
        "events": list_of("FlatEvent"),
        "execution_time": {"type": "string"},
        "next_cursor": text_or_null(),
        "total_count": count(),
    });
    object("A page of flat records over one snapshot", members, json!({}))
}

fn numbered_page() -> Value {
    let members = json!({
        "events": list_of("FlatEvent"),
        "page": count(),
        "page_size": count(),
        "total": count(),
        "total_pages": count(),
    });
    object("A counted page of flat records", members, json!({}))
}
