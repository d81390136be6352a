//! Numbers that canonical JSON cannot hold: refused unless somebody asks for strings, and then
//! nothing of them is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parsing;

use ledgerstone_model::json::Value as Canonical;
use ledgerstone_model::rejection::pointer_push;
use ledgerstone_model::{ErrorCode, Numbers, ParseContext, Rejection, ValidEvent, as_sent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId, canonicalize_quoting};
use proptest::prelude::*;
use serde_json::Value;

fn parse(text: &str, numbers: Numbers) -> Result<ValidEvent, Rejection> {
    let tenant = TenantId::parse("acme").expect("a good name");
    let at = IngestedAt::from_micros(parsing::RECEIVED_AT).expect("a good time");
    let context = ParseContext::new(&tenant, at, [7; 16]).with_numbers(numbers);
    ValidEvent::parse(text.as_bytes(), &context, &mut Canonicalizer::new())
}

#[test]
fn refused_unless_asked_for() {
    let text = r#"{"event_type":"a","metadata":{"n":9007199254740993},"stray":[1,1e400]}"#;
    let refused = parse(text, Numbers::Refuse).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::NumberNotExact);
    assert_eq!(parsing::parse(text).unwrap_err().code(), ErrorCode::NumberNotExact);
    let event = parse(text, Numbers::Quote).unwrap();
    let shown: Value = serde_json::from_slice(event.text()).unwrap();
    assert_eq!(shown["metadata"]["n"], "9007199254740993");
    assert_eq!(shown["intake"]["unmapped"]["stray"], serde_json::json!([1, "1e400"]));
    let flags = serde_json::json!(["number_quoted:/metadata/n", "number_quoted:/stray/1"]);
    assert_eq!(shown["intake"]["flags"], flags);
    // A sender of these strings has sent something else.
    let strings =
        text.replace("9007199254740993", "\"9007199254740993\"").replace("1e400", "\"1e400\"");
    let other = parse(&strings, Numbers::Quote).unwrap();
    assert_ne!(as_sent(other.text()), as_sent(event.text()));
}

#[test]
fn a_field_that_takes_numbers_takes_no_quoted_one() {
    let text = r#"{"event_type":"a","ai_specific":{"prompt_tokens":1e400}}"#;
    let refused = parse(text, Numbers::Quote).unwrap_err();
    assert_eq!(refused.faults()[0].pointer(), "/ai_specific/prompt_tokens");
}

#[test]
fn the_notes_about_quoted_numbers_count_as_part_of_the_event() {
    let name = "n".repeat(2_000);
    let many = vec!["1e400"; 200].join(",");
    let text = format!("{{\"event_type\":\"a\",\"metadata\":{{\"{name}\":[{many}]}}}}");
    let refused = parse(&text, Numbers::Quote).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::EventTooLarge);
}

/// JSON text with numbers of every kind, and the texts of its numbers.
fn any_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?[1-9][0-9]{0,24}",
        "-?[0-9]\\.[0-9]{1,24}",
        "-?[1-9](\\.[0-9]{1,20})?[eE][+-]?[0-9]{1,3}",
    ];
    let leaf = prop_oneof![number, Just("true".to_owned()), Just("\"1e400\"".to_owned())];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let member = ("[a-z/~]{1,3}", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(member.0, member.1, 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", serde_json::json!(name)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Turns the strings at these places back into numbers.
fn unquote(value: Canonical<'_>, pointer: &str, quoted: &[String], out: &mut Vec<u8>) {
    if quoted.iter().any(|one| one == pointer) {
        out.extend_from_slice(value.text().unwrap().as_bytes());
        return;
    }
    let (mut elements, mut members) = (value.elements(), value.members());
    let below = |step: &str| {
        let mut below = pointer.to_owned();
        pointer_push(&mut below, step);
        below
    };
    if value.raw().starts_with(b"[") {
        out.push(b'[');
        let mut index = 0;
        while let Some(element) = elements.next_element().unwrap() {
            out.extend_from_slice(if index > 0 { b"," } else { b"" });
            unquote(element, &below(&index.to_string()), quoted, out);
            index += 1;
        }
        out.push(b']');
    } else if value.raw().starts_with(b"{") {
        out.push(b'{');
        let mut is_first = true;
        while let Some((name, member)) = members.next_member().unwrap() {
            out.extend_from_slice(if is_first { b"\"" } else { b",\"" });
            is_first = false;
            out.extend_from_slice(name.raw());
            out.extend_from_slice(b"\":");
            unquote(member, &below(&name.text()), quoted, out);
        }
        out.push(b'}');
    } else {
        out.extend_from_slice(value.raw());
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(metadata in any_text(), stray in any_text()) {
        let text = format!("{{\"event_type\":\"a\",\"metadata\":{{\"m\":{metadata}}},\"z\":{stray}}}");
        let Ok(event) = parse(&text, Numbers::Quote) else {
            return Err(TestCaseError::fail(format!("refused: {text}")));
        };
        let sent = as_sent(event.text()).unwrap();
        let value = Canonical::new(&sent);
        let mut quoted = Vec::new();
        let mut bare: Value = serde_json::from_slice(&sent).unwrap();
        let intake = bare.as_object_mut().unwrap().remove("intake");
        for flag in intake.iter().flat_map(|intake| intake["flags"].as_array().unwrap()) {
            quoted.push(flag.as_str().unwrap().strip_prefix("number_quoted:").unwrap().to_owned());
        }
        let mut members = value.members();
        let mut back = b"{".to_vec();
        while let Some((name, member)) = members.next_member().unwrap() {
            if name.raw() != b"intake" {
                back.extend_from_slice(if back.len() > 1 { b",\"" } else { b"\"" });
                back.extend_from_slice(name.raw());
                back.extend_from_slice(b"\":");
                unquote(member, &format!("/{}", name.text()), &quoted, &mut back);
            }
        }
        back.push(b'}');
        // The same numbers, digit for digit, where they were quoted.
        let (expected, pointers) = canonicalize_quoting(text.as_bytes()).unwrap();
        let (found, again) = canonicalize_quoting(&back).unwrap();
        prop_assert_eq!(found, expected, "{}", text);
        prop_assert_eq!(&again, &pointers);
        let mut pointers = pointers;
        pointers.sort_unstable();
        prop_assert_eq!(quoted, pointers);
        if parse(&text, Numbers::Refuse).is_ok() {
            prop_assert!(again.is_empty());
        }
    }
}
