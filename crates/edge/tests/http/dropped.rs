//! Records whose content was dropped: they are listed, proved and told from one another, and say why.

use ledgerstone_ledger::ContentDrop;
use ledgerstone_model::NumberSet;
use ledgerstone_model::access::Role;
use ledgerstone_model::system::RetentionReason;
use ledgerstone_proof::{Checkpoint, Hash, TenantId, VerifierKey, leaf_hash, verify_inclusion};
use ledgerstone_store::embedded::Options;
use ledgerstone_testkit::TestEvent;
use reqwest::Method;
use serde_json::{Value, json as object};

use crate::rig::{Rig, RigOptions, assert_problem, json};

/// Forty events, of which those of the sealed part lose their contents. Answers the id and number of
/// one of them, and the number of the record that says so.
async fn expired() -> (Rig, String, u64, u64) {
    let (log_bytes_first, log_bytes_max) = (16 << 10, 16 << 10);
    let store =
        Options { segment_records: 16, log_bytes_first, log_bytes_max, ..Options::default() };
    let rig = Rig::start_with(RigOptions { store, ..RigOptions::default() }).await;
    for n in 0..40 {
        let event = TestEvent::new("user.login").id(&format!("e{n}")).json();
        let sent = rig.append("", event).send().await.unwrap();
        assert_eq!(sent.status(), 201);
    }
    rig.store.inner().wait_until_sealed();
    let line = json(get(&rig, "/v1/events/e5", Role::Auditor).await).await;
    let number = line["record"]["sequence_number"].as_u64().unwrap();
    let drops = [ContentDrop {
        tenant: TenantId::parse("acme").unwrap(),
        numbers: NumberSet::from(number..number + 3),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }];
    let started = rig.size("acme");
    let report = rig.ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    assert!(report.ledgers[0].done.is_some(), "{report:?}");
    (rig, "e5".to_owned(), number, started)
}

async fn get(rig: &Rig, path: &str, role: Role) -> reqwest::Response {
    rig.request(Method::GET, path, "acme", role).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_its_content_says_why_and_by_which_record() {
    let (rig, id, number, started) = expired().await;
    let dropped = object!([
        {"certificate": started, "pointer": "", "reason": "expired", "why": "dropped"}
    ]);
    for role in [Role::Auditor, Role::Viewer] {
        let line = json(get(&rig, &format!("/v1/events/{id}"), role).await).await;
        assert_eq!((&line["hidden"], &line["event"]), (&dropped, &Value::Null), "{line}");
        assert_eq!(line["record"]["sequence_number"], number);
        let page = json(get(&rig, "/v1/events?order=sequence&limit=1000", role).await).await;
        let events = page["events"].as_array().unwrap();
        assert_eq!(events.len() as u64, rig.size("acme"));
        let told = events.iter().filter(|line| line["hidden"] == dropped).count();
        assert_eq!(told, 3);
        let path = format!("/api/v1/audit/events/{id}");
        let flat = json(get(&rig, &path, role).await).await;
        assert_eq!(flat["hidden"], dropped, "{flat}");
    }
    // The record that says so can be read like any other.
    let by = json(get(&rig, &format!("/v1/events/_{started}"), Role::Auditor).await).await;
    assert_eq!(by["event"]["retention_started"]["numbers"], object!([[number, number + 2]]));
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_was_dropped_is_gone_and_the_proof_stays() {
    let (rig, id, number, started) = expired().await;
    let path = format!("/v1/events/{id}/content");
    let content = rig.request(Method::GET, &path, "acme", Role::Auditor);
    let problem = assert_problem(content, 410, "CONTENT_DROPPED").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("record {started}")), "{detail}");
    let proof = rig.request(Method::GET, &format!("/v1/events/{id}/proof"), "acme", Role::Auditor);
    let proof = proof.header("accept", "application/json").send().await.unwrap();
    let proof = json(proof).await;
    assert_eq!(proof["hidden"][0]["certificate"], started);
    assert!(proof["content"].is_null());
    assert_eq!(proof["leaf_index"], number);
    let key: VerifierKey = proof["vkey"].as_str().unwrap().parse().unwrap();
    let body = Checkpoint::open(proof["checkpoint"].as_str().unwrap().as_bytes(), &[key]).unwrap();
    let hashes = proof["hashes"].as_array().unwrap().iter();
    let hashes: Vec<Hash> =
        hashes.map(|hash| Hash::from_base64(hash.as_str().unwrap()).unwrap()).collect();
    let leaf = leaf_hash(proof["header"].to_string().as_bytes());
    let size = body.size().value();
    verify_inclusion(number, size, &leaf, &hashes, body.root()).unwrap();
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_again_is_a_duplicate_that_could_not_be_compared() {
    let (rig, id, number, _) = expired().await;
    for event_type in ["user.login", "user.logout"] {
        let event = TestEvent::new(event_type).id(&id).json();
        let sent = rig.append("", event).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        let receipt = json(sent).await;
        assert_eq!(
            (&receipt["status"], &receipt["compared"]),
            (&object!("duplicate"), &object!("not_at_all"))
        );
        assert_eq!(receipt["sequence_number"], number);
    }
    // One whose content is there is compared.
    let sent = rig.append("", TestEvent::new("user.login").id("e0").json()).send().await.unwrap();
    let receipt = json(sent).await;
    assert_eq!((&receipt["status"], receipt.get("compared")), (&object!("duplicate"), None));
    rig.assert_sound();
}
