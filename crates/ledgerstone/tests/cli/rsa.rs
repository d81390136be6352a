//! RSA record keys on the command line, and a record's signature checked by a foreign program.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::{Program, text};

fn algorithms(program: &Program) -> Vec<String> {
    let keys = program.run(&["signing-keys", "list"]).ok().lines();
    let of_records = keys.iter().filter(|key| key["use"] == "record");
    of_records.map(|key| text(key, "/algorithm")).collect()
}

#[test]
fn the_record_keys_algorithm_is_chosen_and_changed() {
    let program = Program::new("rsa-chosen");
    program.run(&["init", "--record-key-algorithm", "rsa"]).ok();
    program.append_numbered(0, 3);
    let rotate = |arguments: &[&str]| {
        program.run(&[&["signing-keys", "rotate", "--use"][..], arguments].concat())
    };
    let done = rotate(&["record"]).ok().line();
    assert_eq!(text(&done, "/algorithm"), "rsa", "it stays what it was");
    let done = rotate(&["record", "--record-key-algorithm", "ed25519"]).ok().line();
    assert_eq!(text(&done, "/algorithm"), "ed25519");
    program.append_numbered(3, 5);
    rotate(&["log", "--record-key-algorithm", "rsa"]).failed(2, "INVALID_ARGUMENT");
    rotate(&["record", "--record-key-algorithm", "dsa"]).ended(2);
    let done = rotate(&["log"]).ok().line();
    assert_eq!(text(&done, "/algorithm"), "ed25519");
    assert_eq!(algorithms(&program), ["rsa", "rsa", "ed25519"]);
    program.run(&["verify", "--level", "full"]).ok();
}

/// What an outsider does by hand: header, signature and public key of a record into files.
fn take_out(program: &Program, id: &str) {
    let line = program.run(&["get", id]).ok().line();
    let mut header = line["record"].as_object().unwrap().clone();
    let key_id = header.remove("key_id").unwrap();
    let signature = header.remove("signature").unwrap();
    header.remove("record_hash");
    let keys = program.run(&["signing-keys", "list"]).ok().lines();
    let key = keys.iter().find(|key| key["key_id"] == key_id).unwrap();
    let place = program.place();
    place.write("header", serde_json::to_vec(&Value::Object(header)).unwrap());
    place.write("signature", STANDARD.decode(signature.as_str().unwrap()).unwrap());
    place.write("record.der", STANDARD.decode(text(key, "/public_key")).unwrap());
}

/// The one command of docs/format.md.
fn openssl_says(program: &Program) -> String {
    let arguments = "dgst -sha256 -verify record.der -keyform DER -signature signature header";
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split(' ')).current_dir(program.place().path());
    let output = openssl.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[test]
fn openssl_verifies_a_records_signature() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no `openssl` here");
        return;
    }
    let program = Program::new("rsa-openssl");
    program.run(&["init", "--record-key-algorithm", "rsa"]).ok();
    program.append_numbered(0, 2);
    program.run(&["signing-keys", "rotate", "--use", "record"]).ok();
    program.append_numbered(2, 3);
    for id in ["e-1", "e-2"] {
        take_out(&program, id);
        assert_eq!(openssl_says(&program), "Verified OK", "{id}");
    }
    let place = program.place();
    let header = fs::read_to_string(place.join("header")).unwrap();
    let altered = header.replace("\"kind\":\"event\"", "\"kind\":\"audit\"");
    assert_ne!(altered, header);
    place.write("header", altered);
    assert_eq!(openssl_says(&program), "Verification failure");
}
