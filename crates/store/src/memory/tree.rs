//! The complete subtrees of one ledger's Merkle tree, kept so that any node is answered at once.

use ledgerstone_proof::{Hash, NodeAddress, node_hash};

/// Hashes of all complete subtrees, by level; level 0 holds the leaf hashes.
#[derive(Debug, Default)]
pub(super) struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Adds the next leaf and every subtree that it completes.
    pub(super) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for depth in 0.. {
            if self.levels.len() == depth {
                self.levels.push(Vec::new());
            }
            let Some(level) = self.levels.get_mut(depth) else {
                return;
            };
            level.push(hash);
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => {
                    hash = node_hash(left, right);
                }
                _ => return,
            }
        }
    }

    /// Number of leaves.
    pub(super) fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// The hash at an address; `None` when the subtree is not complete.
    pub(super) fn node(&self, address: NodeAddress) -> Option<Hash> {
        let index = usize::try_from(address.index).ok()?;
        self.levels.get(usize::from(address.level))?.get(index).copied()
    }
}
