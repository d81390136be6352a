//! The next commit in the making: numbers, headers, hashes and tree, without lock, clock or store.
//!
//! A [`Tip`] is a ledger's head as it will be once everything sequenced so far is durable. Records
//! are placed on tips in the order of their arrival; when a commit fails, what was placed upon it is
//! placed again on the heads that hold.

mod closed;
mod tips;

use std::sync::Arc;

use ledgerstone_model::SealedEvent;
use ledgerstone_proof::{
    EventId, Hash, HeaderFields, IngestedAt, Kind, SequenceNumber, TenantId, leaf_hash, record_hash,
};
use ledgerstone_store::{
    AnchoredRound, ExpectedHead, Head, LedgerAppend, NewCheckpoint, NewRecord,
};

use crate::keys::RecordSigner;

pub(crate) use closed::{ClosedBatch, Completed, Failure};
pub(crate) use tips::{Tip, TipId, Tips};

/// Where a record of the batch came to stand.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) tip: TipId,
    pub(crate) tenant: TenantId,
    pub(crate) event_id: EventId,
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) content_hash: Hash,
    pub(crate) previous_hash: Hash,
    pub(crate) record_hash: Hash,
    pub(crate) ingested_at: IngestedAt,
    /// Index of its signature, where it is signed.
    signature: Option<usize>,
    /// Entry of its ledger in the batch.
    append: usize,
    /// Another writer recorded this id first, with that number; here is the content to compare.
    pub(crate) recorded_before: Option<(SequenceNumber, Vec<u8>)>,
}

/// What a record consists of before it has a place.
#[derive(Debug)]
pub(crate) struct Unplaced {
    pub(crate) event_id: EventId,
    pub(crate) kind: Kind,
    pub(crate) content_hash: Hash,
    pub(crate) content: Vec<u8>,
}

impl From<SealedEvent> for Unplaced {
    fn from(event: SealedEvent) -> Self {
        Self {
            event_id: event.event_id().clone(),
            kind: event.kind(),
            content_hash: *event.content_hash(),
            content: event.into_content(),
        }
    }
}

/// A header that waits for its signature.
#[derive(Debug)]
struct SigningJob {
    append: usize,
    record: usize,
    header: std::ops::Range<usize>,
    signer: Arc<RecordSigner>,
}

/// Records and whatever else waits for the next commit.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    number: u64,
    appends: Vec<LedgerAppend>,
    tips: Vec<TipId>,
    placed: Vec<Placed>,
    jobs: Vec<SigningJob>,
    /// Header bytes of the jobs, one after the other.
    headers: Vec<u8>,
    scratch: Vec<u8>,
    content_bytes: usize,
    holds_system_records: bool,
    pub(crate) checkpoints: Vec<NewCheckpoint>,
    pub(crate) anchored: Vec<AnchoredRound>,
}

impl OpenBatch {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            appends: Vec::new(),
            tips: Vec::new(),
            placed: Vec::new(),
            jobs: Vec::new(),
            headers: Vec::new(),
            scratch: Vec::with_capacity(512),
            content_bytes: 0,
            holds_system_records: false,
            checkpoints: Vec::new(),
            anchored: Vec::new(),
        }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn record_count(&self) -> usize {
        self.placed.len()
    }

    pub(crate) const fn content_bytes(&self) -> usize {
        self.content_bytes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.checkpoints.is_empty() && self.anchored.is_empty()
    }

    /// Ids of `system` records follow from their numbers, so a batch that holds any cannot be placed
    /// again elsewhere.
    pub(crate) const fn can_be_placed_again(&self) -> bool {
        !self.holds_system_records
    }

    /// Gives a record the next place in its ledger and answers its index in the batch.
    pub(crate) fn place(
        &mut self,
        id: TipId,
        tip: &mut Tip,
        record: Unplaced,
        now: IngestedAt,
        signer: Option<&Arc<RecordSigner>>,
    ) -> usize {
        self.holds_system_records |= record.kind == Kind::System;
        self.content_bytes += record.content.len();
        let index = self.placed.len();
        let append = self.seat(id, tip);
        let placed = self.put(append, id, tip, record, now, signer);
        self.placed.push(placed);
        index
    }

    /// The ledger's entry in this batch.
    fn seat(&mut self, id: TipId, tip: &mut Tip) -> usize {
        if let Some((number, append)) = tip.seat
            && number == self.number
        {
            return append;
        }
        let append = self.appends.len();
        self.appends.push(LedgerAppend {
            tenant: tip.tenant.clone(),
            expected: ExpectedHead::from(&tip.head),
            records: Vec::new(),
            head: Head::empty(),
        });
        self.tips.push(id);
        tip.seat = Some((self.number, append));
        append
    }

    fn put(
        &mut self,
        append: usize,
        id: TipId,
        tip: &mut Tip,
        record: Unplaced,
        now: IngestedAt,
        signer: Option<&Arc<RecordSigner>>,
    ) -> Placed {
        let previous_hash = tip.head.record_hash;
        let ingested_at = tip.next_time(now);
        let sequence_number = tip.next_number();
        self.scratch.clear();
        HeaderFields {
            content_hash: &record.content_hash,
            event_id: record.event_id.as_str(),
            ingested_at,
            kind: record.kind,
            previous_hash: &previous_hash,
            sequence_number,
            tenant_id: tip.tenant.as_str(),
        }
        .write_canonical(&mut self.scratch);
        let leaf = leaf_hash(&self.scratch);
        tip.head.record_hash = record_hash(&self.scratch);
        tip.head.range.push(leaf);
        tip.head.ingested_at = Some(ingested_at);
        let mut placed = Placed {
            tip: id,
            tenant: tip.tenant.clone(),
            event_id: record.event_id.clone(),
            sequence_number,
            content_hash: record.content_hash,
            previous_hash,
            record_hash: tip.head.record_hash,
            ingested_at,
            signature: None,
            append,
            recorded_before: None,
        };
        let Some(entry) = self.appends.get_mut(append) else {
            return placed;
        };
        if let Some(signer) = signer {
            let start = self.headers.len();
            self.headers.extend_from_slice(&self.scratch);
            placed.signature = Some(self.jobs.len());
            self.jobs.push(SigningJob {
                append,
                record: entry.records.len(),
                header: start..self.headers.len(),
                signer: Arc::clone(signer),
            });
        }
        entry.records.push(NewRecord {
            event_id: record.event_id,
            ingested_at,
            kind: record.kind,
            content_hash: record.content_hash,
            leaf_hash: leaf,
            record_hash: placed.record_hash,
            content: record.content,
            signature: None,
        });
        placed
    }

    /// Places every record again, in the same order, on tips that were loaded anew. `recorded` tells
    /// by index under which number another writer has meanwhile recorded the id.
    pub(crate) fn place_again(
        &mut self,
        tips: &mut Tips,
        signer_of: impl Fn(&Tip) -> Option<Arc<RecordSigner>>,
        recorded: impl Fn(usize) -> Option<SequenceNumber>,
    ) {
        let old = std::mem::take(&mut self.appends);
        let mut queues: Vec<_> = old.into_iter().map(|entry| entry.records.into_iter()).collect();
        let placed = std::mem::take(&mut self.placed);
        self.tips.clear();
        self.jobs.clear();
        self.headers.clear();
        for (index, before) in placed.into_iter().enumerate() {
            if before.recorded_before.is_some() {
                self.placed.push(before);
                continue;
            }
            let next = queues.get_mut(before.append).and_then(Iterator::next);
            let (Some(record), Some(tip)) = (next, tips.get_mut(before.tip)) else {
                self.placed.push(before);
                continue;
            };
            if let Some(number) = recorded(index) {
                let recorded_before = Some((number, record.content));
                self.placed.push(Placed { recorded_before, signature: None, ..before });
                continue;
            }
            let append = self.seat(before.tip, tip);
            let signer = signer_of(tip);
            let unplaced = Unplaced {
                event_id: record.event_id,
                kind: record.kind,
                content_hash: record.content_hash,
                content: record.content,
            };
            let at = before.ingested_at;
            let placed = self.put(append, before.tip, tip, unplaced, at, signer.as_ref());
            self.placed.push(placed);
        }
    }

    /// The ledgers that the batch's records stand in.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.appends.iter().map(|append| &append.tenant)
    }

    pub(crate) fn placed(&self) -> &[Placed] {
        &self.placed
    }

    /// Ends the gathering: takes the heads that the ledgers have with this batch.
    pub(crate) fn close(mut self, tips: &Tips) -> ClosedBatch {
        for (append, id) in self.appends.iter_mut().zip(&self.tips) {
            if let Some(tip) = tips.get(*id) {
                append.head = tip.head.clone();
            }
        }
        ClosedBatch { open: self, signatures: Vec::new() }
    }
}
