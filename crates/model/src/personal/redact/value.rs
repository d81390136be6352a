//! Redacts whole JSON values that are known to be personal, whatever is in them.

use std::borrow::Cow;

use ledgerstone_proof::canonical_string_into;

use super::form::{Form, Forms};
use super::{MASK, redact_text, redact_whole};
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_write::ObjectWriter;
use crate::personal::detect::has_personal_data;

/// Members of an address that stay.
const ADDRESS_KEPT: &[&str] = &["city", "country", "region", "state"];

/// Bytes of a member's name that can be the name of a field.
const FIELD_NAME_BYTES_MAX: usize = 64;

/// Digits in it; more of them are somebody's number.
const FIELD_NAME_DIGITS_MAX: usize = 6;

/// What becomes of objects and arrays that no form is declared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// The names of their members stay, each value redacted.
    Kept,
    /// Nothing of them stays.
    Masked,
}

/// Appends the value as it is shown to those who see it redacted. `names` leads to it.
///
/// A form that is declared for a place, or that its name says, holds for all below it where nothing
/// else is declared; where there is none, a text of which nothing is left but a phone number, an
/// address and the like is shown in the form of that, and everything else is [`MASK`]. `null` stays.
pub fn redact_value<'a>(
    value: Value<'a>,
    names: &mut Vec<Cow<'a, str>>,
    (forms, structure): (Forms<'_>, Structure),
    out: &mut Vec<u8>,
) -> Result<(), NotCanonical> {
    let form = forms.at(names, None);
    Redacting { forms, structure }.value(value, names, form, out)
}

/// Whether the name of a member says nothing but what is in the field.
fn is_field_name(name: &str) -> bool {
    let is_usual = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'$')
    };
    (1..=FIELD_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_usual)
        && name.bytes().filter(u8::is_ascii_digit).count() <= FIELD_NAME_DIGITS_MAX
        && !has_personal_data(name)
}

/// Whether every member of an object has the name of a field.
fn has_field_names(object: Value<'_>) -> Result<bool, NotCanonical> {
    let mut members = object.members();
    while let Some((key, _)) = members.next_member()? {
        if !is_field_name(&key.text()) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Redacting<'f> {
    forms: Forms<'f>,
    structure: Structure,
}

impl<'f> Redacting<'f> {
    fn value<'a>(
        &self,
        value: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        form: Option<Form<'f>>,
        out: &mut Vec<u8>,
    ) -> Result<(), NotCanonical> {
        let is_masked = form.is_none()
            && self.structure == Structure::Masked
            && !self.forms.has_any_below(names);
        let text = || String::from_utf8_lossy(value.raw());
        match value.kind() {
            ValueKind::Null => out.extend_from_slice(value.raw()),
            ValueKind::Bool => shown(&text(), form.filter(|form| form.is_sanitizer()), out),
            ValueKind::Object | ValueKind::Array if is_masked => mask(out),
            ValueKind::Object if !has_field_names(value)? => mask(out),
            ValueKind::Object => return self.object(value, names, form, out),
            ValueKind::Array => return self.array(value, names, form, out),
            ValueKind::Text => shown(&value.text().unwrap_or_default(), form, out),
            ValueKind::Number if form.is_some() => shown(&text(), form, out),
            ValueKind::Number => mask(out),
        }
        Ok(())
    }

    fn object<'a>(
        &self,
        object: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        form: Option<Form<'f>>,
        out: &mut Vec<u8>,
    ) -> Result<(), NotCanonical> {
        let mut writer = ObjectWriter::open(out);
        let mut members = object.members();
        while let Some((key, member)) = members.next_member()? {
            names.push(key.text());
            let name = names.last().map_or("", AsRef::as_ref);
            let out = writer.raw_key(key.raw());
            if form.is_some_and(Form::is_address) && is_kept_of_address(name, member) {
                out.extend_from_slice(member.raw());
            } else {
                let form = self.forms.at(names, form);
                self.value(member, names, form, out)?;
            }
            names.pop();
        }
        writer.close();
        Ok(())
    }

    fn array<'a>(
        &self,
        array: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        form: Option<Form<'f>>,
        out: &mut Vec<u8>,
    ) -> Result<(), NotCanonical> {
        out.push(b'[');
        let mut elements = array.elements();
        let mut is_first = true;
        while let Some(element) = elements.next_element()? {
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            self.value(element, names, form, out)?;
        }
        out.push(b']');
        Ok(())
    }
}

fn mask(out: &mut Vec<u8>) {
    canonical_string_into(MASK, out);
}

fn shown(text: &str, form: Option<Form<'_>>, out: &mut Vec<u8>) {
    let shown = form.map_or_else(|| redact_whole(text), |form| form.apply(text));
    canonical_string_into(&shown, out);
}

/// A text in which nothing is found; an object named `city` is no city.
fn is_kept_of_address(name: &str, member: Value<'_>) -> bool {
    let text = member.text();
    ADDRESS_KEPT.contains(&name.to_lowercase().as_str())
        && text.is_some_and(|text| redact_text(&text) == text)
}

#[cfg(test)]
mod tests {
    use super::{Structure, redact_value};
    use crate::json::Value;
    use crate::personal::redact::Forms;
    use ledgerstone_proof::canonicalize;
    use proptest::prelude::*;

    /// The value as the member of this name.
    fn shown(name: &str, text: &str, structure: Structure) -> String {
        let canonical = canonicalize(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        let (mut names, forms) = (vec![name.into()], Forms::default());
        redact_value(Value::new(&canonical), &mut names, (forms, structure), &mut out).unwrap();
        assert_eq!(names, [name]);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_address_keeps_its_city() {
        let address = r#"{"street":"12 Main St","city":"NYC","zip":10001,"geo":{"city":{"x":1}}}"#;
        assert_eq!(
            shown("address", address, Structure::Masked),
            r#"{"city":"NYC","geo":{"city":{"x":"****"}},"street":"****","zip":"****"}"#
        );
        let odd = r#"{"city":"ana@b.example"}"#;
        assert_eq!(shown("address", odd, Structure::Kept), r#"{"city":"****"}"#);
    }

    #[test]
    fn a_declared_form_holds_for_all_below_it() {
        assert_eq!(
            shown("phone", r#"["+12345678901",12345678901,null,true,{"a":"x"}]"#, Structure::Kept),
            r#"["+12345****","123****",null,"****",{"a":"****"}]"#
        );
    }

    #[test]
    fn what_nothing_is_known_of_is_masked_unless_its_form_tells_all() {
        for (text, wanted) in [
            (r#""ana@example.com""#, r#""****@example.com""#),
            (r#"" +12345678901 ""#, r#""+12345****""#),
            (r#""Ana Lima, +12345678901""#, r#""****""#),
            (r#""536-90-4399""#, r#""***-**-4399""#),
            (r#""Ana""#, r#""****""#),
            ("7", r#""****""#),
            ("false", r#""****""#),
            ("null", "null"),
            ("[]", "[]"),
            (
                r#"{"First_Name":"Ana","note":"x","to":["bo@b.example",{"dob":"1990"}]}"#,
                r#"{"First_Name":"A.","note":"****","to":["****@b.example",{"dob":"****"}]}"#,
            ),
        ] {
            assert_eq!(shown("x", text, Structure::Kept), wanted, "{text}");
        }
        assert_eq!(shown("x", r#"{"hiv":true}"#, Structure::Masked), r#""****""#);
        assert_eq!(shown("x", "[1]", Structure::Masked), r#""****""#);
    }

    #[test]
    fn members_whose_names_are_no_names_of_fields_are_not_told() {
        for text in [
            r#"{"ana@example.com":1}"#,
            r#"{"Ana Lima":1}"#,
            r#"{"4930901820":1}"#,
            r#"{"":1}"#,
            r#"{"Łódź":1}"#,
        ] {
            assert_eq!(shown("x", text, Structure::Kept), r#""****""#, "{text}");
            assert_eq!(shown("phone", text, Structure::Kept), r#""****""#, "{text}");
        }
        let usual = r#"{"/actor/name":"x","line1":"y","sha-256":"z"}"#;
        assert!(shown("x", usual, Structure::Kept).contains("line1"));
    }

    fn json() -> impl Strategy<Value = String> {
        let text =
            "[-+*().@ 0-9a-z]{0,14}|4111111111111111|ana@b\\.cd|\\+4930901820|\\*{4}@[a-z]{2}";
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
                prop::collection::btree_map("email|name|city|address|x|y y|ssn|iban", inner, 0..4)
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
        fn twice_is_once_and_the_answer_is_canonical(
            text in json(),
            name in prop::sample::select(vec!["x", "phone", "address", "iban", "name", "email", "card_number"]),
            is_kept in any::<bool>(),
        ) {
            let structure = if is_kept { Structure::Kept } else { Structure::Masked };
            let once = shown(name, &text, structure);
            prop_assert_eq!(&canonicalize(once.as_bytes()).unwrap(), once.as_bytes());
            prop_assert_eq!(shown(name, &once, structure), once);
        }
    }
}
