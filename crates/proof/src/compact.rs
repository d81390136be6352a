//! The compact range: the few hashes from which a tree's root follows and grows.

use thiserror::Error;

use crate::hash::{Hash, empty_root, node_hash};
use crate::merkle::TreeSize;

/// Hashes that do not fit a tree's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a compact range over {size} leaves has {expected} hashes, not {found}")]
pub struct CompactRangeError {
    /// Number of leaves.
    pub size: u64,
    /// One hash per bit of the size that is set.
    pub expected: usize,
    /// How many there were.
    pub found: usize,
}

/// The roots of the complete subtrees that the tree over `[0, size)` falls into, largest first:
/// one for each bit of the size that is set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

impl CompactRange {
    /// The range of the empty tree.
    pub const fn new() -> Self {
        Self { size: 0, hashes: Vec::new() }
    }

    /// The range with these hashes, largest subtree first.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, CompactRangeError> {
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(CompactRangeError { size, expected, found: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// Adds a leaf. A tree of 2^64 - 1 leaves, which nothing reaches, stays as it is.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each low bit that is set is a subtree to be merged.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Number of leaves, as a tree's size.
    pub const fn tree_size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The hashes, largest subtree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Root of the tree.
    pub fn root(&self) -> Hash {
        self.hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

impl Extend<Hash> for CompactRange {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(leaf);
        }
    }
}
