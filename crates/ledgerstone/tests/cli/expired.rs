//! A ledger in which contents expired and a person was erased, as tools of others see it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use ledgerstone_ledger::{KeyFiles, Ledger, Settings};
use ledgerstone_model::system::{KeyAlgorithm, LogName};
use ledgerstone_model::{Entropy as _, ParseContext, SealedEvent, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, SALT_BYTES, Salt, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Options};
use ledgerstone_testkit::{MockClock, SeededEntropy, Served, TestEvent, sealed_in_clear};
use serde_json::{Value, json};

use crate::erased_bytes::{ask, erase};
use crate::outside_proof::{assert_holds, keep};
use crate::program::{Program, text};
use crate::served::{append, plainly};

/// Events that are more than two years old, every second of a type that may be kept for one.
const EVENTS: usize = 600;

/// What became of a ledger, and what was proved before.
pub struct Scene {
    pub program: Program,
    pub server: Served,
    pub admin: String,
    pub vkey: String,
    pub proofs: Vec<PathBuf>,
}

/// Fills a directory with old events in segments of a few records.
fn fill(program: &Program) {
    let (data, entropy) = (program.data(""), Arc::new(SeededEntropy::new(5)));
    let clock = Arc::new(MockClock::default());
    let options = Options { segment_records: 64, ..Options::default() };
    let store = EmbeddedStore::create(&data, options, Files::new(), clock.clone(), entropy.clone());
    let store = Arc::new(store.unwrap());
    fs::create_dir_all(program.data("keys")).unwrap();
    fs::set_permissions(program.data("keys"), fs::Permissions::from_mode(0o700)).unwrap();
    let keys = Arc::new(KeyFiles::in_directory(program.data("keys")));
    keys.create(KeyAlgorithm::Ed25519, &*entropy).unwrap();
    let settings = Settings::new(LogName::parse(LogName::DEFAULT).unwrap());
    let ledger = Ledger::create(store.clone(), keys, settings, clock, entropy.clone()).unwrap();
    let tenant = TenantId::parse("default").unwrap();
    ledger.create_tenants(std::slice::from_ref(&tenant)).unwrap();
    let kind = |at: usize| if at.is_multiple_of(2) { "call.ended" } else { "order.paid" };
    let old = (0..EVENTS).map(|at| TestEvent::new(kind(at)).id(&format!("old-{at}")));
    // So that the last of them are in a segment as well, out of which contents are dropped at once.
    let pad = (0..80).map(|at| TestEvent::new("pad.added").id(&format!("pad-{at}")));
    let events: Vec<_> = old
        .chain(pad)
        .map(|event| event.json())
        .map(|event| in_clear(&tenant, &entropy, &event))
        .collect();
    for batch in events.chunks(40) {
        ledger.append(batch.to_vec()).unwrap();
    }
    store.wait_until_sealed();
    ledger.close().unwrap();
    store.close().unwrap();
}

fn in_clear(tenant: &TenantId, entropy: &SeededEntropy, event: &str) -> SealedEvent {
    let mut salt = [0; SALT_BYTES];
    entropy.fill(&mut salt);
    let at = IngestedAt::from_micros(MockClock::START_MICROS).unwrap();
    let context = ParseContext::new(tenant, at, [7; 16]);
    let event = ValidEvent::parse(event.as_bytes(), &context, &mut Canonicalizer::new()).unwrap();
    sealed_in_clear(event, &Salt::from_bytes(salt))
}

/// Two people agree on a maximum, and have what is older dropped; answers how many contents went.
fn expire(server: &Served, admin: &str) -> u64 {
    let officer = json!({"label": "records", "roles": ["privacy_officer"]});
    let officer = text(&ask(server, admin, "/v1/api-keys", &officer), "/api_key");
    let rule = json!({"name": "calls", "maximum": "P1Y",
        "filter": {"field": "event_type", "eq": "call.ended"}});
    let policy = json!({"rules": [rule]}).to_string();
    let path = "/v1/policies/retention";
    let (status, proposed) = server.request("PUT", path, Some(admin), &policy);
    assert_eq!(status, 202, "{proposed}");
    let proposal = json!({"system_record": proposed["proposed"]["system_record"]});
    ask(server, &officer, "/v1/policies/retention/approve", &proposal);
    let mut job = ask(server, admin, "/v1/retention", &json!({}));
    while job["state"] != "done" {
        assert!(["queued", "running"].contains(&job["state"].as_str().unwrap()), "{job}");
        std::thread::sleep(std::time::Duration::from_millis(100));
        job = server.request("GET", &format!("/v1/jobs/{}", text(&job, "/id")), Some(admin), "").1;
    }
    job["result"]["ledgers"][0]["expired"].as_u64().unwrap_or_else(|| panic!("{job}"))
}

impl Scene {
    /// Old events and new ones; some are proved; then half of the old ones expire, and who sent the new ones
    /// is erased.
    pub fn new(name: &str) -> Self {
        let program = Program::new(name);
        fill(&program);
        let admin = ["api-keys", "create", "--label", "admin", "--role", "admin"];
        let admin = text(&program.run(&admin).ok().line(), "/api_key");
        let server = plainly(&program);
        for number in 0..3 {
            assert_eq!(append(&server, &admin, &format!("new-{number}")).0, 201);
        }
        server.stop();
        let vkey = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
        let proofs = ["old-0", "old-1", "old-298", "new-1"].map(|id| keep(&program, id)).to_vec();
        let server = plainly(&program);
        assert_eq!(expire(&server, &admin), EVENTS as u64 / 2);
        erase(&server, &admin, &json!({"type": "user", "id": "u-secret-name"}));
        Self { program, server, admin, vkey, proofs }
    }

    /// What was to go is gone, and everything verifies.
    pub fn end(self) {
        self.server.stop();
        let contents = |line: &Value| line["event"].is_object();
        let listed = self.program.run(&["list"]).ok().lines();
        let old: Vec<&Value> = listed
            .iter()
            .filter(|line| text(line, "/record/event_id").starts_with("old-"))
            .collect();
        assert_eq!(
            (old.len(), old.iter().filter(|line| contents(line)).count()),
            (EVENTS, EVENTS / 2)
        );
        let types = ["system.retention", "system.erasure"];
        let is_there = |name: &str| listed.iter().any(|line| line["event"]["event_type"] == name);
        assert!(types.into_iter().all(is_there), "a run and an erasure were recorded");
        self.program.run(&["verify"]).ok();
    }
}

#[test]
fn what_was_proved_before_contents_went_is_proved_to_others_still() {
    let scene = Scene::new("expired-outside");
    assert_holds(&scene.server, &scene.admin, &scene.vkey, &scene.proofs);
    scene.end();
}
