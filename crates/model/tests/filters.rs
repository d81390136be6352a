//! Filters through their public face: every test on every kind of field, the laws of the logic, and
//! the JSON spelling both ways.

use ledgerstone_model::Fault;
use ledgerstone_model::filter::{FILTER_DEPTH_MAX, Filter, RecordView};
use ledgerstone_model::json::Value;
use ledgerstone_proof::{Canonicalizer, Header, canonicalize};
use proptest::prelude::*;

const EVENT: &str = r#"{"id":"e-1","event_type":"user.login","timestamp":"2024-05-01T14:00:00+02:00",
  "severity":"high","actor":{"type":"user","id":"u-ana","name":"Ana Lima","ip_address":"10.0.0.7"},
  "action":{"verb":"login","status":"failure","error":"Password expired at 50% of tries"},
  "ai_specific":{"tools_used":["search","browser"],"confidence_score":0.75,"prompt_tokens":120},
  "security":{"pii_detected":true},
  "data":{"after":{"role":"admin","limits":[1,2.5,"x"],"a.b":"dotted","null":null},
          "changes":[{"field":"role","to":"admin"},{"field":"team","to":"core"}]},
  "intake":{"flags":["timestamp_in_future"],"unmapped":{"eventVersion":"1.08"}}}"#;

const HEADER: &str = r#"{"content_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","event_id":"e-1","ingested_at":"2024-05-01T12:00:05.000000Z","kind":"event","previous_hash":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","sequence_number":42,"tenant_id":"acme","version":1}"#;

fn parse(text: &str) -> Result<Filter, String> {
    Filter::parse(text.as_bytes(), &mut Canonicalizer::new()).map_err(|error| error.to_string())
}

fn matches(filter: &Filter) -> bool {
    let event = canonicalize(EVENT.as_bytes()).expect("as the test made it");
    let header = Header::parse(HEADER.as_bytes()).expect("as the test made it");
    filter.matches(&RecordView::new(&header, Value::new(&event))).expect("as the test made it")
}

#[test]
fn filters_mean_what_they_say() {
    for (text, expected) in [
        ("{}", true),
        (r#"{"field":"event_type","eq":"user.login"}"#, true),
        (r#"{"field":"event_type","eq":"user.Login"}"#, false),
        (r#"{"field":"event_type","ne":"user.logout"}"#, true),
        (r#"{"field":"actor.id","in":["u-bo","u-ana"]}"#, true),
        (r#"{"field":"actor.id","not_in":["u-bo","u-ana"]}"#, false),
        (r#"{"field":"actor.ip_address","like":"10.0.%"}"#, true),
        (r#"{"field":"action.error","like":"%50\\% of%"}"#, true),
        (r#"{"field":"severity","gte":"medium"}"#, true),
        (r#"{"field":"severity","gt":"high"}"#, false),
        // Times are compared as times, whatever their spelling.
        (r#"{"field":"timestamp","eq":"2024-05-01T12:00:00Z"}"#, true),
        (r#"{"field":"timestamp","gte":"2024-05-01T12:00:00Z","lt":"2024-05-01T12:00:01Z"}"#, true),
        (r#"{"field":"timestamp","gt":"2024-05-01T12:00:00Z"}"#, false),
        (r#"{"field":"ai_specific.confidence_score","gt":0.7,"lte":0.75}"#, true),
        (r#"{"field":"ai_specific.prompt_tokens","lt":120}"#, false),
        (r#"{"field":"ai_specific.tools_used","eq":"browser"}"#, true),
        (r#"{"field":"ai_specific.tools_used","eq":"shell"}"#, false),
        (r#"{"field":"security.pii_detected","eq":true}"#, true),
        (r#"{"field":"security.encryption_used","eq":false}"#, false),
        (r#"{"field":"data.after.role","eq":"admin"}"#, true),
        (r#"{"field":"data.after.limits","eq":2.5}"#, true),
        (r#"{"field":"data.after.limits","gte":"a"}"#, true),
        (r#"{"field":"data.after.limits","gt":2.5}"#, false),
        (r#"{"field":"/data/after/a.b","eq":"dotted"}"#, true),
        (r#"{"field":"data.changes.to","eq":"core"}"#, true),
        (r#"{"field":"data.changes.to","eq":"other"}"#, false),
        (r#"{"field":"intake.unmapped.eventVersion","eq":"1.08"}"#, true),
        (r#"{"field":"intake.flags","eq":"timestamp_in_future"}"#, true),
        (r#"{"field":"actor.email","exists":false}"#, true),
        (r#"{"field":"actor.email","exists":true}"#, false),
        (r#"{"field":"data.after.null","exists":true}"#, false),
        (r#"{"field":"data.after","exists":true}"#, true),
        (r#"{"field":"sequence_number","gte":42}"#, true),
        (r#"{"field":"sequence_number","lt":42}"#, false),
        (r#"{"field":"ingested_at","gt":"2024-05-01T12:00:04Z"}"#, true),
        (r#"{"field":"kind","eq":"event"}"#, true),
        (r#"{"field":"kind","in":["audit","system"]}"#, false),
        (r#"{"field":"tenant_id","like":"ac%"}"#, true),
        (r#"{"field":"id","exists":true}"#, true),
        (r#"{"text":"password ANA"}"#, true),
        (r#"{"text":"password bob"}"#, false),
        (r#"{"field":"action.error","text":"expired tries"}"#, true),
        (r#"{"field":"data.changes","text":"team role"}"#, true),
        (r#"{"and":[{"field":"actor.id","eq":"u-ana"},{"field":"severity","eq":"low"}]}"#, false),
        (r#"{"or":[{"field":"actor.id","eq":"u-bo"},{"field":"severity","eq":"high"}]}"#, true),
        (r#"{"not":{"field":"actor.email","eq":"a@b.example"}}"#, true),
    ] {
        assert_eq!(matches(&parse(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, words) in [
        ("[]", "must be an object"),
        (r#"{"and":[]}"#, "at least one filter"),
        (r#"{"and":{}}"#, "at least one filter"),
        (r#"{"and":[{}],"or":[{}]}"#, "use one of them alone"),
        (r#"{"eq":"x"}"#, "names no field"),
        (r#"{"field":"actor.id"}"#, "put to no test"),
        (r#"{"field":"actor.id","eq":"a","in":["b"]}"#, "several tests"),
        (r#"{"field":"actor.id","eq":"a","gt":"b"}"#, "several tests"),
        (r#"{"field":"sequence_number","gt":1,"gte":1}"#, "another lower limit"),
        (r#"{"field":"actor.id","gt":"a","lt":7}"#, "two kinds"),
        (r#"{"field":"actor.id","equals":"a"}"#, "is no member of a comparison"),
        (r#"{"field":"actr.id","eq":"a"}"#, "/field: is no field of an event; actor.id is one"),
        (r#"{"field":7,"eq":"a"}"#, "must be a string"),
        (r#"{"field":"actor.id","eq":null}"#, "is null"),
        (r#"{"field":"actor.id","eq":{"a":1}}"#, "must be a string"),
        (r#"{"field":"actor.id","in":"a"}"#, "must be an array"),
        (r#"{"field":"actor.id","in":[]}"#, "empty list"),
        (r#"{"field":"severity","eq":"hgih"}"#, "never hgih"),
        (r#"{"field":"actor.id","exists":"yes"}"#, "must be true or false"),
        (r#"{"text":"..."}"#, "no word to look for"),
        (r#"{"and":[{},{"field":"x","eq":1}]}"#, "/and/1/field"),
        (r#"{"field":"actor.id","field":"actor.id"}"#, "DUPLICATE_KEY"),
        ("{", "NOT_JSON"),
    ] {
        let reason = parse(text).unwrap_err();
        assert!(reason.contains(words), "{text}: {reason}");
    }
}

#[test]
fn every_fault_is_named_at_once() {
    let text = r#"{"or":[{"field":"x","eq":1},{"not":{"field":"severity","eq":"hgih"}}]}"#;
    let rejection = Filter::parse(text.as_bytes(), &mut Canonicalizer::new()).unwrap_err();
    let places: Vec<&str> = rejection.faults().iter().map(Fault::pointer).collect();
    assert_eq!(places, ["/or/0/field", "/or/1/not/eq"]);
}

#[test]
fn size_has_limits() {
    let deep =
        format!("{}{{}}{}", r#"{"not":"#.repeat(FILTER_DEPTH_MAX), "}".repeat(FILTER_DEPTH_MAX));
    assert!(parse(&deep).unwrap_err().contains("deep"));
    let wide = format!(r#"{{"or":[{}]}}"#, vec!["{}"; 256].join(","));
    assert!(parse(&wide).unwrap_err().contains("256 nodes"));
    let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(300_000));
    assert!(parse(&long).unwrap_err().contains("bytes"));
}

/// Comparisons of which some hold and some do not.
fn leaf() -> impl Strategy<Value = String> {
    let text = prop_oneof!["u-ana", "[a-z%_\\PC]{0,6}"].prop_map(|text| {
        let mut out = Vec::new();
        ledgerstone_proof::canonical_string_into(&text, &mut out);
        String::from_utf8(out).expect("as the test made it")
    });
    let number = prop_oneof![Just(0.75), -1e6..1e6_f64].prop_map(|number| number.to_string());
    let name =
        prop_oneof![Just("eq"), Just("ne"), Just("gte"), Just("lt"), Just("gt"), Just("lte")];
    prop_oneof![
        Just("{}".to_owned()),
        (text.clone(), name.clone())
            .prop_map(|(v, op)| format!(r#"{{"field":"actor.id","{op}":{v}}}"#)),
        (number, name).prop_map(|(v, op)| format!(
            r#"{{"field":"ai_specific.confidence_score","{op}":{v}}}"#
        )),
        (0..4_000_000_000_i64).prop_map(|s| {
            let at = ledgerstone_proof::IngestedAt::from_micros(s * 1_000_003)
                .expect("as the test made it");
            format!(r#"{{"field":"timestamp","gte":"{at}"}}"#)
        }),
        prop::collection::vec(text.clone(), 1..4)
            .prop_map(|v| format!(r#"{{"field":"data.after.role","in":[{}]}}"#, v.join(","))),
        text.clone().prop_map(|v| format!(r#"{{"field":"actor.name","like":{v}}}"#)),
        text.prop_map(|v| format!(r#"{{"text":{v}}}"#)),
        any::<bool>().prop_map(|v| format!(r#"{{"field":"actor.email","exists":{v}}}"#)),
    ]
}

fn tree() -> impl Strategy<Value = String> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|v| format!(r#"{{"and":[{}]}}"#, v.join(","))),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|v| format!(r#"{{"or":[{}]}}"#, v.join(","))),
            inner.prop_map(|v| format!(r#"{{"not":{v}}}"#)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(text in tree()) {
        if let Ok(filter) = parse(&text) {
            let written = String::from_utf8(filter.to_json()).expect("as the test made it");
            prop_assert_eq!(&canonicalize(written.as_bytes()).unwrap(), written.as_bytes());
            prop_assert_eq!(parse(&written), Ok(filter));
        }
    }

    #[test]
    fn not_is_the_complement_and_de_morgan_holds(left in tree(), right in tree()) {
        if let (Ok(left), Ok(right)) = (parse(&left), parse(&right)) {
            prop_assert_ne!(matches(&left), matches(&left.clone().negated()));
            let both = Filter::And(vec![left.clone(), right.clone()]);
            let neither = Filter::Or(vec![left.negated(), right.negated()]);
            prop_assert_ne!(matches(&both), matches(&neither));
        }
    }
}
