//! RFC 6962 proofs of transparency-dev/merkle: 98 inclusion and 98 consistency cases, valid and
//! invalid, and the roots of its eight-leaf tree.
//!
//! Their hashes are byte strings of any length; ours have 32 bytes by type, so a case with another
//! length fails at reading it. One valid case is written with placeholders instead of roots (see
//! [`PLACEHOLDERS`]); for that one alone, the placeholders are hashed into roots.

use ledgerstone_proof::{
    CompactRange, Hash, empty_root, leaf_hash, node_hash, sha256, verify_consistency,
    verify_inclusion,
};
use serde_json::Value;

use crate::support::{bytes_of_hex, files_below, foreign, number, read_json, text};

/// A case that holds, of two equal trees whose roots are both the 12 bytes "don't care 2".
const PLACEHOLDERS: &str = "sizes are equal (one) and proof is empty";

/// A root of a consistency case.
fn consistency_root(case: &Value, member: &str) -> Option<Hash> {
    if text(case, "desc") == PLACEHOLDERS {
        return Some(sha256(text(case, member).as_bytes()));
    }
    hash(case, member)
}

/// A hash of the case; none when it has not 32 bytes, which this crate's types cannot hold.
fn hash(case: &Value, member: &str) -> Option<Hash> {
    Hash::from_base64(case[member].as_str().unwrap_or_default()).ok()
}

fn proof(case: &Value) -> Option<Vec<Hash>> {
    let Some(hashes) = case["proof"].as_array() else {
        return Some(Vec::new());
    };
    hashes.iter().map(|hash| Hash::from_base64(hash.as_str()?).ok()).collect()
}

fn inclusion_holds(case: &Value) -> Option<bool> {
    let (leaf, root) = (hash(case, "leafHash")?, hash(case, "root")?);
    let (index, size) = (number(case, "leafIdx"), number(case, "treeSize"));
    Some(verify_inclusion(index, size, &leaf, &proof(case)?, &root).is_ok())
}

fn consistency_holds(case: &Value) -> Option<bool> {
    let (old_root, new_root) = (consistency_root(case, "root1")?, consistency_root(case, "root2")?);
    let (old, new) = (number(case, "size1"), number(case, "size2"));
    Some(verify_consistency(old, new, &old_root, &new_root, &proof(case)?).is_ok())
}

fn check_all(folder: &str, holds: fn(&Value) -> Option<bool>) {
    let Some(root) = foreign("merkle") else {
        return;
    };
    let files = files_below(&root.join(folder));
    assert_eq!(files.len(), 98, "number of {folder} cases");
    for file in files {
        let case = read_json(&file);
        let wanted = !case["wantErr"].as_bool().expect("wantErr");
        let found = holds(&case).unwrap_or(false);
        assert_eq!(found, wanted, "{}: {}", file.display(), text(&case, "desc"));
    }
}

#[test]
fn inclusion_cases() {
    check_all("inclusion", inclusion_holds);
}

#[test]
fn consistency_cases() {
    check_all("consistency", consistency_holds);
}

#[test]
fn leaf_and_node_hashes() {
    assert_eq!(
        leaf_hash(b"").to_hex(),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(
        leaf_hash(b"L123456").to_hex(),
        "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    );
    assert_eq!(
        empty_root().to_hex(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
    // The root under the checkpoint of `notes::derived_checkpoint`.
    assert_eq!(
        node_hash(&left, &right).to_base64(),
        "sTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes="
    );
}

#[test]
fn eight_leaf_tree() {
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let mut range = CompactRange::new();
    range.extend(leaves.map(|leaf| leaf_hash(&bytes_of_hex(leaf))));
    assert_eq!(
        range.root().to_hex(),
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    );
    assert_eq!(range.hashes(), [range.root()]);
}
