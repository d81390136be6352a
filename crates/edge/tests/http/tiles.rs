//! A ledger as a C2SP tlog-tiles log: read as foreign tools read it, and the tree computed anew.

use ledgerstone_model::access::Role;
use ledgerstone_proof::tiles::tiles_for_size;
use ledgerstone_proof::{
    Checkpoint, CompactRange, EntryBundle, Hash, TileKind, TilePath, leaf_hash, node_from_tile_row,
};
use ledgerstone_testkit::TestEvent;
use reqwest::{Method, RequestBuilder};

use crate::rig::{Rig, assert_problem};

fn get(rig: &Rig, path: &str) -> RequestBuilder {
    rig.request(Method::GET, &format!("/v1/tlog/acme/{path}"), "acme", Role::Viewer)
}

async fn fill(rig: &Rig, prefix: &str, count: usize) {
    let events: Vec<String> = (0..count)
        .map(|n| TestEvent::new("user.login").id(&format!("{prefix}{n}")).json())
        .collect();
    let response = rig.append("", format!("[{}]", events.join(","))).send().await.unwrap();
    assert_eq!(response.status(), 200);
}

async fn checkpoint(rig: &Rig) -> Checkpoint {
    let response = get(rig, "checkpoint").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let note = response.bytes().await.unwrap();
    Checkpoint::parse_note(&note).unwrap().0
}

async fn tile(rig: &Rig, path: &TilePath) -> Vec<u8> {
    let response = get(rig, &path.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    assert_eq!(response.headers()["cache-control"], "private, max-age=31536000, immutable");
    response.bytes().await.unwrap().to_vec()
}

fn row(bytes: &[u8]) -> Vec<Hash> {
    bytes.as_chunks::<32>().0.iter().map(|hash| Hash::from_bytes(*hash)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tile_of_every_checkpoint_leads_to_its_root() {
    let rig = Rig::start().await;
    let mut held = Vec::new();
    for (round, count) in [3, 250, 300, 1].into_iter().enumerate() {
        fill(&rig, &format!("r{round}-"), count).await;
        held.push(checkpoint(&rig).await);
    }
    // The tiles of an older checkpoint are there as long as the ledger is.
    for checkpoint in &held {
        let mut tree = CompactRange::new();
        let mut leaves = Vec::new();
        for path in tiles_for_size(checkpoint.size()) {
            let bytes = tile(&rig, &path).await;
            match path.kind() {
                TileKind::Entries => {
                    let bundle = EntryBundle::decode(&bytes).unwrap();
                    assert_eq!(bundle.entries().len(), usize::from(path.width()));
                    leaves.extend(bundle.entries().iter().map(|entry| leaf_hash(entry)));
                }
                TileKind::Hashes { level: 0 } => {
                    let first = usize::try_from(path.index()).unwrap() * 256;
                    assert_eq!(row(&bytes), leaves[first..first + usize::from(path.width())]);
                }
                TileKind::Hashes { .. } => {
                    let above: Vec<Hash> =
                        leaves.chunks_exact(256).map(node_from_tile_row).collect();
                    assert_eq!(row(&bytes), above);
                }
            }
        }
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        assert_eq!(tree.root(), *checkpoint.root());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_is_fetched_once() {
    let rig = Rig::start().await;
    fill(&rig, "e", 5).await;
    for path in ["tile/0/000.p/4", "tile/entries/000.p/3"] {
        let first = get(&rig, path).send().await.unwrap();
        let tag = first.headers()["etag"].clone();
        assert!(tag.to_str().unwrap().starts_with("\"sha256-"));
        let again = get(&rig, path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        let other = get(&rig, path).header("if-none-match", "\"sha256-00\"").send().await.unwrap();
        assert_eq!(other.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tile_is_refused_and_what_is_not_yet_there_is_not_found() {
    let rig = Rig::start().await;
    fill(&rig, "e", 5).await;
    let size = rig.size("acme");
    for path in [
        "tile/0/000",
        "tile/1/000.p/1",
        "tile/63/000.p/1",
        "tile/0/001.p/1",
        &format!("tile/0/000.p/{}", size + 1),
        "tile/entries/x999/x999/x999/x999/x999/999",
        "tile/0/x018/x446/x744/x073/x709/x551/615.p/1",
    ] {
        assert_problem(get(&rig, path), 404, "NOT_FOUND").await;
    }
    for path in [
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/000.p/99999999999999999999999",
        "tile/99999999999999999999999/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/..%2F..%2F..%2Fkeys%2Flog.key",
        "tile/0/%2e%2e%2f000",
        "tile/entries/..%5c000",
        "tile/0/000%00",
        &format!("tile/0/{}000", "x999/".repeat(500)),
    ] {
        assert_problem(get(&rig, path), 400, "INVALID_ARGUMENT").await;
    }
    for path in ["tile", "data/000", ""] {
        assert_problem(get(&rig, path), 404, "NOT_FOUND").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_another_tenant_is_not_there() {
    let rig = Rig::start().await;
    for (name, tenant) in [("beta", "acme"), ("nobody", "acme"), ("acme", "_system")] {
        for path in ["checkpoint", "tile/entries/000.p/1"] {
            let path = format!("/v1/tlog/{name}/{path}");
            let request = rig.request(Method::GET, &path, tenant, Role::Admin);
            assert_problem(request, 404, "NOT_FOUND").await;
        }
    }
    let anonymous = rig.anonymous(Method::GET, "/v1/tlog/acme/checkpoint");
    assert_problem(anonymous, 401, "UNAUTHENTICATED").await;
    let system = rig.request(Method::GET, "/v1/tlog/_system/checkpoint", "_system", Role::Auditor);
    assert_eq!(system.send().await.unwrap().status(), 200);
}
