//! Contents that are to go and lie in the part that is being written: whoever reads is told that they were
//! dropped, and the files are verified with them.

use ledgerstone_ledger::ContentDrop;
use ledgerstone_model::NumberSet;
use ledgerstone_model::access::Role;
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::system::RetentionReason;
use ledgerstone_proof::{EventId, TenantId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::person::{approved, get, send};
use crate::rig::{Rig, assert_problem};

const NAME: &str = "Ana Lima";

/// Two events of a customer, of which a run drops one that nothing can be dropped of yet. Answers the number of
/// the record that says so.
async fn waiting() -> (Rig, u64) {
    let rig = Rig::start_sealing(Preset::None).await;
    for id in ["stays", "goes"] {
        let ana = json!({"type": "customer", "id": "cus-1", "name": NAME});
        send(&rig, json!({"id": id, "event_type": "user.login", "actor": ana})).await;
    }
    let record = get(&rig, Role::PrivacyOfficer, "/v1/events/goes").await;
    let content = get(&rig, Role::Auditor, "/v1/events/goes/content").await;
    assert_eq!(content["event"]["actor"]["name"], NAME);
    let number = record["record"]["sequence_number"].as_u64().unwrap();
    let drops = [ContentDrop {
        tenant: TenantId::parse("acme").unwrap(),
        numbers: NumberSet::from(number..number + 1),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }];
    let started = rig.size("acme");
    let report = rig.ledger.retention(&*rig.store).drop_contents(&drops).unwrap();
    assert_eq!((report.ledgers[0].waiting, report.store.dropped), (1, 0));
    (rig, started)
}

/// The lines of an answer about the event that is to go.
fn about<'a>(page: &'a Value, list: &str) -> Vec<&'a Value> {
    let is_it = |line: &&Value| line.to_string().contains("\"goes\"");
    page[list].as_array().unwrap().iter().filter(is_it).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_dropped_is_shown_to_nobody() {
    let (rig, started) = waiting().await;
    let dropped = json!([
        {"certificate": started, "pointer": "", "reason": "expired", "why": "dropped"}
    ]);
    for role in [Role::PrivacyOfficer, Role::Auditor, Role::Viewer] {
        let line = get(&rig, role, "/v1/events/goes").await;
        assert_eq!((&line["event"], &line["hidden"]), (&Value::Null, &dropped), "{line}");
        let page = get(&rig, role, "/v1/events?limit=1000").await;
        assert_eq!(about(&page, "events"), [&line]);
        for path in ["/api/v1/audit/events/goes", "/api/v1/audit/goes"] {
            let flat = get(&rig, role, path).await;
            assert_eq!(flat["hidden"], dropped, "{flat}");
            assert!(!flat.to_string().contains(NAME), "{flat}");
        }
    }
    let content = rig.request(Method::GET, "/v1/events/goes/content", "acme", Role::Auditor);
    let problem = assert_problem(content, 410, "CONTENT_DROPPED").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("record {started}")), "{detail}");
    let proof = rig.request(Method::GET, "/v1/events/goes/proof", "acme", Role::Auditor);
    let proof = proof.header("accept", "application/json").send().await.unwrap();
    let proof = crate::rig::json(proof).await;
    assert_eq!((&proof["content"], &proof["hidden"]), (&Value::Null, &dropped), "{proof}");

    let whole = get(&rig, Role::Auditor, "/v1/events/stays/content").await;
    assert_eq!(whole["event"]["actor"]["name"], NAME);
    let (acme, id) = (TenantId::parse("acme").unwrap(), EventId::parse("goes").unwrap());
    let lies_there = rig.ledger.reader().get(&acme, &id).unwrap();
    assert!(lies_there.content.is_some(), "nothing has gone yet");
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_or_corrects_what_waits_to_be_dropped() {
    let (rig, _) = waiting().await;
    let at = approved(&rig, "access", json!({})).await;
    let page = get(&rig, Role::PrivacyOfficer, &format!("{at}/bundle")).await;
    let records = page["records"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{page}");
    assert_eq!(records[0]["record"]["event_id"], "stays");

    let at = approved(&rig, "rectification", json!({})).await;
    let path = format!("{at}/rectify");
    let changes = json!({"event_id": "goes", "changes": {"/actor/name": "Ana Limao"}});
    let sent = json!({"corrections": [changes], "reason": "misspelt"});
    let request = rig.request(Method::POST, &path, "acme", Role::PrivacyOfficer).json(&sent);
    assert_problem(request, 410, "CONTENT_DROPPED").await;
}
