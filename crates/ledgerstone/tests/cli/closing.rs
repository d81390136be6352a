//! `tenants close`: from the wish to the last record, through a server and on a directory, and over a crash.

use serde_json::json;

use crate::erased_bytes::places;
use crate::office::Office;
use crate::program::{Program, Run, number, text};
use crate::served::{append, plainly};

/// An office, and keys of two operators.
struct Operators {
    office: Office,
    anna: String,
    berta: String,
}

impl Operators {
    fn new(name: &str) -> Self {
        let program = Program::new(name);
        program.run(&["init"]).ok();
        let key = |tenant: &str, label: &str| {
            let create = ["api-keys", "create", "--tenant", tenant, "--role", "admin", "--label"];
            text(&program.run(&[&create[..], &[label]].concat()).ok().line(), "/api_key")
        };
        let (anna, berta) = (key("_system", "anna"), key("_system", "berta"));
        let admin = key("default", "a");
        let server = plainly(&program);
        let office = Office::at(program, server, admin);
        for id in ["e-1", "e-2", "e-3"] {
            assert_eq!(append(&office.server, &office.admin, id).0, 201);
        }
        Self { office, anna, berta }
    }

    fn anna(&self, arguments: &[&str]) -> Run {
        self.office.ask(&self.anna, arguments, "")
    }

    fn berta(&self, arguments: &[&str]) -> Run {
        self.office.ask(&self.berta, arguments, "")
    }

    fn asked_for(&self) -> String {
        let close = ["tenants", "close", "default", "--reason", "the contract has ended"];
        let asked = self.anna(&close).ok().line();
        assert_eq!(
            (text(&asked, "/state"), &asked["despite_duties"]),
            ("asked".into(), &json!([]))
        );
        number(&asked, "/system_record").to_string()
    }
}

#[test]
fn two_operators_close_a_tenant() {
    let operators = Operators::new("closing-server");
    operators.anna(&["tenants", "close", "default"]).failed(2, "INVALID_ARGUMENT");
    operators
        .office
        .admin(&["tenants", "close", "default", "--reason", "x"])
        .failed(2, "FORBIDDEN");
    let record = operators.asked_for();
    let withdraw = ["tenants", "close", "default", "--withdraw", &record, "--reason", "a mistake"];
    let withdrawn = operators.berta(&withdraw).ok().line();
    assert_eq!(withdrawn, json!({"state": "withdrawn", "tenant_id": "default"}));
    operators.anna(&withdraw).failed(2, "NOT_FOUND");
    let record = operators.asked_for();
    let approve = ["tenants", "close", "default", "--approve", &record];
    operators.anna(&approve).failed(2, "SECOND_PERSON_NEEDED");
    let closed = operators.berta(&approve).ok().line();
    assert_eq!(text(&closed, "/state"), "closed");
    let last = number(&closed, "/closed_record");
    operators.berta(&approve).failed(2, "TENANT_CLOSED");
    let (status, refused) = append(&operators.office.server, &operators.office.admin, "e-4");
    assert_eq!((status, text(&refused, "/code")), (410, "TENANT_CLOSED".into()));
    // What is left is proved to whoever holds a key that is still good, without a line about it.
    let proof = operators.office.admin(&["proof", "e-1"]).ok().text();
    operators.office.admin(&["get", "e-1"]).failed(2, "TENANT_CLOSED");
    let tenants = operators.anna(&["tenants", "list"]).ok().lines();
    assert_eq!(text(&tenants[1], "/state"), "closed");
    assert_eq!(number(&tenants[1], "/records"), last + 1);
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1"), "{proof}");
    operators.office.server.stop();
    operators.office.program.run(&["verify"]).ok();
    let again = operators.office.program.run(&["tenants", "create", "default"]);
    again.failed(2, "TENANT_CLOSED");
    let shown = operators.office.program.run(&["get", "e-1"]).ok().text();
    assert!(!shown.contains("u-secret-name"), "{shown}");
}

/// What stands in clear in an event, in one that was refused, and what names a person under their key.
const WORDS: [&str; 2] = ["unmistakable-word", "another-such-word"];

#[test]
fn nothing_that_clients_sent_is_anywhere_afterwards() {
    let operators = Operators::new("closing-bytes");
    let said = |id: &str, word: &str, severity: &str| {
        let event = json!({"id": id, "event_type": "a.b", "severity": severity,
            "metadata": {"note": word}})
        .to_string();
        operators
            .office
            .server
            .request("POST", "/v1/events", Some(&operators.office.admin), &event)
            .0
    };
    assert_eq!((said("w-1", WORDS[0], "high"), said("w-2", WORDS[1], "extreme")), (201, 422));
    // What the kept word is found by is tried on what is there.
    let before = places(&operators.office.program, &WORDS);
    assert!(WORDS.iter().all(|word| before.iter().any(|at| at.contains(word))), "{before:?}");
    let record = operators.asked_for();
    let approve = ["tenants", "close", "default", "--approve", &record];
    operators.berta(&approve).ok();
    assert_eq!(places(&operators.office.program, &WORDS), [""; 0], "while the server runs");
    operators.office.server.stop();
    assert_eq!(places(&operators.office.program, &WORDS), [""; 0]);
    let listed = operators.office.program.run(&["list", "--limit", "1000"]).ok().text();
    assert!(!WORDS.iter().any(|word| listed.contains(word)), "{listed}");
    // The tenant has no key any more, and rotating all keys makes it none.
    operators.office.program.run(&["sealing-keys", "rotate", "--all"]);
    let keys = operators.office.program.run(&["sealing-keys", "list"]).ok().text();
    assert!(!keys.contains("\"default\""), "{keys}");
    operators.office.program.run(&["verify"]).ok();
}

#[test]
fn a_server_that_is_killed_goes_on_with_the_end_of_a_tenant() {
    let operators = Operators::new("closing-killed");
    let record = operators.asked_for();
    let body = json!({"system_record": record.parse::<u64>().unwrap()}).to_string();
    let path = "/v1/tenants/default/close/approve";
    // The answer is not waited for: the end of the ledger is cut short wherever it is.
    let (status, answer) =
        operators.office.server.request("POST", path, Some(&operators.berta), &body);
    assert!(status == 200 || status == 202, "{answer}");
    operators.office.server.signal("KILL");
    operators.office.server.ended();
    let server = plainly(&operators.office.program);
    let mut state = String::new();
    for _ in 0..600 {
        let key = Some(operators.anna.as_str());
        let (_, tenant) = server.request("GET", "/v1/tenants/default", key, "");
        state = text(&tenant, "/state");
        if state == "closed" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(state, "closed");
    server.stop();
    operators.office.program.run(&["verify"]).ok();
}

#[test]
fn on_a_directory_one_user_is_one_person() {
    let program = Program::new("closing-directory");
    program.run(&["tenants", "create", "acme"]).ok();
    let close = ["tenants", "close", "acme", "--reason", "the contract has ended"];
    let asked = program.run(&close).ok().line();
    let record = number(&asked, "/system_record").to_string();
    let approve = ["tenants", "close", "acme", "--approve", &record];
    program.run(&approve).failed(2, "SECOND_PERSON_NEEDED");
    let withdraw = ["tenants", "close", "acme", "--withdraw", &record];
    assert_eq!(text(&program.run(&withdraw).ok().line(), "/state"), "withdrawn");
    program.run(&approve).failed(2, "NOT_FOUND");
    program.run(&["tenants", "close", "nobody", "--reason", "x"]).failed(2, "UNKNOWN_TENANT");
    program.run(&["verify"]).ok();
}
