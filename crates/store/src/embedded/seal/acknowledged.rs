//! Whether a log file still holds what was acknowledged, asked before it is given up.
//!
//! The hashes that the store keeps in memory of its unsealed records are those that it computed, or
//! checked, when they came in. A row whose content has its content hash, and whose header has the
//! leaf hash kept in memory, is the row that was acknowledged, in its place; and the record hash that
//! memory holds of it need not be computed again.

use std::ops::Range;

use ledgerstone_proof::{Hash, SequenceNumber, TenantId, leaf_hash, sha256};
use thiserror::Error;

use crate::embedded::active::signature_crc;
use crate::embedded::payload::Row;
use crate::embedded::segment::LedgerRows;
use crate::embedded::shared::Shared;

/// A row that is not what was acknowledged.
#[derive(Debug, Error)]
#[error("record {number} of ledger {tenant} does not match its {check}")]
pub struct Mismatch {
    tenant: TenantId,
    number: u64,
    check: &'static str,
}

/// Checks the rows `block` of a ledger, as they were read. `header` is room to work in.
pub fn check(
    shared: &Shared,
    ledger: &LedgerRows,
    block: Range<usize>,
    rows: &[Row<'_>],
    header: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let fault = |number, check| Mismatch { tenant: ledger.tenant.clone(), number, check };
    let first = ledger.first + block.start as u64;
    let known = known(shared, ledger, block).ok_or_else(|| fault(first, "place"))?;
    let mut previous = known.before;
    for ((row, hashes), number) in rows.iter().zip(known.records).zip(first..) {
        let (leaf, record_hash, signature) = hashes;
        let place = SequenceNumber::new(number).map_err(|_| fault(number, "place"))?;
        if sha256(row.content) != row.content_hash {
            return Err(fault(number, "content_hash"));
        }
        header.clear();
        row.header(&ledger.tenant, place, &previous).write_canonical(header);
        if leaf_hash(header) != leaf || row.leaf_hash != leaf {
            return Err(fault(number, "leaf hash"));
        }
        if signature_crc(row.signature.as_ref().map(|signed| signed.1)) != signature {
            return Err(fault(number, "signature"));
        }
        previous = record_hash;
    }
    Ok(())
}

/// What memory holds of some of a ledger's unsealed records.
struct Known {
    /// `record_hash` of the record before them.
    before: Hash,
    /// Leaf hash, `record_hash` and checksum of the signature of each.
    records: Vec<(Hash, Hash, u32)>,
}

/// `None` where the rows are not the ledger's oldest unsealed records.
fn known(shared: &Shared, rows: &LedgerRows, block: Range<usize>) -> Option<Known> {
    let state = shared.read();
    let ledger = state.ledgers.get(&rows.tenant)?;
    if ledger.active_first() != rows.first || ledger.active.len() < rows.rows.len() {
        return None;
    }
    let before = ledger.hash_before_active(rows.first + block.start as u64)?;
    let records = ledger.active.range(block);
    let records = records.map(|kept| (kept.leaf_hash, kept.record_hash, kept.signature_crc));
    Some(Known { before, records: records.collect() })
}
