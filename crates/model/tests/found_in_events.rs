//! What senders say of personal data in their events, and what is said where it was found.

use ledgerstone_model::as_sent::{as_sent, is_same_as_far_as_kept};
use ledgerstone_model::sealing::{FieldPolicy, Preset, SealingKeyId, Subject, SubjectKey};
use ledgerstone_model::{ParseContext, PlannedEvent, Taxonomy, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, Salt, TenantId, canonicalize, split_content};
use zeroize::Zeroizing;

/// The event as it is stored.
fn stored(text: &str, preset: Preset) -> String {
    let tenant = TenantId::parse("acme").expect("a name");
    let at = IngestedAt::from_micros(1_800_000_000_000_000).expect("a time");
    let context = ParseContext::new(&tenant, at, [7; 16]);
    let event = ValidEvent::parse(text.as_bytes(), &context, &mut Canonicalizer::new());
    let event = Taxonomy::none().admit(event.expect("an event")).expect("let in");
    let planned = PlannedEvent::new(event, &FieldPolicy::of_preset(preset)).expect("planned");
    let key = |_: &Subject| {
        Ok::<_, ledgerstone_model::sealing::EnvelopeError>(SubjectKey::new(
            SealingKeyId::new([1; 16]),
            Zeroizing::new([9; 32]),
        ))
    };
    let sealed = planned.seal(key, || Some([3; 24]), &Salt::from_bytes([0; 16])).expect("sealed");
    let (text, _) = split_content(sealed.content()).expect("content");
    assert_eq!(canonicalize(text).expect("canonical"), text);
    String::from_utf8(text.to_vec()).expect("text")
}

const FOUND: &str = r#""security":{"data_classification":"personal","pii_detected":true}"#;

#[test]
fn what_was_found_is_said_where_the_sender_says_nothing() {
    let event = r#"{"event_type":"a.b","id":"e","timestamp":"2026-03-02T08:00:00Z","metadata":{"note":"write to ana@example.com"}}"#;
    let found = stored(event, Preset::Standard);
    assert!(found.contains(FOUND) && !found.contains("ana@"), "{found}");
    assert!(found.contains(r#""set":["/security"]"#), "{found}");
    // Nobody looks under `none`, and nothing is found in other events.
    assert!(!stored(event, Preset::None).contains("pii_detected"));
    let plain = event.replace("ana@example.com", "nobody");
    assert!(!stored(&plain, Preset::Standard).contains("pii_detected"));
}

#[test]
fn what_the_sender_says_stays_and_the_rest_is_added() {
    let event = r#"{"event_type":"a.b","id":"e","timestamp":"2026-03-02T08:00:00Z","metadata":{"note":"ana@example.com"},"security":{"pii_detected":false}}"#;
    let found = stored(event, Preset::Standard);
    let security = r#""security":{"data_classification":"personal","pii_detected":false}"#;
    assert!(found.contains(security), "{found}");
    assert!(found.contains(r#""set":["/security/data_classification"]"#), "{found}");
    let said = event.replace(
        r#""pii_detected":false"#,
        r#""data_classification":"internal","pii_detected":true"#,
    );
    let found = stored(&said, Preset::Standard);
    assert!(!found.contains("intake") && found.contains("internal"), "{found}");
}

#[test]
fn where_the_sender_says_so_all_that_no_rule_is_about_is_sealed() {
    let event = |security: &str| {
        format!(
            r#"{{"actor":{{"id":"u","type":"user"}},"event_type":"a.b","id":"e","metadata":{{"note":"blue door"}},"security":{{{security}}},"timestamp":"2026-03-02T08:00:00Z"}}"#
        )
    };
    for (security, class) in [
        (r#""pii_detected":true"#, "personal"),
        (r#""data_classification":"PII""#, "personal"),
        (r#""data_classification":"phi","pii_detected":true"#, "sensitive"),
        (r#""data_classification":"Secret""#, "secret"),
    ] {
        let found = stored(&event(security), Preset::Standard);
        assert!(!found.contains("blue door"), "{found}");
        assert!(found.contains(&format!(r#""class":"{class}""#)), "{security}: {found}");
        assert!(found.contains(r#""id":"u","type":"user""#) && found.contains("a.b"), "{found}");
        assert!(stored(&event(security), Preset::None).contains("blue door"));
    }
    for security in [r#""pii_detected":false"#, r#""data_classification":"internal""#] {
        assert!(stored(&event(security), Preset::Standard).contains("blue door"), "{security}");
    }
}

#[test]
fn what_was_filled_in_is_not_what_was_sent() {
    for (sent, stored) in [
        (
            r#"{"event_type":"a"}"#,
            r#"{"event_type":"a","intake":{"set":["/security"]},"security":{"data_classification":"personal","pii_detected":true}}"#,
        ),
        (
            r#"{"event_type":"a","security":{}}"#,
            r#"{"event_type":"a","intake":{"set":["/security/pii_detected"]},"security":{"pii_detected":true}}"#,
        ),
    ] {
        assert_eq!(as_sent(stored.as_bytes()).expect("as sent"), sent.as_bytes());
        let same = is_same_as_far_as_kept(stored.as_bytes(), sent.as_bytes());
        assert!(same.expect("compared"), "{stored}");
    }
}
