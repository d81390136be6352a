//! The order of a segment: runs as they were committed, put together by ledger.

use std::collections::HashMap;

use ledgerstone_proof::TenantId;

/// A row as far as its order needs it: where it stands in what the segment is made from, and how
/// much content it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRef {
    pub offset: u64,
    pub len: u32,
    pub content_len: u32,
}

/// The rows of one ledger, in sequence order.
#[derive(Debug)]
pub struct LedgerRows {
    pub tenant: TenantId,
    /// Sequence number of the first row.
    pub first: u64,
    pub rows: Vec<RowRef>,
}

/// The rows of a log file.
#[derive(Debug)]
pub struct OrderedRows {
    /// In the order of their names.
    pub ledgers: Vec<LedgerRows>,
    /// Runs as they were committed: place in `ledgers`, number of records.
    pub commit_order: Vec<(usize, usize)>,
}

/// Rows while the log file is read.
#[derive(Debug, Default)]
pub struct Ordering {
    places: HashMap<TenantId, usize>,
    ledgers: Vec<LedgerRows>,
    commit_order: Vec<(usize, usize)>,
}

impl Ordering {
    /// Adds a run, with the number of its first row. That it continues the one before it is not
    /// looked at here.
    pub fn add(&mut self, tenant: &TenantId, first: u64, rows: impl Iterator<Item = RowRef>) {
        let place = self.places.get(tenant).copied().unwrap_or(self.ledgers.len());
        if place == self.ledgers.len() {
            self.places.insert(tenant.clone(), place);
            self.ledgers.push(LedgerRows { tenant: tenant.clone(), first, rows: Vec::new() });
        }
        let ledger = &mut self.ledgers[place].rows;
        let before = ledger.len();
        ledger.extend(rows);
        self.commit_order.push((place, ledger.len() - before));
    }

    /// The rows in the order of the segment.
    pub fn finish(self) -> OrderedRows {
        let Self { ledgers, mut commit_order, .. } = self;
        let mut sorted: Vec<(usize, LedgerRows)> = ledgers.into_iter().enumerate().collect();
        sorted.sort_unstable_by(|(_, a), (_, b)| a.tenant.cmp(&b.tenant));
        let mut moved = vec![0; sorted.len()];
        for (place, (before, _)) in sorted.iter().enumerate() {
            moved[*before] = place;
        }
        commit_order.iter_mut().for_each(|run| run.0 = moved[run.0]);
        let ledgers = sorted.into_iter().map(|(_, ledger)| ledger).collect();
        OrderedRows { ledgers, commit_order }
    }
}

impl OrderedRows {
    /// Number of rows.
    pub fn count(&self) -> usize {
        self.ledgers.iter().map(|ledger| ledger.rows.len()).sum()
    }

    /// All rows in the order of the segment.
    pub fn rows(&self) -> impl Iterator<Item = &RowRef> {
        self.ledgers.iter().flat_map(|ledger| &ledger.rows)
    }
}
