//! Whether a tenant's ledger is the one that `_system` announced: its genesis names the record, and the
//! record names the ledger.
//!
//! An announced tenant without a ledger is no finding: a crash came between the two commits, and the
//! next opening begins the ledger.

use std::collections::HashMap;

use ledgerstone_model::system::{Announcement, LedgerId};
use ledgerstone_proof::TenantId;
use ledgerstone_store::Check;

use super::report::Finding;
use super::walk::Walk;
use crate::history::SystemHistory;

/// Compares each ledger's genesis with the `system.tenant` record that created its tenant. A tenant
/// that `_system` does not name at all is told elsewhere.
pub(super) fn check_announcements(
    walks: &HashMap<TenantId, Walk>,
    system: &SystemHistory,
    findings: &mut Vec<Finding>,
) {
    for walk in walks.values() {
        let Some(genesis) = walk.keys().genesis() else { continue };
        let (Some(named), Some(entry)) =
            (genesis.announced_by(), system.tenants().get(walk.tenant()))
        else {
            continue;
        };
        let expected = (entry.ledger_id, &entry.created_by);
        let found = (genesis.ledger_id(), named);
        if expected != found {
            let note = "the genesis is not that of the ledger that _system announced";
            let finding = Finding::new(Check::Record, note).at(walk.tenant(), 0);
            let (file, offset) = walk.genesis_place();
            findings.push(finding.in_file(file, offset).values(say(expected), say(found)));
        }
    }
}

fn say((ledger_id, by): (LedgerId, &Announcement)) -> String {
    format!(
        "ledger {ledger_id} by record {} of _system, {}",
        by.sequence_number(),
        by.record_hash()
    )
}
