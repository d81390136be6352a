//! Bounded fuzzing of every reader of this crate: mutated good texts must never panic, and what is
//! accepted must obey the laws. `LEDGERSTONE_FUZZ_ITERATIONS` makes it longer.

mod parsing;

use std::sync::LazyLock;

use ledgerstone_model::filter::RecordView;
use ledgerstone_model::json::Value;
use ledgerstone_model::timestamp::EventTime;
use ledgerstone_model::{Filter, SystemRecord, as_sent};
use ledgerstone_proof::{Canonicalizer, Header, canonicalize};
use ledgerstone_testkit::{Mutator, fuzz_iterations};
use parsing::parse;

const EVENTS: &[&str] = &[
    include_str!("fixtures/every_field.json"),
    r#"{"event_type":"a","timestamp":"2024-05-01 12:00:00","foo":{"a":[1,2]},"actor":{"x":"\u00e9\n"}}"#,
    r#"{"actor":{"id":"7"},"event_type":"a","intake":{"flags":["x"],"mapping":"m/1","original":{"/actor/id":8,"/id":"x"},"set":["/timestamp"],"unmapped":{"b":1}},"timestamp":"2024-05-01T12:00:00.000000Z"}"#,
    r#"{"event_type":"system.tail_cut","tail_cut":{"bytes":512,"file":"log/3","offset":4096,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"timestamp":"2024-05-01T12:00:00.000000Z"}"#,
    r#"{"anchor":{"checkpoints":["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"event_type":"system.anchor","timestamp":"2024-05-01T12:00:00.000000Z"}"#,
    "2024-05-01T12:00:00.123456+05:30",
];

/// Pieces that steer mutations to the interesting places.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "_",
    "\\u0000",
    "\\ud83d\\ude00",
    "é",
    "\"intake\":",
    "\"set\":[\"/actor/id\"]",
    "\"$sealed\":1,",
    "9007199254740993",
    "1e5",
    "-0",
    "Z",
    "60",
    "+23:59",
    "/",
    "~1",
];

#[test]
fn readers_never_panic_and_keep_their_laws() {
    let mutator = Mutator::new(0x5eed_1ed6_e125_7031, PIECES);
    let (mut accepted, mut records, mut times) = (0, 0, 0);
    for round in 0..fuzz_iterations(20_000) {
        let mut text = EVENTS[round % EVENTS.len()].as_bytes().to_vec();
        mutator.mutate(&mut text);
        accepted += usize::from(check_event(&text));
        records += usize::from(check_record(&text));
        times += usize::from(check_time(&text));
        let _ = as_sent(&text);
        walk(Value::new(&text), 0);
    }
    // A fuzzer that never gets past the front door proves nothing.
    assert!(accepted > 0 && records > 0 && times > 0, "{accepted} {records} {times}");
}

const FILTERS: &[&str] = &[
    r#"{"and":[{"field":"severity","gte":"high"},{"not":{"field":"actor.type","eq":"service"}}]}"#,
    r#"{"field":"timestamp","gte":"2026-03-01T00:00:00Z","lt":"2026-04-01T00:00:00Z"}"#,
    r#"{"or":[{"field":"data.after.n","in":["a",1,true]},{"field":"actor.id","like":"a\\_%"},{"text":"x y"}]}"#,
    r#"{"field":"/metadata/a.b~1c","exists":false}"#,
];

#[test]
fn filters_never_panic_and_are_read_back() {
    let mutator = Mutator::new(0x5eed_f117_e25a_0001, PIECES);
    let event = canonicalize(include_bytes!("fixtures/every_field.json")).expect("a fixture");
    let mut accepted = 0;
    for round in 0..fuzz_iterations(20_000) {
        let mut text = FILTERS[round % FILTERS.len()].as_bytes().to_vec();
        mutator.mutate(&mut text);
        let Ok(filter) = Filter::parse(&text, &mut Canonicalizer::new()) else {
            continue;
        };
        accepted += 1;
        let back = Filter::parse(&filter.to_json(), &mut Canonicalizer::new());
        assert_eq!(back.as_ref(), Ok(&filter), "{}", String::from_utf8_lossy(&text));
        let view = RecordView::new(&HEADER, Value::new(&event));
        assert_ne!(filter.matches(&view), filter.clone().negated().matches(&view));
        let _ = filter.matches(&RecordView::new(&HEADER, Value::new(&text)));
    }
    assert!(accepted > 0, "no mutated filter was accepted");
}

static HEADER: LazyLock<Header> = LazyLock::new(|| {
    let zero = "0".repeat(64);
    let text = format!(
        r#"{{"content_hash":"{zero}","event_id":"e","ingested_at":"2024-05-01T12:00:05.000000Z","kind":"event","previous_hash":"{zero}","sequence_number":1,"tenant_id":"t","version":1}}"#
    );
    Header::parse(text.as_bytes()).expect("a header")
});

fn check_event(text: &[u8]) -> bool {
    let Ok(event) = parse(text) else {
        return false;
    };
    let shown = String::from_utf8_lossy(text);
    let sent = canonicalize(text).expect("accepted events are canonicalisable");
    let back = as_sent(event.text()).unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(back, sent, "{shown}");
    assert_eq!(canonicalize(event.text()).as_deref(), Ok(event.text()), "{shown}");
    true
}

fn check_record(text: &[u8]) -> bool {
    let Ok((record, at)) = SystemRecord::parse(text) else {
        return false;
    };
    let mut again = Vec::new();
    record.write_event(at, &mut again);
    assert_eq!(again, text);
    true
}

fn check_time(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let Ok(time) = EventTime::parse(text) else {
        return false;
    };
    let spelling = time.respelt().unwrap_or(text);
    let again = EventTime::parse(spelling).expect("the ledger's spelling is a timestamp");
    assert_eq!((again.micros(), again.respelt()), (time.micros(), None), "{text}");
    true
}

/// Opens everything there is to open in bytes that may be anything.
fn walk(value: Value<'_>, depth: usize) {
    let _ = (value.text(), value.number(), value.unsigned(), value.boolean());
    if depth > 100 {
        return;
    }
    let mut members = value.members();
    while let Ok(Some((key, member))) = members.next_member() {
        let _ = key.text();
        walk(member, depth + 1);
    }
    let mut elements = value.elements();
    while let Ok(Some(element)) = elements.next_element() {
        walk(element, depth + 1);
    }
}
