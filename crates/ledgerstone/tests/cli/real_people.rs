//! Real records of AWS `CloudTrail` under every policy: what of them lies in clear, that all of it is read again
//! with the keys, and that of a user who was erased nothing is left but what proofs need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use ledgerstone_edge::importer::cloudtrail::rebuild;
use ledgerstone_testkit::foreign_data;
use serde_json::{Value, json};

use crate::erased_bytes::{contains, erase, places};
use crate::outside_proof::{assert_holds, keep};
use crate::program::{Program, text};
use crate::served::start;

/// The user who is erased: `userName`, and `arn`, which is the actor's id.
const USER: &str = "benjamin";
const ARN: &str = "arn:aws:iam::123837392027:user/benjamin";

/// Texts of fewer bytes stand anywhere by chance.
const BYTES_MIN: usize = 6;

/// What of a user's records can be read without a key, by preset. Under `standard` the ARN is the actor's id, which
/// names the user, and a bucket's name stands in the target's id. A time may be that of the event.
const CLEAR: [(&str, &[&str]); 3] = [
    (
        "standard",
        &[
            "/awsRegion",
            "/errorCode",
            "/eventCategory",
            "/eventID",
            "/eventName",
            "/eventTime",
            "/eventType",
            "/recipientAccountId",
            "/requestID",
            "/requestParameters/bucketName",
            "/resources/*/ARN",
            "/resources/*/accountId",
            "/resources/*/type",
            "/userIdentity/accountId",
            "/userIdentity/arn",
            "/userIdentity/type",
            "/userIdentity/userName",
        ],
    ),
    (
        "strict",
        &[
            "/eventID",
            "/eventName",
            "/eventTime",
            "/requestID",
            "/resources/*/type",
            "/userIdentity/type",
        ],
    ),
    (
        "cloudtrail",
        &[
            "/awsRegion",
            "/errorCode",
            "/eventCategory",
            "/eventID",
            "/eventName",
            "/eventTime",
            "/eventType",
            "/recipientAccountId",
            "/requestID",
            "/resources/*/accountId",
            "/resources/*/type",
            "/userIdentity/accountId",
            "/userIdentity/type",
        ],
    ),
];

/// What says who a user is, and from where: clear under neither `strict` nor `cloudtrail`.
const IDENTITY: [&str; 6] = [
    "/sourceIPAddress",
    "/userAgent",
    "/userIdentity/accessKeyId",
    "/userIdentity/arn",
    "/userIdentity/principalId",
    "/userIdentity/userName",
];

fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cloudtrail/records.json")
}

/// The records of log files by their ids.
fn records(files: &[PathBuf]) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for file in files {
        let log: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for record in log["Records"].as_array().unwrap() {
            all.insert(text(record, "/eventID"), record.clone());
        }
    }
    all
}

/// The texts of a value, each with its path, in which `*` is any element.
fn texts(value: &Value, path: &str, out: &mut BTreeSet<(String, String)>) {
    match value {
        Value::String(text) if text.len() >= BYTES_MIN => {
            out.insert((path.to_owned(), text.clone()));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| texts(member, &format!("{path}/{name}"), out));
        }
        Value::Array(elements) => {
            elements.iter().for_each(|element| texts(element, &format!("{path}/*"), out));
        }
        _ => {}
    }
}

fn texts_of(value: &Value) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    texts(value, "", &mut out);
    out
}

/// What a stored event says in clear.
fn in_clear(event: &Value) -> Vec<String> {
    let mut event = event.clone();
    event.as_object_mut().unwrap().remove("sealed");
    texts_of(&event).into_iter().map(|(_, text)| text).collect()
}

/// A data directory under a preset, with the logs in it.
fn imported(name: &str, preset: &str, logs: &Path) -> Program {
    let program = Program::new(name);
    program.run_with(&["init"], |command| under(command, preset)).ok();
    let logs = logs.to_str().unwrap();
    let import = ["import", "--format", "cloudtrail", logs];
    let done = program.run_with(&import, |command| under(command, preset)).ok().line();
    assert_eq!(done["refused"], 0, "{done}");
    program
}

fn under(command: &mut Command, preset: &str) {
    command.env("LEDGERSTONE_SEALING_DEFAULT_POLICY", preset);
}

/// The events of a directory by their ids.
fn events(program: &Program, arguments: &[&str]) -> BTreeMap<String, Value> {
    let listed = program.run(&[&["list", "--order", "sequence"], arguments].concat()).ok().lines();
    let events = listed.into_iter().filter(|line| line["record"]["kind"] == "event");
    events.map(|line| (text(&line, "/record/event_id"), line["event"].clone())).collect()
}

/// Paths of users' records whose texts can be read in the stored events without a key.
fn clear_paths(
    records: &BTreeMap<String, Value>,
    stored: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let mut clear = BTreeSet::new();
    let users = records.iter().filter(|(_, record)| record["userIdentity"]["type"] == "IAMUser");
    for (id, record) in users {
        let shown = in_clear(&stored[id]);
        let is_shown = |text: &str| shown.iter().any(|one| one.contains(text));
        let all = texts_of(record).into_iter();
        clear.extend(all.filter(|(_, text)| is_shown(text)).map(|(path, _)| path));
    }
    clear
}

/// Imports logs, compares what lies in clear, and makes every record again out of the opened events.
fn check(preset: &str, logs: &Path, records: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let program = imported(&format!("real-{preset}"), preset, logs);
    let stored = events(&program, &[]);
    assert_eq!(stored.len(), records.len());
    let opened = events(&program, &["--open"]);
    for (id, record) in records {
        let back = rebuild(opened[id].to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&back).unwrap(), *record);
    }
    program.run(&["verify"]).ok();
    clear_paths(records, &stored)
}

#[test]
fn what_of_real_records_lies_in_clear() {
    let records = records(&[sample()]);
    for (preset, expected) in CLEAR {
        let clear = check(preset, &sample(), &records);
        assert_eq!(clear.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{preset}");
    }
}

#[test]
fn no_identity_of_any_real_record_lies_in_clear() {
    let Some(logs) = foreign_data("cloudtrail") else { return };
    let files: Vec<PathBuf> =
        std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    let records = records(&files);
    for preset in ["strict", "cloudtrail"] {
        let clear = check(preset, &logs, &records);
        let found: Vec<_> = IDENTITY.iter().filter(|path| clear.contains(**path)).collect();
        assert_eq!(found, Vec::<&&str>::new(), "{preset}");
    }
}

/// A submission that is refused, and kept as it came in.
fn refused() -> Value {
    json!({"event_type": "a.b", "severity": "extreme",
        "actor": {"type": "IAMUser", "id": ARN, "name": USER}})
}

/// Texts of a user's records that stand in clear in no stored event.
fn sealed_texts(
    records: &BTreeMap<String, Value>,
    stored: &BTreeMap<String, Value>,
) -> BTreeSet<String> {
    let shown: Vec<String> = stored.values().flat_map(in_clear).collect();
    let of_user = records.values().filter(|record| record["userIdentity"]["arn"] == ARN);
    let all = of_user.flat_map(texts_of).map(|(_, text)| text);
    all.filter(|text| !shown.iter().any(|one| one.contains(text))).collect()
}

#[test]
fn of_an_erased_real_user_nothing_is_left_but_proofs() {
    for preset in ["strict", "cloudtrail"] {
        erase_the_user(preset);
    }
}

fn erase_the_user(preset: &str) {
    let program = Program::new(&format!("real-erasure-{preset}"));
    let serve = || start(&program, |command| under(command, preset));
    let server = serve();
    let admin = server.first_key();
    let sample = sample();
    let import = ["import", "--format", "cloudtrail", sample.to_str().unwrap()];
    let done = program.run_with(&import, |command| {
        command.env("LEDGERSTONE_SERVER", server.url()).env("LEDGERSTONE_API_KEY", &admin);
    });
    assert_eq!(done.ok().line()["refused"], 0);
    let (status, _) = server.request("POST", "/v1/events", Some(&admin), &refused().to_string());
    assert_eq!(status, 422);
    server.stop();

    let records = records(&[sample]);
    let before = events(&program, &[]);
    let values = sealed_texts(&records, &before);
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    for known in [USER, ARN, "AKIATFQZ7NSC8Q4X21BJ", "AIDATFQR7NSC5U6Q3TMDR", "10.248.16.43"] {
        assert!(values.contains(&known), "{known} is sealed alone");
    }
    assert!(!places(&program, &values).is_empty(), "the refused submission is found");
    let vkey = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    let is_theirs = |record: &Value| record["userIdentity"]["arn"] == ARN;
    let theirs = records.iter().filter(|(_, record)| is_theirs(record));
    let mut proofs: Vec<PathBuf> = theirs.map(|(id, _)| keep(&program, id)).collect();
    assert_eq!(proofs.len(), 14);

    let server = serve();
    let certificate = erase(&server, &admin, &json!({"type": "IAMUser", "id": ARN}));
    server.stop();
    proofs.push(keep(&program, &format!("_{certificate}")));
    let certificate = std::fs::read_to_string(proofs[14].with_extension("content")).unwrap();
    let certificate: Value = serde_json::from_str(&certificate).unwrap();
    assert_eq!(certificate["event"]["erasure"]["sealed_contents"], 14);
    let server = serve();
    assert_holds(&server, &admin, &vkey, &proofs);
    server.stop();

    assert_eq!(places(&program, &values), Vec::<String>::new());
    assert_eq!(events(&program, &[]), before);
    let others = records.values().filter(|record| !is_theirs(record));
    let others: Vec<String> = others.map(Value::to_string).collect();
    for (id, event) in events(&program, &["--open"]) {
        let shown = event.to_string();
        let found = values.iter().filter(|value| !others.iter().any(|one| one.contains(**value)));
        let found = found.filter(|value| contains(shown.as_bytes(), value.as_bytes()));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<&&str>::new(), "{id}");
        let back = rebuild(shown.as_bytes()).ok();
        let back = back.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
        assert_eq!(back.as_ref() == Some(&records[&id]), !is_theirs(&records[&id]), "{id}");
    }
    program.run(&["verify"]).ok();
}
