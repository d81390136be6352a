//! Events as each role sees them.

mod sealed;

use std::collections::BTreeMap;

use ledgerstone_model::access::{Role, RoleSet, Sight, View};
use ledgerstone_model::json::{Value, ValueKind};
use ledgerstone_model::personal::detect::detect;
use ledgerstone_model::personal::redact::{Forms, RedactionPolicy};
use ledgerstone_model::sealing::{EnvelopePlace, FieldPolicy, Preset, SealingKeyId, SubjectKey};
use ledgerstone_model::visible::{KeyState, ReadEvent, SeenEvent, Visibility};
use ledgerstone_proof::{Canonicalizer, SequenceNumber, canonicalize};
use proptest::prelude::*;

use sealed::{CLERK_CHANGES_CUSTOMER, Sealed, ids, json, key_of, person, seal};

const AUDITOR: &[Role] = &[Role::Auditor];
const GRANTED: &[Role] = &[Role::Auditor, Role::SensitiveReader];
const VIEWER: &[Role] = &[Role::Viewer];
const OFFICER: &[Role] = &[Role::PrivacyOfficer];

fn sight(roles: &[Role]) -> Sight {
    Sight::of(roles.iter().copied().collect::<RoleSet>(), &ids().0)
}

fn redaction(text: &str) -> RedactionPolicy {
    RedactionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy")
}

fn policy(text: &str) -> FieldPolicy {
    FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy")
}

fn by<'p>(roles: &[Role], fields: &'p FieldPolicy) -> Visibility<'p> {
    Visibility { sight: sight(roles), fields, forms: Forms::default(), own: None }
}

/// Shows a stored event; a key that `lost` says something about is not there.
fn seen_with(
    sealed: &Sealed,
    text: &[u8],
    visibility: Visibility<'_>,
    lost: impl Fn(&SealingKeyId) -> Option<KeyState>,
) -> SeenEvent {
    let (tenant, event_id) = ids();
    let keys: BTreeMap<SealingKeyId, SubjectKey> =
        sealed.subjects.iter().map(key_of).map(|key| (*key.id(), key)).collect();
    let event = ReadEvent::read(text).expect("canonical");
    let key = |id: &SealingKeyId| {
        lost(id).unwrap_or_else(|| keys.get(id).cloned().map_or(KeyState::Unknown, KeyState::Held))
    };
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    event.seen(place, visibility, key).expect("canonical")
}

fn seen(sealed: &Sealed, roles: &[Role], fields: &FieldPolicy) -> SeenEvent {
    seen_with(sealed, &sealed.stored, by(roles, fields), |_| None)
}

fn at(seen: &SeenEvent, pointer: &str) -> String {
    let value: serde_json::Value = serde_json::from_slice(seen.text()).expect("json");
    value.pointer(pointer).map_or_else(|| "absent".to_owned(), ToString::to_string)
}

/// `pointer class why`, line by line.
fn hidden(seen: &SeenEvent) -> Vec<String> {
    let line = |part: &ledgerstone_model::HiddenPart| {
        let class = part.class().map_or("", |class| class.as_str());
        let certificate = part.certificate().map(|number| format!(" {}", number.value()));
        let certificate = certificate.unwrap_or_default();
        format!("{} {class} {}{certificate}", part.pointer(), part.why().as_str())
    };
    seen.hidden().iter().map(line).collect()
}

const WITH_SECRETS: &str = r#"{"preset":"standard","rules":[
    {"path":"data.after.token","class":"secret"},
    {"path":"data.after.medical","class":"sensitive"},
    {"path":"data.*.status","class":"public"}]}"#;

const OF_EVERY_CLASS: &str = r#"{
  "event_type":"patient.updated","timestamp":"2026-03-02T08:00:00Z",
  "actor":{"type":"employee","id":"emp-17","name":"Ana Lima","email":"ana.lima@example.com","ip_address":"10.0.0.7"},
  "target":{"type":"patient","id":"pat-1","name":"Ward 7"},
  "action":{"verb":"update","description":"ana.lima@example.com called +4930901820"},
  "data":{"after":{"phone":"+12345678901","ssn":"123-45-6789","card_number":"4111 1111 1111 1111",
    "address":{"street":"12 Main St","city":"NYC"},"vip":true,"visits":3,"note":null,
    "status":"open","token":"t0k3n-abcdef","medical":{"icd":"B20"}}},
  "metadata":{"ward":"7","reviewer":"Ana Lima"}}"#;

/// One line for each place: what of it each of the sights shows.
#[test]
fn each_role_sees_what_its_line_says() {
    let fields = policy(WITH_SECRETS);
    let sealed = seal(OF_EVERY_CLASS, &fields);
    let [viewer, auditor, granted, officer] =
        [VIEWER, AUDITOR, GRANTED, OFFICER].map(|roles| seen(&sealed, roles, &fields));
    assert_eq!(viewer, auditor);
    for (pointer, redacted, with_grant, whole) in [
        ("/actor/id", r#""emp-17""#, r#""emp-17""#, r#""emp-17""#),
        ("/actor/name", r#""A. L.""#, r#""Ana Lima""#, r#""Ana Lima""#),
        (
            "/actor/email",
            r#""****@example.com""#,
            r#""ana.lima@example.com""#,
            r#""ana.lima@example.com""#,
        ),
        ("/actor/ip_address", r#""****""#, r#""10.0.0.7""#, r#""10.0.0.7""#),
        ("/action/verb", r#""update""#, r#""update""#, r#""update""#),
        ("/metadata/ward", r#""7""#, r#""7""#, r#""7""#),
        // The name of a sealed field stands here again.
        ("/metadata/reviewer", r#""****""#, r#""Ana Lima""#, r#""Ana Lima""#),
        ("/data/after/phone", r#""+12345****""#, r#""+12345678901""#, r#""+12345678901""#),
        ("/data/after/ssn", r#""***-**-6789""#, r#""123-45-6789""#, r#""123-45-6789""#),
        (
            "/data/after/card_number",
            r#""****-****-****-1111""#,
            r#""4111 1111 1111 1111""#,
            r#""4111 1111 1111 1111""#,
        ),
        (
            "/data/after/address",
            r#"{"city":"NYC","street":"****"}"#,
            r#"{"city":"NYC","street":"12 Main St"}"#,
            r#"{"city":"NYC","street":"12 Main St"}"#,
        ),
        ("/data/after/vip", r#""****""#, "true", "true"),
        ("/data/after/visits", r#""****""#, "3", "3"),
        ("/data/after/note", "null", "null", "null"),
        ("/data/after/status", r#""open""#, r#""open""#, r#""open""#),
        ("/data/after/medical", r#""****""#, r#"{"icd":"B20"}"#, r#"{"icd":"B20"}"#),
        ("/data/after/token", r#""****""#, r#""****""#, r#""t0k3n-abcdef""#),
        ("/sealed", "absent", "absent", "absent"),
    ] {
        assert_eq!(at(&viewer, pointer), redacted, "viewer {pointer}");
        assert_eq!(at(&granted, pointer), with_grant, "auditor with the grant {pointer}");
        assert_eq!(at(&officer, pointer), whole, "privacy officer {pointer}");
    }
    assert_eq!(officer.text(), sealed.text);
    assert_eq!(hidden(&officer), [""; 0]);
    assert_eq!(hidden(&granted), ["/data/after/token secret hidden"]);
    assert_eq!(
        hidden(&viewer),
        [
            "/action/description personal redacted",
            "/actor/email personal redacted",
            "/actor/ip_address personal redacted",
            "/actor/name personal redacted",
            "/data/after/address personal redacted",
            "/data/after/card_number personal redacted",
            "/data/after/medical sensitive redacted",
            "/data/after/phone personal redacted",
            "/data/after/ssn personal redacted",
            "/data/after/token secret hidden",
            "/data/after/vip personal redacted",
            "/data/after/visits personal redacted",
            "/metadata/reviewer personal redacted",
            "/target/name personal redacted",
        ]
    );
}

#[test]
fn the_keys_that_were_opened_are_told_with_what_was_seen() {
    let fields = policy(WITH_SECRETS);
    let sealed = seal(OF_EVERY_CLASS, &fields);
    let (actor, patient) =
        (*key_of(&person("employee", "emp-17")).id(), *key_of(&person("patient", "pat-1")).id());
    let opened = |roles| {
        let mut opened = seen(&sealed, roles, &fields).opened().to_vec();
        opened.sort_unstable();
        opened
    };
    let mut officer = vec![(actor, View::Shown), (patient, View::Shown), (patient, View::Shown)];
    let mut auditor = vec![(actor, View::Redacted), (patient, View::Redacted)];
    officer.sort_unstable();
    auditor.sort_unstable();
    let distinct = |mut list: Vec<(SealingKeyId, View)>| {
        list.dedup();
        list
    };
    assert_eq!(distinct(opened(OFFICER)), distinct(officer));
    assert_eq!(distinct(opened(AUDITOR)), auditor);
    // A key is not asked for where nothing of it may be seen.
    let event = ReadEvent::read(&sealed.stored).expect("canonical");
    assert_eq!(event.keys_for(Sight::NOTHING).count(), 0);
    assert!(event.keys_for(sight(AUDITOR)).count() < event.keys_for(sight(OFFICER)).count());
}

#[test]
fn what_cannot_be_opened_is_marked_with_the_reason() {
    let fields = FieldPolicy::of_preset(Preset::Standard);
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &fields);
    let customer = *key_of(&person("customer", "cus-4711")).id();
    let certificate = SequenceNumber::new(99).ok();
    for (state, why) in [
        (KeyState::Destroyed(certificate), "erased 99"),
        (KeyState::Destroyed(None), "erased"),
        (KeyState::Unavailable, "unavailable"),
        (KeyState::Unknown, "damaged"),
        // A key of this name with other bytes.
        (KeyState::Held(SubjectKey::new(customer, zeroize::Zeroizing::new([1; 32]))), "damaged"),
    ] {
        for roles in [OFFICER, VIEWER] {
            let lost = |id: &SealingKeyId| (*id == customer).then(|| state.clone());
            let shown = seen_with(&sealed, &sealed.stored, by(roles, &fields), lost);
            assert_eq!(at(&shown, "/data"), r#"{"$sealed":true}"#);
            assert!(hidden(&shown).contains(&format!("/data personal {why}")), "{roles:?} {why}");
            assert!(shown.opened().iter().all(|(id, _)| *id != customer));
        }
        let shown = seen_with(&sealed, &sealed.stored, by(OFFICER, &fields), |id| {
            (*id == customer).then(|| state.clone())
        });
        assert_eq!(at(&shown, "/actor/name"), r#""Ana Lima""#, "others are opened all the same");
    }
}

#[test]
fn an_envelope_that_was_moved_or_broken_is_marked_and_fails_nothing() {
    let fields = FieldPolicy::of_preset(Preset::Standard);
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &fields);
    let stored = sealed.stored();
    for broken in [
        stored.replace(r#""alg":"XAES-256-GCM""#, r#""alg":"none""#),
        stored.replace(r#"{"$sealed":0}"#, r#"{"$sealed":77}"#),
        stored.replace(r#"{"$sealed":0}"#, r#"{"$sealed":1}"#),
        stored.replace(r#""class":"personal""#, r#""class":"secret""#),
    ] {
        assert_ne!(broken, stored);
        let shown = seen_with(&sealed, broken.as_bytes(), by(OFFICER, &fields), |_| None);
        assert!(hidden(&shown).iter().any(|line| line.ends_with("damaged")), "{broken}");
        assert!(shown.text().windows(16).any(|text| text == br#"{"$sealed":true}"#));
    }
}

#[test]
fn what_is_older_than_the_policy_is_judged_by_the_policy() {
    let sealed = seal(OF_EVERY_CLASS, &FieldPolicy::of_preset(Preset::None));
    assert_eq!(sealed.stored, sealed.text);
    let today = policy(WITH_SECRETS);
    let viewer = seen(&sealed, VIEWER, &today);
    assert_eq!(at(&viewer, "/actor/name"), r#""A. L.""#);
    assert_eq!(at(&viewer, "/actor/ip_address"), r#""****""#);
    assert_eq!(at(&viewer, "/data/after/token"), r#""****""#);
    assert_eq!(at(&viewer, "/metadata/reviewer"), r#""****""#, "the name stands there again");
    assert!(hidden(&viewer).contains(&"/data/after/token secret hidden".to_owned()));
    assert_eq!(hidden(&seen(&sealed, GRANTED, &today)), ["/data/after/token secret hidden"]);
    assert_eq!(seen(&sealed, OFFICER, &today).text(), sealed.text);
}

#[test]
fn where_nothing_is_sealed_names_and_forms_tell_what_is_personal() {
    let none = FieldPolicy::of_preset(Preset::None);
    let event = r#"{"event_type":"a","actor":{"id":"bo@example.com","name":"Bo Berg","type":"user"},
        "target":{"name":"Mail relay","type":"host"},"action":{"description":"call +12345678901 at once"},
        "metadata":{"card":4111111111111111,"free":"by Bo Berg","plain":"10.0.0.7","+12345678901":{"a":1}},
        "context":{"request_id":"4111111111111111"}}"#;
    let sealed = seal(event, &none);
    let viewer = seen(&sealed, VIEWER, &none);
    for (pointer, shown) in [
        ("/actor/id", r#""****@example.com""#),
        ("/actor/name", r#""B. B.""#),
        ("/target/name", r#""Mail relay""#),
        ("/action/description", r#""call +12345**** at once""#),
        ("/metadata", r#""****""#),
        ("/context/request_id", r#""4111111111111111""#),
    ] {
        assert_eq!(at(&viewer, pointer), shown, "{pointer}");
    }
    let event = event.replace(r#","+12345678901":{"a":1}"#, "");
    let viewer = seen(&seal(&event, &none), VIEWER, &none);
    assert_eq!(at(&viewer, "/metadata/card"), r#""****-****-****-1111""#);
    assert_eq!(at(&viewer, "/metadata/free"), r#""****""#);
    assert_eq!(at(&viewer, "/metadata/plain"), r#""10.0.0.7""#);
    assert_eq!(seen(&sealed, GRANTED, &none).text(), sealed.text);
}

#[test]
fn a_tenant_says_how_its_fields_are_shown() {
    let fields = policy(WITH_SECRETS);
    let sealed = seal(OF_EVERY_CLASS, &fields);
    let redaction = redaction(
        r#"{"sanitizers":[{"name":"ward","pattern":"^Ward .*$","replacement":"Ward ***"},{"name":"start","truncate":4},
            {"name":"pseudonym","hash":true},{"name":"gone","fixed":"(not shown)"}],
            "rules":[{"path":"target.name","sanitizer":"ward"},{"path":"actor.ip_address","sanitizer":"start"},
            {"path":"actor.name","sanitizer":"pseudonym"},{"path":"metadata.ward","sanitizer":"gone"},
            {"path":"data.after.visits","sanitizer":"gone"},{"path":"data.after.vip","sanitizer":"gone"},
            {"path":"data.after.phone","sanitizer":"whole"},{"path":"data.after.medical.icd","sanitizer":"start"},
            {"path":"data.after.token","sanitizer":"start"}]}"#,
    );
    let seen_by = |roles, key| {
        let forms = Forms::of(&redaction, key);
        seen_with(&sealed, &sealed.stored, Visibility { forms, ..by(roles, &fields) }, |_| None)
    };
    let viewer = seen_by(VIEWER, Some(&[7; 32]));
    for (pointer, shown) in [
        ("/target/name", r#""Ward ***""#),
        ("/actor/ip_address", r#""10.0****""#),
        // What is in clear and has a form of its own is shown in it.
        ("/metadata/ward", r#""(not shown)""#),
        ("/data/after/visits", r#""(not shown)""#),
        ("/data/after/vip", r#""(not shown)""#),
        ("/data/after/phone", r#""****""#),
        ("/data/after/medical", r#"{"icd":"****"}"#),
        // A form shows nothing of what may not be shown in any.
        ("/data/after/token", r#""****""#),
    ] {
        assert_eq!(at(&viewer, pointer), shown, "{pointer}");
    }
    assert!(at(&viewer, "/actor/name").starts_with(r#""sha256:"#));
    assert_eq!(at(&seen_by(VIEWER, None), "/actor/name"), r#""****""#);
    assert_eq!(at(&seen_by(VIEWER, Some(&[8; 32])), "/actor/ip_address"), r#""10.0****""#);
    assert_eq!(seen_by(OFFICER, None).text(), sealed.text);
}

/// A pointer must not tell what the name of a member would.
#[test]
fn nothing_below_a_place_that_is_replaced_is_named() {
    let fields =
        policy(r#"{"preset":"none","rules":[{"path":"metadata.*.pin","class":"secret"}]}"#);
    let event = r#"{"event_type":"a","metadata":{"ana@example.com":{"pin":"123456"}}}"#;
    let sealed = seal(event, &fields);
    assert!(sealed.stored().contains("$sealed"));
    let viewer = seen(&sealed, VIEWER, &fields);
    assert_eq!(hidden(&viewer), ["/metadata personal redacted"]);
    assert_eq!(at(&viewer, "/metadata"), r#""****""#);
}

/// Everything that is found in what somebody sees, besides the fields in which nobody looks.
fn left(value: Value<'_>, found: &mut Vec<String>) {
    match value.kind() {
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((key, member)) = members.next_member().expect("canonical") {
                let name = key.text();
                if !detect(&name).is_empty() {
                    found.push(name.clone().into_owned());
                }
                if !["timestamp", "context", "security", "performance"].contains(&name.as_ref()) {
                    left(member, found);
                }
            }
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element().expect("canonical") {
                left(element, found);
            }
        }
        ValueKind::Text | ValueKind::Number => {
            let text = value.text().unwrap_or_else(|| String::from_utf8_lossy(value.raw()));
            if !detect(&text).is_empty() {
                found.push(text.into_owned());
            }
        }
        ValueKind::Bool | ValueKind::Null => {}
    }
}

fn policies() -> impl Strategy<Value = FieldPolicy> {
    prop::sample::select(vec![
        r#"{"preset":"none"}"#,
        r#"{"preset":"standard"}"#,
        r#"{"preset":"strict"}"#,
        r#"{"preset":"none","detection":true,"rules":[{"path":"metadata","class":"sensitive"},{"path":"data.after.*","class":"secret"}]}"#,
        r#"{"preset":"standard","rules":[{"path":"data.*.status","class":"public"},{"path":"data.after.a","class":"secret"}]}"#,
    ])
    .prop_map(policy)
}

fn redactions() -> impl Strategy<Value = RedactionPolicy> {
    prop::sample::select(vec![
        "{}",
        r#"{"rules":[{"path":"metadata","sanitizer":"email"},{"path":"data.after.name","sanitizer":"address"}]}"#,
        r#"{"sanitizers":[{"name":"p","pattern":"([a-z]) ?([a-z]+)","replacement":"$1*** $2"},{"name":"h","hash":true},
            {"name":"t","truncate":6},{"name":"f","fixed":"n/a"}],
            "rules":[{"path":"metadata","sanitizer":"p"},{"path":"metadata.*.status","sanitizer":"t"},
            {"path":"data.after","sanitizer":"h"},{"path":"action.description","sanitizer":"t"},{"path":"actor.name","sanitizer":"f"}]}"#,
    ])
    .prop_map(redaction)
}

proptest! {
    #[test]
    fn nothing_that_is_found_is_left_and_twice_is_once(
        data in json(), metadata in json(), description in "[a-z ]{0,8}(ana@b\\.cd|Ana Lima|\\+4930901820)?[a-z ]{0,8}",
        written_under in policies(), read_under in policies(), redaction in redactions(),
        has_key in any::<bool>(),
    ) {
        let key = has_key.then_some(&[7; 32]);
        let visibility = Visibility { forms: Forms::of(&redaction, key), ..by(VIEWER, &read_under) };
        let event = format!(
            r#"{{"action":{{"description":"{description}"}},"actor":{{"id":"u","name":"Ana Lima"}},"data":{{"after":{data}}},"event_type":"a","metadata":{metadata},"timestamp":"2026-03-02T08:00:00Z"}}"#
        );
        let sealed = seal(&event, &written_under);
        let viewer = seen_with(&sealed, &sealed.stored, visibility, |_| None);
        prop_assert_eq!(canonicalize(viewer.text()).expect("canonical"), viewer.text());
        let mut found = Vec::new();
        left(Value::new(viewer.text()), &mut found);
        prop_assert_eq!(found, Vec::<String>::new(), "{}", String::from_utf8_lossy(viewer.text()));
        for part in viewer.hidden() {
            prop_assert!(detect(part.pointer()).is_empty(), "{}", part.pointer());
        }
        let again = seen_with(&sealed, viewer.text(), visibility, |_| None);
        prop_assert_eq!(
            String::from_utf8_lossy(again.text()), String::from_utf8_lossy(viewer.text())
        );
        let officer = seen(&sealed, OFFICER, &read_under);
        prop_assert_eq!(officer.text(), sealed.text.as_slice());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:$a-z0-9\\\\]{0,40}", known in any::<bool>()) {
        let text = if known { format!(r#"{{"a":{{"$sealed":0}},"sealed":[{text}]}}"#) } else { text };
        let fields = FieldPolicy::of_preset(Preset::Strict);
        let Ok(event) = ReadEvent::read(text.as_bytes()) else { return Ok(()) };
        let (tenant, event_id) = ids();
        let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
        for roles in [VIEWER, OFFICER] {
            let _ = event.seen(place, by(roles, &fields), |_| KeyState::Unavailable);
        }
    }
}
