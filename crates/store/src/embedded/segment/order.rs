//! The order of a segment: runs as they were committed, put together by ledger.

use std::collections::HashMap;

use ledgerstone_proof::TenantId;

use crate::embedded::payload::Row;

/// The rows of one ledger, in sequence order.
#[derive(Debug)]
pub struct LedgerRows<'a> {
    pub tenant: &'a TenantId,
    /// Sequence number of the first row.
    pub first: u64,
    pub rows: Vec<&'a Row<'a>>,
}

/// The rows of a log file.
#[derive(Debug)]
pub struct OrderedRows<'a> {
    /// In the order of their names.
    pub ledgers: Vec<LedgerRows<'a>>,
    /// Runs as they were committed: place in `ledgers`, number of records.
    pub commit_order: Vec<(usize, usize)>,
}

impl<'a> OrderedRows<'a> {
    /// Orders runs, each with the number of its first row. That a run continues the one before it
    /// is not looked at here.
    pub fn new(runs: impl Iterator<Item = (&'a TenantId, u64, &'a [Row<'a>])>) -> Self {
        let mut places: HashMap<&TenantId, usize> = HashMap::new();
        let mut ledgers: Vec<LedgerRows<'a>> = Vec::new();
        let mut commit_order = Vec::new();
        for (tenant, first, rows) in runs {
            let place = *places.entry(tenant).or_insert(ledgers.len());
            if place == ledgers.len() {
                ledgers.push(LedgerRows { tenant, first, rows: Vec::new() });
            }
            ledgers[place].rows.extend(rows);
            commit_order.push((place, rows.len()));
        }
        let mut sorted: Vec<(usize, LedgerRows<'a>)> = ledgers.into_iter().enumerate().collect();
        sorted.sort_unstable_by_key(|(_, ledger)| ledger.tenant);
        let mut moved = vec![0; sorted.len()];
        for (place, (before, _)) in sorted.iter().enumerate() {
            moved[*before] = place;
        }
        commit_order.iter_mut().for_each(|run| run.0 = moved[run.0]);
        let ledgers = sorted.into_iter().map(|(_, ledger)| ledger).collect();
        Self { ledgers, commit_order }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.ledgers.iter().map(|ledger| ledger.rows.len()).sum()
    }

    /// All rows in the order of the segment.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row<'a>> {
        self.ledgers.iter().flat_map(|ledger| ledger.rows.iter().copied())
    }
}
