//! What all threads of a verification share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_proof::TenantId;
use ledgerstone_store::LedgerStore;

use super::event_ids::IdHashes;
use super::options::{Level, Progress, VerifyOptions};
use super::signatures::RecordKeys;

/// Records between two calls of the progress function.
const PROGRESS_STEP: u64 = 16_384;

/// What all threads of a verification share.
pub(super) struct Context<'a> {
    store: &'a dyn LedgerStore,
    options: &'a VerifyOptions,
    wanted: HashMap<TenantId, Vec<u64>>,
    record_keys: RecordKeys,
    id_hashes: IdHashes,
    progress: &'a (dyn Fn(Progress) + Sync),
    done: AtomicU64,
    total: u64,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        store: &'a dyn LedgerStore,
        options: &'a VerifyOptions,
        progress: &'a (dyn Fn(Progress) + Sync),
        total: u64,
    ) -> Self {
        Self {
            store,
            options,
            wanted: HashMap::new(),
            record_keys: RecordKeys::default(),
            id_hashes: IdHashes::new(store, total, options.ids_at_once),
            progress,
            done: AtomicU64::new(0),
            total,
        }
    }

    /// Asks for the tree of a ledger at these sizes.
    pub(super) fn want(&mut self, sizes: impl IntoIterator<Item = (TenantId, u64)>) {
        for (tenant, size) in sizes {
            if self.options.wants(&tenant) {
                self.wanted.entry(tenant).or_default().push(size);
            }
        }
        for sizes in self.wanted.values_mut() {
            sizes.sort_unstable();
            sizes.dedup();
        }
    }

    pub(super) fn set_record_keys(&mut self, keys: RecordKeys) {
        self.record_keys = keys;
    }

    pub(super) const fn store(&self) -> &'a dyn LedgerStore {
        self.store
    }

    pub(super) const fn options(&self) -> &'a VerifyOptions {
        self.options
    }

    pub(super) const fn level(&self) -> Level {
        self.options.level
    }

    pub(super) const fn record_keys(&self) -> &RecordKeys {
        &self.record_keys
    }

    pub(super) const fn id_hashes(&self) -> &IdHashes {
        &self.id_hashes
    }

    /// Whether the ids of a ledger are compared with one another: all of them are read.
    pub(super) fn wants_ids(&self, tenant: &TenantId) -> bool {
        self.wants(tenant) && self.options.reads_whole(tenant)
    }

    pub(super) fn wants(&self, tenant: &TenantId) -> bool {
        self.options.wants(tenant)
    }

    pub(super) fn wants_run(&self, tenant: &TenantId, first: u64, end: u64) -> bool {
        self.options.wants_run(tenant, first, end)
    }

    /// The smallest wanted size above `size`.
    pub(super) fn next_wanted(&self, tenant: &TenantId, size: u64) -> Option<u64> {
        let sizes = self.wanted.get(tenant)?;
        sizes.get(sizes.partition_point(|wanted| *wanted <= size)).copied()
    }

    /// Counts records, for the progress function.
    pub(super) fn advance(&self, records: u64) {
        let before = self.done.fetch_add(records, Ordering::Relaxed);
        let after = before + records;
        if before / PROGRESS_STEP != after / PROGRESS_STEP || after >= self.total {
            (self.progress)(Progress { records: after, total: self.total });
        }
    }
}
