//! Dead letters: what was refused of a request is kept with the reasons, until somebody deletes it or
//! its time is over.

mod turns;

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ledgerstone_model::dead_letter::LETTER_BYTES_MAX;
use ledgerstone_model::{
    Actor, Administration, AuditRecord, Clock, DeadLetter, DeadLetterId, Entropy, ErrorCode, Fault,
    LetterState, Numbers, SubmissionId,
};
use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::{DeadLetterCounts, DeadLetterError, DeadLetterLimits, DeadLetterStore};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use turns::Turns;

pub use turns::LetterTurn;

/// How long letters are kept unless something else is configured.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

/// How often letters are looked for whose time is over.
const PURGE_INTERVAL: Duration = Duration::from_mins(10);

/// Bytes of the pointers and reasons that are kept with a letter.
const FAULT_BYTES_MAX: usize = 64 * 1024;

/// A refused event that is to be kept.
#[derive(Clone, Debug)]
pub struct NewDeadLetter {
    /// Opaque id of who sent it.
    pub principal: String,
    /// How it was to be read, a name that the way in knows.
    pub reading: Option<String>,
    pub numbers: Numbers,
    /// The id that the request would have given to an event without one.
    pub default_id: Option<EventId>,
    pub text: Vec<u8>,
    pub code: ErrorCode,
    pub detail: String,
    pub faults: Vec<Fault>,
}

/// The dead letters of all tenants.
pub struct DeadLetters {
    store: Arc<dyn DeadLetterStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    retention: Duration,
    /// Why the last letter could not be kept, where that was no lack of room.
    trouble: Mutex<Option<String>>,
    turns: Turns,
}

impl DeadLetters {
    pub fn new(
        store: Arc<dyn DeadLetterStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        retention: Duration,
    ) -> Self {
        Self {
            store,
            clock,
            entropy,
            retention,
            trouble: Mutex::default(),
            turns: Turns::default(),
        }
    }

    /// Keeps the refused events of one request, and says of each what it is called or why it is not
    /// kept. When this returned, what is kept survives a crash.
    pub fn keep(
        &self,
        tenant: &TenantId,
        letters: Vec<NewDeadLetter>,
    ) -> Vec<Result<DeadLetterId, ErrorCode>> {
        let at = self.clock.now();
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let Some(submission) = SubmissionId::new(at, random) else {
            return letters.iter().map(|_| Err(ErrorCode::Internal)).collect();
        };
        let mut told = Vec::with_capacity(letters.len());
        let mut fitting = Vec::with_capacity(letters.len());
        for letter in letters {
            if letter.text.len() > LETTER_BYTES_MAX {
                told.push(Err(ErrorCode::DeadLetterTooLarge));
                continue;
            }
            let index = u32::try_from(fitting.len()).unwrap_or(u32::MAX);
            told.push(Ok(DeadLetterId::new(submission, index)));
            fitting.push(letter.received(index, at));
        }
        if fitting.is_empty() {
            return told;
        }
        let (kept, why_not) = match self.store.keep(tenant, submission, &fitting) {
            Ok(kept) => (kept, ErrorCode::DeadLettersFull),
            Err(error) => (0, error.code()),
        };
        self.note(why_not, kept);
        for one in &mut told {
            if one.is_ok_and(|id| id.index() as usize >= kept) {
                *one = Err(why_not);
            }
        }
        told
    }

    fn note(&self, why_not: ErrorCode, kept: usize) {
        let is_trouble = kept == 0 && why_not != ErrorCode::DeadLettersFull;
        let trouble = is_trouble.then(|| format!("refused events could not be kept: {why_not}"));
        if let Some(trouble) = &trouble {
            tracing::error!(trouble, "dead letters");
        }
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Letters made before this have expired, in microseconds since 1970.
    fn since(&self) -> i64 {
        let retention = i64::try_from(self.retention.as_micros()).unwrap_or(i64::MAX);
        self.clock.now().micros().saturating_sub(retention)
    }

    /// At most `limit` letters of a tenant before `before`, the newest first.
    pub fn list(
        &self,
        tenant: &TenantId,
        before: Option<DeadLetterId>,
        limit: usize,
    ) -> Result<Vec<(DeadLetterId, DeadLetter)>, DeadLetterError> {
        self.store.list(tenant, self.since(), before, limit)
    }

    /// A letter of a tenant.
    pub fn get(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
    ) -> Result<Option<DeadLetter>, DeadLetterError> {
        if id.submission().made_at_micros() < self.since() {
            return Ok(None);
        }
        self.store.get(tenant, id)
    }

    /// The right to send a letter again, which one at a time has: two that send it as different
    /// events must not both record one. Waits for whoever has it.
    pub fn turn(&self, tenant: &TenantId, id: DeadLetterId) -> LetterTurn<'_> {
        self.turns.take(tenant, id)
    }

    /// Notes that a letter was recorded.
    pub fn close(
        &self,
        tenant: &TenantId,
        id: DeadLetterId,
        event_id: EventId,
        sequence_number: SequenceNumber,
    ) -> Result<bool, DeadLetterError> {
        let at = self.clock.now();
        let state = LetterState::Closed { at, event_id, sequence_number };
        self.store.set_state(tenant, id, state)
    }

    /// Removes a letter.
    pub fn remove(&self, tenant: &TenantId, id: DeadLetterId) -> Result<bool, DeadLetterError> {
        self.store.remove(tenant, id)
    }

    /// Removes what has expired, and answers how many letters went.
    pub fn purge(&self) -> Result<u64, DeadLetterError> {
        self.store.purge(self.since())
    }

    /// How much of a tenant is kept, or of all.
    pub fn counts(&self, tenant: Option<&TenantId>) -> DeadLetterCounts {
        self.store.counts(tenant)
    }

    pub fn limits(&self) -> DeadLetterLimits {
        self.store.limits()
    }

    /// What does not work as it should.
    pub fn problems(&self) -> Vec<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let set_aside = self.store.set_aside();
        let damaged = (set_aside > 0).then(|| {
            format!("{set_aside} files of dead letters could not be read and were set aside")
        });
        let (counts, limits) = (self.counts(None), self.limits());
        let is_full = counts.letters >= limits.letters || counts.bytes >= limits.bytes;
        let full = is_full.then(|| "no more dead letters are kept: their limit is reached".into());
        [trouble, damaged, full].into_iter().flatten().collect()
    }
}

impl NewDeadLetter {
    fn received(self, index: u32, received_at: IngestedAt) -> DeadLetter {
        let Self { principal, reading, numbers, default_id, text, code, detail, faults } = self;
        let mut bytes = 0;
        let fits = |fault: &Fault| {
            bytes += fault.pointer().len() + fault.reason().len();
            bytes <= FAULT_BYTES_MAX
        };
        let faults = faults.into_iter().take_while(fits);
        // Their offsets stand in the detail.
        let faults = faults.map(|fault| {
            Fault::new(fault.pointer().to_owned(), fault.code(), fault.reason().to_owned())
        });
        DeadLetter {
            index,
            received_at,
            principal,
            reading,
            numbers,
            default_id,
            text,
            code,
            detail,
            faults: faults.collect(),
            state: LetterState::Open,
        }
    }
}

impl Ledger {
    /// Records in a tenant's ledger that somebody did something to a dead letter.
    pub fn record_dead_letter_act(
        &self,
        verb: &str,
        tenant: &TenantId,
        id: DeadLetterId,
        by: &Actor,
    ) -> Result<SequenceNumber, LedgerError> {
        let act = Administration::new(verb, by.clone(), "dead_letter", &id.to_string());
        let by = act.named_actor().cloned();
        let written = self.administer_as(std::slice::from_ref(tenant), by.as_ref(), |round| {
            round.push_audit(0, |_| AuditRecord::Administration(act))
        })?;
        written.ok_or(LedgerError::NotBuilt("what was done to the dead letter"))
    }
}

/// Removes expired letters in the background for as long as it is there.
#[derive(Debug)]
pub struct DeadLetterPurge {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DeadLetterPurge {
    pub fn start(letters: Arc<DeadLetters>) -> Result<Self, LedgerError> {
        let (stop, stopped) = channel();
        let work = move || loop {
            match letters.purge() {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "expired dead letters were removed"),
                Err(error) => tracing::error!(%error, "expired dead letters stay"),
            }
            if stopped.recv_timeout(PURGE_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        };
        let thread = std::thread::Builder::new().name("dead-letters".to_owned()).spawn(work);
        Ok(Self { stop: Some(stop), thread: Some(thread.map_err(LedgerError::Thread)?) })
    }
}

impl Drop for DeadLetterPurge {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has told so itself.
            let _ = thread.join();
        }
    }
}
