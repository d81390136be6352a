//! The tree's own words: sizes, node addresses, subtree roots, and what can be wrong with a proof
//! (RFC 6962 §2.1).

use std::fmt;

use thiserror::Error;

use crate::hash::{Hash, node_hash};

/// Number of leaves of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TreeSize(u64);

impl TreeSize {
    /// The empty tree.
    pub const EMPTY: Self = Self(0);

    /// The size of that many leaves.
    pub const fn new(leaves: u64) -> Self {
        Self(leaves)
    }

    /// The number of leaves.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A complete subtree: the node of that level over leaves
/// `[index << level, (index + 1) << level)`. Level 0 are the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// Height above the leaves.
    pub level: u8,
    /// Index among the nodes of the level.
    pub index: u64,
}

/// Why no proof could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError<E> {
    /// The leaf is not in a tree of that size, or the old tree is empty or larger than the new.
    #[error("no such proof: {0}")]
    Range(&'static str),
    /// The source of the nodes failed.
    #[error("tree node could not be read: {0}")]
    Node(E),
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofFault {
    /// The leaf index is not below the tree's size.
    #[error("leaf index is not below the tree size")]
    IndexBeyondSize,
    /// The old tree is larger than the new one.
    #[error("old tree size is larger than the new one")]
    ShrinkingTree,
    /// A proof from the empty tree proves nothing.
    #[error("consistency with an empty tree cannot be proved")]
    EmptyOldTree,
    /// Too few or too many hashes for these sizes.
    #[error("proof has the wrong number of hashes for these sizes")]
    WrongLength,
    /// The hashes lead to another root.
    #[error("proof does not lead to the root: leaf, proof or root is not of this tree")]
    RootMismatch,
    /// The hashes lead to another old root.
    #[error("proof does not lead to the old root: the old tree is not the beginning of the new")]
    OldRootMismatch,
}

/// Largest power of two strictly below `size`, which is at least 2.
pub(crate) const fn split_point(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Root over the leaves `[start, end)`, not empty, where `start` is a multiple of the largest
/// power of two that is at most `end - start`: the shape in which proofs ask for it.
pub(crate) fn range_root<E>(
    start: u64,
    end: u64,
    node: &mut impl FnMut(NodeAddress) -> Result<Hash, E>,
) -> Result<Hash, ProofError<E>> {
    // Complete subtrees from the right, smallest first.
    let mut end = end;
    let mut root = None;
    while end > start {
        let level = end.trailing_zeros().min((end - start).ilog2());
        let address = NodeAddress {
            // A level is below 64.
            level: u8::try_from(level).unwrap_or(u8::MAX),
            index: (end - 1) >> level,
        };
        let left = node(address).map_err(ProofError::Node)?;
        root = Some(root.map_or(left, |right| node_hash(&left, &right)));
        end -= 1 << level;
    }
    root.ok_or(ProofError::Range("an empty range has no root"))
}
