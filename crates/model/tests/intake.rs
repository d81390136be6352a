//! `event.intake` is frozen with every member it can have: what the server writes beside an event
//! today must be what it wrote when the fixture was made.

mod parsing;

use ledgerstone_model::IntakeSource;
use ledgerstone_proof::{
    Header, Salt, leaf_hash, record_hash, sha256, split_content, write_content,
};
use serde_json::Value;

fn fixture() -> Value {
    let text = include_str!("../../../fixtures/proof/intake.json");
    serde_json::from_str(text).expect("a fixture is JSON")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a string")
}

/// What an importer says, as the fixture tells it.
fn source(said: &Value) -> IntakeSource {
    let (format, mapping) = (text(said, "format").to_owned(), text(said, "mapping").to_owned());
    let mut source = IntakeSource::mapped(format, mapping);
    for flag in said["flags"].as_array().expect("flags") {
        source = source.with_flag(flag.as_str().expect("a string"));
    }
    for (pointer, value) in said["original"].as_object().expect("originals") {
        source = source.with_original(pointer.as_str(), value.to_string().into_bytes());
    }
    if said["set"] == serde_json::json!(["/id"]) {
        source = source.with_set("/id");
    }
    source.with_unmapped(said["unmapped"].to_string().into_bytes())
}

#[test]
fn what_the_server_writes_beside_an_event_is_frozen() {
    let fixture = fixture();
    let mut seen = std::collections::BTreeSet::new();
    for record in fixture["records"].as_array().expect("records") {
        let sent = text(record, "sent");
        let event = match &record["source"] {
            Value::Null => parsing::parse(sent),
            said => parsing::parse_with(sent, &source(said)),
        };
        let event = event.expect("a good event");
        let written = String::from_utf8(event.text().to_vec()).expect("UTF-8");
        assert_eq!(written, text(record, "event"));
        let intake: Value = serde_json::from_str(&written).expect("JSON");
        seen.extend(intake["intake"].as_object().expect("an intake").keys().cloned());
    }
    let all = ["flags", "format", "mapping", "original", "set", "unmapped"];
    assert!(seen.iter().eq(all), "{seen:?}");
}

#[test]
fn its_records_hold() {
    let mut previous = "0".repeat(64);
    for record in fixture()["records"].as_array().expect("records") {
        let content = text(record, "content").as_bytes();
        let (event, salt) = split_content(content).expect("a content");
        assert_eq!(event, text(record, "event").as_bytes());
        let mut again = Vec::new();
        write_content(event, &Salt::from_bytes(*salt.as_bytes()), &mut again);
        assert_eq!(again, content);
        let bytes = text(record, "header").as_bytes();
        let header = Header::parse(bytes).expect("a header");
        assert_eq!(*header.content_hash(), sha256(content));
        assert_eq!(header.previous_hash().to_hex(), previous);
        assert_eq!(leaf_hash(bytes).to_hex(), text(record, "leaf_hash"));
        previous = record_hash(bytes).to_hex();
        assert_eq!(previous, text(record, "record_hash"));
    }
}
