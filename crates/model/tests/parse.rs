//! What a good event becomes: canonical, complete, with every note of the server's in `intake`.

mod parsing;

use ledgerstone_model::intake::FLAG_NUMBER_QUOTED;
use ledgerstone_model::{ErrorCode, IntakeSource, as_sent};
use ledgerstone_proof::canonicalize;
use parsing::{parse, parse_with};

#[track_caller]
fn becomes(sent: &str, stored: &str) {
    let event = parse(sent).unwrap_or_else(|rejection| panic!("{rejection}"));
    assert_eq!(String::from_utf8_lossy(event.text()), stored);
    let back = as_sent(event.text());
    assert_eq!(back.ok(), canonicalize(sent.as_bytes()).ok());
}

#[test]
fn an_event_in_order_is_stored_as_it_is() {
    let text = r#"{"actor":{"id":"u1","name":null},"event_type":"user.login","id":"e-1","timestamp":"2024-05-01T11:59:59.25Z"}"#;
    becomes(text, text);
    let event = parse(text).unwrap();
    assert_eq!(event.id().as_str(), "e-1");
    assert_eq!(event.event_type(), "user.login");
    assert_eq!(event.tenant().as_str(), "acme");
    assert_eq!(event.timestamp_micros(), parsing::RECEIVED_AT - 750_000);
}

#[test]
fn white_space_and_order_are_the_only_things_that_canonical_form_changes() {
    becomes(
        "\t{ \"timestamp\" : \"2024-05-01T12:00:00Z\" ,\n \"event_type\":\"\\u0061\" }\r\n",
        r#"{"event_type":"a","timestamp":"2024-05-01T12:00:00Z"}"#,
    );
}

#[test]
fn an_event_without_an_id_gets_one_in_the_header_only() {
    let text = r#"{"event_type":"a","timestamp":"2024-05-01T12:00:00Z"}"#;
    let event = parse(text).unwrap();
    assert_eq!(event.id().as_str(), "018f3406-9e00-7707-8707-070707070707");
    assert_eq!(event.text(), text.as_bytes());
    becomes(
        r#"{"event_type":"a","id":null,"timestamp":"2024-05-01T12:00:00Z"}"#,
        r#"{"event_type":"a","id":null,"timestamp":"2024-05-01T12:00:00Z"}"#,
    );
}

#[test]
fn a_missing_timestamp_is_filled_in_and_named() {
    becomes(
        r#"{"event_type":"a","target":{}}"#,
        r#"{"event_type":"a","intake":{"set":["/timestamp"]},"target":{},"timestamp":"2024-05-01T12:00:00.000000Z"}"#,
    );
    becomes(
        r#"{"event_type":"a","timestamp":null}"#,
        r#"{"event_type":"a","intake":{"original":{"/timestamp":null},"set":["/timestamp"]},"timestamp":"2024-05-01T12:00:00.000000Z"}"#,
    );
}

#[test]
fn a_timestamp_in_another_spelling_is_respelt_and_its_text_kept() {
    becomes(
        r#"{"event_type":"a","timestamp":"2024-05-01T13:00:00.5+01:00"}"#,
        r#"{"event_type":"a","intake":{"original":{"/timestamp":"2024-05-01T13:00:00.5+01:00"}},"timestamp":"2024-05-01T12:00:00.5Z"}"#,
    );
    becomes(
        r#"{"event_type":"a","timestamp":"2024-05-01 12:00:00"}"#,
        r#"{"event_type":"a","intake":{"flags":["timestamp_without_zone"],"original":{"/timestamp":"2024-05-01 12:00:00"}},"timestamp":"2024-05-01T12:00:00Z"}"#,
    );
}

#[test]
fn a_timestamp_is_in_the_future_after_five_minutes() {
    let in_five = r#"{"event_type":"a","timestamp":"2024-05-01T12:05:00Z"}"#;
    becomes(in_five, in_five);
    becomes(
        r#"{"event_type":"a","timestamp":"2024-05-01T12:05:00.000001Z"}"#,
        r#"{"event_type":"a","intake":{"flags":["timestamp_in_future"]},"timestamp":"2024-05-01T12:05:00.000001Z"}"#,
    );
}

#[test]
fn unknown_fields_move_aside_nested_as_they_were_sent() {
    becomes(
        r#"{"Z":0,"actor":{"id":"u","mood":"good","x":[{}]},"context":{"trace":1},"event_type":"a","foo":{"id":2},"target":{"metadata":{"free":1}},"timestamp":"2024-05-01T12:00:00Z"}"#,
        r#"{"actor":{"id":"u"},"context":{},"event_type":"a","intake":{"unmapped":{"Z":0,"actor":{"mood":"good","x":[{}]},"context":{"trace":1},"foo":{"id":2}}},"target":{"metadata":{"free":1}},"timestamp":"2024-05-01T12:00:00Z"}"#,
    );
}

#[test]
fn unknown_names_with_escapes_and_beyond_ascii_come_back_in_their_order() {
    let sent = "{\"event_type\":\"a\",\"timestamp\":\"2024-05-01T12:00:00Z\",\"\u{1f600}\":1,\"\u{fb33}\":2,\"a\\\"b\":3,\"actor\":{\"~/\":4}}";
    let event = parse(sent).unwrap();
    assert_eq!(as_sent(event.text()).unwrap(), canonicalize(sent.as_bytes()).unwrap());
    assert_eq!(canonicalize(event.text()).unwrap(), event.text());
}

#[test]
fn a_nul_in_a_string_and_free_names_deeper_down_are_fine() {
    let text = r#"{"data":{"after":"a\u0000b","before":{"_x":{"intake":1}}},"event_type":"a","metadata":{"_y":{},"sealed":"\"$sealed\":"},"timestamp":"2024-05-01T12:00:00Z"}"#;
    becomes(text, text);
}

#[test]
fn the_event_may_name_its_own_tenant() {
    let text = r#"{"context":{"tenant_id":"acme"},"event_type":"a","tenant_id":"acme","timestamp":"2024-05-01T12:00:00Z"}"#;
    becomes(text, text);
}

#[test]
fn every_known_field_takes_a_value_in_its_range() {
    let text = include_str!("fixtures/every_field.json");
    let canonical = String::from_utf8(canonicalize(text.as_bytes()).unwrap()).unwrap();
    becomes(text, &canonical);
    for (pointer, _) in ledgerstone_model::schema::pointers() {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert!(value.pointer(&pointer).is_some(), "{pointer} is missing");
    }
}

#[test]
fn null_is_kept_in_every_field_that_is_not_required() {
    for (pointer, field) in ledgerstone_model::schema::pointers() {
        if field.is_required() || pointer == "/timestamp" {
            continue;
        }
        let mut steps = pointer.split('/').skip(1);
        let member = match (steps.next(), steps.next()) {
            (Some(group), Some(name)) => format!(r#""{group}":{{"{name}":null}}"#),
            (name, _) => format!(r#""{}":null"#, name.unwrap_or_default()),
        };
        let text = format!(r#"{{{member},"event_type":"a","timestamp":"2024-05-01T12:00:00Z"}}"#);
        let canonical = canonicalize(text.as_bytes()).unwrap();
        assert_eq!(parse(&text).unwrap().text(), canonical, "{pointer}");
    }
}

#[test]
fn what_an_importer_says_stands_in_intake() {
    let source = IntakeSource::mapped("cloudtrail", "cloudtrail/1")
        .with_flag(format!("{FLAG_NUMBER_QUOTED}/b"))
        .with_flag("a")
        .with_original("/id", br#""an id""#.to_vec())
        .with_unmapped(br#"{"actor":{"x":1},"id":"own"}"#.to_vec());
    let text = r#"{"actor":{},"event_type":"a","id":"7","timestamp":"2024-05-01 12:00:00"}"#;
    let event = parse_with(text, &source).unwrap();
    assert_eq!(
        String::from_utf8_lossy(event.text()),
        concat!(
            r#"{"actor":{},"event_type":"a","id":"7","intake":{"#,
            r#""flags":["a","number_quoted:/b","timestamp_without_zone"],"#,
            r#""format":"cloudtrail","mapping":"cloudtrail/1","#,
            r#""original":{"/id":"an id","/timestamp":"2024-05-01 12:00:00"},"#,
            r#""unmapped":{"actor":{"x":1},"id":"own"}},"timestamp":"2024-05-01T12:00:00Z"}"#,
        )
    );
    assert_eq!(
        String::from_utf8(as_sent(event.text()).unwrap()).unwrap(),
        concat!(
            r#"{"actor":{},"event_type":"a","id":"an id","#,
            r#""intake":{"flags":["number_quoted:/b"],"unmapped":{"actor":{"x":1},"id":"own"}},"#,
            r#""timestamp":"2024-05-01 12:00:00"}"#,
        )
    );
}

#[test]
fn an_importer_cannot_bring_what_is_not_canonical_or_not_known() {
    let text = r#"{"event_type":"a","surplus":1}"#;
    for source in [
        IntakeSource::mapped("f", "f/1"),
        IntakeSource::mapped("f", "f/1").with_unmapped(b"{\"a\": 1}".to_vec()),
        IntakeSource::mapped("f", "f/1").with_unmapped(b"[]".to_vec()),
        IntakeSource::mapped("f", "f/1").with_original("/id", b"{".to_vec()),
    ] {
        let rejection = parse_with(text, &source).unwrap_err();
        assert_eq!(rejection.code(), ErrorCode::InvalidImport, "{rejection}");
    }
    let marked = IntakeSource::mapped("f", "f/1").with_unmapped(br#"{"$sealed":1}"#.to_vec());
    let rejection = parse_with(r#"{"event_type":"a"}"#, &marked).unwrap_err();
    assert_eq!(rejection.code(), ErrorCode::ReservedName);
}

#[test]
fn the_deepest_event_may_hold_its_depth_in_an_unknown_field() {
    for (field, opening) in [("foo", 63), ("metadata", 62)] {
        let value = format!("{}{}", "[".repeat(opening), "]".repeat(opening));
        let value = if field == "metadata" { format!(r#"{{"x":{value}}}"#) } else { value };
        let sent = format!(r#"{{"event_type":"a","{field}":{value}}}"#);
        let event = parse(&sent).unwrap();
        assert_eq!(as_sent(event.text()).unwrap(), canonicalize(sent.as_bytes()).unwrap());
    }
}
