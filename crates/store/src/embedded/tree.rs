//! Hashes of the Merkle tree: from frontiers kept at segment boundaries, and from leaf hashes.

use ledgerstone_proof::{Hash, NodeAddress, TenantId, node_hash};

use super::read::{damaged, io_error};
use super::segment::SegmentFault;
use super::shared::Shared;
use crate::error::ReadError;

/// Subtrees up to this height are computed from their leaves.
const LEAF_LEVELS: u8 = 8;

/// Hash of a complete subtree.
pub fn node(shared: &Shared, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
    let outside = || damaged(tenant, None, "no such subtree in this ledger");
    let last = node.index.checked_add(1).and_then(|next| next.checked_shl(node.level.into()));
    let size = shared.read().ledgers.get(tenant).map_or(0, |ledger| ledger.head.size());
    // A shift that loses bits would wrap; no ledger is that large.
    let fits = node.level < 53 && last.is_some_and(|last| last <= size && last >> node.level > 0);
    if fits { subtree(shared, tenant, node) } else { Err(outside()) }
}

fn subtree(shared: &Shared, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
    let first = node.index << node.level;
    if node.level <= LEAF_LEVELS {
        let leaves = leaf_hashes(shared, tenant, first, 1 << node.level)?;
        return Ok(root_of(leaves));
    }
    if let Some(hash) = from_frontier(shared, tenant, node)? {
        return Ok(hash);
    }
    let level = node.level - 1;
    let left = subtree(shared, tenant, NodeAddress { level, index: node.index * 2 })?;
    let right = subtree(shared, tenant, NodeAddress { level, index: node.index * 2 + 1 })?;
    Ok(node_hash(&left, &right))
}

fn root_of(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                rest => rest.first().copied().unwrap_or(Hash::ZERO),
            })
            .collect();
    }
    hashes.first().copied().unwrap_or(Hash::ZERO)
}

/// A left subtree is part of the frontier of every size that ends within its right sibling; such
/// a frontier is kept at the beginning of each segment's run, and at the head.
fn from_frontier(
    shared: &Shared,
    tenant: &TenantId,
    node: NodeAddress,
) -> Result<Option<Hash>, ReadError> {
    if node.index % 2 == 1 {
        return Ok(None);
    }
    let after = (node.index + 1) << node.level;
    let until = after + (1 << node.level);
    let state = shared.read();
    let Some(ledger) = state.ledgers.get(tenant) else {
        return Ok(None);
    };
    let head = &ledger.head.range;
    if (after..until).contains(&head.size()) {
        return Ok(frontier_node(head.size(), head.hashes(), node));
    }
    let place = ledger.sealed.partition_point(|run| run.first < after);
    let Some(run) = ledger.sealed.get(place).copied().filter(|run| run.first < until) else {
        return Ok(None);
    };
    let Some(segment) = state.segments.get(run.segment as usize).cloned() else {
        return Ok(None);
    };
    drop(state);
    let entry = segment.entry(run.entry).map_err(|fault| of_segment(tenant, fault))?;
    Ok(frontier_node(entry.first, &entry.range_before, node))
}

/// The subtree's hash in the frontier of a tree of `size` leaves, largest subtree first.
fn frontier_node(size: u64, frontier: &[Hash], node: NodeAddress) -> Option<Hash> {
    let larger = (size >> node.level >> 1).count_ones() as usize;
    let is_part = (size >> node.level) == node.index + 1;
    if is_part { frontier.get(larger).copied() } else { None }
}

/// Leaf hashes of `count` records from `first` on, from segments and from memory.
pub fn leaf_hashes(
    shared: &Shared,
    tenant: &TenantId,
    first: u64,
    count: u64,
) -> Result<Vec<Hash>, ReadError> {
    let mut hashes = Vec::with_capacity(count as usize);
    let end = first + count;
    let mut next = first;
    while next < end {
        let state = shared.read();
        let missing = || damaged(tenant, Some(next), "no leaf hash");
        let ledger = state.ledgers.get(tenant).ok_or_else(missing)?;
        let Some(run) = ledger.sealed_run(next) else {
            let record = ledger.active_record(next).ok_or_else(missing)?;
            hashes.push(record.leaf_hash);
            next += 1;
            // The rest of the active part is in memory too.
            while next < end
                && let Some(record) = ledger.active_record(next)
            {
                hashes.push(record.leaf_hash);
                next += 1;
            }
            continue;
        };
        let segment = state.segments.get(run.segment as usize).cloned().ok_or_else(missing)?;
        drop(state);
        let entry = segment.entry(run.entry).map_err(|fault| of_segment(tenant, fault))?;
        let skip = next - run.first;
        let take = (u64::from(run.records) - skip).min(end - next);
        let read = segment
            .leaf_hashes(entry.first_local + skip, take)
            .map_err(|fault| of_segment(tenant, fault))?;
        next += read.len() as u64;
        hashes.extend(read);
    }
    Ok(hashes)
}

fn of_segment(tenant: &TenantId, fault: SegmentFault) -> ReadError {
    match fault {
        SegmentFault::Io(error) => io_error("a segment", error),
        fault => damaged(tenant, None, &fault.to_string()),
    }
}
