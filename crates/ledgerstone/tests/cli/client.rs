//! The client crate as an application uses it, against a real server.

use std::time::Duration;

use ledgerstone_client::{
    Append, Client, Event, EventsQuery, IdempotencyKey, NewApiKey, Order, Outcome, ReceiptStatus,
    StreamEnd, VerifyRequest, Wait,
};
use ledgerstone_model::access::{ApiKeyId, Role};
use ledgerstone_model::{ErrorCode, JobState};
use ledgerstone_proof::{EventId, TenantId, TilePath, TlogProof, sha256, verify_record_proof};
use ledgerstone_testkit::Served;
use serde_json::json;
use tokio::time::timeout;

use crate::program::{Program, numbered};
use crate::served::plainly;

fn start(name: &str) -> (Program, Served, Client) {
    let program = Program::new(name);
    let server = plainly(&program);
    let client = Client::builder(server.url()).api_key(&server.first_key()).build().unwrap();
    (program, server, client)
}

fn events(from: u64, to: u64) -> Vec<Event> {
    (from..to).map(|at| Event::from_text(numbered(at))).collect()
}

fn status(outcome: &Outcome) -> Option<ReceiptStatus> {
    outcome.receipt().map(ledgerstone_client::Receipt::status)
}

#[tokio::test]
async fn events_go_in_and_come_back_proved() {
    let (_program, server, client) = start("client");
    let event =
        Event::of(&json!({"event_type": "a.b", "actor": {"id": "u"}, "id": "e-a"})).unwrap();
    let how = Append::new().wait(Wait::Checkpoint);
    let first = client.append(&event, &how).await.unwrap();
    assert!(first.receipt().unwrap().json().contains("\"inclusion_proof\""));
    let again = client.append(&event, &Append::new()).await.unwrap();
    assert_eq!(status(&again), Some(ReceiptStatus::Duplicate));
    assert_eq!(again.receipt().unwrap().record_hash(), first.receipt().unwrap().record_hash());
    let queued = client.append(&events(0, 1)[0], &Append::new().wait(Wait::Nothing)).await.unwrap();
    assert!(matches!(queued, Outcome::Queued(id) if id == "e-0"));
    let mixed = [events(1, 3), vec![Event::from_text("{}")]].concat();
    let outcomes = client.append_batch(&mixed, &Append::new()).await.unwrap();
    assert_eq!(status(&outcomes[0]), Some(ReceiptStatus::Created));
    assert_eq!(outcomes[2].problem().unwrap().status(), 422);
    let none = client.append_batch(&mixed[2..], &Append::new()).await.unwrap();
    assert!(none[0].problem().is_some());
    let id = EventId::parse("e-a").unwrap();
    let record = client.event(&id).await.unwrap();
    assert_eq!(record.id(), &id);
    let content = client.content(&id).await.unwrap();
    assert_eq!(sha256(&content), *first.receipt().unwrap().content_hash());
    let proof = TlogProof::parse(client.proof(&id).await.unwrap().as_bytes()).unwrap();
    let checkpoint = client.checkpoint().await.unwrap();
    let vkey = checkpoint.vkey().clone();
    verify_record_proof(&proof, &[vkey], Some(&content)).unwrap();
    let tenant = TenantId::parse("default").unwrap();
    let path = format!("tile/0/000.p/{}", checkpoint.size());
    let tile = client.tile(&tenant, &TilePath::parse(&path).unwrap()).await.unwrap();
    assert_eq!(tile.len() as u64, 32 * checkpoint.size().value());
    server.stop();
}

#[tokio::test]
async fn receipts_arrive_while_events_are_sent() {
    let (_program, server, client) = start("client-stream");
    let (sender, mut outcomes) = client.append_stream(&Append::new()).await.unwrap();
    for event in events(0, 20) {
        assert!(sender.send(&event).await);
        // The next event is sent when the receipt of the last is here.
        let next = timeout(Duration::from_secs(10), outcomes.next()).await.unwrap();
        assert_eq!(status(&next.unwrap().unwrap()), Some(ReceiptStatus::Created));
    }
    drop(sender);
    assert!(outcomes.next().await.unwrap().is_none());
    assert_eq!(outcomes.end(), Some(&StreamEnd::Complete { lines: 20 }));
    server.stop();
}

#[tokio::test]
async fn pages_hold_every_record_once() {
    let (_program, server, client) = start("client-pages");
    let key = IdempotencyKey::new("pages").unwrap();
    let unnamed: Vec<Event> = (0..250)
        .map(|at| {
            Event::of(&json!({"event_type": "a.b", "actor": {"id": "u"}, "metadata": {"at": at}}))
        })
        .map(Result::unwrap)
        .collect();
    let (outcomes, ended) = client.append_all(&unnamed, &key, &Append::new()).await;
    ended.unwrap();
    assert!(
        outcomes.iter().all(|one| one.as_ref().and_then(status) == Some(ReceiptStatus::Created))
    );
    // Without ids of their own, the key makes sending them again harmless.
    let (outcomes, ended) = client.append_all(&unnamed, &key, &Append::new()).await;
    ended.unwrap();
    assert!(
        outcomes.iter().all(|one| one.as_ref().and_then(status) == Some(ReceiptStatus::Duplicate))
    );
    let mut pages = client.events(EventsQuery::new().order(Order::Sequence).page_size(100));
    let mut numbers = Vec::new();
    while let Some(records) = pages.next().await.unwrap() {
        assert!(records.len() <= 100);
        numbers.extend(records.iter().map(|record| record.sequence_number().value()));
    }
    let records = client.status().await.unwrap().ledger.records;
    assert_eq!(numbers, (0..records).collect::<Vec<_>>());
    server.stop();
}

#[tokio::test]
async fn a_refusal_is_told_whole() {
    let (_program, server, client) = start("client-refused");
    let refused = client.append(&Event::from_text("{\"event_type\":1}"), &Append::new()).await;
    let error = refused.unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!(problem.faults()[0].pointer(), "/event_type");
    assert!(problem.request_id().is_some() && !problem.remedy().is_empty());
    assert_eq!(problem.known_code(), Some(ErrorCode::InvalidField));
    let id = EventId::parse("none").unwrap();
    assert_eq!(client.event(&id).await.unwrap_err().code(), Some(ErrorCode::EventNotFound));
    assert_eq!(client.tenants().await.unwrap_err().code(), Some(ErrorCode::Forbidden));
    server.stop();
}

#[tokio::test]
async fn jobs_and_keys_are_at_hand() {
    let (_program, server, client) = start("client-admin");
    let job = client.verify(&VerifyRequest::new().tree_only()).await.unwrap();
    let job = client.follow(job, Duration::from_millis(50), |_| {}).await.unwrap();
    assert_eq!(job.state(), JobState::Done);
    assert!(job.result().unwrap().get().contains("\"holds\":true"));
    assert_eq!(client.cancel_job(job.id()).await.unwrap().state(), JobState::Done);
    let new = NewApiKey { roles: Role::Writer.into(), label: "app", expires_at: None };
    let issued = client.create_api_key(&new).await.unwrap();
    assert!(!format!("{issued:?}").contains(issued.text()));
    let id = ApiKeyId::parse(&issued.entry().key_id).unwrap();
    assert_eq!(client.revoke_api_key(&id, None).await.unwrap().state, "revoked");
    assert_eq!(client.api_keys().await.unwrap().len(), 2);
    assert_eq!(client.health().await.unwrap().status, "healthy");
    server.stop();
}
