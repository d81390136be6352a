//! Clients that read and check what they read, while others write.

use std::time::{Duration, Instant};

use ledgerstone_proof::{Hash, verify_consistency, verify_inclusion};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::place::client;

/// Where and as whom.
#[derive(Clone)]
pub struct Asking {
    pub url: String,
    pub key: String,
    pub until: Instant,
}

impl Asking {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn get(&self, http: &reqwest::Client, path: &str) -> reqwest::Response {
        let request = http.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer
    }

    async fn get_json(&self, http: &reqwest::Client, path: &str) -> Value {
        self.get(http, path).await.json().await.unwrap()
    }
}

/// Walks over the whole ledger again and again: numbers and hashes must continue each other.
/// Answers how many pages were read.
pub async fn list(asking: Asking) -> u64 {
    let http = client();
    let mut pages = 0;
    while !asking.is_over() {
        let (mut number, mut previous) = (0_u64, json!("0".repeat(64)));
        let mut path = "/v1/events?order=sequence&limit=500".to_owned();
        while !asking.is_over() {
            let page = asking.get_json(&http, &path).await;
            for line in page["events"].as_array().unwrap() {
                let record = &line["record"];
                assert_eq!(record["sequence_number"], number);
                assert_eq!(record["previous_hash"], previous, "record {number}");
                previous = record["record_hash"].clone();
                number += 1;
            }
            pages += 1;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/events?order=sequence&limit=500&cursor={cursor}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    pages
}

/// Asks for proofs and verifies them: of records, and that each tree goes on from the one before.
/// Answers how many held.
pub async fn prove(asking: Asking) -> u64 {
    let http = client();
    let (mut held, mut before) = (0, None::<(u64, Hash)>);
    while !asking.is_over() {
        let checkpoint = asking.get_json(&http, "/v1/checkpoint").await;
        let size = checkpoint["size"].as_u64().unwrap();
        let root = hash(&checkpoint["root"]);
        let number = (held * 7_919) % size;
        let path = format!("/v1/proofs/inclusion?sequence_number={number}&tree_size={size}");
        let proof = asking.get_json(&http, &path).await;
        let leaf = hash(&proof["leaf_hash"]);
        verify_inclusion(number, size, &leaf, &hashes(&proof), &root).unwrap();
        if let Some((old, old_root)) = before {
            let path = format!("/v1/proofs/consistency?from={old}&to={size}");
            let proof = asking.get_json(&http, &path).await;
            verify_consistency(old, size, &old_root, &root, &hashes(&proof)).unwrap();
        }
        before = Some((size, root));
        held += 1;
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    held
}

/// Has the ledger verified again and again; answers how often it held.
pub async fn verify(asking: Asking) -> u64 {
    let http = client();
    let mut held = 0;
    while !asking.is_over() {
        let request = http.post(format!("{}/v1/verify", asking.url)).bearer_auth(&asking.key);
        let answer = request.json(&json!({"level": "tree"})).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let mut job: Value = answer.json().await.unwrap();
        while job["state"] == "queued" || job["state"] == "running" {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let path = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
            job = asking.get_json(&http, &path).await;
        }
        assert_eq!(
            (&job["state"], &job["result"]["holds"]),
            (&json!("done"), &json!(true)),
            "{job}"
        );
        held += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    held
}

/// Follows the ledger as a tile log, and reads the tiles of each checkpoint; answers how many came.
pub async fn follow(asking: Asking) -> u64 {
    let http = client();
    let (log, mut tiles) = ("/v1/tlog/default", 0);
    while !asking.is_over() {
        let note = asking.get(&http, &format!("{log}/checkpoint")).await.text().await.unwrap();
        let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
        // The last tile of hashes, and as many headers.
        let (index, width) = ((size - 1) / 256, (size - 1) % 256 + 1);
        let part = if width == 256 { String::new() } else { format!(".p/{width}") };
        let path = format!("{log}/tile/0/{}{part}", tile_path(index));
        let hashes = asking.get(&http, &path).await.bytes().await.unwrap();
        assert_eq!(hashes.len() as u64, 32 * width, "{path}");
        let path = format!("{log}/tile/entries/{}{part}", tile_path(index));
        let entries = asking.get(&http, &path).await.bytes().await.unwrap();
        assert_eq!(headers(&entries), width, "{path}");
        tiles += 2;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    tiles
}

/// How many entries a bundle has: each is led by its length in two bytes.
fn headers(mut bundle: &[u8]) -> u64 {
    let mut count = 0;
    while let [high, low, rest @ ..] = bundle {
        bundle = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
        count += 1;
    }
    count
}

/// A number in groups of three digits, all but the last led by `x` (C2SP tlog-tiles).
fn tile_path(index: u64) -> String {
    let last = format!("{:03}", index % 1_000);
    if index < 1_000 { last } else { format!("x{:03}/{last}", index / 1_000) }
}

fn hash(value: &Value) -> Hash {
    Hash::from_base64(value.as_str().unwrap()).unwrap()
}

fn hashes(proof: &Value) -> Vec<Hash> {
    proof["hashes"].as_array().unwrap().iter().map(hash).collect()
}
