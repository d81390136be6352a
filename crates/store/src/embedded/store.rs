//! An open embedded store: the contract over the parts, and the life of its threads.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ledgerstone_model::{Clock, Entropy, ErrorCode};
use ledgerstone_proof::{
    EventId, Hash, NodeAddress, SequenceNumber, SigningKey, TenantId, VerifyingKey,
};

use super::block_cache::BlockCache;
use super::files::Files;
use super::format_file::FormatFile;
use super::head_file::{BLOCK_BYTES, HeadFile};
use super::head_keeper::{HeadKeeper, write_head};
use super::ids::IdHasher;
use super::layout::Layout;
use super::load::{self, Loaded};
use super::open::{self, Mode, OpenError, OpeningReport};
use super::shared::{Options, Shared, Signals, State, lock};
use super::sizes::{self, SealedSizes};
use super::{
    StoreId, head_keeper, prepare, read, retention, seal, sealed_load, store_key, take_over, tree,
    verify, write, writer_lock,
};
use crate::batch::{Batch, SourceName, SourcePosition};
use crate::contract::{Changes, Cursor, Inspector, LedgerStore, Part, StoreStatus, Wanted};
use crate::error::{AppendError, ReadError};
use crate::record::{Head, StoredCheckpoint, StoredRecord};
use crate::retention::{DropError, DropPlan, DropReport, RetentionStore};

/// A store in one directory.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    report: OpeningReport,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held as long as the store may be written.
    lock: Option<std::fs::File>,
}

impl EmbeddedStore {
    /// Makes a new data directory: format, store key, first log file, `HEAD`. Where a creation was
    /// stopped before its end, it begins again.
    pub fn create(
        path: &Path,
        options: Options,
        files: Files,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let layout = Layout::new(path);
        let lock_file = open::prepare_place(&files, &layout)?;
        let made = |what: &str| {
            let what = format!("{what} in {} failed", path.display());
            move |error| OpenError::io(what, error)
        };
        for directory in layout.directories() {
            super::files::make_directory(&directory).map_err(made("making a directory"))?;
        }
        let mut id = [0; 16];
        entropy.fill(&mut id);
        let store = StoreId::from_bytes(id);
        let key = store_key::create(&files, &layout, &*entropy).map_err(made("writing a key"))?;
        let head = files.create(&layout.head()).map_err(made("making HEAD"))?;
        head.fill_with_zeros(0, 2 * BLOCK_BYTES as u64).map_err(made("making HEAD"))?;
        let keys = (Some(key.clone()), key.verifying_key());
        let shared = shared(layout, store, keys, options, files, clock, entropy);
        lock(&shared.head).file = Some(head);
        let first = prepare::prepare(&shared, 1, 0).map_err(made("making the first log"))?;
        let nothing = Loaded {
            report: OpeningReport::default(),
            head: None,
            logs: Vec::new(),
            prepared: Some(first),
            leftovers: Vec::new(),
            unfinished: Vec::new(),
        };
        let (writer, loaded) = take_over::take_over(&shared, nothing)?;
        *lock(&shared.writer) = Some(writer);
        for _ in 0..2 {
            write_head(&shared, false).map_err(made("writing HEAD"))?;
        }
        // FORMAT comes last: a directory without it is not a data directory yet.
        let format = open::format_of(store, key.verifying_key()).encode();
        shared
            .files
            .replace(&shared.layout.format(), format.as_bytes(), 0o440)
            .map_err(made("writing FORMAT"))?;
        open::sync_parent(&shared.files, path).map_err(made("syncing the directory above"))?;
        Self::start(shared, loaded.report, Some(lock_file))
    }

    /// Opens a data directory.
    pub fn open(
        path: &Path,
        mode: Mode,
        options: Options,
        files: Files,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let layout = Layout::new(path);
        let format = open::read_format(&layout)?;
        let key = match mode {
            Mode::Write => Some(store_key::load(&layout)?.ok_or(OpenError::KeyMissing)?),
            // Whoever only reads needs no key, nor the right to read it.
            Mode::Read => None,
        };
        if key.as_ref().is_some_and(|key| key.verifying_key() != format.store_key) {
            return Err(OpenError::KeyMismatch);
        }
        let keys = (key, format.store_key);
        let shared = shared(layout, format.store, keys, options, files, clock, entropy);
        match mode {
            Mode::Write => Self::open_for_writing(shared, &format),
            Mode::Read => Self::open_for_reading(shared, &format),
        }
    }

    fn open_for_writing(shared: Arc<Shared>, format: &FormatFile) -> Result<Self, OpenError> {
        let lock_file = writer_lock::take_lock(&shared.layout)?;
        let (mut state, loaded) = load::load(&shared, &format.store_key, false)?;
        sealed_load::load_ids_or_tell(&shared, &mut state, true);
        *shared.write() = state;
        if loaded.report.read_only.is_some() {
            return Self::start(shared, loaded.report, Some(lock_file));
        }
        open_head(&shared, format)?;
        let (writer, loaded) = take_over::take_over(&shared, loaded)?;
        shared.signals().prepared = loaded.prepared;
        *lock(&shared.writer) = Some(writer);
        // Both blocks: a damaged one is replaced, and what was recovered is covered.
        for _ in 0..2 {
            write_head(&shared, false)
                .map_err(|error| OpenError::io("writing HEAD failed", error))?;
        }
        let heads =
            |finding: &crate::record::ContainerFinding| finding.location.file == Path::new("HEAD");
        shared.write().findings.retain(|finding| !heads(finding));
        Self::start(shared, loaded.report, Some(lock_file))
    }

    fn open_for_reading(shared: Arc<Shared>, format: &FormatFile) -> Result<Self, OpenError> {
        let (mut state, mut loaded) = load::load_for_reading(&shared, &format.store_key)?;
        if !loaded.report.living_writer {
            take_over::sync_logs(&loaded)?;
        }
        loaded.report.torn = take_over::torn_of(&shared, &loaded);
        sealed_load::load_ids_or_tell(&shared, &mut state, false);
        *shared.write() = state;
        Ok(Self { shared, report: loaded.report, threads: Mutex::default(), lock: None })
    }

    /// Starts the background threads of a store that may be written.
    fn start(
        shared: Arc<Shared>,
        report: OpeningReport,
        lock_file: Option<std::fs::File>,
    ) -> Result<Self, OpenError> {
        let store = Self { shared, report, threads: Mutex::default(), lock: lock_file };
        if lock(&store.shared.writer).is_none() {
            return Ok(store);
        }
        let written = store.shared.read().logs.back().map_or(0, |log| log.number);
        store.shared.signal(|signals| {
            let last = signals.prepared.as_ref().map_or(written, |prepared| prepared.number);
            signals.next_log_number = last + 1;
            // Early log files are short, whichever process makes them.
            signals.logs_made = u32::try_from(last).unwrap_or(u32::MAX);
        });
        for (name, run) in THREADS {
            let shared = store.shared.clone();
            let handle = std::thread::Builder::new()
                .name((*name).to_owned())
                .spawn(move || run(&shared))
                .map_err(|error| OpenError::io("starting a thread failed", error))?;
            lock(&store.threads).push(handle);
        }
        Ok(store)
    }

    /// What opening found.
    pub fn report(&self) -> &OpeningReport {
        &self.report
    }

    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    /// The key that verifies `HEAD`, whose private half opens the store for writing.
    pub fn store_key(&self) -> VerifyingKey {
        self.shared.verifier
    }

    pub fn id(&self) -> StoreId {
        self.shared.store
    }

    /// The key that verifies `HEAD`.
    pub fn may_write(&self) -> bool {
        lock(&self.shared.writer).is_some() && self.shared.read().read_only.is_none()
    }

    /// Log files that wait to be sealed or are being written.
    pub fn sealing(&self) -> usize {
        self.shared.read().logs.len()
    }

    /// Bytes on disk of what has been sealed, by part.
    pub fn sizes(&self) -> SealedSizes {
        sizes::measure(&self.shared)
    }

    /// Seals what waits to be sealed and merges what is due, on the caller's thread. For tests
    /// and tools; the background does the same in its own time.
    pub fn wait_until_sealed(&self) {
        loop {
            let state = self.shared.read();
            let waiting = state.logs.iter().any(|log| log.full) && state.read_only.is_none();
            drop(state);
            if !waiting || self.shared.stopping() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops in order: threads end, and both blocks of `HEAD` say that nothing is missing. Later
    /// appends are refused.
    pub fn close(&self) -> Result<(), OpenError> {
        self.stop_threads();
        let may_write = self.may_write();
        if lock(&self.shared.writer).take().is_none() || !may_write {
            return Ok(());
        }
        for _ in 0..2 {
            write_head(&self.shared, true)
                .map_err(|error| OpenError::io("writing HEAD failed", error))?;
        }
        Ok(())
    }

    fn stop_threads(&self) {
        self.shared.signals.stopping.store(true, Ordering::Release);
        self.shared.signals.changed.notify_all();
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            while !thread.is_finished() {
                // A thread may have looked at `stopping` just before it began to wait.
                self.shared.signals.changed.notify_all();
                std::thread::sleep(Duration::from_millis(1));
            }
            // A thread that panicked has nothing left to say.
            drop(thread.join());
        }
    }
}

/// Dropping without [`EmbeddedStore::close`] is like the death of the process: nothing is written.
impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop_threads();
        self.lock = None;
    }
}

/// Name of a background thread, and what it does until the store stops.
type Background = (&'static str, fn(&Shared));

/// The background threads of a store that may be written.
const THREADS: &[Background] =
    &[("head", head_keeper::run), ("next-log", prepare::run), ("sealer", run_sealer)];

/// Completes derived files first: their absence must not delay the opening.
fn run_sealer(shared: &Shared) {
    sealed_load::complete_indexes(shared);
    seal::merge_ids(shared);
    seal::run(shared);
}

fn shared(
    layout: Layout,
    store: StoreId,
    (key, verifier): (Option<SigningKey>, VerifyingKey),
    options: Options,
    files: Files,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
) -> Arc<Shared> {
    Arc::new(Shared {
        files,
        layout,
        store,
        options,
        hasher: IdHasher::new(&store),
        clock,
        entropy,
        key,
        verifier,
        state: RwLock::new(State::empty()),
        writer: Mutex::new(None),
        head: Mutex::new(HeadKeeper { file: None, counter: 0, clean: false }),
        signals: Signals::default(),
        blocks: BlockCache::default(),
        dropping: Mutex::default(),
        deriving: Mutex::default(),
    })
}

/// Opens `HEAD` for writing and takes up its counter.
fn open_head(shared: &Shared, format: &FormatFile) -> Result<(), OpenError> {
    let failed = |error| OpenError::io("opening HEAD failed", error);
    let file = shared.files.open_for_writing(&shared.layout.head()).map_err(failed)?;
    let bytes = std::fs::read(shared.layout.head()).map_err(failed)?;
    let head = HeadFile::decode(&bytes, &shared.store, &format.store_key);
    let counter = head.state.map_or(0, |state| state.counter);
    if bytes.len() > 2 * BLOCK_BYTES {
        file.set_len(2 * BLOCK_BYTES as u64).map_err(failed)?;
    }
    *lock(&shared.head) = HeadKeeper { file: Some(file), counter, clean: false };
    Ok(())
}

impl RetentionStore for EmbeddedStore {
    fn drop_contents(&self, plan: &DropPlan) -> Result<DropReport, DropError> {
        retention::drop_contents(&self.shared, plan)
    }

    fn settle(&self) -> Result<(), DropError> {
        retention::settle(&self.shared)
    }
}

impl LedgerStore for EmbeddedStore {
    fn append(&self, batch: &Batch) -> Result<(), AppendError> {
        if !lock(&self.shared.writer).is_some() {
            let state = self.shared.read();
            let reason = state.read_only.clone();
            let code =
                if reason.is_some() { ErrorCode::StoreDamaged } else { ErrorCode::ReadOnlyStorage };
            let reason = reason.unwrap_or_else(|| "the store is open for reading".to_owned());
            return Err(AppendError::Unavailable { code, reason });
        }
        write::append(&self.shared, batch)
    }

    fn ledgers(&self) -> Result<Vec<TenantId>, ReadError> {
        let state = self.shared.read();
        let known = state.ledgers.iter().filter(|(_, ledger)| ledger.head.size() > 0);
        Ok(known.map(|(tenant, _)| tenant.clone()).collect())
    }

    fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        let state = self.shared.read();
        let ledger = state.ledgers.get(tenant).filter(|ledger| ledger.head.size() > 0);
        Ok(ledger.map(|ledger| ledger.head.clone()))
    }

    fn find(&self, tenant: &TenantId, id: &EventId) -> Result<Option<SequenceNumber>, ReadError> {
        read::find(&self.shared, tenant, id)
    }

    fn read(
        &self,
        tenant: &TenantId,
        from: SequenceNumber,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        read::read(&self.shared, tenant, from.value(), limit)
    }

    fn node(&self, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
        tree::node(&self.shared, tenant, node)
    }

    fn changes(&self, cursor: &Cursor, limit: usize, wanted: Wanted) -> Result<Changes, ReadError> {
        read::changes(&self.shared, cursor, limit, wanted)
    }

    fn checkpoints(&self, tenant: &TenantId) -> Result<Vec<StoredCheckpoint>, ReadError> {
        Ok(self.shared.read().checkpoints.get(tenant).cloned().unwrap_or_default())
    }

    fn position(&self, source: &SourceName) -> Result<Option<SourcePosition>, ReadError> {
        Ok(self.shared.read().positions.get(source).copied())
    }

    fn status(&self) -> StoreStatus {
        let state = self.shared.read();
        StoreStatus {
            records: state.records,
            ledgers: state.ledgers.len() as u64,
            unsealed_logs: state.logs.len() as u64,
            sealed_segments: state.segments.len() as u64,
            key_generation: state.key_generation,
            degraded: state.degraded.iter().map(|(part, what)| format!("{part}: {what}")).collect(),
            read_only: state.read_only.is_some(),
            protection: "tamper-evident",
        }
    }

    fn parts(&self) -> Result<(Vec<Part>, Vec<crate::record::ContainerFinding>), ReadError> {
        Ok(verify::parts(&self.shared))
    }

    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
        verify::inspect(&self.shared, part, inspector)
    }
}
