//! What a person was given about themselves: it is checked without the server, and what was altered in it or
//! lost from it is found.

use serde_json::{Value, json};

use crate::office::Office;
use crate::program::{Program, Run, text};

/// The pages of a bundle, and the key that they are checked by.
struct Given {
    program: Program,
    pages: Vec<Value>,
    key: String,
}

impl Given {
    /// The bundle of somebody of whom there are three pages.
    fn new(name: &str) -> Self {
        let office = Office::new(name);
        (0..250).for_each(|number| office.ana_logs_in(&format!("e-{number}")));
        let request = office.approved("access");
        let pages = office.officer(&["requests", "bundle", &request]).ok().lines();
        assert_eq!(pages.len(), 3);
        let Office { program, server, .. } = office;
        server.stop();
        Self { program, key: text(&pages[0], "/vkey"), pages }
    }

    fn verify(&self, pages: &[Value]) -> Run {
        let lines: Vec<_> = pages.iter().map(Value::to_string).collect();
        let verify = ["verify", "--bundle", "-", "--key", &self.key];
        self.program.feed(&verify, lines.join("\n"))
    }

    /// The file with one value of its first page changed.
    fn with(&self, pointer: &str, value: Value) -> Vec<Value> {
        let mut pages = self.pages.clone();
        *pages[0].pointer_mut(pointer).unwrap() = value;
        pages
    }
}

#[test]
fn pages_and_records_that_are_lost_doubled_or_misplaced_are_found() {
    let given = Given::new("bundle-pages");
    let held = given.verify(&given.pages).ok().text();
    assert!(held.contains("the proofs of 250 records hold"), "{held}");
    assert!(held.contains("not proved: that nothing about the person was left out"), "{held}");
    let [first, second, third] = &given.pages[..] else { panic!("three pages") };
    for (pages, place) in [
        (vec![first, third], "page 2: range: begins at "),
        (vec![second, third], "page 1: range: pages over 0 to "),
        (vec![first, second], "has no page that is the last one"),
        (vec![first, first, second, third], "page 2: range: begins at 0"),
        (vec![first, third, second], "page 2: range: begins at "),
        (vec![first, second, third, third], "page 4: stands behind the last page"),
    ] {
        let pages: Vec<_> = pages.into_iter().cloned().collect();
        let refused = given.verify(&pages).failed(2, "INVALID_PROOF");
        assert!(refused.errors().contains(place), "{place}: {}", refused.errors());
    }
    let mut without = given.pages.clone();
    without[1]["records"].as_array_mut().unwrap().remove(50);
    let refused = given.verify(&without).failed(2, "INVALID_PROOF");
    assert!(refused.errors().contains("page 2: count: is 100, and there are 99 records"));
    let mut twice = given.pages.clone();
    let records = twice[1]["records"].as_array_mut().unwrap();
    let again = records[50].clone();
    records.insert(50, again);
    given.verify(&twice).failed(2, "INVALID_PROOF");
    for (pointer, value) in [
        ("/subject_id", json!("x")),
        ("/request", json!("x")),
        ("/range/of", json!(260)),
        ("/next_cursor", Value::Null),
    ] {
        given.verify(&given.with(pointer, value)).failed(2, "INVALID_PROOF");
    }
    given.verify(&given.with("/tree_size", json!(9999))).ended(1);
}

#[test]
fn what_is_there_to_be_read_is_what_is_proved() {
    let given = Given::new("bundle-members");
    for (pointer, value) in [
        ("/records/3/event/event_type", json!("aws.iam.DeleteUser")),
        ("/records/3/event/actor/id", json!("cus-2")),
        ("/records/3/event/actor/type", Value::Null),
        ("/records/3/record/ingested_at", json!("2020-01-01T00:00:00.000000Z")),
        ("/records/3/record/event_id", json!("e-9")),
        ("/records/3/record/record_hash", json!("00")),
    ] {
        let found = given.verify(&given.with(pointer, value)).ended(1);
        let reason = found.errors();
        let member = pointer.strip_prefix("/records/3/").unwrap().replacen('/', ": ", 1);
        let member = member.rsplit(": ").next().unwrap();
        let number = given.pages[0]["records"][3]["proof"]["leaf_index"].as_u64().unwrap();
        assert!(reason.contains(&format!("page 1: record {number}: ")), "{reason}");
        assert!(reason.contains(member), "{member}: {reason}");
    }
    // What was added is named, and not what it stands before.
    let mut added = given.pages.clone();
    added[0]["records"][3]["event"]["note"] = json!("x");
    let found = given.verify(&added).ended(1).errors();
    assert!(found.contains("event: /note: is not what the content says"), "{found}");
    // What was sealed is opened, and only whoever holds the person's key could tell.
    given.verify(&given.with("/records/3/event/actor/name", json!("Ana Reis"))).ok();
    // A place that is said to be redacted, and is in clear, is none.
    let mut redacted = given.with("/records/3/event/event_type", json!("****"));
    redacted[0]["records"][3]["hidden"] = json!([{"pointer": "/event_type", "why": "redacted"}]);
    given.verify(&redacted).ended(1);
    let mut more = given.pages.clone();
    more[0]["records"][3]["record"]["note"] = json!("x");
    given.verify(&more).ended(1);
    let mut without = given.with("/records/3/content", Value::Null);
    let held = given.verify(&without).ok().text();
    let number = given.pages[0]["records"][3]["proof"]["leaf_index"].as_u64().unwrap();
    let named =
        format!("1 of them come without content, so that their events are not proved: {number}\n");
    assert!(held.contains(&named), "{held}");
    without[0]["records"][3]["record"]["event_id"] = json!("e-9");
    given.verify(&without).ended(1);
    let csv = "sequence_number,event_id,ingested_at,kind,pointer,type,value,hidden\r\n";
    let verify = ["verify", "--bundle", "-", "--key", &given.key];
    let refused = given.program.feed(&verify, csv).failed(2, "INVALID_PROOF");
    assert!(refused.errors().contains("is a bundle as CSV, which has no proofs"));
}

#[test]
fn signatures_keys_and_the_version_are_those_of_the_bundle() {
    let given = Given::new("bundle-signatures");
    let record = &given.pages[0]["records"][3]["record"];
    let key_id = text(record, "/key_id");
    let held = given.verify(&given.pages).ok().text();
    assert!(held.contains(&format!("250 signatures hold by the record key {key_id}")), "{held}");
    assert!(!held.contains("not checked") && !held.contains("--key"), "{held}");
    let other = text(&given.pages[0]["records"][4]["record"], "/signature");
    let stranger = "x+0a1b2c3d+AXh4";
    for (pointer, value, status, says) in [
        ("/records/3/record/signature", json!(other), 1, "signature: does not hold under"),
        ("/records/3/record/signature", json!("AAAA"), 1, "signature: does not hold under"),
        ("/records/3/record/signature", json!("?"), 2, "signature: is not base64"),
        ("/records/3/record/signature", Value::Null, 2, "or both null"),
        ("/records/3/record/key_id", json!("0123456789abcdef"), 1, "is none of the keys"),
        ("/record_keys/0/key_id", json!("0123456789abcdef"), 1, "is not the id of that key"),
        ("/record_keys/0/public_key", json!("AAAA"), 2, "is no public key"),
        ("/record_keys", json!([]), 1, "is none of the keys"),
        ("/bundle", json!(2), 2, "bundle: is version 2, and this program reads version 1"),
        ("/vkey", json!("x"), 2, "vkey: a verifier key has the form"),
        ("/vkey", json!(stranger), 2, "vkey: "),
    ] {
        let found = given.verify(&given.with(pointer, value)).ended(status).errors();
        assert!(found.contains("page 1: ") && found.contains(says), "{pointer}: {found}");
    }
    // A key of that form that signed nothing.
    let foreign = Given::new("bundle-foreign");
    let found = given.verify(&given.with("/vkey", json!(foreign.key))).ended(1).errors();
    assert!(found.contains("vkey: is not the key that signed the checkpoint"), "{found}");
    // Without keys, or without signatures, that is said.
    let mut without = given.pages.clone();
    without.iter_mut().for_each(|page| drop(page.as_object_mut().unwrap().remove("record_keys")));
    let said = given.verify(&without).ok().text();
    assert!(said.contains("the signatures of 250 records were not checked"), "{said}");
    let mut unsigned = given.with("/records/3/record/signature", Value::Null);
    unsigned[0]["records"][3]["record"]["key_id"] = Value::Null;
    let said = given.verify(&unsigned).ok().text();
    assert!(said.contains("1 of them come without a signature"), "{said}");
}
