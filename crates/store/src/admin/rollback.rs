//! Notices a ledger that is older than what was already seen of it.

use ledgerstone_proof::{CompactRange, Hash, NodeAddress, TenantId};

use super::{AdminError, AdminStore, SystemTree};
use crate::contract::LedgerStore;
use crate::error::ReadError;

/// Refuses to go on when the projection knows records of `_system` that the ledger does not have,
/// or has otherwise: it is shorter than what was projected, or its tree had another root then.
pub fn refuse_rolled_back(
    admin: &dyn AdminStore,
    ledger: &dyn LedgerStore,
) -> Result<(), AdminError> {
    let Some(projected) = admin.point()?.system_tree else {
        return Ok(());
    };
    let system = TenantId::system();
    let size = ledger.head(&system)?.map_or(0, |head| head.size());
    if size < projected.size {
        return Err(rolled_back(projected, format!("{size} records")));
    }
    match root_at(ledger, &system, projected.size)? {
        Some(root) if root == projected.root => Ok(()),
        Some(root) => Err(rolled_back(projected, format!("root {root} at that size"))),
        None => Err(AdminError::Damaged("the size of _system".to_owned())),
    }
}

fn rolled_back(projected: SystemTree, found: String) -> AdminError {
    let SystemTree { size, root } = projected;
    AdminError::RolledBack { projected: format!("{size} records with root {root}"), found }
}

/// Root of a ledger's tree when it had `size` records, which it must have.
fn root_at(
    ledger: &dyn LedgerStore,
    tenant: &TenantId,
    size: u64,
) -> Result<Option<Hash>, ReadError> {
    let complete = (0..64_u8).rev().filter(|level| (size >> level) & 1 == 1);
    let hashes: Result<Vec<Hash>, ReadError> = complete
        .map(|level| ledger.node(tenant, NodeAddress { level, index: (size >> level) - 1 }))
        .collect();
    Ok(CompactRange::from_parts(size, hashes?).ok().map(|range| range.root()))
}
