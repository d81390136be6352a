//! What the writer of a segment is given and told about records that somebody has changed.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use ledgerstone_proof::{CompactRange, Hash, TenantId};

use super::Container;
use crate::batch::{NewCheckpoint, NewRecord, PositionMove, SourceName, SourcePosition};
use crate::embedded::payload::{Row, RowPlace};
use crate::embedded::segment::{LedgerRows, LedgerStart, RowRef, RowSource, SealingKnowledge};
use crate::record::StoredCheckpoint;

/// What the writer of a segment asks, answered from the containers as they are now.
#[derive(Default)]
pub struct Forged {
    starts: HashMap<TenantId, LedgerStart>,
    hashes: HashMap<TenantId, Vec<Hash>>,
    leaves: HashMap<TenantId, Vec<Hash>>,
}

impl Forged {
    pub fn begin(&mut self, container: &Container) {
        for append in container.batches.iter().flat_map(|batch| &batch.ledgers) {
            let hashes = self.hashes.entry(append.tenant.clone()).or_default();
            hashes.extend(append.records.iter().map(|record| record.record_hash));
            let leaves = self.leaves.entry(append.tenant.clone()).or_default();
            leaves.extend(append.records.iter().map(|record| record.leaf_hash));
        }
    }

    pub fn end(&mut self) {
        for (tenant, leaves) in self.leaves.drain() {
            let hashes = self.hashes.get(&tenant);
            let start = self.starts.entry(tenant).or_insert_with(ledger_start);
            for leaf in leaves {
                start.range.push(leaf);
            }
            start.record_hash = hashes.and_then(|all| all.last()).copied().unwrap_or(Hash::ZERO);
        }
    }
}

fn ledger_start() -> LedgerStart {
    LedgerStart { range: CompactRange::new(), record_hash: Hash::ZERO }
}

impl SealingKnowledge for Forged {
    fn start_of(&self, tenant: &TenantId) -> LedgerStart {
        self.starts.get(tenant).cloned().unwrap_or_else(ledger_start)
    }

    fn record_hash(&self, tenant: &TenantId, number: u64) -> Option<Hash> {
        self.hashes.get(tenant)?.get(usize::try_from(number).ok()?).copied()
    }
}

pub fn next_of(moved: &PositionMove) -> (SourceName, SourcePosition) {
    (moved.source.clone(), moved.next)
}

pub fn stored_of(new: &NewCheckpoint) -> StoredCheckpoint {
    let NewCheckpoint { tenant, size, note, kept_for_good } = new.clone();
    StoredCheckpoint { tenant, size, note, kept_for_good }
}

/// Records as a segment's writer reads them; where one stands is its place among them.
pub struct RecordsOf<'a>(pub Vec<&'a NewRecord>);

impl<'a> RecordsOf<'a> {
    pub fn add(&mut self, record: &'a NewRecord) -> RowRef {
        self.0.push(record);
        let offset = self.0.len() as u64 - 1;
        RowRef { offset, len: 0, content_len: record.content.len() as u32 }
    }

    fn get(&self, row: &RowRef) -> io::Result<Row<'_>> {
        let record = usize::try_from(row.offset).ok().and_then(|place| self.0.get(place));
        record.map(|record| row_of(record)).ok_or_else(|| io::Error::other("no such record"))
    }
}

impl RowSource for RecordsOf<'_> {
    fn row(&mut self, row: &RowRef) -> io::Result<Row<'_>> {
        self.get(row)
    }

    fn block(&mut self, ledger: &LedgerRows, block: Range<usize>) -> io::Result<Vec<Row<'_>>> {
        let refs = ledger.rows.get(block).unwrap_or_default();
        refs.iter().map(|row| self.get(row)).collect()
    }
}

fn row_of(record: &NewRecord) -> Row<'_> {
    let signature = record.signature.as_ref();
    Row {
        kind: record.kind,
        ingested_at: record.ingested_at,
        event_id: record.event_id.as_str(),
        content_hash: record.content_hash,
        leaf_hash: record.leaf_hash,
        signature: signature.map(|signed| (signed.key_id.clone(), signed.bytes.as_slice())),
        content: &record.content,
        place: RowPlace { offset: 0, len: 0 },
    }
}
