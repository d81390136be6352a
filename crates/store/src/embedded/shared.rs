//! What the threads of an open embedded store share: its state, and the locks around it.
//!
//! Lock order: `dropping`, `deriving`, `writer`, then `head`, then `state`. Nobody waits for a disk while holding `state`
//! for writing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ledgerstone_model::{Clock, Entropy};
use ledgerstone_proof::{Hash, IngestedAt, SigningKey, TenantId, VerifyingKey};

use super::StoreId;
use super::active::Ledger;
use super::binding::Binding;
use super::block_cache::BlockCache;
use super::files::{DataFile, Files};
use super::head_file::FramePlace;
use super::head_keeper::HeadKeeper;
use super::ids::{ActiveIds, IdHasher, IdTiers};
use super::layout::Layout;
use super::prepare::PreparedLog;
use super::segment::Segment;
use super::write::Writer;
use crate::batch::{AnchoredRound, SourceName, SourcePosition};
use crate::record::{ContainerFinding, KeyGeneration, StoredCheckpoint};

/// Limits and intervals of an embedded store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A log file is closed and sealed after this many records,
    pub segment_records: u64,
    /// or this many bytes of content,
    pub segment_content_bytes: u64,
    /// or this long after its first record.
    pub segment_age: Duration,
    /// Bytes written ahead for the first log file; each next one gets twice as much,
    pub log_bytes_first: u64,
    /// up to this many.
    pub log_bytes_max: u64,
    /// Unsealed log files at most; the writer waits for sealing beyond it. Every one of them is
    /// indexed in memory, up to twelve MiB each, and is replayed at an opening after a crash.
    pub unsealed_logs_max: usize,
    /// `HEAD` covers every acknowledged frame within this time.
    pub head_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_records: 65_536,
            segment_content_bytes: 64 << 20,
            segment_age: Duration::from_hours(24),
            log_bytes_first: 4 << 20,
            log_bytes_max: 72 << 20,
            unsealed_logs_max: 6,
            head_interval: Duration::from_millis(500),
        }
    }
}

/// Everything one open store is made of.
pub struct Shared {
    pub files: Files,
    pub layout: Layout,
    pub store: StoreId,
    pub options: Options,
    pub hasher: IdHasher,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Signs `HEAD` and what is derived from segments; a reader has none.
    pub key: Option<SigningKey>,
    /// Verifies what the store key signed, as `FORMAT` names it.
    pub verifier: VerifyingKey,
    pub state: RwLock<State>,
    /// `None` when the store was opened for reading.
    pub writer: Mutex<Option<Writer>>,
    pub head: Mutex<HeadKeeper>,
    pub signals: Signals,
    pub blocks: BlockCache,
    /// Held while contents are dropped, so that one drop ends before the next begins.
    pub dropping: Mutex<()>,
    /// Held while derived files are bound to segments, and while one segment takes another's place.
    pub deriving: Mutex<()>,
}

/// What the background threads are told.
#[derive(Default)]
pub struct Signals {
    pub state: Mutex<SignalState>,
    pub changed: Condvar,
    pub stopping: AtomicBool,
}

#[derive(Default)]
pub struct SignalState {
    /// The next log file, ready to be written.
    pub prepared: Option<PreparedLog>,
    /// Why the last attempt to prepare one failed.
    pub prepare_failed: Option<String>,
    pub next_log_number: u64,
    pub logs_made: u32,
    /// `HEAD` does not yet cover what has been written.
    pub head_behind: bool,
}

/// What is known of the records.
pub struct State {
    pub ledgers: HashMap<TenantId, Ledger>,
    pub segments: Vec<Arc<Segment>>,
    /// Unsealed log files, oldest first; the last one is being written.
    pub logs: VecDeque<Log>,
    pub ids: IdTiers,
    pub positions: BTreeMap<SourceName, SourcePosition>,
    pub checkpoints: HashMap<TenantId, Vec<StoredCheckpoint>>,
    pub records: u64,
    pub key_generation: KeyGeneration,
    /// The last durable frame.
    pub frame: FramePlace,
    pub segments_digest: Hash,
    /// What is wrong now, by component.
    pub degraded: BTreeMap<&'static str, String>,
    /// What was found wrong at opening.
    pub findings: Vec<ContainerFinding>,
    /// Damage, or the mode of opening, forbids writing.
    pub read_only: Option<String>,
    /// A write or sync failed, so that it is not known what is on the disk: nothing more is written.
    pub lost: Option<String>,
}

/// An unsealed log file.
pub struct Log {
    pub number: u64,
    pub file: Arc<DataFile>,
    pub first_ordinal: u64,
    pub records: u64,
    /// When its first record was ingested; `None` for logs that this process wrote.
    pub first_at: Option<IngestedAt>,
    pub last_frame: u64,
    /// Offset after the last frame.
    pub end: u64,
    /// Runs in commit order: ledger, first number, records.
    pub order: Vec<(TenantId, u64, u32)>,
    pub ids: ActiveIds,
    pub checkpoints: Vec<StoredCheckpoint>,
    pub anchored: Vec<AnchoredRound>,
    /// No more frames come; it waits to be sealed.
    pub full: bool,
}

impl Log {
    pub fn new(number: u64, file: Arc<DataFile>, first_ordinal: u64) -> Self {
        Self {
            number,
            file,
            first_ordinal,
            records: 0,
            first_at: None,
            last_frame: 0,
            end: super::frame::SECTOR as u64,
            order: Vec::new(),
            ids: ActiveIds::default(),
            checkpoints: Vec::new(),
            anchored: Vec::new(),
            full: false,
        }
    }
}

impl State {
    pub fn empty() -> Self {
        Self {
            ledgers: HashMap::new(),
            segments: Vec::new(),
            logs: VecDeque::new(),
            ids: IdTiers::default(),
            positions: BTreeMap::new(),
            checkpoints: HashMap::new(),
            records: 0,
            key_generation: KeyGeneration::default(),
            frame: FramePlace::default(),
            segments_digest: super::segment::list_digest([]),
            degraded: BTreeMap::new(),
            findings: Vec::new(),
            read_only: None,
            lost: None,
        }
    }

    /// Keeps a checkpoint: the newest of its ledger, and all that are kept for good.
    pub fn keep_checkpoint(&mut self, checkpoint: StoredCheckpoint) {
        let kept = self.checkpoints.entry(checkpoint.tenant.clone()).or_default();
        if let Some(same) = kept.iter_mut().find(|old| old.size == checkpoint.size) {
            let kept_for_good = same.kept_for_good || checkpoint.kept_for_good;
            *same = StoredCheckpoint { kept_for_good, ..checkpoint };
        } else {
            kept.push(checkpoint);
            kept.sort_by_key(|checkpoint| checkpoint.size);
        }
        let newest = kept.last().map(|checkpoint| checkpoint.size);
        kept.retain(|old| old.kept_for_good || Some(old.size) == newest);
    }
}

impl Shared {
    // A poisoned lock means that a thread panicked while it held it. State is only changed in
    // steps that do not panic half-way, so going on is safer than taking readers down too.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What binds derived files to these segments.
    pub fn binding(&self, segments: Vec<Arc<Segment>>) -> Binding {
        let (store, verifier, signer) = (self.store, self.verifier, self.key.clone());
        Binding { store, verifier, signer, segments }
    }

    pub fn signals(&self) -> MutexGuard<'_, SignalState> {
        lock(&self.signals.state)
    }

    /// Changes what the background threads look at, and wakes them.
    pub fn signal(&self, change: impl FnOnce(&mut SignalState)) {
        change(&mut self.signals());
        self.signals.changed.notify_all();
    }

    pub fn stopping(&self) -> bool {
        self.signals.stopping.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Says that a component is in trouble, or well again.
    pub fn set_degraded(&self, component: &'static str, trouble: Option<String>) {
        let mut state = self.write();
        match trouble {
            Some(trouble) => state.degraded.insert(component, trouble),
            None => state.degraded.remove(component),
        };
    }
}

/// Locks a mutex whose holder may have panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
