//! After an erasure nothing that a person is known by stands anywhere in the data directory: not in the
//! log, not in a segment, not in a key file, a refused submission or a journal of `SQLite`. What was proved
//! before is proved still.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ledgerstone_testkit::Served;
use serde_json::{Value, json};

use crate::program::{Program, number, text};
use crate::remote::files;
use crate::served::plainly;

/// What stood at sealed places alone, or as a word in a text. The id of the actor is clear under `standard`.
const VALUES: [&str; 6] = [
    "Ana Lima-Ferreira",
    "ana.lima@example.org",
    "203.0.113.177",
    "Lynx/2.9.2 (Ana)",
    "s-84db1f3c9a",
    "Rua do Almada 17",
];

/// Records of others, so that a segment is sealed.
const OTHERS: u64 = 66_000;

fn login(id: &str) -> Value {
    let [name, email, address, agent, session, street] = VALUES;
    json!({
        "id": id, "event_type": "user.login",
        "actor": {"type": "customer", "id": "cus-1", "name": name, "email": email,
            "ip_address": address, "user_agent": agent, "session_id": session},
        "data": {"after": {"street": street}},
        "context": {"request_id": "req-1"},
        "metadata": {"note": format!("{name} came in from {address}")}
    })
}

/// Where a value can be read: in a file as it lies, in base64 as it may be wrapped, or in a compressed block.
pub fn places(program: &Program, values: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in files(&program.data("")) {
        let mut texts = vec![bytes];
        texts.extend(frames(&texts[0]));
        for value in values {
            for spelled in spellings(value) {
                if texts.iter().any(|text| contains(text, &spelled)) {
                    found.push(format!("{value} in {name}"));
                }
            }
        }
    }
    found
}

/// Fewer bytes make a base64 that stands in random text by chance.
const BASE64_BYTES_MIN: usize = 6;

/// The value itself, and what every base64 of a text with it must hold, wherever in it the value begins.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let mut all = vec![value.as_bytes().to_vec()];
    for shift in 0..3 {
        let rest = value.as_bytes().get(shift..).unwrap_or_default();
        let whole = &rest[..rest.len() / 3 * 3];
        if whole.len() >= BASE64_BYTES_MIN {
            let spelled = [STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)];
            all.extend(spelled.map(String::into_bytes));
        }
    }
    all
}

pub fn contains(text: &[u8], value: &[u8]) -> bool {
    memchr::memmem::find(text, value).is_some()
}

/// What every zstd frame holds that needs no dictionary; the other blocks are read by `list`.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
    let starts = memchr::memmem::find_iter(bytes, &MAGIC);
    let open = |start: usize| {
        let mut out = Vec::new();
        let mut decoder = zstd::stream::read::Decoder::new(&bytes[start..]).ok()?.single_frame();
        std::io::Read::read_to_end(&mut decoder, &mut out).ok()?;
        Some(out)
    };
    starts.filter_map(open).collect()
}

pub fn ask(server: &Served, key: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = server.request("POST", path, Some(key), &body.to_string());
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

/// Two people erase a third, who is named by type and id; answers the certificate's number.
pub fn erase(server: &Served, admin: &str, who: &Value) -> u64 {
    let officer = json!({"label": "officer", "roles": ["privacy_officer"]});
    let officer = text(&ask(server, admin, "/v1/api-keys", &officer), "/api_key");
    let subject = text(&ask(server, &officer, "/v1/subjects/lookup", who), "/subject_id");
    let basis = json!({"basis": "consent_withdrawn"});
    let request = ask(server, &officer, &format!("/v1/subjects/{subject}/erasure"), &basis);
    let at = format!("/v1/requests/{}", text(&request, "/id"));
    ask(server, &officer, &format!("{at}/check-identity"), &json!({}));
    let mut job = ask(server, admin, &format!("{at}/approve"), &json!({}))["job"].clone();
    while job["state"] != "done" {
        assert!(["queued", "running"].contains(&job["state"].as_str().unwrap()), "{job}");
        std::thread::sleep(std::time::Duration::from_millis(100));
        let path = format!("/v1/jobs/{}", text(&job, "/id"));
        job = server.request("GET", &path, Some(admin), "").1;
    }
    number(&job, "/result/certificate")
}

/// Derived files in which a key that a certificate names stands: what is made again from the ledger names no
/// person, and so nothing of an erasure has to be carried into it.
fn derived_with_keys(program: &Program, certificate: u64) -> Vec<String> {
    let certificate = program.run(&["get", &format!("_{certificate}")]).ok().line();
    let keys = certificate["event"]["erasure"]["key_ids"].as_array().unwrap();
    let keys: Vec<&str> = keys.iter().map(|key| key.as_str().unwrap()).collect();
    assert!(!keys.is_empty(), "{certificate}");
    let spelled = keys.iter().flat_map(|key| {
        let bytes = URL_SAFE_NO_PAD.decode(key).unwrap();
        [bytes, key.as_bytes().to_vec()]
    });
    let spelled: Vec<Vec<u8>> = spelled.collect();
    let names_one = |bytes: &[u8]| spelled.iter().any(|key| contains(bytes, key));
    let is_derived = |name: &str| {
        let is_index = std::path::Path::new(name).extension().is_some_and(|it| it == "idx");
        is_index || name.starts_with("ids/") || name.starts_with("tiles/")
    };
    let (derived, kept): (Vec<_>, Vec<_>) =
        files(&program.data("")).into_iter().partition(|(name, _)| is_derived(name));
    // Runs of ids come with several segments.
    for folder in ["segments/", "tiles/"] {
        let is_there = derived.iter().any(|(name, _)| name.starts_with(folder));
        assert!(is_there, "something derived is in {folder}");
    }
    assert!(kept.iter().any(|(_, bytes)| names_one(bytes)), "the ledger itself names the keys");
    derived.into_iter().filter(|(_, bytes)| names_one(bytes)).map(|(name, _)| name).collect()
}

#[test]
fn nothing_of_an_erased_person_is_anywhere_and_every_proof_holds() {
    let program = Program::new("erased-bytes");
    let server = plainly(&program);
    let admin = server.first_key();
    ask(&server, &admin, "/v1/events", &login("first"));
    let others: Vec<String> = (0..OTHERS)
        .map(|number| json!({"id": format!("o-{number}"), "event_type": "a.b"}).to_string())
        .collect();
    program.place().write("others.ndjson", others.join("\n"));
    let import = ["import", "--format", "ndjson", "others.ndjson"];
    program
        .run_with(&import, |command| {
            command.env("LEDGERSTONE_SERVER", server.url()).env("LEDGERSTONE_API_KEY", &admin);
        })
        .ok();
    ask(&server, &admin, "/v1/events", &login("last"));
    let mut refused = login("refused");
    refused["severity"] = json!("extreme");
    let (status, _) = server.request("POST", "/v1/events", Some(&admin), &refused.to_string());
    assert_eq!(status, 422);
    server.stop();

    assert!(!places(&program, &VALUES).is_empty(), "the refused submission is found");
    let key = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    for id in ["first", "last"] {
        program.place().write(&format!("{id}.proof"), program.run(&["proof", id]).ok().bytes());
        let content = program.run(&["get", id, "--content"]).ok();
        program.place().write(&format!("{id}.content"), content.bytes());
        assert!(program.run(&["get", id, "--open"]).ok().text().contains(VALUES[0]));
    }

    let server = plainly(&program);
    let certificate = erase(&server, &admin, &json!({"type": "customer", "id": "cus-1"}));
    server.stop();

    assert_eq!(places(&program, &VALUES), Vec::<String>::new());
    assert_eq!(derived_with_keys(&program, certificate), Vec::<String>::new());
    for listing in [program.run(&["list"]).ok(), program.run(&["list", "--open"]).ok()] {
        let found = VALUES.iter().filter(|value| contains(listing.bytes(), value.as_bytes()));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(contains(listing.bytes(), b"\"cus-1\""));
    }
    for id in ["first", "last"] {
        let (proof, content) = (format!("{id}.proof"), format!("{id}.content"));
        let verify = ["verify", "--proof", &proof, "--content", &content, "--key", &key];
        program.run(&verify).ok();
    }
    for level in ["full", "tree"] {
        program.run(&["verify", "--level", level]).ok();
    }
    assert!(files(&program.data("segments")).len() > 1, "a segment was sealed");
}
