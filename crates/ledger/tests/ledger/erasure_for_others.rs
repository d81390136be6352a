//! What of a person is sealed under somebody else's key is found, counted, and dropped with an erasure.

use ledgerstone_ledger::erasure::{ErasureMeans, Survey};
use ledgerstone_ledger::{Ledger, LedgerError, Order, PolicyDraft, PolicyOutcome};
use ledgerstone_model::NumberSet;
use ledgerstone_model::SystemRecord;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{Preset, Subject, SubjectId};
use ledgerstone_proof::Canonicalizer;
use ledgerstone_testkit::TestEvent;
use serde_json::{Value, json};

use crate::erasure::{Unwatched, approve, erase, means, open, person, said};
use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana};

fn someone(kind: &str, id: &str) -> Subject {
    Subject::Person { kind: kind.to_owned(), id: id.to_owned() }
}

fn id_of(ledger: &Ledger, who: &Subject) -> SubjectId {
    ledger.subject(&tenant("acme"), who).unwrap().id
}

/// What Ana did to somebody.
fn deed(id: &str, target: Value) -> TestEvent {
    TestEvent::new("record.read")
        .id(id)
        .set("/actor", json!({"type": "user", "id": "ana", "name": "Ana Lima"}))
        .set("/target", target)
}

fn append(ledger: &Ledger, event: &TestEvent) {
    SealingRig::append(ledger, "acme", &event.json());
}

fn set_policy(ledger: &Ledger, text: &str) {
    let kind = PolicyKind::Sealing;
    let document = PolicyDocument::parse(kind, text.as_bytes(), &mut Canonicalizer::new()).unwrap();
    let draft = PolicyDraft { document, based_on: None };
    let set = ledger.set_or_propose_policy(&tenant("acme"), draft, &person("anna")).unwrap();
    if let PolicyOutcome::Proposed(proposal) = set {
        let number = proposal.recorded_as;
        ledger.approve_policy(&tenant("acme"), kind, number, &person("berta")).unwrap();
    }
}

fn survey(ledger: &Ledger, who: &Subject) -> Survey {
    let subject = id_of(ledger, who);
    ledger.survey_subject(&tenant("acme"), &subject, &Unwatched).unwrap().unwrap()
}

fn ids(ledger: &Ledger, numbers: &NumberSet) -> Vec<String> {
    let records = ledger.reader().list(&tenant("acme"), Order::Sequence, None).unwrap();
    let found = records.map(Result::unwrap);
    let found = found.filter(|record| numbers.contains(record.sequence_number.value()));
    found.map(|record| record.event_id.as_str().to_owned()).collect()
}

/// What is found sealed for others, all of which is among what goes.
fn for_others(ledger: &Ledger, who: &Subject) -> Vec<String> {
    let found = survey(ledger, who);
    let clear = ids(ledger, found.clear());
    let for_others = ids(ledger, &found.sealed_for_others());
    assert!(for_others.iter().all(|id| clear.contains(id)), "{for_others:?} of {clear:?}");
    for_others
}

#[test]
fn a_target_of_a_type_that_is_no_persons_goes_with_its_contents() {
    for (preset, kind) in
        [(Preset::Standard, "client"), (Preset::Standard, "Customer"), (Preset::Strict, "client")]
    {
        let own = SealingRig::new(preset);
        let ledger = own.rig.create(&["acme"]);
        let target = |id: &str| json!({"type": kind, "id": id});
        append(&ledger, &deed("c-1", target("cl-9")).set("/data/metadata/iban", "NL-9".into()));
        append(&ledger, &deed("c-2", target("cl-8")).set("/data/metadata/iban", "NL-8".into()));
        append(&ledger, &deed("c-3", target("cl-9")));
        let named = json!({"type": kind, "id": "cl-9", "name": "Clara Nine"});
        append(&ledger, &deed("c-4", named).set("/data/metadata/shoe", 38.into()));
        let client = someone(kind, "cl-9");
        let found = survey(&ledger, &client);
        assert!(found.sealed().is_empty());
        assert_eq!(found.kind(), Some(kind));
        let (expected, dropped): (&[&str], u64) = match preset {
            // The id is the client's too.
            Preset::Strict => (&["c-1", "c-3", "c-4"], 3),
            // A name stands in clear in c-4.
            _ => (&["c-1"], 2),
        };
        assert_eq!(for_others(&ledger, &client), expected, "{preset:?} {kind}");
        assert!(for_others(&ledger, &ana()).is_empty(), "what she did is sealed for her");

        let request = open(&ledger, id_of(&ledger, &client)).unwrap();
        approve(&ledger, request);
        let none = ErasureMeans { clear_contents_max: 0, ..means(&own) };
        let refused = ledger.erase(&tenant("acme"), request, &none, &Unwatched).unwrap_err();
        let is_counted = matches!(refused, LedgerError::MoreInClear { approved: 0, .. });
        assert!(is_counted, "{refused}");
        let number = erase(&own, &ledger, request);
        let SystemRecord::Erasure(certificate) = said(&ledger, number) else { panic!() };
        assert_eq!(certificate.dropped_contents, dropped);
        assert!(survey(&ledger, &client).clear().is_empty());
        assert_eq!(survey(&ledger, &ana()).sealed().len(), 4 - dropped);
        own.rig.assert_sound();
    }
}

#[test]
fn a_field_that_names_both_is_counted_for_whoever_acted_too() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let patient = json!({"type": "patient", "id": "p-8", "name": "Patricia Onyx"});
    for (id, said) in [
        ("m-1", "Ana Lima read the chart of Patricia Onyx"),
        ("m-2", "somebody read the chart of Patricia Onyx"),
        ("m-3", "Ana Limaro read the chart of Patricia Onyx"),
    ] {
        append(&ledger, &deed(id, patient.clone()).set("/action/description", said.into()));
    }
    assert_eq!(for_others(&ledger, &ana()), ["m-1"]);
    assert!(for_others(&ledger, &someone("patient", "p-8")).is_empty());
    // Once the patient is erased, nobody reads it any more.
    let request = open(&ledger, id_of(&ledger, &someone("patient", "p-8"))).unwrap();
    approve(&ledger, request);
    erase(&own, &ledger, request);
    assert!(for_others(&ledger, &ana()).is_empty());
}

#[test]
fn what_is_sealed_for_others_stays_where_that_is_approved() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let patient = |id: &str| json!({"type": "patient", "id": id, "name": "Patricia Onyx"});
    let said = "Ana Lima read the chart of Patricia Onyx";
    append(&ledger, &deed("k-1", patient("p-8")).set("/action/description", said.into()));
    let in_clear = deed("k-2", patient("p-8")).set("/action/description", said.into());
    append(&ledger, &in_clear.set("/metadata/by", "Ana Lima".into()));
    let bo = json!({"type": "user", "id": "bo", "name": "Bo Berg"});
    let other = deed("k-3", patient("p-7")).set("/actor", bo);
    append(&ledger, &other.set("/metadata/by", "Ana Lima".into()));

    let alone = for_others(&ledger, &ana());
    assert_eq!(ids(&ledger, survey(&ledger, &ana()).clear()), ["k-1", "k-2", "k-3"]);
    assert_eq!(alone, ["k-1", "k-2"]);
    let rest = 1;
    let request = open(&ledger, id_of(&ledger, &ana())).unwrap();
    approve(&ledger, request);
    let keep = |clear_contents_max| ErasureMeans {
        keep_sealed_for_others: true,
        clear_contents_max,
        ..means(&own)
    };
    let refused = ledger.erase(&tenant("acme"), request, &keep(rest - 1), &Unwatched);
    assert!(matches!(refused, Err(LedgerError::MoreInClear { .. })), "{refused:?}");
    let number = ledger.erase(&tenant("acme"), request, &keep(rest), &Unwatched).unwrap().unwrap();
    let SystemRecord::Erasure(certificate) = crate::erasure::said(&ledger, number) else {
        panic!()
    };
    let counts = (certificate.still_readable, certificate.sealed_for_others);
    assert_eq!(counts, (alone.len() as u64, alone.len() as u64));
    assert_eq!(certificate.dropped_contents, rest);
    // They are known by number: nothing else is left, and a later erasure may keep them again, or drop them.
    assert_eq!(for_others(&ledger, &ana()), alone);
    let refused = open(&ledger, id_of(&ledger, &ana())).unwrap_err();
    assert!(matches!(refused, LedgerError::AlreadyErased { .. }), "{refused}");
    append(&ledger, &deed("k-4", json!({"type": "document", "id": "d-1"})));
    for (means, dropped, left) in [(keep(0), 0, 2), (means(&own), 2, 0)] {
        append(&ledger, &deed(&format!("k-5-{left}"), json!({"type": "document", "id": "d-1"})));
        let next = open(&ledger, id_of(&ledger, &ana())).unwrap();
        approve(&ledger, next);
        let number = ledger.erase(&tenant("acme"), next, &means, &Unwatched).unwrap().unwrap();
        let SystemRecord::Erasure(done) = crate::erasure::said(&ledger, number) else { panic!() };
        assert_eq!((done.dropped_contents, done.still_readable), (dropped, left));
    }
    own.rig.assert_sound();
}

/// As it was recorded while fields about the person acted upon stayed with whoever acted.
#[test]
fn a_name_is_found_in_what_was_sealed_for_whoever_acted() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let policy = r#"{"preset":"standard","rules":[{"path":"action.description","class":"personal","owner":"actor"}]}"#;
    set_policy(&ledger, policy);
    let unnamed = json!({"type": "patient", "id": "p-8"});
    let said = "read the chart of Patricia Onyx";
    append(&ledger, &deed("o-1", unnamed.clone()).set("/action/description", said.into()));
    append(&ledger, &deed("o-2", unnamed).set("/action/description", "read a chart".into()));
    let other = json!({"type": "patient", "id": "p-7"});
    append(&ledger, &deed("o-3", other).set("/action/description", said.into()));
    let patient = someone("patient", "p-8");
    assert!(for_others(&ledger, &patient).is_empty(), "nobody knows the name yet");
    let named = json!({"type": "patient", "id": "p-8", "name": "Patricia Onyx"});
    append(&ledger, &deed("o-4", named));
    assert_eq!(for_others(&ledger, &patient), ["o-1"], "of others' events none");
}

#[test]
fn what_was_recorded_before_a_type_was_a_persons_counts_and_rules_of_its_own_are_kept_to() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let client = json!({"type": "client", "id": "cl-9"});
    append(&ledger, &deed("b-1", client.clone()).set("/data/metadata/iban", "NL-9".into()));
    let policy = r#"{"preset":"standard","person_types":["user","client"],
        "rules":[{"path":"data.metadata.clerk","class":"personal","owner":"actor"}]}"#;
    set_policy(&ledger, policy);
    append(&ledger, &deed("b-2", client.clone()).set("/data/metadata/iban", "NL-9".into()));
    append(&ledger, &deed("b-3", client).set("/data/metadata/clerk", "desk seven".into()));
    let client = someone("client", "cl-9");
    assert_eq!(for_others(&ledger, &client), ["b-1"]);
    assert_eq!(ids(&ledger, survey(&ledger, &client).sealed()), ["b-2"]);
}

#[test]
fn what_repeats_a_value_of_the_target_counts_and_what_was_sealed_counts_whatever_is_sealed_today() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let policy = r#"{"preset":"none","detection":false,"rules":[
        {"path":"data.metadata.*","class":"personal","owner":"target"},
        {"path":"action.description","class":"personal","owner":"actor"}]}"#;
    set_policy(&ledger, policy);
    let client = json!({"type": "client", "id": "cl-9"});
    for (id, said) in [("r-1", "moved file 4711-88 up"), ("r-2", "moved nothing up")] {
        let event = deed(id, client.clone()).set("/data/metadata/file", "4711-88".into());
        append(&ledger, &event.set("/action/description", said.into()));
    }
    let client = someone("client", "cl-9");
    assert_eq!(ids(&ledger, survey(&ledger, &client).sealed()), ["r-1", "r-2"]);
    assert_eq!(for_others(&ledger, &client), ["r-1"]);

    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let event = deed("r-3", json!({"type": "client", "id": "cl-9"}));
    append(&ledger, &event.set("/data/metadata/file", "4711-88".into()));
    set_policy(&ledger, r#"{"preset":"none","rules":[{"path":"actor.name","class":"personal"}]}"#);
    assert_eq!(for_others(&ledger, &client), ["r-3"]);
}

#[test]
fn whoever_looks_up_a_type_that_is_no_persons_is_told_which_are() {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    let note = |kind: &str| ledger.subject(&tenant("acme"), &someone(kind, "9")).unwrap().note;
    assert_eq!(note("customer"), None);
    let near = note("Customer").unwrap();
    assert!(near.contains("`Customer` is none") && near.contains("`customer` is one"), "{near}");
    let far = note("client").unwrap();
    assert!(far.contains("customer, ") && !far.contains("case counts"), "{far}");
}
