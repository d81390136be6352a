//! Group commit: senders sequence their own events into the open batch, one thread at a time writes.
//!
//! A commit begins as soon as nobody is committing; events gather only while a batch is being
//! synced. A sender that waits and finds nobody committing does it itself, so that a lone sender
//! never waits for another thread; a background thread takes over whatever nobody waits for and
//! whatever gathered meanwhile.

mod administer;
mod commit;
mod shut;
mod state;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledgerstone_model::{Clock, Entropy, ErrorCode, SealedEvent};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId};
use ledgerstone_store::{KeyGeneration, LedgerStore, ReadError};
use thiserror::Error;

use crate::ledger::Waiting;
use crate::next_batch::{ClosedBatch, OpenBatch, Tip};
use crate::receipt::Refusal;
use crate::sealing::SealError;
use crate::sealing_keys::KeyRing as SealingKeyRing;
use crate::settings::{OPEN_BYTES_MAX, OPEN_RECORDS_MAX, Settings};
use crate::ticket::{Completion, Slot, Ticket};

pub(crate) use administer::{AdministerError, Round, SignedAs};
pub(crate) use shut::Door;
pub use shut::ShutTenant;
use state::State;
pub(crate) use state::{HeaderSigning, Unsettled};

/// Why a submission was not taken. Nothing of it was written.
#[derive(Debug, Error)]
pub enum SubmitError {
    #[error("{records} records wait to be written, which is the limit; send again a little later")]
    QueueFull { records: usize },
    #[error(
        "a submission of {records} events with {bytes} bytes is larger than a batch may be \
         ({OPEN_RECORDS_MAX} events, {OPEN_BYTES_MAX} bytes); split it"
    )]
    TooLarge { records: usize, bytes: usize },
    #[error("tenant {0} is suspended: it takes nothing until it is resumed")]
    Suspended(TenantId),
    #[error(transparent)]
    Shut(#[from] ShutTenant),
    #[error("a tenant could not be created: {message}")]
    Creation { code: ErrorCode, message: String },
    #[error("the ledger is being closed; send again once it is open")]
    Closed,
    #[error("the events could not be sealed: {0}")]
    Seal(#[from] SealError),
    #[error("ledger {tenant} could not be read: {source}")]
    Read {
        tenant: TenantId,
        #[source]
        source: ReadError,
    },
}

impl SubmitError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::QueueFull { .. } => ErrorCode::QueueFull,
            Self::Closed => ErrorCode::ShuttingDown,
            Self::Suspended(_) => ErrorCode::TenantSuspended,
            Self::Shut(shut) => shut.code(),
            Self::Creation { code, .. } => *code,
            Self::TooLarge { .. } => ErrorCode::InputTooLarge,
            Self::Seal(error) => error.code(),
            Self::Read { source, .. } => source.code(),
        }
    }
}

/// What to do when the open batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Wait for room.
    Block,
    /// Answer `QUEUE_FULL`.
    Refuse,
}

/// What to do with events for ledgers that do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownTenants {
    /// Refuse these events and take the others.
    Refuse,
    /// Take nothing and name the ledgers.
    Report,
}

/// A submission that was sequenced, or the ledgers that are missing for it.
pub(crate) enum Submitted {
    Sequenced(Ticket),
    Unknown {
        tenants: Vec<TenantId>,
        events: Vec<SealedEvent>,
    },
    /// Nothing of a submission that is taken as a whole was taken, because one of its ids has come
    /// up meanwhile.
    Unsettled {
        why: Unsettled,
        events: Vec<SealedEvent>,
    },
    /// Nothing was taken, because keys were destroyed after the events got theirs.
    Outdated {
        events: Vec<SealedEvent>,
    },
}

/// Who commits a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// The thread that submits, if nobody else is committing: it is about to wait anyway.
    Here,
    /// The background thread.
    Elsewhere,
}

/// How a submission is to be treated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubmitOptions<'a> {
    pub(crate) patience: Patience,
    pub(crate) unknown: UnknownTenants,
    pub(crate) commit: Commit,
    /// For a submission that is taken as a whole: which of its events are known to be recorded.
    pub(crate) settled: Option<&'a [bool]>,
}

/// The one road into the store.
pub(crate) struct Sequencer {
    store: Arc<dyn LedgerStore>,
    sealing_keys: Option<Arc<SealingKeyRing>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    open_records: usize,
    open_bytes: usize,
    conflict_retries: u32,
    state: Mutex<State>,
    /// The open batch was taken, so there is room again.
    room: Condvar,
    /// Nobody is committing any more, and there is something to commit.
    turn: Condvar,
    /// Batches whose ids only the store knows by now.
    forgotten: AtomicU64,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").finish_non_exhaustive()
    }
}

/// What a submission's lookups gave, made without the lock.
struct Lookups {
    forgotten_before: u64,
    numbers: Vec<Result<Option<SequenceNumber>, ReadError>>,
}

impl Sequencer {
    pub(crate) fn new(
        store: Arc<dyn LedgerStore>,
        sealing_keys: Option<Arc<SealingKeyRing>>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        settings: &Settings,
        signing: HeaderSigning,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            sealing_keys,
            clock,
            entropy,
            open_records: settings.open_records.clamp(1, OPEN_RECORDS_MAX),
            open_bytes: settings.open_bytes.clamp(1, OPEN_BYTES_MAX),
            conflict_retries: settings.conflict_retries,
            state: Mutex::new(State::new(signing)),
            room: Condvar::new(),
            turn: Condvar::new(),
            forgotten: AtomicU64::new(0),
        })
    }

    pub(crate) fn store(&self) -> &dyn LedgerStore {
        &*self.store
    }

    /// The keys that fields are sealed under; `None` where nothing is ever sealed.
    pub(crate) fn sealing_keys(&self) -> Option<&SealingKeyRing> {
        self.sealing_keys.as_deref()
    }

    /// The generation of the sealing keys, which are durable before what is sealed under them
    /// comes here.
    fn key_generation(&self) -> KeyGeneration {
        self.sealing_keys.as_ref().map_or_else(KeyGeneration::default, |keys| keys.generation())
    }

    /// How far the clock is behind the newest record, where that is more than the tolerance.
    pub(crate) fn clock_behind(&self) -> Option<Duration> {
        self.lock().clock_behind
    }

    /// What waits for the next commit.
    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.lock();
        Waiting {
            records: state.open.record_count(),
            records_max: self.open_records,
            bytes: state.open.content_bytes(),
            bytes_max: self.open_bytes,
        }
    }

    /// From here on a ledger takes nothing but what ends it, and nothing at all once it has ended.
    /// Submissions that were sequenced before stay.
    pub(crate) fn shut(&self, tenant: &TenantId, is_ended: bool) {
        self.lock().shut.shut(tenant.clone(), is_ended);
    }

    /// Whether a ledger has ended.
    pub(crate) fn has_ended(&self, tenant: &TenantId) -> bool {
        self.lock().shut.has_ended(tenant)
    }

    /// Fails where a tenant is being closed, or is closed.
    pub(crate) fn refuse_shut(&self, tenant: &TenantId) -> Result<(), ShutTenant> {
        self.lock().shut.refuse([tenant], Door::Usual)
    }

    /// Why nothing can be written any more, where that is so.
    pub(crate) fn halted(&self) -> Option<String> {
        self.lock().halted.clone()
    }

    /// Sequences events. The ticket's outcomes are in the order of the events.
    pub(crate) fn submit(
        self: &Arc<Self>,
        events: Vec<SealedEvent>,
        options: SubmitOptions<'_>,
    ) -> Result<Submitted, SubmitError> {
        let bytes = events.iter().map(|event| event.content().len()).sum::<usize>();
        if events.len() > OPEN_RECORDS_MAX || bytes > OPEN_BYTES_MAX {
            return Err(SubmitError::TooLarge { records: events.len(), bytes });
        }
        let mut lookups = self.look_up(&events);
        let mut unknown = HashSet::new();
        let mut state = self.lock();
        loop {
            state = self.wait_for_room(state, events.len(), bytes, options.patience)?;
            let missing = state.missing_ledgers(&events, &unknown);
            if missing.is_empty() || state.halted.is_some() {
                break;
            }
            state = self.load_ledgers(state, missing, &mut unknown)?;
        }
        state.shut.refuse_events(&events)?;
        if !unknown.is_empty() && options.unknown == UnknownTenants::Report {
            let tenants = unknown.into_iter().collect();
            return Ok(Submitted::Unknown { tenants, events });
        }
        if self.forgotten.load(Ordering::Acquire) != lookups.forgotten_before {
            lookups = self.look_up(&events);
        }
        if let Some(settled) = options.settled
            && let Some(why) = state.unsettled(&events, &lookups.numbers, settled)
        {
            return Ok(Submitted::Unsettled { why, events });
        }
        let destructions = self.sealing_keys.as_ref().map_or(0, |keys| keys.destructions());
        if events.iter().any(|event| event.may_have_lost_keys(destructions)) {
            return Ok(Submitted::Outdated { events });
        }
        let now = self.clock.now();
        let slots = state.sequence(events, lookups.numbers, now);
        let completion = Arc::clone(&state.open_completion);
        let ours = self.take_turn(&mut state, options.commit);
        drop(state);
        if let Some(closed) = ours {
            self.commit(closed, &completion);
        }
        Ok(Submitted::Sequenced(Ticket::new(Arc::clone(self), completion, slots)))
    }

    /// Commits the batch of this completion if it is still open and nobody is committing; otherwise
    /// somebody is, or will be.
    pub(crate) fn drive(&self, completion: &Arc<Completion>) {
        if completion.end().is_some() {
            return;
        }
        let mut state = self.lock();
        let ours = if Arc::ptr_eq(&state.open_completion, completion) {
            self.take_turn(&mut state, Commit::Here)
        } else {
            None
        };
        drop(state);
        if let Some(closed) = ours {
            self.commit(closed, completion);
        }
    }

    /// Commits in the background until the sequencer is stopped.
    pub(crate) fn run(&self) {
        let mut state = self.lock();
        loop {
            if state.may_commit() {
                let completion = Arc::clone(&state.open_completion);
                let closed = self.begin_commit(&mut state);
                drop(state);
                self.commit(closed, &completion);
                state = self.lock();
            } else if state.stopped && !state.committing {
                return;
            } else {
                state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Takes no more submissions, and waits until everything taken is written.
    pub(crate) fn drain(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.room.notify_all();
        self.turn.notify_all();
        while state.committing || !state.open.is_empty() {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the background thread once nothing is left to write.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.stopped = true;
        self.room.notify_all();
        self.turn.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panics under this lock has either not touched the state or left a batch that fails.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_up(&self, events: &[SealedEvent]) -> Lookups {
        let forgotten_before = self.forgotten.load(Ordering::Acquire);
        let find = |event: &SealedEvent| self.store.find(event.tenant(), event.event_id());
        Lookups { forgotten_before, numbers: events.iter().map(find).collect() }
    }

    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        records: usize,
        bytes: usize,
        patience: Patience,
    ) -> Result<MutexGuard<'a, State>, SubmitError> {
        loop {
            if state.closed {
                return Err(SubmitError::Closed);
            }
            let waiting = state.open.record_count();
            let fits = waiting + records <= self.open_records
                && state.open.content_bytes() + bytes <= self.open_bytes;
            if fits || waiting == 0 || state.halted.is_some() {
                return Ok(state);
            }
            if patience == Patience::Refuse {
                return Err(SubmitError::QueueFull { records: waiting });
            }
            if state.may_commit() {
                self.turn.notify_all();
            }
            state.waiting_for_room += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting_for_room -= 1;
        }
    }

    /// Reads the heads of ledgers without the lock, and takes them in unless heads came into doubt
    /// meanwhile (then the caller finds them missing again).
    fn load_ledgers<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        missing: Vec<TenantId>,
        unknown: &mut HashSet<TenantId>,
    ) -> Result<MutexGuard<'a, State>, SubmitError> {
        let epoch = state.tips.epoch();
        drop(state);
        let mut loaded = Vec::with_capacity(missing.len());
        for tenant in missing {
            match self.store.head(&tenant) {
                Ok(Some(head)) => loaded.push((tenant, head)),
                Ok(None) => drop(unknown.insert(tenant)),
                Err(source) => return Err(SubmitError::Read { tenant, source }),
            }
        }
        let mut state = self.lock();
        if state.tips.epoch() == epoch {
            for (tenant, head) in loaded {
                let announced = state.signing.has_announced(&tenant);
                state.tips.insert(Tip::new(tenant, head, announced));
            }
        }
        Ok(state)
    }

    /// Begins a commit on the caller's thread, or sees to it that another thread does.
    fn take_turn(&self, state: &mut State, commit: Commit) -> Option<ClosedBatch> {
        if !state.may_commit() {
            return None;
        }
        if commit == Commit::Here {
            return Some(self.begin_commit(state));
        }
        self.turn.notify_all();
        None
    }

    /// Closes the open batch and opens the next. The caller commits it.
    fn begin_commit(&self, state: &mut State) -> ClosedBatch {
        state.committing = true;
        let number = state.open.number() + 1;
        let open = std::mem::replace(&mut state.open, OpenBatch::new(number));
        state.open_completion = Arc::default();
        state.in_flight.begin(number, Arc::clone(&state.open_completion));
        if state.waiting_for_room > 0 {
            self.room.notify_all();
        }
        open.close(&state.tips)
    }
}

/// Refuses what may not come in by this road.
fn refuse_foreign(event: &SealedEvent) -> Option<Slot> {
    let message = match event.kind() {
        Kind::System => "system records are written by the server alone",
        Kind::Event if event.tenant().is_system() => "the ledger _system takes no events",
        Kind::Event | Kind::Audit => return None,
    };
    Some(Slot::Refused(Refusal::of(event, ErrorCode::ReservedName, message.to_owned())))
}
