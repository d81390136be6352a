//! Sealing and opening whole events under the policies there are.

use ledgerstone_model::sealing::{
    Envelope, EnvelopeError, EnvelopePlace, FieldPolicy, Preset, SealingKeyId, SealingPlan,
    Subject, SubjectKey, open_event,
};
use ledgerstone_proof::{Canonicalizer, EventId, TenantId, canonicalize, sha256};
use proptest::prelude::*;
use zeroize::Zeroizing;

const CLERK_CHANGES_CUSTOMER: &str = r#"{
  "id":"e-1","event_type":"customer.updated","severity":"low","timestamp":"2026-03-02T08:00:00Z",
  "actor":{"type":"employee","id":"emp-17","name":"Ana Lima","email":"ana.lima@example.com","ip_address":"10.0.0.7"},
  "target":{"type":"customer","id":"cus-4711","name":"Bo Berg"},
  "action":{"verb":"update","status":"failure","description":"Ana Lima may not change cus-4711",
            "error":"card 4111 1111 1111 1111 refused for Bo Berg-Falk"},
  "data":{"before":{"phone":"+4930901820"},"after":{"phone":"+4930901821","vip":true,"note":null}},
  "context":{"request_id":"req-1","project_id":"crm"},
  "metadata":{"build":"1.2.3","reviewer":"Ana Lima"}}"#;

/// Keys that follow from the subject, so that a test can find them again.
fn key_of(subject: &Subject) -> SubjectKey {
    let hash = *sha256(&subject.to_bytes()).as_bytes();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    SubjectKey::new(SealingKeyId::new(id), Zeroizing::new(hash))
}

struct Sealed {
    text: Vec<u8>,
    stored: Vec<u8>,
    subjects: Vec<Subject>,
}

fn ids() -> (TenantId, EventId) {
    (TenantId::parse("acme").expect("a name"), EventId::parse("e-1").expect("an id"))
}

fn seal(event: &str, policy: &FieldPolicy) -> Sealed {
    let text = canonicalize(event.as_bytes()).expect("canonical");
    let (tenant, event_id) = ids();
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    let plan = SealingPlan::make(&text, policy).expect("canonical");
    let mut counter = 0_u8;
    let nonce = || {
        counter += 1;
        Some([counter; 24])
    };
    let stored = plan
        .seal::<EnvelopeError>(&text, place, |subject| Ok(key_of(subject)), nonce)
        .expect("sealed");
    let subjects = plan.subjects().into_iter().cloned().collect();
    assert_eq!(canonicalize(&stored).expect("canonical"), stored, "what is stored is canonical");
    Sealed { text: text.clone(), stored, subjects }
}

impl Sealed {
    /// Opens with the keys of the subjects that `may` allows.
    fn open(&self, may: impl Fn(&Subject) -> bool) -> Vec<u8> {
        let (tenant, event_id) = ids();
        let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
        let keys: Vec<SubjectKey> =
            self.subjects.iter().filter(|subject| may(subject)).map(key_of).collect();
        let key =
            |envelope: &Envelope| keys.iter().find(|key| key.id() == envelope.key_id()).cloned();
        open_event(&self.stored, place, key).expect("opens").to_vec()
    }

    fn stored(&self) -> &str {
        std::str::from_utf8(&self.stored).expect("text")
    }
}

fn person(kind: &str, id: &str) -> Subject {
    Subject::Person { kind: kind.to_owned(), id: id.to_owned() }
}

#[test]
fn the_standard_policy_seals_everybody_under_their_own_key() {
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &FieldPolicy::of_preset(Preset::Standard));
    let stored = sealed.stored();
    assert!(sealed.subjects.contains(&person("employee", "emp-17")));
    assert!(sealed.subjects.contains(&person("customer", "cus-4711")));
    for hidden in ["Ana Lima", "ana.lima", "10.0.0.7", "4930901820", "4111", "vip"] {
        assert!(!stored.contains(hidden), "{hidden}: {stored}");
    }
    // Ids stay in clear under this policy, and so do kinds, verbs and the names of things.
    for clear in
        ["emp-17", "cus-4711", "customer.updated", "\"status\":\"failure\"", "1.2.3", "req-1"]
    {
        assert!(stored.contains(clear), "{clear}: {stored}");
    }
    assert_eq!(sealed.open(|_| true), sealed.text);
}

#[test]
fn a_clerks_change_is_the_customers() {
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &FieldPolicy::of_preset(Preset::Standard));
    let without_customer = sealed.open(|subject| *subject != person("customer", "cus-4711"));
    let shown = String::from_utf8(without_customer).expect("text");
    assert!(shown.contains(r#""name":"Ana Lima""#), "{shown}");
    assert!(
        shown.contains(r#""data":{"after":{"$sealed":true}"#)
            || shown.contains(r#""data":{"$sealed":true}"#),
        "{shown}"
    );
    assert!(!shown.contains("4930901820"), "{shown}");
}

#[test]
fn sealed_values_are_sealed_wherever_they_stand() {
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &FieldPolicy::of_preset(Preset::Standard));
    let without_clerk = sealed.open(|subject| *subject != person("employee", "emp-17"));
    let shown = String::from_utf8(without_clerk).expect("text");
    // The description and the reviewer repeat the clerk's name, and go with it.
    assert!(!shown.contains("Ana Lima"), "{shown}");
    assert!(shown.contains(r#""reviewer":{"$sealed":true}"#), "{shown}");
}

#[test]
fn without_detection_only_rules_count() {
    let text =
        r#"{"preset":"none","detection":false,"rules":[{"path":"data.after","class":"secret"}]}"#;
    let policy = FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &policy);
    assert!(sealed.stored().contains("ana.lima@example.com"));
    assert!(sealed.stored().contains(r#""after":{"$sealed":0}"#), "{}", sealed.stored());
    assert_eq!(sealed.open(|_| true), sealed.text);
}

#[test]
fn an_event_of_nobody_is_sealed_under_the_tenants_key() {
    let event = r#"{"event_type":"job.done","data":{"after":{"owner":"somebody"}}}"#;
    let sealed = seal(event, &FieldPolicy::of_preset(Preset::Standard));
    assert_eq!(sealed.subjects, [Subject::Tenant]);
    assert_eq!(sealed.open(|_| true), sealed.text);
}

#[test]
fn exceptions_stay_in_clear_and_the_rest_around_them_does_not() {
    let text = r#"{"rules":[{"path":"data.*.status","class":"public"}]}"#;
    let policy = FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
    let event = r#"{"event_type":"a","actor":{"id":"u"},"data":{"after":{"status":"open","x":[1,{"y":"z"}],"e":{}},"before":null}}"#;
    let sealed = seal(event, &policy);
    assert!(sealed.stored().contains(r#""status":"open""#), "{}", sealed.stored());
    assert!(!sealed.stored().contains("\"z\""), "{}", sealed.stored());
    assert_eq!(sealed.open(|_| true), sealed.text);
}

#[test]
fn an_event_that_holds_nothing_to_seal_is_stored_as_it_was() {
    let event = r#"{"event_type":"tick","timestamp":"2026-03-02T08:00:00Z"}"#;
    let sealed = seal(event, &FieldPolicy::of_preset(Preset::Strict));
    assert_eq!(sealed.stored, sealed.text);
}

fn json() -> impl Strategy<Value = String> {
    let text = "[a-z@. ]{0,12}|ana@b\\.cd|\\+4930901820|Ana Lima|\\PC{0,6}";
    let leaf = prop_oneof![
        text.prop_map(|text| {
            let mut out = Vec::new();
            ledgerstone_proof::canonical_string_into(&text, &mut out);
            String::from_utf8(out).expect("text")
        }),
        any::<i32>().prop_map(|number| number.to_string()),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::btree_map("[a-z/~.]{0,3}|status", inner, 0..4).prop_map(|map| {
                let members: Vec<_> = map.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_sealed_opens_to_what_was_sent(
        data in json(), metadata in json(), unmapped in json(),
        actor in prop::option::of("[a-z]{1,8}"), target in prop::option::of("user|thing"),
        preset in prop::sample::select(vec!["none", "standard", "strict", "cloudtrail"]),
        has_exception: bool,
    ) {
        let actor = actor.map_or(String::new(), |id| format!(r#""actor":{{"id":"{id}","name":"Ana Lima"}},"#));
        let target = target.map_or(String::new(), |kind| format!(r#","target":{{"id":"t-1","type":"{kind}"}}"#));
        let event = format!(
            r#"{{{actor}"data":{{"after":{data}}},"event_type":"a","intake":{{"unmapped":{unmapped}}},"metadata":{metadata}{target},"timestamp":"2026-03-02T08:00:00Z"}}"#
        );
        let rules = if has_exception { r#"{"path":"data.after.status","class":"public"}"# } else { "" };
        let policy = format!(r#"{{"preset":"{preset}","rules":[{rules}]}}"#);
        let policy = FieldPolicy::parse(policy.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
        let sealed = seal(&event, &policy);
        prop_assert_eq!(sealed.open(|_| true), sealed.text.clone());
        // Without keys it stays canonical, and nothing that only stood at sealed places is shown.
        let blind = sealed.open(|_| false);
        prop_assert_eq!(canonicalize(&blind).expect("canonical"), blind);
    }
}
