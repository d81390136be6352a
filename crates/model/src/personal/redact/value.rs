//! Redacts whole JSON values, whatever is in them.

use ledgerstone_proof::canonical_string_into;

use super::field_name::redaction_of_field;
use super::{MASK, Redaction, redact_text};
use crate::json::{Key, NotCanonical, Value, ValueKind};

/// Members of an address that stay.
const ADDRESS_KEPT: &[&str] = &["city", "country", "region", "state"];

/// Appends the value as a field of this type shows it. Every text and number in it is redacted, at
/// any depth; `null` stays.
pub fn redact_value(
    redaction: Redaction,
    value: Value<'_>,
    out: &mut Vec<u8>,
) -> Result<(), NotCanonical> {
    match value.kind() {
        ValueKind::Object => object(value, out, |key, member, out| {
            if redaction == Redaction::Address && is_kept_of_address(key, member) {
                out.extend_from_slice(member.raw());
                return Ok(());
            }
            redact_value(redaction, member, out)
        }),
        ValueKind::Array => array(value, out, |one, out| redact_value(redaction, one, out)),
        ValueKind::Null => {
            out.extend_from_slice(value.raw());
            Ok(())
        }
        ValueKind::Text => {
            canonical_string_into(&redaction.apply(&value.text().unwrap_or_default()), out);
            Ok(())
        }
        ValueKind::Number => {
            canonical_string_into(&redaction.apply(&String::from_utf8_lossy(value.raw())), out);
            Ok(())
        }
        ValueKind::Bool => {
            canonical_string_into(MASK, out);
            Ok(())
        }
    }
}

/// Appends the value with everything redacted that a name of a member or the form of a text shows
/// to be personal.
pub fn redact_found(value: Value<'_>, out: &mut Vec<u8>) -> Result<(), NotCanonical> {
    match value.kind() {
        ValueKind::Object => {
            object(value, out, |key, member, out| match redaction_of_field(&key.text()) {
                Some(redaction) => redact_value(redaction, member, out),
                None => redact_found(member, out),
            })
        }
        ValueKind::Array => array(value, out, redact_found),
        ValueKind::Text => {
            canonical_string_into(&redact_text(&value.text().unwrap_or_default()), out);
            Ok(())
        }
        ValueKind::Number => {
            let text = String::from_utf8_lossy(value.raw());
            let shown = redact_text(&text);
            if shown == text {
                out.extend_from_slice(value.raw());
            } else {
                canonical_string_into(&shown, out);
            }
            Ok(())
        }
        ValueKind::Bool | ValueKind::Null => {
            out.extend_from_slice(value.raw());
            Ok(())
        }
    }
}

/// A text in which nothing is found; an object named `city` is no city.
fn is_kept_of_address(key: Key<'_>, member: Value<'_>) -> bool {
    let name = key.text().to_lowercase();
    let text = member.text();
    ADDRESS_KEPT.contains(&name.as_str()) && text.is_some_and(|text| redact_text(&text) == text)
}

fn object<'a>(
    value: Value<'a>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(Key<'a>, Value<'a>, &mut Vec<u8>) -> Result<(), NotCanonical>,
) -> Result<(), NotCanonical> {
    out.push(b'{');
    let mut is_first = true;
    let mut members = value.members();
    while let Some((key, member)) = members.next_member()? {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        out.push(b'"');
        out.extend_from_slice(key.raw());
        out.extend_from_slice(b"\":");
        write(key, member, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn array<'a>(
    value: Value<'a>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(Value<'a>, &mut Vec<u8>) -> Result<(), NotCanonical>,
) -> Result<(), NotCanonical> {
    out.push(b'[');
    let mut is_first = true;
    let mut elements = value.elements();
    while let Some(element) = elements.next_element()? {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        write(element, out)?;
    }
    out.push(b']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{redact_found, redact_value};
    use crate::json::Value;
    use crate::personal::redact::Redaction;
    use ledgerstone_proof::canonicalize;
    use proptest::prelude::*;

    fn shown(redaction: Redaction, text: &str) -> String {
        let canonical = canonicalize(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        redact_value(redaction, Value::new(&canonical), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn found(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        redact_found(Value::new(text), &mut out).unwrap();
        out
    }

    #[test]
    fn an_address_keeps_its_city() {
        let address = r#"{"street":"12 Main St","city":"NYC","zip":10001,"geo":{"city":{"x":1}}}"#;
        assert_eq!(
            shown(Redaction::Address, address),
            r#"{"city":"NYC","geo":{"city":{"x":"****"}},"street":"****","zip":"****"}"#
        );
        assert_eq!(shown(Redaction::Address, r#"{"city":"ana@b.example"}"#), r#"{"city":"****"}"#);
    }

    #[test]
    fn every_kind_of_value_is_redacted() {
        assert_eq!(
            shown(Redaction::Phone, r#"["+12345678901",12345678901,null,true,{"a":"x"}]"#),
            r#"["+12345****","123****",null,"****",{"a":"****"}]"#
        );
    }

    #[test]
    fn names_and_forms_are_found_at_any_depth() {
        let text =
            br#"{"a":[{"First_Name":"Ana","note":"call +12345678901"}],"n":7,"ssn":123456789}"#;
        let expected =
            r#"{"a":[{"First_Name":"A.","note":"call +12345****"}],"n":7,"ssn":"***-**-6789"}"#;
        assert_eq!(String::from_utf8(found(text)).unwrap(), expected);
    }

    fn json() -> impl Strategy<Value = String> {
        let text = "[-+*().@ 0-9a-z]{0,14}|4111111111111111|ana@b\\.cd|\\+4930901820";
        let leaf = prop_oneof![
            text.prop_map(|text| format!("\"{text}\"")),
            any::<u32>().prop_map(|number| number.to_string()),
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("4111111111111111".to_owned()),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|v| format!("[{}]", v.join(","))),
                prop::collection::btree_map("email|name|city|address|x|y|ssn", inner, 0..4)
                    .prop_map(|map| {
                        let members: Vec<_> =
                            map.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                        format!("{{{}}}", members.join(","))
                    }),
            ]
        })
    }

    proptest! {
        #[test]
        fn twice_is_once_and_the_answer_is_canonical(text in json()) {
            let canonical = canonicalize(text.as_bytes()).unwrap();
            let once = found(&canonical);
            prop_assert_eq!(&canonicalize(&once).unwrap(), &once);
            prop_assert_eq!(found(&once), once);
        }

        #[test]
        fn declared_types_too(text in json(), kind in prop::sample::select(vec!["phone", "address", "iban", "name"])) {
            let kind = Redaction::parse(kind).unwrap();
            let once = shown(kind, &text);
            prop_assert_eq!(shown(kind, &once), once);
        }
    }
}
