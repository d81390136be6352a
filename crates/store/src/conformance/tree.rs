//! Cases: the nodes of a ledger's Merkle tree, against the definition of RFC 6962 §2.1.

use ledgerstone_proof::{Hash, NodeAddress, leaf_hash, node_hash};

use super::Harness;
use super::builder::{ChainBuilder, tenant};

/// After every append, every complete subtree has the hash that the headers give it.
pub fn every_node_of_a_growing_tree_is_right(harness: &dyn Harness) {
    let (mut store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    for (round, count) in [1, 1, 1, 2, 3, 8, 16, 1, 31, 5].into_iter().enumerate() {
        let batch = chain.batch().events(&acme, count).event(&tenant("other"));
        store.append(&batch.build()).unwrap();
        if round % 3 == 2 {
            harness.crash(store);
            store = harness.open();
        }
        let headers = chain.records(&acme).iter().map(|record| leaf_hash(&record.header_bytes()));
        let leaves: Vec<Hash> = headers.collect();
        for level in 0..8_u8 {
            for (index, run) in leaves.chunks_exact(1 << level).enumerate() {
                let node = NodeAddress { level, index: index as u64 };
                let found = store.node(&acme, node).unwrap();
                assert_eq!(found, subtree(run), "node {index} of level {level}");
            }
        }
    }
    harness.stop(store);
}

/// A subtree that is not complete within the ledger has no hash yet.
pub fn a_node_beyond_the_ledger_is_refused(harness: &dyn Harness) {
    let (store, mut chain, acme) = (harness.open(), ChainBuilder::new(), tenant("acme"));
    store.append(&chain.batch().events(&acme, 6).build()).unwrap();
    let beyond =
        [(0, 6), (1, 3), (2, 1), (3, 0), (0, u64::MAX), (52, 0), (63, 1), (64, 0), (255, u64::MAX)];
    for (level, index) in beyond {
        let answer = store.node(&acme, NodeAddress { level, index });
        assert!(answer.is_err(), "node {index} of level {level} of a tree of 6: {answer:?}");
    }
    harness.stop(store);
}

/// MTH of a complete subtree, by its definition.
fn subtree(leaves: &[Hash]) -> Hash {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    node_hash(&subtree(left), &subtree(right))
}
