//! What a memory store holds: the commits as they were appended, and the index derived from them.
//!
//! Only the commits are the truth. The index is what an opening would build, so that a test that
//! tampers with the commits sees what a real store would see after a restart.

use std::collections::{BTreeMap, HashMap};

use ledgerstone_proof::{
    EventId, Hash, HeaderFields, IngestedAt, Kind, SequenceNumber, TenantId, record_hash,
};

use super::tree::Tree;
use crate::batch::{AnchoredRound, Batch, LedgerAppend, NewRecord, SourceName, SourcePosition};
use crate::record::{Head, KeyGeneration, RecordSignature, StoredCheckpoint, StoredRecord};
use crate::retention::DropPlan;

/// One committed batch.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    pub runs: Vec<Run>,
    pub positions: Vec<(SourceName, SourcePosition)>,
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
    pub key_generation: KeyGeneration,
}

/// The consecutive records that one ledger gained in one commit, and what was claimed of their
/// surroundings.
#[derive(Clone, Debug)]
pub struct Run {
    pub tenant: TenantId,
    pub first: u64,
    /// `record_hash` of the record before the first.
    pub previous_hash: Hash,
    /// Frontier of the tree before the first record.
    pub range_before: Vec<Hash>,
    pub records: Vec<Record>,
    /// The head after the last record.
    pub head: Head,
}

/// One record as it lies in the store.
#[derive(Clone, Debug)]
pub struct Record {
    pub event_id: EventId,
    pub ingested_at: IngestedAt,
    pub kind: Kind,
    pub content_hash: Hash,
    pub leaf_hash: Hash,
    pub content: Option<Vec<u8>>,
    pub signature: Option<RecordSignature>,
}

impl From<NewRecord> for Record {
    fn from(record: NewRecord) -> Self {
        Self {
            event_id: record.event_id,
            ingested_at: record.ingested_at,
            kind: record.kind,
            content_hash: record.content_hash,
            leaf_hash: record.leaf_hash,
            content: Some(record.content),
            signature: record.signature,
        }
    }
}

/// Commits and the index over them.
#[derive(Debug, Default)]
pub(super) struct Medium {
    commits: Vec<Commit>,
    pub(super) ledgers: BTreeMap<TenantId, Ledger>,
    pub(super) positions: HashMap<SourceName, SourcePosition>,
    pub(super) records: u64,
    pub(super) key_generation: KeyGeneration,
}

/// What is derived for one ledger.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) head: Head,
    pub(super) ids: HashMap<EventId, SequenceNumber>,
    pub(super) tree: Tree,
    pub(super) checkpoints: Vec<StoredCheckpoint>,
    /// By sequence number; `None` where a tampered store has no such record.
    places: Vec<Option<Place>>,
}

/// Where a record lies, and what precedes it.
#[derive(Clone, Copy, Debug)]
struct Place {
    commit: usize,
    run: usize,
    record: usize,
    previous_hash: Hash,
}

impl Ledger {
    fn new() -> Self {
        Self {
            head: Head::empty(),
            ids: HashMap::new(),
            tree: Tree::default(),
            checkpoints: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Takes in one run that lies at (`commit`, `run_at`).
    fn take_run(&mut self, run: &Run, commit: usize, run_at: usize) {
        let mut previous_hash = run.previous_hash;
        let mut header = Vec::with_capacity(400);
        for ((record_at, record), number) in run.records.iter().enumerate().zip(run.first..) {
            let Some((at, sequence_number)) = place_of(number) else {
                return;
            };
            if self.places.len() <= at {
                self.places.resize(at + 1, None);
            }
            if let Some(place) = self.places.get_mut(at) {
                *place = Some(Place { commit, run: run_at, record: record_at, previous_hash });
            }
            if self.tree.size() == at {
                self.tree.push(record.leaf_hash);
            }
            self.ids.entry(record.event_id.clone()).or_insert(sequence_number);
            header.clear();
            header_fields(&run.tenant, sequence_number, record, &previous_hash)
                .write_canonical(&mut header);
            previous_hash = record_hash(&header);
        }
        self.head = run.head.clone();
    }

    /// The newest checkpoint and those kept for good stay; the others make room.
    fn take_checkpoint(&mut self, checkpoint: &StoredCheckpoint) {
        self.checkpoints.retain(|old| old.kept_for_good);
        self.checkpoints.push(checkpoint.clone());
        self.checkpoints.sort_by_key(|kept| kept.size);
    }
}

impl Medium {
    pub(super) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// Writes a batch whose expectations have been checked.
    pub(super) fn commit(&mut self, batch: Batch) {
        let commit = Commit {
            runs: batch.ledgers.into_iter().map(|append| self.run(append)).collect(),
            positions: batch
                .positions
                .into_iter()
                .map(|moved| (moved.source, moved.next))
                .collect(),
            checkpoints: batch
                .checkpoints
                .into_iter()
                .map(|new| StoredCheckpoint {
                    tenant: new.tenant,
                    size: new.size,
                    note: new.note,
                    kept_for_good: new.kept_for_good,
                })
                .collect(),
            anchored: batch.anchored,
            key_generation: batch.key_generation,
        };
        self.index(&commit, self.commits.len());
        self.commits.push(commit);
    }

    fn run(&self, append: LedgerAppend) -> Run {
        let range_before = self
            .ledgers
            .get(&append.tenant)
            .map(|ledger| ledger.head.range.hashes().to_vec())
            .unwrap_or_default();
        Run {
            tenant: append.tenant,
            first: append.expected.size,
            previous_hash: append.expected.record_hash,
            range_before,
            records: append.records.into_iter().map(Record::from).collect(),
            head: append.head,
        }
    }

    fn index(&mut self, commit: &Commit, commit_at: usize) {
        for (run_at, run) in commit.runs.iter().enumerate() {
            if run.records.is_empty() {
                continue;
            }
            self.records += run.records.len() as u64;
            self.ledgers
                .entry(run.tenant.clone())
                .or_insert_with(Ledger::new)
                .take_run(run, commit_at, run_at);
        }
        for checkpoint in &commit.checkpoints {
            self.ledgers
                .entry(checkpoint.tenant.clone())
                .or_insert_with(Ledger::new)
                .take_checkpoint(checkpoint);
        }
        self.positions.extend(commit.positions.iter().cloned());
        self.key_generation = self.key_generation.max(commit.key_generation);
    }

    /// Drops the contents of records of kinds that may lose them; answers how many there were.
    pub(super) fn drop_contents(&mut self, plan: &DropPlan) -> u64 {
        let mut dropped = 0;
        for run in self.commits.iter_mut().flat_map(|commit| &mut commit.runs) {
            let Some(numbers) = plan.numbers(&run.tenant) else {
                continue;
            };
            for (record, number) in run.records.iter_mut().zip(run.first..) {
                if record.kind != Kind::System && numbers.contains(number) {
                    dropped += u64::from(record.content.take().is_some());
                }
            }
        }
        dropped
    }

    /// Changes the commits behind the store's back and builds the index again, as an opening would.
    #[cfg(feature = "conformance")]
    pub(super) fn tamper(&mut self, change: impl FnOnce(&mut Vec<Commit>)) {
        let mut commits = std::mem::take(&mut self.commits);
        change(&mut commits);
        *self = Self::default();
        for (at, commit) in commits.iter().enumerate() {
            self.index(commit, at);
        }
        self.commits = commits;
    }

    /// The stored record, content and all; `None` where the ledger has no such record.
    pub(super) fn record(
        &self,
        tenant: &TenantId,
        ledger: &Ledger,
        sequence_number: SequenceNumber,
    ) -> Option<StoredRecord> {
        let at = usize::try_from(sequence_number.value()).ok()?;
        let place = (*ledger.places.get(at)?)?;
        let run = self.commits.get(place.commit)?.runs.get(place.run)?;
        let record = run.records.get(place.record)?;
        Some(StoredRecord {
            tenant: tenant.clone(),
            sequence_number,
            event_id: record.event_id.clone(),
            ingested_at: record.ingested_at,
            kind: record.kind,
            previous_hash: place.previous_hash,
            content_hash: record.content_hash,
            content: record.content.clone(),
            signature: record.signature.clone(),
        })
    }
}

fn place_of(number: u64) -> Option<(usize, SequenceNumber)> {
    Some((usize::try_from(number).ok()?, SequenceNumber::new(number).ok()?))
}

fn header_fields<'a>(
    tenant: &'a TenantId,
    sequence_number: SequenceNumber,
    record: &'a Record,
    previous_hash: &'a Hash,
) -> HeaderFields<'a> {
    HeaderFields {
        content_hash: &record.content_hash,
        event_id: record.event_id.as_str(),
        ingested_at: record.ingested_at,
        kind: record.kind,
        previous_hash,
        sequence_number,
        tenant_id: tenant.as_str(),
    }
}
