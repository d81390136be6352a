//! A small C2SP tlog-tiles log of transparency-dev/tessera, rebuilt byte for byte.

use std::path::Path;

use ledgerstone_proof::tiles::{decode_hash_tile, encode_hash_tile};
use ledgerstone_proof::{
    Checkpoint, CheckpointError, CompactRange, EntryBundle, Hash, Note, TileKind, TilePath,
    TreeSize, VerifierKey, consistency_proof, inclusion_proof, leaf_hash, node_from_tile_row,
    tiles_for_size, verify_consistency, verify_inclusion,
};

use crate::support::{files_below, foreign, read};

const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
const LARGEST: u64 = 15;

fn tile_bytes(tile: TilePath, entries: &[Vec<u8>]) -> Vec<u8> {
    let width = usize::from(tile.width());
    assert_eq!(tile.index(), 0, "the log is smaller than a tile");
    match tile.kind() {
        TileKind::Entries => {
            let entries = entries[..width].iter().map(Vec::as_slice).collect();
            EntryBundle::new(entries).expect("bundle").encode()
        }
        TileKind::Hashes { level } => {
            assert_eq!(level, 0, "the log is smaller than a tile");
            let hashes: Vec<_> = entries[..width].iter().map(|e| leaf_hash(e)).collect();
            encode_hash_tile(&hashes)
        }
    }
}

fn checkpoint(root: &Path, size: u64) -> Checkpoint {
    let key = VerifierKey::parse(KEY).expect("key");
    let note = read(&root.join(format!("checkpoint.{size}")));
    assert_eq!(Note::parse(&note).expect("note").to_string().as_bytes(), note);
    let checkpoint = Checkpoint::open(&note, &[key]).expect("checkpoint verifies");
    assert_eq!(checkpoint.size(), TreeSize::new(size));
    checkpoint
}

#[test]
fn log_is_rebuilt_byte_for_byte() {
    let Some(root) = foreign("tlog") else { return };
    let bundle = read(&root.join("tile/entries/000.p/15"));
    let bundle = EntryBundle::decode(&bundle).expect("bundle");
    let entries: Vec<Vec<u8>> = bundle.entries().iter().map(|e| e.to_vec()).collect();
    let mut range = CompactRange::new();
    let mut built = 2; // `checkpoint` and `checkpoint.0`
    assert_eq!(*checkpoint(&root, 0).root(), range.root());
    for size in 1..=LARGEST {
        range.push(leaf_hash(&entries[usize::try_from(size - 1).expect("small")]));
        assert_eq!(*checkpoint(&root, size).root(), range.root(), "root of {size}");
        built += 1;
        for tile in tiles_for_size(TreeSize::new(size)) {
            let path = root.join(tile.to_string());
            assert_eq!(tile_bytes(tile, &entries), read(&path), "{tile}");
            built += 1;
        }
    }
    assert_eq!(built, files_below(&root).len(), "every file was rebuilt");
}

#[test]
fn proofs_from_its_tiles_lead_to_its_checkpoints() {
    let Some(root) = foreign("tlog") else { return };
    let leaves = decode_hash_tile(&read(&root.join("tile/0/000.p/15"))).expect("tile");
    let node = |size: u64| {
        let leaves = &leaves;
        move |address: ledgerstone_proof::NodeAddress| -> Result<Hash, &'static str> {
            let end = (address.index + 1) << address.level;
            assert!(end <= size, "asked for a node outside of the tree");
            let at = |leaf: u64| usize::try_from(leaf).expect("small");
            let row = &leaves[at(address.index << address.level)..at(end)];
            Ok(node_from_tile_row(row))
        }
    };
    for size in 1..=LARGEST {
        let new = checkpoint(&root, size);
        for index in 0..size {
            let proof = inclusion_proof(index, size, node(size)).expect("proof");
            let leaf = leaves[usize::try_from(index).expect("small")];
            verify_inclusion(index, size, &leaf, &proof, new.root()).expect("holds");
        }
        for old_size in 1..=size {
            let old = checkpoint(&root, old_size);
            let proof = consistency_proof(old_size, size, node(size)).expect("proof");
            verify_consistency(old_size, size, old.root(), new.root(), &proof).expect("holds");
        }
    }
}

#[test]
fn a_key_of_another_name_does_not_speak_for_the_log() {
    let Some(root) = foreign("tlog") else { return };
    let note = read(&root.join("checkpoint"));
    let key = VerifierKey::parse(KEY).expect("key");
    let other_name = ledgerstone_proof::KeyName::parse("example.com/other").expect("name");
    let other = VerifierKey::new_ed25519(other_name, key.verifying_key());
    // The same signature under the other name: the text does not change, so it verifies.
    let parsed = Note::parse(&note).expect("note");
    let mut payload = other.key_id().to_be_bytes().to_vec();
    payload.extend_from_slice(parsed.signatures()[0].signature());
    let line = format!("— example.com/other {}\n", encode_base64(&payload));
    let forged = format!("{}\n{line}", parsed.text());
    Note::parse(forged.as_bytes())
        .expect("note")
        .verify(std::slice::from_ref(&other))
        .expect("the signature itself holds");
    let error = Checkpoint::open(forged.as_bytes(), &[other]).expect_err("foreign key");
    assert!(matches!(error, CheckpointError::ForeignKey { .. }), "{error}");
}

fn encode_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
