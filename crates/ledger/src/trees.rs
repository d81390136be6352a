//! Trees as the store's node hashes give them: frontiers, roots and proofs at any size.

use ledgerstone_proof::{
    CompactRange, Hash, NodeAddress, ProofError, TenantId, consistency_proof, empty_root,
    inclusion_proof,
};
use ledgerstone_store::{LedgerStore, ReadError};

/// The complete subtrees that `[from, to)` falls into, left to right: the fewest there are.
pub(crate) fn subtrees(from: u64, to: u64) -> impl Iterator<Item = NodeAddress> {
    let mut next = from;
    std::iter::from_fn(move || {
        if next >= to {
            return None;
        }
        // A level is below 64, and so fits.
        let level = next.trailing_zeros().min((to - next).ilog2());
        let index = next >> level;
        next += 1 << level;
        Some(NodeAddress { level: u8::try_from(level).unwrap_or(u8::MAX), index })
    })
}

/// The compact range of a ledger's first `size` records, which must be there.
pub(crate) fn range_at(
    store: &dyn LedgerStore,
    tenant: &TenantId,
    size: u64,
) -> Result<CompactRange, ReadError> {
    let hashes = subtrees(0, size)
        .map(|node| store.node(tenant, node))
        .collect::<Result<Vec<Hash>, ReadError>>()?;
    CompactRange::from_parts(size, hashes).map_err(|error| damaged(tenant, &error.to_string()))
}

/// The root over a ledger's first `size` records, which must be there.
pub(crate) fn root_at(
    store: &dyn LedgerStore,
    tenant: &TenantId,
    size: u64,
) -> Result<Hash, ReadError> {
    if size == 0 {
        return Ok(empty_root());
    }
    Ok(range_at(store, tenant, size)?.root())
}

/// Proof that the record at `index` is in the tree of the first `size` records.
pub(crate) fn inclusion(
    store: &dyn LedgerStore,
    tenant: &TenantId,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ReadError> {
    inclusion_from(tenant, index, size, |node| store.node(tenant, node))
}

/// The same, from nodes that come from elsewhere.
pub(crate) fn inclusion_from(
    tenant: &TenantId,
    index: u64,
    size: u64,
    node: impl FnMut(NodeAddress) -> Result<Hash, ReadError>,
) -> Result<Vec<Hash>, ReadError> {
    inclusion_proof(index, size, node).map_err(|error| read_error(tenant, error))
}

/// Proof that the tree of the first `old` records is the beginning of that of the first `new`.
pub(crate) fn consistency_from(
    tenant: &TenantId,
    old: u64,
    new: u64,
    node: impl FnMut(NodeAddress) -> Result<Hash, ReadError>,
) -> Result<Vec<Hash>, ReadError> {
    consistency_proof(old, new, node).map_err(|error| read_error(tenant, error))
}

fn read_error(tenant: &TenantId, error: ProofError<ReadError>) -> ReadError {
    match error {
        ProofError::Node(error) => error,
        ProofError::Range(reason) => damaged(tenant, reason),
    }
}

fn damaged(tenant: &TenantId, reason: &str) -> ReadError {
    ReadError::Damaged { tenant: tenant.clone(), sequence_number: None, reason: reason.to_owned() }
}
