//! A store in memory: the contract in its plainest form, for tests and for what need not last.
//!
//! Its medium outlives the store: [`MemoryStore::reopen`] gives a new store over the same commits,
//! as a process finds its files after a restart.

mod medium;
mod tree;

use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ledgerstone_proof::{EventId, Hash, NodeAddress, SequenceNumber, TenantId, sha256};

use crate::batch::{Batch, LedgerAppend, SourceName, SourcePosition};
use crate::contract::{
    Changes, Cursor, Inspector, LedgerStore, Part, PartContents, RunClaims, RunRecord, StoreStatus,
    Wanted,
};
use crate::error::{AppendError, Moved, ReadError};
use crate::record::{ContainerFinding, Head, Location, StoredCheckpoint, StoredRecord};
use crate::retention::{DropError, DropPlan, DropReport, RetentionStore};

#[cfg(feature = "conformance")]
pub use medium::{Commit, Record, Run};
#[cfg(not(feature = "conformance"))]
use medium::{Commit, Record, Run};
use medium::{Ledger, Medium};

/// Commits in one part: enough that parts are few, few enough that they are worth sharing out.
const COMMITS_PER_PART: usize = 1_000;

/// Records shown to an inspector at a time.
const RECORDS_PER_CALL: usize = 1_024;

/// A [`LedgerStore`] that keeps everything in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    medium: Arc<RwLock<Medium>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new store over the same commits, as after a restart.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self { medium: Arc::clone(&self.medium) }
    }

    /// Changes what was committed, behind the store's back: the door for tests of attacks. The
    /// index is built again from the changed commits, as an opening would build it.
    #[cfg(feature = "conformance")]
    pub fn tamper(&self, change: impl FnOnce(&mut Vec<Commit>)) {
        self.write().tamper(change);
    }

    // A panic under the lock cannot leave a half-written medium: a commit is pushed last, and what
    // the index then holds of it is overwritten by the next. So a poisoned lock is taken as is.
    fn read_lock(&self) -> RwLockReadGuard<'_, Medium> {
        self.medium.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Medium> {
        self.medium.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LedgerStore for MemoryStore {
    fn append(&self, batch: &Batch) -> Result<(), AppendError> {
        let mut medium = self.write();
        batch.check_form()?;
        refuse_moved(&medium, batch)?;
        medium.commit(batch.clone());
        Ok(())
    }

    fn ledgers(&self) -> Result<Vec<TenantId>, ReadError> {
        let medium = self.read_lock();
        let written = medium.ledgers.iter().filter(|(_, ledger)| ledger.head.size() > 0);
        Ok(written.map(|(tenant, _)| tenant.clone()).collect())
    }

    fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        let medium = self.read_lock();
        let head = medium.ledgers.get(tenant).map(|ledger| ledger.head.clone());
        Ok(head.filter(|head| head.size() > 0))
    }

    fn find(
        &self,
        tenant: &TenantId,
        event_id: &EventId,
    ) -> Result<Option<SequenceNumber>, ReadError> {
        let medium = self.read_lock();
        Ok(medium.ledgers.get(tenant).and_then(|ledger| ledger.ids.get(event_id).copied()))
    }

    fn read(
        &self,
        tenant: &TenantId,
        from: SequenceNumber,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let medium = self.read_lock();
        let Some(ledger) = medium.ledgers.get(tenant) else {
            return Ok(Vec::new());
        };
        (from.value()..ledger.head.size())
            .take(limit)
            .map(|number| checked_record(&medium, tenant, ledger, number))
            .collect()
    }

    fn node(&self, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
        let medium = self.read_lock();
        let ledger = medium.ledgers.get(tenant);
        if let Some(hash) = ledger.and_then(|ledger| ledger.tree.node(node)) {
            return Ok(hash);
        }
        let size = ledger.map_or(0, |ledger| ledger.head.size());
        Err(match first_leaf_beyond(node, size) {
            Some(what) => ReadError::Io { what, source: io::ErrorKind::InvalidInput.into() },
            None => damaged(tenant, None, "leaf hashes are missing"),
        })
    }

    fn changes(&self, cursor: &Cursor, limit: usize, wanted: Wanted) -> Result<Changes, ReadError> {
        let medium = self.read_lock();
        let mut at = parse_cursor(cursor)?;
        let (mut records, mut seen) = (Vec::new(), 0);
        while let Some(commit) = medium.commits().get(at) {
            if seen > 0 && seen >= limit {
                break;
            }
            for run in &commit.runs {
                read_run(&medium, run, wanted, &mut records)?;
                seen += run.records.len();
            }
            at += 1;
        }
        let next = if at == 0 { cursor.clone() } else { Cursor((at as u64).to_be_bytes().into()) };
        Ok(Changes { records, next })
    }

    fn checkpoints(&self, tenant: &TenantId) -> Result<Vec<StoredCheckpoint>, ReadError> {
        let medium = self.read_lock();
        Ok(medium.ledgers.get(tenant).map(|ledger| ledger.checkpoints.clone()).unwrap_or_default())
    }

    fn position(&self, source: &SourceName) -> Result<Option<SourcePosition>, ReadError> {
        Ok(self.read_lock().positions.get(source).copied())
    }

    fn status(&self) -> StoreStatus {
        let medium = self.read_lock();
        StoreStatus {
            records: medium.records,
            ledgers: medium.ledgers.values().filter(|ledger| ledger.head.size() > 0).count() as u64,
            key_generation: medium.key_generation,
            protection: "volatile",
            ..StoreStatus::default()
        }
    }

    fn parts(&self) -> Result<(Vec<Part>, Vec<ContainerFinding>), ReadError> {
        let medium = self.read_lock();
        let chunks = medium.commits().chunks(COMMITS_PER_PART);
        let parts = chunks.zip(0..).map(|(commits, id)| part(id, commits)).collect();
        Ok((parts, Vec::new()))
    }

    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
        let medium = self.read_lock();
        let chunk = usize::try_from(part.id)
            .ok()
            .and_then(|id| medium.commits().chunks(COMMITS_PER_PART).nth(id))
            .unwrap_or_default();
        for run in chunk.iter().flat_map(|commit| &commit.runs) {
            if !run.records.is_empty() && inspector.wants(&run.tenant) {
                show(run, inspector)?;
            }
        }
        Ok(())
    }
}

impl RetentionStore for MemoryStore {
    fn drop_contents(&self, plan: &DropPlan) -> Result<DropReport, DropError> {
        let dropped = self.write().drop_contents(plan);
        Ok(DropReport { dropped, ..DropReport::default() })
    }

    /// Everything can be dropped at any time.
    fn settle(&self) -> Result<(), DropError> {
        Ok(())
    }
}

/// The compare of compare-and-swap.
fn refuse_moved(medium: &Medium, batch: &Batch) -> Result<(), AppendError> {
    for LedgerAppend { tenant, expected, .. } in &batch.ledgers {
        let head = medium.ledgers.get(tenant).map(|ledger| &ledger.head);
        let size = head.map_or(0, Head::size);
        let record_hash = head.map_or(Hash::ZERO, |head| head.record_hash);
        if expected.size != size || expected.record_hash != record_hash {
            return Err(AppendError::Conflict { what: Moved::Head(tenant.clone()) });
        }
    }
    for moved in &batch.positions {
        if medium.positions.get(&moved.source).copied() != moved.expected {
            return Err(AppendError::Conflict { what: Moved::Position(moved.source.clone()) });
        }
    }
    Ok(())
}

fn checked_record(
    medium: &Medium,
    tenant: &TenantId,
    ledger: &Ledger,
    number: u64,
) -> Result<StoredRecord, ReadError> {
    let Ok(sequence_number) = SequenceNumber::new(number) else {
        return Err(damaged(tenant, None, "the ledger claims more records than can be numbered"));
    };
    let Some(record) = medium.record(tenant, ledger, sequence_number) else {
        return Err(damaged(tenant, Some(sequence_number), "it is missing"));
    };
    match &record.content {
        Some(content) if sha256(content) != record.content_hash => Err(damaged(
            tenant,
            Some(sequence_number),
            "its content does not have its content hash",
        )),
        _ => Ok(record),
    }
}

fn damaged(tenant: &TenantId, sequence_number: Option<SequenceNumber>, reason: &str) -> ReadError {
    ReadError::Damaged { tenant: tenant.clone(), sequence_number, reason: reason.to_owned() }
}

/// Says so when a subtree does not lie within a tree of this size.
fn first_leaf_beyond(node: NodeAddress, size: u64) -> Option<String> {
    let end = (u128::from(node.index) + 1) << u32::from(node.level.min(63));
    (end > u128::from(size)).then(|| {
        format!("node {} of level {}, which a tree of {size} leaves lacks", node.index, node.level)
    })
}

/// A cursor is the number of commits already seen, eight bytes; empty is none.
fn parse_cursor(cursor: &Cursor) -> Result<usize, ReadError> {
    if cursor.0.is_empty() {
        return Ok(0);
    }
    <[u8; 8]>::try_from(cursor.0.as_slice())
        .ok()
        .and_then(|bytes| usize::try_from(u64::from_be_bytes(bytes)).ok())
        .ok_or_else(|| ReadError::Io {
            what: "changes after a cursor that this store never gave".to_owned(),
            source: io::ErrorKind::InvalidInput.into(),
        })
}

fn read_run(
    medium: &Medium,
    run: &Run,
    wanted: Wanted,
    out: &mut Vec<StoredRecord>,
) -> Result<(), ReadError> {
    let Some(ledger) = medium.ledgers.get(&run.tenant) else {
        return Ok(());
    };
    for (record, number) in run.records.iter().zip(run.first..) {
        if wanted.has(record.kind) {
            out.push(checked_record(medium, &run.tenant, ledger, number)?);
        }
    }
    Ok(())
}

fn part(id: u64, commits: &[Commit]) -> Part {
    let runs = commits.iter().flat_map(|commit| &commit.runs);
    Part {
        id,
        records: runs.map(|run| run.records.len() as u64).sum(),
        behind_damage: false,
        superseded: Vec::new(),
        location: Location::default(),
        fixed: None,
        contents: PartContents {
            checkpoints: commits.iter().flat_map(|commit| commit.checkpoints.clone()).collect(),
            anchored: commits.iter().flat_map(|commit| commit.anchored.clone()).collect(),
        },
    }
}

fn show(run: &Run, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
    let Ok(first) = SequenceNumber::new(run.first) else {
        return Err(damaged(&run.tenant, None, "a run of records has an impossible number"));
    };
    inspector.begin_run(&RunClaims {
        tenant: &run.tenant,
        first,
        count: run.records.len() as u64,
        previous_hash: run.previous_hash,
        range_before: Some(&run.range_before),
        last_record_hash: run.head.record_hash,
        root_after: Some(run.head.range.root()),
        offset: 0,
    });
    for records in run.records.chunks(RECORDS_PER_CALL) {
        let shown: Vec<RunRecord<'_>> = records.iter().map(Record::as_run_record).collect();
        inspector.records(&shown);
    }
    inspector.end_run();
    Ok(())
}

impl Record {
    fn as_run_record(&self) -> RunRecord<'_> {
        RunRecord {
            event_id: self.event_id.as_str(),
            ingested_at: self.ingested_at,
            kind: self.kind,
            content_hash: self.content_hash,
            leaf_hash: self.leaf_hash,
            content: self.content.as_deref(),
            signature: self
                .signature
                .as_ref()
                .map(|signature| (&signature.key_id, signature.bytes.as_slice())),
            offset: 0,
        }
    }
}
