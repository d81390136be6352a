//! Reads one field of an event before the event is parsed, because which tenant it is parsed for
//! may stand in it.

use ledgerstone_proof::Canonicalizer;

use crate::json::Value;
use crate::numbers::Numbers;
use crate::rejection::{Rejection, pointer_steps};

/// The text of the field at a JSON pointer through objects, e.g. `/context/tenant_id`; `None` where
/// there is none or it is no string. Refuses what parsing would refuse as no exact JSON.
pub fn peek_text(
    text: &[u8],
    pointer: &str,
    numbers: Numbers,
    scratch: &mut Canonicalizer,
) -> Result<Option<String>, Rejection> {
    let mut canonical = Vec::with_capacity(text.len());
    numbers.canonical(text, scratch, &mut canonical)?;
    let mut at = Value::new(&canonical);
    for step in pointer_steps(pointer) {
        let mut members = at.members();
        at = loop {
            match members.next_member()? {
                Some((key, value)) if key.text() == step => break value,
                Some(_) => {}
                None => return Ok(None),
            }
        };
    }
    Ok(at.text().map(std::borrow::Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::Canonicalizer;

    use super::{Numbers, peek_text};

    #[test]
    fn fields_are_found_by_pointer() {
        let text = br#" {"context": {"a/b": "x", "n": 7}, "tenant_id": "acme"}"#;
        for (pointer, found) in [
            ("/tenant_id", Some("acme")),
            ("/context/a~1b", Some("x")),
            ("/context/n", None),
            ("/context/none", None),
            ("/tenant_id/deeper", None),
            ("", None),
        ] {
            let value =
                peek_text(text, pointer, Numbers::Refuse, &mut Canonicalizer::new()).unwrap();
            assert_eq!(value.as_deref(), found, "{pointer}");
        }
        let mut scratch = Canonicalizer::new();
        assert!(peek_text(b"{", "/a", Numbers::Refuse, &mut scratch).is_err());
        let text = br#"{"a":"x","n":1e400}"#;
        assert!(peek_text(text, "/a", Numbers::Refuse, &mut scratch).is_err());
        let found = peek_text(text, "/a", Numbers::Quote, &mut scratch).unwrap();
        assert_eq!(found.as_deref(), Some("x"));
    }
}
