//! Consistency proofs: the tree of old size is the beginning of the tree of new size.

use crate::hash::{Hash, node_hash};
use crate::merkle::{NodeAddress, ProofError, ProofFault, range_root, split_point};

/// The proof between the trees of `old` and `new` leaves (RFC 6962 §2.1.2); empty when they are
/// equal. `node` gives the roots of complete subtrees within the new tree.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(NodeAddress) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProofError<E>> {
    if old == 0 {
        return Err(ProofError::Range("the old tree is empty"));
    }
    if old > new {
        return Err(ProofError::Range("the old tree is larger than the new one"));
    }
    let (mut start, mut end) = (0, new);
    let mut proof = Vec::new();
    while old < end {
        let middle = start + split_point(end - start);
        let sibling;
        if old <= middle {
            sibling = (middle, end);
            end = middle;
        } else {
            sibling = (start, middle);
            start = middle;
        }
        proof.push(range_root(sibling.0, sibling.1, &mut node)?);
    }
    // What is left ends with the old tree; when it is the whole of it, its root is known.
    if start > 0 {
        proof.push(range_root(start, end, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether the proof leads to both roots (RFC 9162 §2.1.4.2).
///
/// A proof from the empty tree is refused, since everything follows from nothing; equal sizes
/// need equal roots and no hashes.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofFault> {
    if old > new {
        return Err(ProofFault::ShrinkingTree);
    }
    if old == 0 {
        return Err(ProofFault::EmptyOldTree);
    }
    if old == new {
        return match (proof.is_empty(), old_root == new_root) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofFault::RootMismatch),
            (false, _) => Err(ProofFault::WrongLength),
        };
    }
    // An old tree that is one complete subtree stands for the first hash itself.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofFault::WrongLength)?
    };
    let shared = (old - 1).trailing_ones();
    let (mut fnode, mut snode) = ((old - 1) >> shared, (new - 1) >> shared);
    let (mut old_computed, mut new_computed) = (*first, *first);
    for hash in rest {
        if snode == 0 {
            return Err(ProofFault::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            old_computed = node_hash(hash, &old_computed);
            new_computed = node_hash(hash, &new_computed);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            new_computed = node_hash(&new_computed, hash);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    if snode != 0 {
        return Err(ProofFault::WrongLength);
    }
    if old_computed != *old_root {
        return Err(ProofFault::OldRootMismatch);
    }
    if new_computed != *new_root {
        return Err(ProofFault::RootMismatch);
    }
    Ok(())
}
