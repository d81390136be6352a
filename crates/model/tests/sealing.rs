//! Sealing and opening whole events under the policies there are.

mod sealed;

use ledgerstone_model::sealing::{
    Envelope, EnvelopePlace, FieldPolicy, Preset, SealingPlan, Subject, SubjectKey, open_event,
};
use ledgerstone_proof::{Canonicalizer, canonicalize};
use proptest::prelude::*;

use sealed::{CLERK_CHANGES_CUSTOMER, Sealed, ids, json, key_of, person, seal};

/// Opens with the keys of the subjects that `may` allows.
fn open(sealed: &Sealed, may: impl Fn(&Subject) -> bool) -> Vec<u8> {
    let (tenant, event_id) = ids();
    let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
    let keys: Vec<SubjectKey> =
        sealed.subjects.iter().filter(|subject| may(subject)).map(key_of).collect();
    let key = |envelope: &Envelope| keys.iter().find(|key| key.id() == envelope.key_id()).cloned();
    open_event(&sealed.stored, place, key).expect("opens").to_vec()
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
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn a_clerks_change_is_the_customers() {
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &FieldPolicy::of_preset(Preset::Standard));
    let without_customer = open(&sealed, |subject| *subject != person("customer", "cus-4711"));
    let shown = String::from_utf8(without_customer).expect("text");
    assert!(shown.contains(r#""name":"Ana Lima""#), "{shown}");
    assert!(
        shown.contains(r#""data":{"after":{"$sealed":true}"#)
            || shown.contains(r#""data":{"$sealed":true}"#),
        "{shown}"
    );
    assert!(!shown.contains("4930901820"), "{shown}");
}

/// Somebody reads the chart of a patient who does nothing themselves.
fn chart(kind: &str) -> String {
    format!(
        r#"{{"event_type":"chart.read","actor":{{"type":"user","id":"dr-9","name":"Dr Nine"}},
            "target":{{"type":"{kind}","id":"p-8","name":"Patricia Onyx","metadata":{{"ward":"west-7"}}}},
            "action":{{"verb":"read","description":"read the chart of Patricia Onyx"}}}}"#
    )
}

#[test]
fn somebody_who_is_only_the_target_is_sealed_under_their_own_key() {
    for preset in [Preset::Standard, Preset::Strict, Preset::CloudTrail] {
        let sealed = seal(&chart("patient"), &FieldPolicy::of_preset(preset));
        assert!(sealed.subjects.contains(&person("patient", "p-8")), "{preset:?}");
        for hidden in ["Patricia", "west-7", "Dr Nine"] {
            assert!(!sealed.stored().contains(hidden), "{preset:?} {hidden}: {}", sealed.stored());
        }
        assert_eq!(open(&sealed, |_| true), sealed.text);
        let blind = open(&sealed, |subject| *subject != person("patient", "p-8"));
        let shown = String::from_utf8(blind).expect("text");
        assert!(shown.contains("Dr Nine"), "{shown}");
        // Without the patient's key the sentence that repeats the name goes with it, also where a rule
        // makes it the doctor's words.
        assert!(!shown.contains("Patricia"), "{shown}");
    }
}

/// What the event shows without the key of the one person, and without that of the other.
fn without_each(event: &str, preset: Preset, people: [&Subject; 2]) -> [String; 2] {
    let sealed = seal(event, &FieldPolicy::of_preset(preset));
    assert_eq!(open(&sealed, |_| true), sealed.text);
    people.map(|without| {
        String::from_utf8(open(&sealed, |subject| subject != without)).expect("text")
    })
}

#[test]
fn what_repeats_a_value_of_the_person_acted_upon_is_sealed_for_them() {
    let (doctor, patient) = (person("user", "dr-9"), person("patient", "p-8"));
    let both = chart("patient").replace("read the chart", "Dr Nine read the chart");
    let unmapped = both.replacen('{', r#"{"intake":{"unmapped":{"who":["Patricia Onyx"]}},"#, 1);
    let reviewed = both.replacen('{', r#"{"metadata":{"of":"ward west-7"},"#, 1);
    for preset in [Preset::Standard, Preset::Strict, Preset::CloudTrail] {
        for event in [&both, &unmapped, &reviewed] {
            let [of_patient, of_doctor] = without_each(event, preset, [&doctor, &patient]);
            assert!(of_patient.contains("chart of Patricia Onyx"), "{preset:?} {of_patient}");
            for gone in ["Patricia", "west-7"] {
                assert!(!of_doctor.contains(gone), "{preset:?} {of_doctor}");
            }
            assert!(of_doctor.contains(r#""name":"Dr Nine""#), "{preset:?} {of_doctor}");
        }
    }
}

#[test]
fn what_an_event_says_of_the_actor_stays_theirs_whatever_the_target_is_called() {
    let (doctor, patient) = (person("user", "dr-9"), person("patient", "p-8"));
    for preset in [Preset::Standard, Preset::Strict] {
        let namesakes = chart("patient").replace("Dr Nine", "Patricia Onyx");
        let [of_patient, of_doctor] = without_each(&namesakes, preset, [&doctor, &patient]);
        assert!(!of_patient.contains(r#""actor":{"id":"dr-9","name":"Patricia"#), "{of_patient}");
        assert!(of_patient.contains("chart of Patricia Onyx"), "{of_patient}");
        assert_eq!(of_doctor.matches("Patricia Onyx").count(), 1, "{of_doctor}");

        // What is written about the patient names the doctor, and is no value of the patient for that.
        let signed = chart("patient")
            .replacen('{', r#"{"data":{"after":{"by":"Dr Nine"}},"#, 1)
            .replace("read the chart of Patricia Onyx", "Dr Nine read a chart");
        let [_, of_doctor] = without_each(&signed, preset, [&doctor, &patient]);
        assert!(of_doctor.contains("Dr Nine read a chart"), "{preset:?} {of_doctor}");
    }
}

/// An envelope that nothing is left in is not written.
#[test]
fn who_has_no_value_left_in_an_event_has_no_envelope_in_it() {
    let event = r#"{"event_type":"a","actor":{"type":"user","id":"u-1"},
        "action":{"description":"called Patricia Onyx"},
        "target":{"type":"patient","id":"p-8","name":"Patricia Onyx"}}"#;
    let text = r#"{"rules":[{"path":"action.description","class":"personal"}]}"#;
    let policy = FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
    let sealed = seal(event, &policy);
    assert_eq!(sealed.subjects, [person("patient", "p-8")]);
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn the_names_of_things_stay_in_clear() {
    for preset in [Preset::Standard, Preset::CloudTrail] {
        let sealed = seal(&chart("ward_document"), &FieldPolicy::of_preset(preset));
        for clear in [r#""name":"Patricia Onyx""#, "west-7", "the chart of Patricia Onyx"] {
            assert!(sealed.stored().contains(clear), "{preset:?} {clear}: {}", sealed.stored());
        }
        assert!(!sealed.stored().contains("Dr Nine"), "{}", sealed.stored());
    }
}

#[test]
fn people_are_those_of_the_tenants_types_also_without_an_id() {
    let text = r#"{"person_types":["resident"]}"#;
    let policy = FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
    let resident = r#"{"event_type":"a","target":{"type":"resident","name":"Patricia Onyx"}}"#;
    let sealed = seal(resident, &policy);
    assert!(!sealed.stored().contains("Patricia"), "{}", sealed.stored());
    assert_eq!(sealed.subjects, [Subject::Tenant]);
    let patient = seal(&chart("patient"), &policy);
    assert!(patient.stored().contains(r#""name":"Patricia Onyx""#), "{}", patient.stored());
}

#[test]
fn sealed_values_are_sealed_wherever_they_stand() {
    let sealed = seal(CLERK_CHANGES_CUSTOMER, &FieldPolicy::of_preset(Preset::Standard));
    let without_clerk = open(&sealed, |subject| *subject != person("employee", "emp-17"));
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
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn an_event_of_nobody_is_sealed_under_the_tenants_key() {
    let event = r#"{"event_type":"job.done","data":{"after":{"owner":"somebody"}}}"#;
    let sealed = seal(event, &FieldPolicy::of_preset(Preset::Standard));
    assert_eq!(sealed.subjects, [Subject::Tenant]);
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn exceptions_stay_in_clear_and_the_rest_around_them_does_not() {
    let text = r#"{"rules":[{"path":"data.*.status","class":"public"}]}"#;
    let policy = FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new()).expect("a policy");
    let event = r#"{"event_type":"a","actor":{"id":"u"},"data":{"after":{"status":"open","x":[1,{"y":"z"}],"e":{}},"before":null}}"#;
    let sealed = seal(event, &policy);
    assert!(sealed.stored().contains(r#""status":"open""#), "{}", sealed.stored());
    assert!(!sealed.stored().contains("\"z\""), "{}", sealed.stored());
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn what_is_declared_or_found_is_sealed_whatever_kind_of_value_it_is() {
    let event = r#"{"event_type":"a","actor":{"id":"u","type":"user"},"security":{"data_classification":"phi"},
        "metadata":{"hiv":true,"glucose":180.5,"born":19700101,"note":"ok","none":null,"list":[false,7]}}"#;
    let standard = FieldPolicy::of_preset(Preset::Standard);
    let sealed = seal(event, &standard);
    let shown = sealed.stored();
    for hidden in ["true", "180.5", "19700101", "\"ok\"", "false", ",7]"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    assert_eq!(open(&sealed, |_| true), sealed.text);

    let event = r#"{"event_type":"a","actor":{"id":"u","type":"user"},
        "metadata":{"card":4111111111111111,"order":4111111111111112,"count":12,"is_new":true}}"#;
    let sealed = seal(event, &standard);
    let shown = sealed.stored();
    assert!(!shown.contains("4111111111111111"), "{shown}");
    for clear in ["4111111111111112", r#""count":12"#, r#""is_new":true"#] {
        assert!(shown.contains(clear), "{clear}: {shown}");
    }
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

/// The words of an error repeat an address, in an event of many values.
#[test]
fn a_value_is_sealed_at_every_place_of_an_event_with_many_values() {
    for fillers in [0, 61, 62, 70, 500] {
        let filler: Vec<_> =
            (0..fillers).map(|at| format!(r#""f{at}":"filler value {at:03}""#)).collect();
        let event = format!(
            r#"{{"event_type":"a","actor":{{"id":"u-2","type":"user"}},
            "action":{{"error":"address 77 Tulip Avenue is not known"}},
            "data":{{"after":{{"address":"77 Tulip Avenue"{}{}}}}}}}"#,
            if filler.is_empty() { "" } else { "," },
            filler.join(",")
        );
        let sealed = seal(&event, &FieldPolicy::of_preset(Preset::Standard));
        assert!(!sealed.stored().contains("Tulip"), "{fillers}: {}", sealed.stored());
    }
}

/// Values that are sealed stay so, however another policy parts what they stand in.
#[test]
fn what_is_sealed_is_not_in_clear_by_another_policy() {
    let policy = |text: &str| FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new());
    let standard = FieldPolicy::of_preset(Preset::Standard);
    let parted = r#"{"rules":[{"path":"data.metadata.iban","class":"sensitive"}]}"#;
    let parted = policy(parted).expect("a policy");
    let one_value =
        r#"{"preset":"none","rules":[{"path":"data.metadata.iban","class":"personal"}]}"#;
    let one_value = policy(one_value).expect("a policy");
    let in_clear = |event: &str, then: &FieldPolicy, now: &FieldPolicy| {
        let sealed = seal(event, then);
        let plan = SealingPlan::make(&sealed.stored, now).expect("canonical");
        plan.subjects_in_clear(&sealed.stored).expect("canonical").len()
    };
    let alone = r#"{"event_type":"a","actor":{"id":"u","type":"user"},"data":{"metadata":{"iban":"NL-9","more":null}}}"#;
    assert_eq!(in_clear(alone, &standard, &parted), 0);
    assert_eq!(in_clear(alone, &one_value, &standard), 0);
    let beside = alone.replace("null", "[{},7]");
    assert_eq!(in_clear(&beside, &standard, &parted), 0);
    assert_eq!(in_clear(&beside, &one_value, &standard), 1);
}

#[test]
fn what_says_how_an_event_is_to_be_handled_is_sealed_by_no_rule() {
    // As recorded policies may say; new ones about such a field alone are refused.
    let rules = ["*", "actor", "actor.type", "security", "intake", "compliance"];
    let rules = rules.map(|path| format!(r#"{{"path":"{path}","class":"secret"}}"#)).join(",");
    let text = format!(r#"{{"preset":"none","rules":[{rules}]}}"#);
    let policy = FieldPolicy::parse_recorded(text.as_bytes(), &mut Canonicalizer::new());
    let event = r#"{"id":"e-1","event_type":"chart.read","severity":"low","timestamp":"2026-03-02T08:00:00Z",
        "actor":{"type":"employee","id":"emp-17"},"action":{"verb":"read","status":"success","error":"none"},
        "compliance":{"findings":["late"],"traffic_light_status":"green"},
        "security":{"retention_period_days":7},"intake":{"format":"x","unmapped":{"a":"b"}}}"#;
    let sealed = seal(event, &policy.expect("a policy"));
    let stored = sealed.stored();
    for clear in [
        r#""id":"e-1""#,
        r#""type":"employee""#,
        r#""event_type":"chart.read""#,
        r#""severity":"low""#,
        r#""verb":"read""#,
        r#""status":"success""#,
        r#""traffic_light_status":"green""#,
        r#""retention_period_days":7"#,
        r#""format":"x""#,
    ] {
        assert!(stored.contains(clear), "{clear}: {stored}");
    }
    for hidden in ["emp-17", "late", "none", r#""a":"b""#] {
        assert!(!stored.contains(hidden), "{hidden}: {stored}");
    }
    assert_eq!(open(&sealed, |_| true), sealed.text);
}

#[test]
fn an_event_that_holds_nothing_to_seal_is_stored_as_it_was() {
    let event = r#"{"event_type":"tick","timestamp":"2026-03-02T08:00:00Z"}"#;
    let sealed = seal(event, &FieldPolicy::of_preset(Preset::Strict));
    assert_eq!(sealed.stored, sealed.text);
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
        prop_assert_eq!(open(&sealed, |_| true), sealed.text.clone());
        // Without keys it stays canonical, and nothing that only stood at sealed places is shown.
        let blind = open(&sealed, |_| false);
        prop_assert_eq!(canonicalize(&blind).expect("canonical"), blind);
    }
}
