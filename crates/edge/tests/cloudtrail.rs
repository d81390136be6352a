//! Records of `CloudTrail` become events and come back, value for value: our own frozen ones, random
//! ones, and real ones where they are at hand.

mod parsing;

use std::path::{Path, PathBuf};

use ledgerstone_edge::importer::cloudtrail::{CloudTrail, map, rebuild};
use ledgerstone_edge::importer::{Importer, InputLimits, Position, read};
use ledgerstone_edge::shape::Shaped;
use ledgerstone_model::{ErrorCode, ParseContext, Rejection, ValidEvent, as_sent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId, canonicalize_quoting};
use parsing::parse;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const OWN: &[u8] = include_bytes!("fixtures/cloudtrail.json");
const FROZEN: &str = include_str!("fixtures/cloudtrail_events.ndjson");

/// Maps, parses and rebuilds a record, and checks that it is the one that went in.
#[track_caller]
fn there_and_back(record: &[u8]) -> Vec<u8> {
    let (text, intake) = map(record).expect("a record is mapped");
    let event = parse(&text, &intake).unwrap_or_else(|rejection| panic!("{rejection}"));
    let back = rebuild(event.text()).unwrap_or_else(|error| panic!("{error}"));
    let shown = String::from_utf8_lossy(event.text());
    assert_eq!(canonicalize_quoting(&back), canonicalize_quoting(record), "{shown}");
    event.text().to_vec()
}

/// The records of a log file, each as text.
fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let tree: Value = serde_json::from_slice(file).expect("the file is json");
    let records = tree["Records"].as_array().expect("the file has records");
    records.iter().map(|record| serde_json::to_vec(record).expect("a value is text")).collect()
}

/// All submissions of an input that has no faults.
fn import(importer: &dyn Importer, input: &[u8]) -> Vec<Shaped> {
    let submissions = read(importer, input, InputLimits::default()).expect("an importable input");
    let mapped = |text: &[u8]| importer.map(text).expect("a good record").expect("a mapping");
    submissions.map(|one| mapped(one.expect("a record").text())).collect()
}

/// The real log files, which are not part of the project.
fn real_files() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("LEDGERSTONE_FOREIGN_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let folder = root.join("cloudtrail");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!(
            "SKIPPED: no real log files in {}; set LEDGERSTONE_FOREIGN_DATA",
            folder.display()
        );
        return None;
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Some(files)
}

#[test]
fn stored_events_are_frozen() {
    let mut lines = String::new();
    for submission in import(&CloudTrail, OWN) {
        let event = parse(&submission.text, &submission.intake).unwrap();
        lines.push_str(std::str::from_utf8(event.text()).unwrap());
        lines.push('\n');
    }
    assert_eq!(lines, FROZEN);
}

#[test]
fn the_time_of_import_leaves_no_trace_in_records_with_a_time() {
    let tenant = TenantId::parse("default").unwrap();
    let later = IngestedAt::from_micros(1_900_000_000_000_000).unwrap();
    for (submission, line) in import(&CloudTrail, OWN).iter().zip(FROZEN.lines()).take(2) {
        let context = ParseContext::new(&tenant, later, [9; 16]).with_intake(&submission.intake);
        let event = ValidEvent::parse(&submission.text, &context, &mut Canonicalizer::new());
        assert_eq!(event.unwrap().text(), line.as_bytes());
    }
}

#[test]
fn frozen_events_give_their_records_for_ever() {
    let records = records(OWN);
    assert_eq!(FROZEN.lines().count(), records.len());
    for (line, record) in FROZEN.lines().zip(records) {
        let back = rebuild(line.as_bytes()).unwrap();
        assert_eq!(canonicalize_quoting(&back), canonicalize_quoting(&record));
    }
}

#[test]
fn a_quoted_number_comes_back_as_it_was_sent() {
    let back = rebuild(FROZEN.lines().nth(1).unwrap().as_bytes()).unwrap();
    let back = String::from_utf8(back).unwrap();
    assert!(back.contains(r#""durationSeconds":9007199254740993"#), "{back}");
}

#[test]
fn only_its_own_events_are_rebuilt() {
    let error = rebuild(br#"{"event_type":"a"}"#).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
    let more = FROZEN.lines().next().unwrap().replace("\"verb\":", "\"very\":1,\"verb\":");
    assert_eq!(rebuild(more.as_bytes()).unwrap_err().code(), ErrorCode::RecordDamaged);
}

#[test]
fn where_the_fields_go() {
    let event: Value = serde_json::from_str(FROZEN.lines().next().unwrap()).unwrap();
    for (pointer, value) in [
        ("/id", json!("293ba626-3be5-4a26-ab1b-0f4c54f49959")),
        ("/event_type", json!("aws.s3.PutBucketPolicy")),
        ("/timestamp", json!("2024-05-01T11:58:07Z")),
        ("/actor/id", json!("arn:aws:iam::111122223333:user/ada")),
        ("/actor/type", json!("IAMUser")),
        ("/actor/name", json!("ada")),
        ("/actor/ip_address", json!("192.0.2.7")),
        ("/actor/user_agent", json!("[aws-cli/2.15]")),
        ("/action/verb", json!("PutBucketPolicy")),
        ("/action/status", json!("failure")),
        ("/action/error", json!("AccessDenied")),
        ("/action/description", json!("Access Denied")),
        ("/target/id", json!("arn:aws:s3:::plans")),
        ("/target/type", json!("AWS::S3::Bucket")),
        ("/context/request_id", json!("CC9X0N62QREGTBMN")),
        ("/data/metadata/requestParameters/bucketName", json!("plans")),
        ("/metadata/readOnly", json!(false)),
        ("/metadata/awsRegion", json!("eu-central-1")),
        ("/intake/unmapped/resources/0", json!({"accountId": "111122223333"})),
        ("/intake/unmapped/userIdentity/accessKeyId", json!("AKIAEXAMPLE")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer}");
    }
}

#[test]
fn a_record_without_an_id_has_the_same_one_every_time() {
    let record = br#"{"eventName":"X","eventTime":"2024-05-01T11:58:07Z"}"#;
    let other = br#"{"eventName":"Y","eventTime":"2024-05-01T11:58:07Z"}"#;
    let (first, intake) = map(record).unwrap();
    assert_eq!(map(record).unwrap(), (first.clone(), intake.clone()));
    let id = |text: &[u8], intake| parse(text, intake).unwrap().id().as_str().to_owned();
    assert_ne!(id(&first, &intake), id(&map(other).unwrap().0, &intake));
    there_and_back(record);
}

#[test]
fn whole_files_are_no_records() {
    for file in [
        r#"{"Records":[{"eventName":"GetUser"}]}"#,
        r#"{"Records":[]}"#,
        r#"{"awsAccountId":"123456789012","digestStartTime":"2024-05-01T12:00:00Z"}"#,
    ] {
        let rejection = map(file.as_bytes()).expect_err(file);
        assert_eq!(rejection.code(), ErrorCode::InvalidImport, "{file}");
    }
    assert!(map(br#"{"Records":7,"eventName":"GetUser"}"#).is_ok());
}

#[test]
fn strange_shapes_stay_under_their_own_names() {
    for record in [
        r#"{"userIdentity":"root"}"#,
        r#"{"userIdentity":{}}"#,
        r#"{"userIdentity":null,"resources":null,"eventName":null,"errorCode":null}"#,
        r#"{"userIdentity":{"type":null,"arn":"not one","principalId":"p"}}"#,
        r#"{"userIdentity":{"type":"AWSService","arn":"arn:x","invokedBy":"i","principalId":"p"}}"#,
        r#"{"userIdentity":{"type":"IAMUser","invokedBy":"i","principalId":"arn:p"}}"#,
        r#"{"userIdentity":{"type":{"a":1},"principalId":7}}"#,
        r#"{"resources":[]}"#,
        r#"{"resources":[{}]}"#,
        r#"{"resources":[{"ARN":"a","type":"b"}]}"#,
        r#"{"resources":[{"ARN":{"x":1},"type":null},{"ARN":"c"}]}"#,
        r#"{"resources":["x",{"ARN":"c"}]}"#,
        r#"{"resources":{"ARN":"c"}}"#,
        r#"{"eventID":"_7","eventTime":"2024-05-01 00:00:00"}"#,
        r#"{"eventID":"","eventTime":null}"#,
        r#"{"eventID":12345678901234567890,"eventTime":"2024-05-01T02:00:00+02:00"}"#,
        r#"{"eventSource":"a.amazonaws.com"}"#,
        r#"{"eventSource":".amazonaws.com","eventName":"b"}"#,
        r#"{"eventSource":"a.amazonaws.com","eventName":""}"#,
        r#"{"eventSource":"a.b.amazonaws.com","eventName":"b.c"}"#,
        r#"{"eventSource":"x","eventName":"a.b"}"#,
        r#"{"eventSource":"x","eventName":"record"}"#,
        r#"{"eventSource":"a\nb.amazonaws.com","eventName":"b"}"#,
        r#"{"requestParameters":"text","responseElements":[1e400,{"~/":1e999}]}"#,
        r#"{"id":"i","event_type":"e","action":{"verb":"v"},"intake":{"set":1},"_x":1}"#,
        r#"{"readOnly":"maybe","awsRegion":{"a":{"b":{}}}}"#,
    ] {
        let marked = record.replacen('{', r#"{"eventVersion":"1.08","#, 1);
        there_and_back(marked.as_bytes());
    }
    there_and_back(br#"{"eventVersion":"1.08"}"#);
    let long = format!(r#"{{"eventSource":"{}.amazonaws.com","eventName":"x"}}"#, "s".repeat(300));
    there_and_back(long.as_bytes());
    let long = format!(r#"{{"eventID":"{0}","sourceIPAddress":"{0}"}}"#, "s".repeat(2000));
    there_and_back(long.as_bytes());
}

#[test]
fn what_has_nothing_of_a_record_is_refused() {
    for other in [
        "{}",
        r#"{"userIdentity":{"type":"IAMUser"},"awsRegion":"eu-central-1"}"#,
        r#"{"event_type":"user.login","actor":{"id":"u"}}"#,
        r#"{"eventName":7,"eventTime":null}"#,
    ] {
        let rejection = map(other.as_bytes()).expect_err(other);
        assert_eq!(rejection.code(), ErrorCode::InvalidImport, "{other}");
        let reason = rejection.to_string();
        assert!(reason.contains("none of eventVersion, eventTime"), "{reason}");
    }
    // Those of insights have no name and no source.
    assert!(map(br#"{"eventVersion":"1.09","eventType":"AwsCloudTrailInsight"}"#).is_ok());
}

/// The place of each record, with its event or why it is none.
fn places(file: &[u8]) -> Vec<(Position, Result<Shaped, Rejection>)> {
    let submissions = read(&CloudTrail, file, InputLimits::default()).expect("a log file");
    let mapped = submissions.map(|one| {
        let one = one.expect("a record");
        (one.position(), CloudTrail.map(one.text()).map(|event| event.expect("a mapping")))
    });
    mapped.collect()
}

#[test]
fn what_is_no_record_is_refused_and_the_rest_goes_on() {
    let file =
        br#"{"Records":[{"a":1,"a":2},{"eventName":"X"},{"b":"\ud800"},{"eventName":"Y","c":{"$sealed":1}}]}"#;
    let results = places(file);
    let code = |result: &Result<Shaped, Rejection>| {
        result.as_ref().map_or_else(|one| Some(one.code()), |_| None)
    };
    let codes: Vec<_> = results.iter().map(|(_, result)| code(result)).collect();
    assert_eq!(codes, [Some(ErrorCode::DuplicateKey), None, Some(ErrorCode::LoneSurrogate), None]);
    assert_eq!(results[0].0.to_string(), "record 1 at byte 12");
    let marked = results[3].1.as_ref().unwrap();
    let rejection = parse(&marked.text, &marked.intake).unwrap_err();
    assert_eq!(rejection.code(), ErrorCode::ReservedName);
}

#[test]
fn a_value_that_is_no_object_ends_nothing() {
    let file = br#"{"Records":[{"eventName":"X"},5,[{}], "x]" ,null,tru,1e400,{"eventName":"Y"}]}"#;
    let results = places(file);
    assert_eq!(results.len(), 8);
    assert!(results[0].1.is_ok() && results[7].1.is_ok());
    for (at, (position, result)) in results[1..7].iter().enumerate() {
        let error = result.as_ref().unwrap_err();
        assert!(
            position.to_string().starts_with(&format!("record {} at byte ", at + 2)),
            "{error}"
        );
        let expected = if at == 4 { ErrorCode::NotJson } else { ErrorCode::InvalidImport };
        assert_eq!(error.code(), expected, "{error}");
    }
}

#[test]
fn every_real_record_comes_back() {
    let Some(files) = real_files() else {
        return;
    };
    let mut count = 0;
    for path in &files {
        count += check_real_file(path);
    }
    assert_eq!(count, 1233);
}

fn check_real_file(path: &PathBuf) -> usize {
    let bytes = std::fs::read(path).expect("the file is readable");
    let records = records(&bytes);
    let submissions = import(&CloudTrail, &bytes);
    assert_eq!(submissions.len(), records.len(), "{}", path.display());
    for (submission, record) in submissions.iter().zip(&records) {
        let event = parse(&submission.text, &submission.intake).expect("a real record is good");
        assert_eq!(event.text(), there_and_back(record));
        assert!(as_sent(event.text()).is_ok());
        let read: Value = serde_json::from_slice(event.text()).expect("an event is json");
        assert!(read["event_type"].as_str().is_some_and(|one| one.starts_with("aws.")));
        assert!(read["actor"]["id"].is_string() && read.pointer("/intake/set").is_none());
    }
    records.len()
}

/// Values with numbers that are exact and numbers that are not.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| json!(f64::from(n) / 16.0)),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "AWSService",
            "arn:aws:x",
            "i.amazonaws.com",
            "Failure",
            "2024-05-01T00:00:00",
            "e-1"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let names = prop_oneof!["[a-z~/]{0,3}", Just("ARN".to_owned()), Just("type".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

const NAMES: &[&str] = &[
    "eventVersion",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "actor",
    "id",
    "timestamp",
    "intake",
    "_x",
];

fn any_record() -> impl Strategy<Value = Value> {
    let members = prop::collection::btree_map(prop::sample::select(NAMES), any_value(), 0..12);
    let identity_names = prop::sample::select(vec![
        "type",
        "arn",
        "principalId",
        "invokedBy",
        "userName",
        "accountId",
    ]);
    let identity = prop::collection::btree_map(identity_names, any_value(), 0..5);
    (members, prop::option::of(identity)).prop_map(|(members, identity)| {
        let mut record: Map<String, Value> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(identity) = identity {
            let members = identity.into_iter().map(|(name, value)| (name.to_owned(), value));
            record.insert("userIdentity".to_owned(), Value::Object(members.collect()));
        }
        record.insert("eventVersion".to_owned(), json!("1.08"));
        Value::Object(record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_random_record_comes_back(record in any_record()) {
        there_and_back(&serde_json::to_vec(&record).unwrap());
    }
}
