//! Taxonomies: what a document may say, what becomes of events, and that no schema reads anything
//! from elsewhere or takes long.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parsing;

use std::time::{Duration, Instant};

use ledgerstone_model::system::{SystemRecord, TaxonomyRecord};
use ledgerstone_model::{
    ErrorCode, Fault, Rejection, Taxonomy, TaxonomyDocument, TaxonomyDraft, as_sent, system,
};
use ledgerstone_proof::{IngestedAt, SALT_BYTES, Salt, SequenceNumber, canonicalize};
use ledgerstone_testkit::seal_in_clear;
use ledgerstone_testkit::{Mutator, fuzz_iterations};
use parsing::parse;
use proptest::prelude::*;
use serde_json::{Value, json};

fn draft(text: &Value) -> Result<TaxonomyDraft, Rejection> {
    TaxonomyDraft::parse(text.to_string().as_bytes())
}

fn taxonomy(mode: &str, types: &Value) -> Taxonomy {
    let text = json!({"mode": mode, "event_types": types});
    Taxonomy::compile(draft(&text).unwrap().at_version(1).unwrap()).unwrap()
}

fn refused(schema: &Value) -> Vec<(String, String)> {
    let text = json!({"mode": "enforce", "event_types": {"a.b": {"schema": schema}}});
    let rejection = Taxonomy::compile(draft(&text).unwrap().at_version(1).unwrap()).unwrap_err();
    assert_eq!(rejection.code(), ErrorCode::InvalidTaxonomy);
    let fault = |fault: &Fault| (fault.pointer().to_owned(), fault.reason().to_owned());
    rejection.faults().iter().map(fault).collect()
}

fn login_schema() -> Value {
    json!({
        "type": "object",
        "required": ["actor"],
        "properties": {
            "actor": {"$ref": "#/$defs/actor"},
            "severity": {"enum": ["low", "high"]},
        },
        "$defs": {"actor": {
            "required": ["id"],
            "properties": {"id": {"type": "string", "pattern": "^u-[0-9]+$"}},
        }},
    })
}

#[test]
fn off_looks_at_nothing_warn_flags_and_enforce_refuses() {
    let types = json!({"user.login": {"schema": login_schema()}});
    let good =
        r#"{"event_type":"user.login","actor":{"id":"u-1"},"timestamp":"2024-05-01T12:00:00Z"}"#;
    let bad = r#"{"event_type":"user.login","actor":{"id":7777777777777},"metadata":{"n":1}}"#
        .replace("7777777777777", "\"x\"");
    for mode in ["off", "warn", "enforce"] {
        let admitted = taxonomy(mode, &types).admit(parse(good).unwrap()).unwrap();
        assert_eq!(
            (admitted.event(), admitted.findings()),
            (&parse(good).unwrap(), None),
            "{mode}"
        );
    }
    let off = taxonomy("off", &types).admit(parse(&bad).unwrap()).unwrap();
    assert_eq!(off.event(), &parse(&bad).unwrap());
    let flagged = taxonomy("warn", &types).admit(parse(&bad).unwrap()).unwrap();
    let text = flagged.event().text();
    let event: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(event["intake"]["flags"], json!(["schema_violation"]));
    assert_eq!(event["intake"]["set"], json!(["/timestamp"]));
    assert_eq!(canonicalize(text).unwrap(), text);
    assert_eq!(as_sent(text).unwrap(), canonicalize(bad.as_bytes()).unwrap());
    let found = flagged.findings().unwrap();
    assert_eq!(found.faults()[0].pointer(), "/actor/id");
    let kept_out = taxonomy("enforce", &types).admit(parse(&bad).unwrap()).unwrap_err();
    assert_eq!(kept_out.rejection().code(), ErrorCode::SchemaViolation);
    assert_eq!(kept_out.rejection(), found);
    assert_eq!(kept_out.event(), &parse(&bad).unwrap());
    // It goes on as a repetition alone, and what is sealed of it says so.
    let repetition = kept_out.into_repetition();
    assert_eq!(repetition.event().text(), parse(&bad).unwrap().text());
    assert_eq!((flagged.repeats_only(), repetition.findings()), (None, None));
    let salt = Salt::from_bytes([7; SALT_BYTES]);
    let sealed = seal_in_clear(repetition, &salt);
    assert_eq!(sealed.repeats_only(), Some(ErrorCode::SchemaViolation));
    assert_eq!(seal_in_clear(flagged, &salt).repeats_only(), None);
}

#[test]
fn every_violation_is_named_with_its_place() {
    let one = taxonomy("enforce", &json!({"user.login": {"schema": login_schema()}}));
    let event = r#"{"event_type":"user.login","severity":"info","actor":{"name":"a/b"}}"#;
    let rejection = one.admit(parse(event).unwrap()).unwrap_err().into_rejection();
    let pointers: Vec<&str> = rejection.faults().iter().map(Fault::pointer).collect();
    assert!(pointers.contains(&"/actor") && pointers.contains(&"/severity"), "{rejection}");
    assert!(rejection.to_string().contains("id"), "{rejection}");
}

#[test]
fn the_type_itself_comes_before_its_families_and_the_nearest_family_first() {
    let pick =
        |name: &str| json!({"schema": {"properties": {"metadata": {"const": {"is": name}}}}});
    let types = json!({
        "pay.card.refund": pick("type"), "pay.card.*": pick("near"), "pay.*": pick("far"), "free": {},
    });
    let one = taxonomy("enforce", &types);
    for (event_type, name) in [
        ("pay.card.refund", Some("type")),
        ("pay.card.charge", Some("near")),
        ("pay.card.charge.late", Some("near")),
        ("pay.cash", Some("far")),
        ("free", Some("anything")),
        ("pay", None),
        ("payment.x", None),
        ("free.x", None),
    ] {
        let event = json!({"event_type": event_type, "metadata": {"is": name}});
        let outcome = one.admit(parse(event.to_string()).unwrap());
        match name {
            Some(_) => assert!(outcome.is_ok(), "{event_type}: {outcome:?}"),
            None => {
                let rejection = outcome.unwrap_err().into_rejection();
                assert_eq!(rejection.code(), ErrorCode::EventTypeUnknown, "{event_type}");
                assert_eq!(rejection.faults()[0].pointer(), "/event_type");
            }
        }
    }
    let warn = taxonomy("warn", &json!({})).admit(parse(r#"{"event_type":"x"}"#).unwrap()).unwrap();
    let event: Value = serde_json::from_slice(warn.event().text()).unwrap();
    assert_eq!(event["intake"]["flags"], json!(["event_type_unknown"]));
}

#[test]
fn schemas_see_the_event_without_intake() {
    let schema = json!({"additionalProperties": false, "properties": {
        "event_type": true, "timestamp": {"format": "date-time"}, "metadata": {"type": "object"},
    }});
    let one = taxonomy("enforce", &json!({"a": {"schema": schema}}));
    let event = r#"{"event_type":"a","stray":1,"metadata":{}}"#;
    assert!(one.admit(parse(event).unwrap()).is_ok());
}

#[test]
fn documents_with_faults_are_refused_with_every_place() {
    for (text, pointer) in [
        (json!([]), ""),
        (json!({"event_types": {}}), "/mode"),
        (json!({"mode": "off"}), "/event_types"),
        (json!({"mode": "on", "event_types": {}}), "/mode"),
        (json!({"mode": "off", "event_types": {}, "extra": 1}), "/extra"),
        (json!({"mode": "off", "event_types": {}, "version": -1}), "/version"),
        (json!({"mode": "off", "event_types": []}), "/event_types"),
        (json!({"mode": "off", "event_types": {"a": 1}}), "/event_types/a"),
        (json!({"mode": "off", "event_types": {"": {}}}), "/event_types/"),
        (json!({"mode": "off", "event_types": {"a.*.b": {}}}), "/event_types/a.*.b"),
        (json!({"mode": "off", "event_types": {"*": {}}}), "/event_types/*"),
        (json!({"mode": "off", "event_types": {"a*": {}}}), "/event_types/a*"),
        (json!({"mode": "off", "event_types": {"system.x": {}}}), "/event_types/system.x"),
        (json!({"mode": "off", "event_types": {"audit.*": {}}}), "/event_types/audit.*"),
        (json!({"mode": "off", "event_types": {"a\n": {}}}), "/event_types/a\n"),
        (json!({"mode": "off", "event_types": {"a/b": {"x": 1}}}), "/event_types/a~1b/x"),
        (json!({"mode": "off", "event_types": {"a": {"schema": true}}}), "/event_types/a/schema"),
        (
            json!({"mode": "off", "event_types": {"a": {"description": 1}}}),
            "/event_types/a/description",
        ),
    ] {
        let rejection = draft(&text).unwrap_err();
        assert_eq!(rejection.code(), ErrorCode::InvalidTaxonomy, "{text}");
        assert_eq!(rejection.faults()[0].pointer(), pointer, "{text}");
    }
    let many: Value = (0..1001).map(|n| (format!("t{n}"), json!({}))).collect();
    assert!(draft(&json!({"mode": "off", "event_types": many})).is_err());
    let long = json!({"a": {"schema": {"const": "x".repeat(300_000)}}});
    assert!(draft(&json!({"mode": "off", "event_types": long})).is_err());
    assert_eq!(TaxonomyDraft::parse(b"{").unwrap_err().code(), ErrorCode::NotJson);
}

#[test]
fn what_a_schema_may_not_do_is_refused_by_name() {
    for (schema, place, says) in [
        (json!({"$ref": "https://example.com/x.json"}), "/$ref", "https://example.com/x.json"),
        (json!({"items": {"$ref": "file:///etc/passwd"}}), "/items/$ref", "file:///etc/passwd"),
        (json!({"$ref": "other.json#/a"}), "/$ref", "nothing is fetched"),
        (json!({"$ref": "#name"}), "/$ref", "anchor"),
        (json!({"$ref": "#"}), "", "leads back"),
        (
            json!({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
            "",
            "leads back",
        ),
        (json!({"$ref": "#/$defs/none"}), "", "cannot be used"),
        (json!({"$id": "https://example.com/"}), "/$id", "not supported"),
        (json!({"$dynamicRef": "#x"}), "/$dynamicRef", "not supported"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#"}), "/$schema", "draft-07"),
        (json!({"format": "regex"}), "/format", "regex"),
        (json!({"items": {"unevaluatedItems": false}}), "/items/unevaluatedItems", "top"),
        (json!({"type": "strin"}), "/type", "cannot be used"),
        (json!({"pattern": "(a"}), "/pattern", "unclosed group, at character 1 of \"(a\""),
        (json!({"pattern": "é(?=a)b"}), "/pattern", "look-ahead"),
        (json!({"pattern": "é(?=a)b"}), "/pattern", "at character 2 of"),
        (json!({"pattern": "(a)\\1"}), "/pattern", "backreferences are not supported"),
        (json!({"items": {"pattern": "[z-a]"}}), "/items/pattern", "at character 2 of \"[z-a]\""),
        (json!({"pattern": "\\p{Nope}"}), "/pattern", "Unicode property not found"),
        (json!({"pattern": "(.{1000}){1000}"}), "/pattern", "more than 262144 bytes when compiled"),
        (json!({"patternProperties": {"x(": {}}}), "/patternProperties/x(", "at character 2 of"),
    ] {
        let found = refused(&schema);
        assert_eq!(found[0].0, format!("/event_types/a.b/schema{place}"), "{schema}");
        assert!(found[0].1.contains(says), "{schema}: {}", found[0].1);
    }
    let deep = (0..40).fold(json!({}), |inner, _| json!({"items": inner}));
    assert!(refused(&deep)[0].1.contains("deeper"));
}

#[test]
fn references_do_not_multiply_without_end() {
    // Each level names the next twice: written out it would be 2^15 values.
    let mut defs = serde_json::Map::new();
    for level in 0..15 {
        let next = format!("#/$defs/d{}", level + 1);
        defs.insert(format!("d{level}"), json!({"allOf": [{"$ref": next}, {"$ref": next}]}));
    }
    defs.insert("d15".to_owned(), json!({"type": "object"}));
    let found = refused(&json!({"$defs": defs, "$ref": "#/$defs/d0"}));
    assert!(found[0].1.contains("written out"), "{}", found[0].1);
    let mut chain = serde_json::Map::new();
    for level in 0..40 {
        chain.insert(format!("d{level}"), json!({"$ref": format!("#/$defs/d{}", level + 1)}));
    }
    chain.insert("d40".to_owned(), json!({}));
    assert!(refused(&json!({"$defs": chain, "$ref": "#/$defs/d0"}))[0].1.contains("others"));
}

#[test]
fn patterns_that_make_others_slow_are_quick() {
    let schema = json!({"properties": {"action": {"properties": {
        "verb": {"pattern": "^(a+)+$"}, "error": {"pattern": "^([a-zA-Z]+)*$"},
    }}}});
    let one = taxonomy("enforce", &json!({"a": {"schema": schema}}));
    let text = "a".repeat(1_000);
    let event = json!({"event_type": "a", "action": {"verb": format!("{text}!"), "error": format!("{text}!")}});
    let event = parse(event.to_string()).unwrap();
    let begun = Instant::now();
    assert!(one.admit(event).is_err());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn a_record_holds_the_whole_document() {
    let text = json!({"mode": "warn", "version": 6, "event_types": {
        "user.login": {"description": "somebody came in", "schema": login_schema()}, "pay.*": {},
    }});
    let draft = draft(&text).unwrap();
    assert_eq!(draft.based_on(), Some(6));
    let document = draft.at_version(7).unwrap();
    let audit = SequenceNumber::new(41).unwrap();
    let record = SystemRecord::Taxonomy(TaxonomyRecord::new(document.clone(), audit));
    let at = IngestedAt::from_micros(parsing::RECEIVED_AT).unwrap();
    let mut bytes = Vec::new();
    record.write_event(at, &mut bytes);
    assert_eq!(canonicalize(&bytes).unwrap(), bytes);
    assert_eq!(system::SystemRecord::parse(&bytes), Ok((record, at)));
    let json = document.to_json();
    assert_eq!(TaxonomyDocument::from_json(&json), Some(document));
    let shown: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&shown["version"], &shown["mode"]), (&json!(7), &json!("warn")));
    assert_eq!(shown["event_types"], text["event_types"]);
}

fn any_types() -> impl Strategy<Value = Value> {
    let schema = prop_oneof![
        Just(json!({})),
        Just(login_schema()),
        any::<bool>().prop_map(|yes| json!({"properties": {"metadata": yes}})),
    ];
    let rule = (proptest::option::of(".{0,20}"), proptest::option::of(schema)).prop_map(
        |(description, schema)| {
            let mut rule = serde_json::Map::new();
            rule.extend(description.map(|text| ("description".to_owned(), json!(text))));
            rule.extend(schema.map(|schema| ("schema".to_owned(), schema)));
            Value::Object(rule)
        },
    );
    let name = "[a-z]{1,4}(\\.[a-zé/~\"]{1,4}){0,2}(\\.\\*)?".prop_filter("reserved", |name| {
        !name.starts_with("system.") && !name.starts_with("audit.")
    });
    prop::collection::btree_map(name, rule, 0..6)
        .prop_map(|types| Value::Object(types.into_iter().collect()))
}

proptest! {
    #[test]
    fn every_good_document_comes_back(types in any_types(), mode in 0..3_usize, version in 1_u64..1 << 53) {
        let text = json!({"mode": (["off", "warn", "enforce"][mode]), "event_types": types});
        let document = draft(&text).unwrap().at_version(version).unwrap();
        let json = document.to_json();
        prop_assert_eq!(canonicalize(&json).unwrap(), json.clone());
        prop_assert_eq!(TaxonomyDocument::from_json(&json), Some(document.clone()));
        prop_assert!(Taxonomy::compile(document).is_ok());
    }
}

#[test]
fn readers_of_taxonomies_never_panic() {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "\"",
        ":",
        ",",
        "[",
        "]",
        "\"schema\":{",
        "\"$ref\":\"#/$defs/a\"",
        "\"$ref\":\"#\"",
        "\"$defs\":{",
        "\"pattern\":\"(a\"",
        "\"type\":\"object\"",
        "\"a.*\":{",
        "null",
        "1e400",
        "\"allOf\":[",
        "\"$id\":\"x\"",
        "\"enum\":",
        "\"unevaluatedProperties\":false",
    ];
    let good = json!({"mode": "enforce", "version": 3, "event_types": {
        "user.login": {"schema": login_schema()}, "pay.*": {"description": "x"},
    }});
    let mutator = Mutator::new(0x7a0_0e0e, PIECES);
    let event = parse(r#"{"event_type":"user.login","actor":{"id":"u-1"}}"#).unwrap();
    let (mut read, mut compiled) = (0, 0);
    for _ in 0..fuzz_iterations(2_000) {
        let mut text = good.to_string().into_bytes();
        mutator.mutate(&mut text);
        let Ok(draft) = TaxonomyDraft::parse(&text) else { continue };
        read += 1;
        let document = draft.at_version(1).unwrap();
        assert_eq!(TaxonomyDocument::from_json(&document.to_json()), Some(document.clone()));
        let Ok(taxonomy) = Taxonomy::compile(document) else { continue };
        compiled += 1;
        let _ = taxonomy.admit(event.clone());
    }
    assert!(read > 20 && compiled > 5, "{read} {compiled}");
}
