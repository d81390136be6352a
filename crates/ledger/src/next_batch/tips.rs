//! The ends of ledgers, records that are not yet durable included.

use std::collections::HashMap;

use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::Head;

/// A loaded ledger's place in [`Tips`]; it stays the same while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TipId(u32);

/// The end of a ledger, records that are not yet durable included.
#[derive(Debug)]
pub(crate) struct Tip {
    pub(crate) tenant: TenantId,
    pub(crate) head: Head,
    /// While the record key is being replaced: whether this ledger has announced the new one.
    pub(crate) announced: bool,
    /// The ledger's entry in the batch of that number.
    pub(super) seat: Option<(u64, usize)>,
}

impl Tip {
    pub(crate) const fn new(tenant: TenantId, head: Head, announced: bool) -> Self {
        Self { tenant, head, announced, seat: None }
    }

    /// The number of the next record.
    pub(crate) fn next_number(&self) -> SequenceNumber {
        SequenceNumber::new(self.head.size()).unwrap_or(SequenceNumber::MAX)
    }

    /// The time the next record gets when the clock shows `now`.
    pub(crate) fn next_time(&self, now: IngestedAt) -> IngestedAt {
        self.head.ingested_at.map_or(now, |last| last.max(now))
    }
}

/// The tips of all ledgers that were written to since the heads were last in doubt.
#[derive(Debug, Default)]
pub(crate) struct Tips {
    ids: HashMap<TenantId, TipId>,
    loaded: Vec<Option<Tip>>,
    /// Counts how often the tips were dropped, so that a head read before is not taken for one read
    /// after.
    epoch: u64,
}

impl Tips {
    pub(crate) fn find(&self, tenant: &TenantId) -> Option<TipId> {
        let id = *self.ids.get(tenant)?;
        self.get(id).map(|_| id)
    }

    pub(crate) fn get(&self, id: TipId) -> Option<&Tip> {
        self.loaded.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: TipId) -> Option<&mut Tip> {
        self.loaded.get_mut(id.0 as usize)?.as_mut()
    }

    /// Adds a tip; one that is there already is newer and stays.
    pub(crate) fn insert(&mut self, tip: Tip) -> TipId {
        let next = TipId(u32::try_from(self.loaded.len()).unwrap_or(u32::MAX));
        let id = *self.ids.entry(tip.tenant.clone()).or_insert(next);
        if id == next {
            self.loaded.push(Some(tip));
        } else if let Some(place @ None) = self.loaded.get_mut(id.0 as usize) {
            *place = Some(tip);
        }
        id
    }

    pub(crate) fn each(&mut self, change: impl FnMut(&mut Tip)) {
        self.loaded.iter_mut().flatten().for_each(change);
    }

    /// Forgets every head. Ids keep their meaning.
    pub(crate) fn drop_all(&mut self) {
        self.loaded.iter_mut().for_each(|tip| *tip = None);
        self.epoch += 1;
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }
}
