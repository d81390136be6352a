//! The law of intake: whatever was accepted comes back value for value, and what is stored is
//! canonical with nothing in it twice.

mod parsing;

use ledgerstone_model::as_sent;
use ledgerstone_model::schema::{self, FieldType};
use ledgerstone_proof::canonicalize;
use parsing::parse;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON value whose numbers are exact.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(Value::from),
        (-1000_i32..1000).prop_map(|n| json!(f64::from(n) / 8.0)),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(".{0,6}", any_value(), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn any_timestamp() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        "[12][0-9]{3}-0[1-9]-[012][1-8][Tt ][01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|z|[+-]0[0-9]:[0-5][0-9])?"
            .prop_map(Value::from),
    ]
}

/// A value that the field takes.
fn value_of(kind: FieldType) -> BoxedStrategy<Value> {
    match kind {
        FieldType::Group(_) | FieldType::Object => any_object().boxed(),
        FieldType::Text { .. } => ".{0,20}".prop_map(Value::from).boxed(),
        FieldType::EventId => "[A-Za-z0-9.:-][A-Za-z0-9._:-]{0,40}".prop_map(Value::from).boxed(),
        FieldType::Tenant => Just(json!("acme")).boxed(),
        FieldType::EventType => "[a-z]{1,5}(\\.[a-z]{1,8})?"
            .prop_filter("reserved", |text| {
                !text.starts_with("system.") && !text.starts_with("audit.")
            })
            .prop_map(Value::from)
            .boxed(),
        FieldType::Timestamp => any_timestamp().boxed(),
        FieldType::OneOf(choices) => prop::sample::select(choices).prop_map(Value::from).boxed(),
        FieldType::Integer { max } => (0..=max).prop_map(Value::from).boxed(),
        FieldType::Number { .. } => (0..=64_u32).prop_map(|n| json!(f64::from(n) / 64.0)).boxed(),
        FieldType::Bool => any::<bool>().prop_map(Value::from).boxed(),
        FieldType::TextList { .. } => {
            prop::collection::vec(".{0,6}", 0..4).prop_map(Value::from).boxed()
        }
        FieldType::Any => any_value().boxed(),
    }
}

/// Known fields of one table, each there or not, and strays beside them.
fn members_of(fields: &'static [schema::Field]) -> BoxedStrategy<Map<String, Value>> {
    let known: Vec<_> = fields
        .iter()
        .map(|field| {
            let value = match field.kind() {
                FieldType::Group(members) => members_of(members).prop_map(Value::from).boxed(),
                kind => value_of(kind),
            };
            let name = field.name();
            let value = if field.is_required() {
                value.prop_map(Some).boxed()
            } else {
                prop::option::weighted(0.4, value).boxed()
            };
            value.prop_map(move |value| Some((name, value?)))
        })
        .collect();
    let strays = prop::collection::btree_map("[^_]{1,6}", any_value(), 0..3);
    (known, strays)
        .prop_map(move |(known, strays)| {
            let strays = strays
                .into_iter()
                .filter(|(name, _)| !["intake", "sealed"].contains(&name.as_str()));
            let mut members: Map<String, Value> = strays.collect();
            let known = known.into_iter().flatten();
            members.extend(known.map(|(name, value)| (name.to_owned(), value)));
            members
        })
        .boxed()
}

/// How often each member name of the model stands where the model wants it.
fn known_only(event: &Value) -> bool {
    let is_known = |pointer: &str| schema::at_pointer(pointer).is_some();
    event.as_object().is_some_and(|members| {
        members.iter().all(|(name, value)| {
            let pointer = format!("/{name}");
            let is_group = schema::at_pointer(&pointer)
                .is_some_and(|field| matches!(field.kind(), FieldType::Group(_)));
            let inner = value.as_object().filter(|_| is_group);
            name == "intake"
                || is_known(&pointer)
                    && inner.is_none_or(|inner| {
                        inner.keys().all(|key| is_known(&format!("{pointer}/{key}")))
                    })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_sent_comes_back(event in members_of(schema::FIELDS)) {
        let text = serde_json::to_vec(&event).unwrap();
        let parsed = parse(&text).map_err(|rejection| TestCaseError::fail(rejection.to_string()))?;
        prop_assert_eq!(canonicalize(parsed.text()).unwrap(), parsed.text());
        prop_assert_eq!(
            String::from_utf8(as_sent(parsed.text()).unwrap()).unwrap(),
            String::from_utf8(canonicalize(&text).unwrap()).unwrap()
        );
        let stored: Value = serde_json::from_slice(parsed.text()).unwrap();
        prop_assert!(known_only(&stored), "{}", stored);
        prop_assert!(stored["timestamp"].is_string());
    }

    /// Parsing what comes back gives the same bytes again: redelivery is recognised.
    #[test]
    fn redelivery_is_the_same_event(event in members_of(schema::FIELDS)) {
        let first = parse(serde_json::to_vec(&event).unwrap()).unwrap();
        let again = parse(as_sent(first.text()).unwrap()).unwrap();
        prop_assert_eq!(first.text(), again.text());
    }
}
