//! Reading ledgers: what needs neither keys nor the right to write.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ledgerstone_model::system::{Genesis, KeyUse, PublicKey};
use ledgerstone_proof::{EventId, IngestedAt, KeyName, SequenceNumber, TenantId, VerifierKey};
use ledgerstone_store::{LedgerStore, ReadError, StoredCheckpoint, StoredRecord};

use crate::error::LedgerError;
use crate::follower::tiles::StoredTiles;
use crate::history::{SystemHistory, read_genesis};
use crate::receipt::{Compared, Receipt};
use crate::retention::{Dropped, RetentionIndex};

/// Records that a walk reads at first, for those who stop early.
const FIRST_PAGE: usize = 16;
/// Records that a walk reads at a time once it has gone on for a while.
const LARGEST_PAGE: usize = 512;

/// In which order records are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest record first.
    NewestFirst,
    /// By sequence number.
    Sequence,
}

/// Reads ledgers from a store.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn LedgerStore>,
    geneses: Arc<RwLock<HashMap<TenantId, Arc<Genesis>>>>,
    tiles: Option<StoredTiles>,
    runs: Arc<RetentionIndex>,
}

impl Reader {
    pub fn new(store: Arc<dyn LedgerStore>) -> Self {
        Self { store, geneses: Arc::default(), tiles: None, runs: Arc::default() }
    }

    /// Takes what tiles hold from there, where they are: proofs and tiles of large trees.
    #[must_use]
    pub fn with_tiles(self, tiles: StoredTiles) -> Self {
        Self { tiles: Some(tiles), ..self }
    }

    pub(crate) const fn stored_tiles(&self) -> Option<&StoredTiles> {
        self.tiles.as_ref()
    }

    pub fn store(&self) -> &dyn LedgerStore {
        &*self.store
    }

    /// What `_system` says about keys and tenants; reads all of it.
    pub fn history(&self) -> Result<SystemHistory, LedgerError> {
        SystemHistory::read(&*self.store)?.ok_or(LedgerError::NotCreated)
    }

    /// The ledgers there are, `_system` included, by name.
    pub fn tenants(&self) -> Result<Vec<TenantId>, LedgerError> {
        let mut tenants = self.store.ledgers()?;
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// The first record of a ledger: which ledger it is, and its first keys.
    pub fn genesis(&self, tenant: &TenantId) -> Result<Arc<Genesis>, LedgerError> {
        let known =
            self.geneses.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        if let Some(genesis) = known {
            return Ok(genesis);
        }
        let (genesis, _) = read_genesis(&*self.store, tenant)?
            .ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))?;
        let genesis = Arc::new(genesis);
        let mut known = self.geneses.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(tenant.clone(), Arc::clone(&genesis));
        Ok(genesis)
    }

    /// Number of records in a ledger.
    pub fn size(&self, tenant: &TenantId) -> Result<u64, LedgerError> {
        let head = self.store.head(tenant)?;
        head.map(|head| head.size()).ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))
    }

    /// The record with an id.
    pub fn get(&self, tenant: &TenantId, id: &EventId) -> Result<StoredRecord, LedgerError> {
        if let Some(number) = self.store.find(tenant, id)? {
            return self.record(tenant, number);
        }
        // An unknown tenant is told apart from an unknown event.
        self.size(tenant)?;
        Err(LedgerError::EventNotFound { tenant: tenant.clone(), id: id.clone() })
    }

    /// The first receipt of the event with an id.
    pub fn receipt(&self, tenant: &TenantId, id: &EventId) -> Result<Receipt, LedgerError> {
        self.get(tenant, id).map(|record| Receipt::of_stored(&record, Compared::Wholly))
    }

    /// The record with a number.
    pub fn record(
        &self,
        tenant: &TenantId,
        number: SequenceNumber,
    ) -> Result<StoredRecord, LedgerError> {
        if let Some(record) = self.store.read(tenant, number, 1)?.into_iter().next() {
            return Ok(record);
        }
        let (tenant, size) = (tenant.clone(), self.size(tenant)?);
        Err(LedgerError::RecordNotFound { tenant, number, size })
    }

    /// Why a record has no content; `None` where it has one.
    pub fn dropped(&self, record: &StoredRecord) -> Result<Option<Dropped>, LedgerError> {
        if record.content.is_some() {
            return Ok(None);
        }
        let (tenant, number) = (&record.tenant, record.sequence_number);
        let covering = self.runs.covering(&*self.store, tenant, number)?;
        // Nobody said that it goes.
        let lost = || LedgerError::Damaged {
            tenant: tenant.clone(),
            number,
            reason: "has lost its content",
        };
        covering.map(Some).ok_or_else(lost)
    }

    pub(crate) fn retention_index(&self) -> &RetentionIndex {
        &self.runs
    }

    /// Walks through a ledger as it is now. `from` is the first record wanted: by default number 0,
    /// or the newest. The walk ends with the first error.
    pub fn list(
        &self,
        tenant: &TenantId,
        order: Order,
        from: Option<SequenceNumber>,
    ) -> Result<Listing<'_>, LedgerError> {
        let size = self.size(tenant)?;
        let rest = match (order, from) {
            (Order::Sequence, from) => from.map_or(0, SequenceNumber::value)..size,
            (Order::NewestFirst, None) => 0..size,
            (Order::NewestFirst, Some(from)) => 0..size.min(from.next().value()),
        };
        Ok(self.walk(tenant, order, rest))
    }

    /// Walks through the records with these numbers, all of which must be there.
    pub fn walk(
        &self,
        tenant: &TenantId,
        order: Order,
        numbers: std::ops::Range<u64>,
    ) -> Listing<'_> {
        let tenant = tenant.clone();
        let (rest, page_size) = (numbers, FIRST_PAGE);
        Listing { store: &*self.store, tenant, order, rest, page_size, page: Vec::new() }
    }

    /// Number of the first of a ledger's first `size` records that was ingested at that time or
    /// later; `size` when there is none. Times never decrease within a ledger, so this reads as many
    /// records as `size` has binary digits.
    pub fn first_ingested_since(
        &self,
        tenant: &TenantId,
        size: u64,
        time: IngestedAt,
    ) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.record(tenant, number(middle))?.ingested_at < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The newest checkpoint that is kept of a ledger.
    pub fn newest_checkpoint(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<StoredCheckpoint>, LedgerError> {
        let kept = self.store.checkpoints(tenant)?;
        Ok(kept.into_iter().max_by_key(|checkpoint| checkpoint.size))
    }

    /// The public keys that may sign a ledger's checkpoints, oldest first, under its own name.
    pub fn log_keys(
        &self,
        tenant: &TenantId,
        history: &SystemHistory,
    ) -> Result<Vec<VerifierKey>, LedgerError> {
        Ok(log_keys_of(&*self.genesis(tenant)?, history))
    }
}

/// The log key that a ledger began with, and those that came after it, under the ledger's name.
pub(crate) fn log_keys_of(genesis: &Genesis, history: &SystemHistory) -> Vec<VerifierKey> {
    let name: &KeyName = genesis.log_key().name();
    let first = genesis.log_key().verifying_key();
    log_keys_named(name, history).skip_while(|key| key.verifying_key() != first).collect()
}

/// Every log key there was, oldest first, under the name of a ledger.
pub(crate) fn log_keys_named<'a>(
    name: &'a KeyName,
    history: &'a SystemHistory,
) -> impl Iterator<Item = VerifierKey> + 'a {
    let keys = history.keys().iter().filter(|period| period.usage == KeyUse::Log);
    keys.filter_map(|period| match &period.key {
        PublicKey::Ed25519(key) => Some(VerifierKey::new_ed25519(name.clone(), key)),
        PublicKey::Rsa(_) => None,
    })
}

/// A walk through a ledger.
pub struct Listing<'a> {
    store: &'a dyn LedgerStore,
    tenant: TenantId,
    order: Order,
    /// Numbers that are not yet read.
    rest: std::ops::Range<u64>,
    page_size: usize,
    /// Records that are read but not yet given, the next one last.
    page: Vec<StoredRecord>,
}

impl Listing<'_> {
    fn read_page(&mut self) -> Result<(), ReadError> {
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let wanted = self.page_size.min(left);
        self.page_size = (2 * self.page_size).min(LARGEST_PAGE);
        let start = match self.order {
            Order::Sequence => self.rest.start,
            Order::NewestFirst => self.rest.end - wanted as u64,
        };
        let mut page = Vec::with_capacity(wanted);
        while page.len() < wanted {
            let from = number(start + page.len() as u64);
            let records = self.store.read(&self.tenant, from, wanted - page.len())?;
            if records.is_empty() {
                return Err(ReadError::Damaged {
                    tenant: self.tenant.clone(),
                    sequence_number: Some(from),
                    reason: "it is missing".to_owned(),
                });
            }
            page.extend(records);
        }
        match self.order {
            Order::Sequence => {
                self.rest.start += wanted as u64;
                page.reverse();
            }
            Order::NewestFirst => self.rest.end = start,
        }
        self.page = page;
        Ok(())
    }
}

impl Iterator for Listing<'_> {
    type Item = Result<StoredRecord, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.rest.is_empty()
            && let Err(error) = self.read_page()
        {
            self.rest = 0..0;
            return Some(Err(error.into()));
        }
        self.page.pop().map(Ok)
    }
}

fn number(value: u64) -> SequenceNumber {
    SequenceNumber::new(value).unwrap_or(SequenceNumber::MAX)
}
