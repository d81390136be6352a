//! Inclusion proofs: this leaf stands at this place of the tree with that root.

use crate::hash::{Hash, node_hash};
use crate::merkle::{NodeAddress, ProofError, ProofFault, range_root, split_point};

/// The proof that leaf `index` is in the tree of `size` leaves (RFC 6962 §2.1.1), the leaf's
/// sibling first. `node` gives the roots of complete subtrees within the tree.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(NodeAddress) -> Result<Hash, E>,
) -> Result<Vec<Hash>, ProofError<E>> {
    if index >= size {
        return Err(ProofError::Range("leaf index is not below the tree size"));
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split_point(end - start);
        let sibling;
        if index < middle {
            sibling = (middle, end);
            end = middle;
        } else {
            sibling = (start, middle);
            start = middle;
        }
        proof.push(range_root(sibling.0, sibling.1, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether the proof leads from the leaf to the root (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofFault> {
    if index >= size {
        return Err(ProofFault::IndexBeyondSize);
    }
    let (mut fnode, mut snode) = (index, size - 1);
    let mut computed = *leaf;
    for hash in proof {
        if snode == 0 {
            return Err(ProofFault::WrongLength);
        }
        if fnode & 1 == 1 || fnode == snode {
            computed = node_hash(hash, &computed);
            // A last node without a sibling stands in for its parent.
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            computed = node_hash(&computed, hash);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    match (snode, computed == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(ProofFault::RootMismatch),
        _ => Err(ProofFault::WrongLength),
    }
}
