//! Proofs, checked by nothing but `ledgerstone-proof`, as an outsider would.

use ledgerstone_model::access::Role;
use ledgerstone_proof::{
    Checkpoint, Hash, TlogProof, VerifierKey, leaf_hash, sha256, verify_consistency,
    verify_inclusion, verify_record_proof,
};
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::rig::{Rig, assert_problem, json};

async fn fill(rig: &Rig, prefix: &str, count: usize) {
    let events: Vec<String> = (0..count)
        .map(|n| TestEvent::new("user.login").id(&format!("{prefix}{n}")).json())
        .collect();
    let response = rig.append("", format!("[{}]", events.join(","))).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

fn get(rig: &Rig, path: &str) -> RequestBuilder {
    rig.request(Method::GET, path, "acme", Role::Auditor)
}

async fn checkpoint(rig: &Rig) -> (Value, Checkpoint, VerifierKey) {
    let response = get(rig, "/v1/checkpoint").send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let answer = json(response).await;
    let key: VerifierKey = answer["vkey"].as_str().unwrap().parse().unwrap();
    let note = answer["note"].as_str().unwrap();
    let body = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key)).unwrap();
    assert_eq!(answer["size"], body.size().value());
    assert_eq!(answer["root"], body.root().to_base64());
    (answer, body, key)
}

fn hashes(answer: &Value) -> Vec<Hash> {
    let list = answer["hashes"].as_array().unwrap();
    list.iter().map(|hash| Hash::from_base64(hash.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_file_holds_without_the_server() {
    let rig = Rig::start().await;
    fill(&rig, "e", 7).await;
    let (_, _, key) = checkpoint(&rig).await;
    let response = get(&rig, "/v1/events/e3/proof").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let proof = TlogProof::parse(&response.bytes().await.unwrap()).unwrap();
    let content = get(&rig, "/v1/events/e3/content").send().await.unwrap();
    let content = content.bytes().await.unwrap();
    let proved = verify_record_proof(&proof, std::slice::from_ref(&key), Some(&content)).unwrap();
    assert!(proved.content_checked());
    assert_eq!(proved.header().event_id().as_str(), "e3");
    let other = get(&rig, "/v1/events/e4/content").send().await.unwrap();
    let other = other.bytes().await.unwrap();
    verify_record_proof(&proof, &[key], Some(&other)).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_in_json_has_all_that_a_check_needs() {
    let rig = Rig::start().await;
    fill(&rig, "e", 7).await;
    let request = |role| {
        rig.request(Method::GET, "/v1/events/e3/proof", "acme", role)
            .header("accept", "application/json")
            .send()
    };
    let text = request(Role::Auditor).await.unwrap().text().await.unwrap();
    let proof: Value = serde_json::from_str(&text).unwrap();
    let key: VerifierKey = proof["vkey"].as_str().unwrap().parse().unwrap();
    let note = proof["checkpoint"].as_str().unwrap();
    let body = Checkpoint::open(note.as_bytes(), &[key]).unwrap();
    assert_eq!(proof["tree_size"], body.size().value());
    // The members are canonical, so their bytes in the answer are those that were hashed.
    let header = proof["header"].to_string();
    assert!(text.contains(&header));
    let (index, size) = (proof["leaf_index"].as_u64().unwrap(), body.size().value());
    let leaf = leaf_hash(header.as_bytes());
    verify_inclusion(index, size, &leaf, &hashes(&proof), body.root()).unwrap();
    let content = sha256(proof["content"].to_string().as_bytes()).to_hex();
    assert_eq!(proof["header"]["content_hash"], content);

    let withheld = json(request(Role::Viewer).await.unwrap()).await;
    assert_eq!(withheld["content_withheld"], true);
    assert!(withheld["content"].is_null());
    assert_eq!(withheld["hashes"], proof["hashes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_grows_proves_that_it_only_grew() {
    let rig = Rig::start().await;
    let mut held: Vec<Checkpoint> = Vec::new();
    for (round, count) in [1, 2, 5, 40, 1].into_iter().enumerate() {
        fill(&rig, &format!("r{round}-"), count).await;
        let (_, newest, _) = checkpoint(&rig).await;
        for old in &held {
            let (from, to) = (old.size(), newest.size());
            let path = format!("/v1/proofs/consistency?from={}&to={}", from.value(), to.value());
            let answer = json(get(&rig, &path).send().await.unwrap()).await;
            let hashes = hashes(&answer);
            verify_consistency(from.value(), to.value(), old.root(), newest.root(), &hashes)
                .unwrap();
            assert_eq!(answer["from_root"], old.root().to_base64());
            assert_eq!(answer["to_root"], newest.root().to_base64());
        }
        for number in 0..newest.size().value() {
            let size = newest.size().value();
            let path = format!("/v1/proofs/inclusion?sequence_number={number}&tree_size={size}");
            let answer = json(get(&rig, &path).send().await.unwrap()).await;
            let leaf = Hash::from_base64(answer["leaf_hash"].as_str().unwrap()).unwrap();
            verify_inclusion(number, size, &leaf, &hashes(&answer), newest.root()).unwrap();
        }
        held.push(newest);
    }
    rig.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_comes_as_a_note_where_text_is_asked_for() {
    let rig = Rig::start().await;
    fill(&rig, "e", 2).await;
    let (answer, _, _) = checkpoint(&rig).await;
    let text = get(&rig, "/v1/checkpoint").header("accept", "text/plain").send().await.unwrap();
    assert_eq!(text.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text.text().await.unwrap(), answer["note"].as_str().unwrap());
    let other = rig.request(Method::GET, "/v1/checkpoint", "beta", Role::Viewer);
    let other = json(other.send().await.unwrap()).await;
    assert_ne!(other["vkey"], answer["vkey"], "each ledger has a name of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_kept_by_caches_of_their_reader() {
    let rig = Rig::start().await;
    fill(&rig, "e", 5).await;
    for path in
        ["/v1/proofs/inclusion?sequence_number=2&tree_size=4", "/v1/proofs/consistency?from=2&to=4"]
    {
        let response = get(&rig, path).send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "private, max-age=31536000, immutable");
        assert_eq!(response.headers()["vary"], "authorization, x-api-key");
        let tag = response.headers()["etag"].clone();
        fill(&rig, &path.len().to_string(), 3).await;
        let again = get(&rig, path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert!(again.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_without_an_answer_are_refused() {
    let rig = Rig::start().await;
    fill(&rig, "e", 5).await;
    let size = rig.size("acme");
    for path in [
        "inclusion".to_owned(),
        "inclusion?sequence_number=1".to_owned(),
        format!("inclusion?sequence_number={size}&tree_size={size}"),
        format!("inclusion?sequence_number=0&tree_size={}", size + 1),
        "inclusion?sequence_number=0&tree_size=0".to_owned(),
        "inclusion?sequence_number=-1&tree_size=2".to_owned(),
        "inclusion?sequence_number=1&tree_size=99999999999999999999".to_owned(),
        "inclusion?sequence_number=18446744073709551615&tree_size=18446744073709551615".to_owned(),
        "inclusion?sequence_number=1&tree_size=2&hash=x".to_owned(),
        "consistency?from=0&to=2".to_owned(),
        "consistency?from=3&to=2".to_owned(),
        format!("consistency?from=1&to={}", size + 1),
        "consistency?from=1".to_owned(),
    ] {
        assert_problem(get(&rig, &format!("/v1/proofs/{path}")), 400, "INVALID_ARGUMENT").await;
    }
    let writer = rig.request(Method::GET, "/v1/checkpoint", "acme", Role::Writer);
    assert_problem(writer, 403, "FORBIDDEN").await;
}
