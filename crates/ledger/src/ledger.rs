//! The ledgers of one deployment, open for writing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use ledgerstone_model::system::{LogName, SystemRecord, TailCut};
use ledgerstone_model::{Clock, Entropy, SealedEvent};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::{LedgerStore, StoreStatus};

use crate::access_log::{AccessLog, Ripe};
use crate::checkpoint::{SeenCheckpoint, SignedCheckpoint};
use crate::error::LedgerError;
use crate::history::SystemHistory;
use crate::keys::{KeyHome, KeyRing};
use crate::policies::Policies;
use crate::reader::Reader;
use crate::receipt::Outcome;
use crate::sealing_keys::KeyWiper;
use crate::sequencer::{
    Commit, Patience, Sequencer, SignedAs, SubmitError, SubmitOptions, Submitted, UnknownTenants,
};
use crate::settings::{Settings, TenantCreation};
use crate::subject_requests::SubjectRequests;
use crate::taxonomies::Taxonomies;
use crate::ticket::Ticket;

/// How often missing tenants are created for one submission: once, and again should they vanish.
const CREATION_ATTEMPTS: usize = 3;

/// The ledgers of one deployment, open for writing. Shared between threads by reference or `Arc`.
pub struct Ledger {
    pub(crate) store: Arc<dyn LedgerStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) settings: Settings,
    pub(crate) reader: Reader,
    pub(crate) sequencer: Arc<Sequencer>,
    pub(crate) key_home: Arc<dyn KeyHome>,
    pub(crate) ring: Mutex<KeyRing>,
    pub(crate) history: RwLock<SystemHistory>,
    /// The newest checkpoint of each ledger that this process signed, was shown or found.
    pub(crate) checkpoints: Mutex<HashMap<TenantId, SeenCheckpoint>>,
    /// The size at which each ledger was last anchored; read from the store when first needed.
    pub(crate) anchored: Mutex<Option<HashMap<TenantId, u64>>>,
    /// Held while tenants are created, so that none is created twice.
    pub(crate) creating: Mutex<()>,
    pub(crate) taxonomies: Taxonomies,
    pub(crate) policies: Policies,
    pub(crate) subject_requests: SubjectRequests,
    pub(crate) access_log: AccessLog,
    /// Held while keys are replaced.
    pub(crate) rotating: Mutex<()>,
    /// Held while a hold is set or released, and while it is decided what goes.
    pub(crate) holding: Mutex<()>,
    /// Held while contents are dropped.
    pub(crate) retaining: Mutex<()>,
    /// Held while the ledger of a tenant is brought to its end.
    pub(crate) closing: Mutex<()>,
    /// How many of a tenant's first records were looked at, and when, none of which is kept by what its sender asked
    /// for.
    pub(crate) kept_by_no_sender: Mutex<HashMap<TenantId, (u64, IngestedAt)>>,
    committer: Mutex<Option<JoinHandle<()>>>,
    /// Dropped with the ledger.
    _wiper: Option<KeyWiper>,
}

/// The state of an open ledger, for operators and health checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerStatus {
    pub store: StoreStatus,
    /// Why nothing can be written until the ledger is opened again.
    pub halted: Option<String>,
    /// How far the clock is behind the newest record, where that is more than a few seconds. New
    /// records carry the newest record's time until the clock has caught up.
    pub clock_behind: Option<Duration>,
}

/// What waits for the next commit, and how much may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub records: usize,
    pub records_max: usize,
    /// Bytes of content.
    pub bytes: usize,
    pub bytes_max: usize,
}

impl Ledger {
    pub(crate) fn start(
        parts: crate::open::Parts,
        ring: KeyRing,
        history: SystemHistory,
        sequencer: Arc<Sequencer>,
    ) -> Result<Self, LedgerError> {
        let crate::open::Parts { store, key_home, settings, clock, entropy } = parts;
        let policies = Policies::new(settings.default_sealing);
        let background = Arc::clone(&sequencer);
        let committer = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || background.run())
            .map_err(LedgerError::Thread)?;
        let has_keys = sequencer.sealing_keys().is_some();
        let wiper = has_keys.then(|| KeyWiper::start(Arc::downgrade(&sequencer))).transpose();
        Ok(Self {
            reader: Reader::new(Arc::clone(&store)),
            store,
            clock,
            entropy,
            settings,
            sequencer,
            key_home,
            ring: Mutex::new(ring),
            history: RwLock::new(history),
            checkpoints: Mutex::default(),
            anchored: Mutex::default(),
            creating: Mutex::default(),
            taxonomies: Taxonomies::default(),
            policies,
            subject_requests: SubjectRequests::default(),
            access_log: AccessLog::default(),
            rotating: Mutex::default(),
            holding: Mutex::default(),
            retaining: Mutex::default(),
            closing: Mutex::default(),
            kept_by_no_sender: Mutex::default(),
            committer: Mutex::new(Some(committer)),
            _wiper: wiper.map_err(LedgerError::Thread)?,
        })
    }

    /// Hands events over and answers at once; the ticket's outcomes come in the order of the events.
    /// Waits for room when too many events are waiting already.
    pub fn submit(&self, events: Vec<SealedEvent>) -> Result<Ticket, SubmitError> {
        self.take(events, Patience::Block, Commit::Elsewhere)
    }

    /// The same, but answers `QUEUE_FULL` when too many events are waiting already.
    pub fn try_submit(&self, events: Vec<SealedEvent>) -> Result<Ticket, SubmitError> {
        self.take(events, Patience::Refuse, Commit::Elsewhere)
    }

    /// Appends events and waits until they are durable: the shortest way for a caller who has
    /// nothing else to do.
    pub fn append(&self, events: Vec<SealedEvent>) -> Result<Vec<Outcome>, SubmitError> {
        Ok(self.take(events, Patience::Block, Commit::Here)?.wait())
    }

    fn take(
        &self,
        mut events: Vec<SealedEvent>,
        patience: Patience,
        commit: Commit,
    ) -> Result<Ticket, SubmitError> {
        self.refuse_suspended(&events)?;
        let mut attempts = match self.settings.tenant_creation {
            TenantCreation::Explicit => 0,
            TenantCreation::OnFirstEvent => CREATION_ATTEMPTS,
        };
        loop {
            let unknown =
                if attempts > 0 { UnknownTenants::Report } else { UnknownTenants::Refuse };
            let options = SubmitOptions { patience, unknown, commit, settled: None };
            match self.sequencer.submit(events, options)? {
                Submitted::Sequenced(ticket) => return Ok(ticket),
                Submitted::Unknown { tenants, events: back } => {
                    self.create_tenants(&tenants).map_err(|error| SubmitError::Creation {
                        code: error.code(),
                        message: error.to_string(),
                    })?;
                    events = back;
                    attempts -= 1;
                }
                Submitted::Outdated { events: back } => events = self.seal_again(back)?,
                // Only said of submissions that are taken as a whole.
                Submitted::Unsettled { events: back, .. } => events = back,
            }
        }
    }

    /// Reading, which an open ledger allows beside writing.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    pub fn store(&self) -> &dyn LedgerStore {
        &*self.store
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The name under which the deployment signs.
    pub fn log_name(&self) -> LogName {
        self.history().genesis().log_name().clone()
    }

    /// Keys and tenants as `_system` has them now.
    pub fn history(&self) -> SystemHistory {
        self.history.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn status(&self) -> LedgerStatus {
        LedgerStatus {
            store: self.store.status(),
            halted: self.sequencer.halted(),
            clock_behind: self.sequencer.clock_behind(),
        }
    }

    /// What waits for the next commit; a look into memory.
    pub fn waiting(&self) -> Waiting {
        self.sequencer.waiting()
    }

    /// Why nothing can be written until the ledger is opened again; a look into memory.
    pub fn halted(&self) -> Option<String> {
        self.sequencer.halted()
    }

    /// Records in `_system` that torn bytes were cut from the end of the log and kept aside.
    pub fn record_tail_cut(&self, cut: &TailCut) -> Result<SequenceNumber, LedgerError> {
        let pushed = self.sequencer.administer(&[TenantId::system()], |round| {
            round.push(0, SignedAs::Usual, |_, _| SystemRecord::TailCut(cut.clone()))
        })?;
        pushed.ok_or(LedgerError::NotBuilt("what says that a tail was cut"))
    }

    /// A clean stop: everything taken is written, who read what included, grown ledgers are anchored, and `_system` gets a
    /// checkpoint. Later submissions are refused.
    pub fn close(&self) -> Result<SignedCheckpoint, LedgerError> {
        self.write_access_log(Ripe::Everything)?;
        self.sequencer.drain();
        self.anchor()?;
        let checkpoint = self.checkpoint(&TenantId::system())?;
        self.stop();
        Ok(checkpoint)
    }

    fn stop(&self) {
        self.sequencer.stop();
        if let Some(committer) = hold(&self.committer).take() {
            // A committer that panicked has told so itself; there is nothing left to wait for.
            let _ = committer.join();
        }
    }
}

impl Drop for Ledger {
    /// Writes what was taken, and no more: anchors and checkpoints are for [`Ledger::close`].
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Locks a mutex whose holders leave nothing half done.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
