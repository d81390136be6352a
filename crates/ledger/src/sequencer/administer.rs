//! Administrative rounds: the server's own records, checkpoints and anchors, in a commit of which the
//! caller knows that it begins and ends under its eyes.
//!
//! Client events that wait already go along in the same commit, so that a round costs nobody a sync.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use ledgerstone_model::audit::{AccessRecord, DenialRecord, RectificationRecord};
use ledgerstone_model::sealed::AuditKeys;
use ledgerstone_model::sealing::{NONCE_BYTES, SubjectKey};
use ledgerstone_model::system::SystemRecord;
use ledgerstone_model::{Administration, AuditRecord, ErrorCode, SealedEvent};
use ledgerstone_proof::{EventId, Hash, IngestedAt, SALT_BYTES, Salt, SequenceNumber, TenantId};
use ledgerstone_store::{AnchoredRound, Head, NewCheckpoint, ReadError};
use thiserror::Error;

use super::Sequencer;
use super::shut::{Door, ShutTenant};
use super::state::{HeaderSigning, State};
use crate::acting::{Acting, Named};
use crate::keys::RecordSigner;
use crate::next_batch::{Tip, TipId, Unplaced};

/// Why an administrative round was not written.
#[derive(Debug, Error)]
pub(crate) enum AdministerError {
    #[error("{message}")]
    Failed { code: ErrorCode, message: String },
    #[error("ledger {tenant} could not be read: {source}")]
    Read {
        tenant: TenantId,
        #[source]
        source: ReadError,
    },
    #[error(transparent)]
    Shut(#[from] ShutTenant),
}

/// The commit in the making, seen from an administrative round.
pub(crate) struct Round<'a> {
    state: &'a mut State,
    sequencer: &'a Sequencer,
    tips: &'a [TipId],
    now: IngestedAt,
    /// How those who act stand in the records.
    acting: Arc<Acting>,
}

/// Whether a record is signed where checkpoints vouch for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedAs {
    /// As the ledger's records are.
    Usual,
    /// Signed in any case: it says which keys and signatures to expect.
    Always,
}

impl Round<'_> {
    /// The size a ledger has before this round; the index is that of the round's ledgers.
    pub(crate) fn size(&self, ledger: usize) -> u64 {
        self.tip(ledger).map_or(0, |(_, tip)| tip.head.size())
    }

    /// The record hash of the last record that a ledger has with this round. A commit that holds
    /// `system` records is never placed elsewhere, so it stays that once the round is written.
    pub(crate) fn last_hash(&self, ledger: usize) -> Option<Hash> {
        self.tip(ledger).map(|(_, tip)| tip.head.record_hash)
    }

    fn tip(&self, ledger: usize) -> Option<(TipId, &Tip)> {
        let id = *self.tips.get(ledger)?;
        self.state.tips.get(id).map(|tip| (id, tip))
    }

    /// Appends a record to one of the round's ledgers and answers its number.
    pub(crate) fn push(
        &mut self,
        ledger: usize,
        signed: SignedAs,
        record: impl FnOnce(SequenceNumber, IngestedAt) -> SystemRecord,
    ) -> Option<SequenceNumber> {
        let (_, tip) = self.tip(ledger)?;
        let (number, at) = (tip.next_number(), tip.next_time(self.now));
        let salt = self.new_salt();
        let sealed = SealedEvent::system(&record(number, at), &tip.tenant, number, at, &salt);
        self.place(ledger, signed, sealed)
    }

    /// What the access log says, for [`Self::push_sealed`]: what was looked for sealed under the key of the
    /// month, or left out where there is none.
    pub(crate) fn seal_access(
        &self,
        ledger: usize,
        record: AccessRecord,
        key: Option<&SubjectKey>,
    ) -> Option<SealedEvent> {
        let record = if key.is_some() { record } else { record.without_literals() };
        self.seal_observed(ledger, |_| AuditRecord::Access(record), key)
    }

    /// What the access log says of refusals, for [`Self::push_sealed`].
    pub(crate) fn seal_denial(&self, ledger: usize, record: DenialRecord) -> Option<SealedEvent> {
        self.seal_observed(ledger, |_| AuditRecord::Denial(record), None)
    }

    /// Appends a record that was sealed for this ledger in this round.
    pub(crate) fn push_sealed(
        &mut self,
        ledger: usize,
        sealed: SealedEvent,
    ) -> Option<SequenceNumber> {
        self.place(ledger, SignedAs::Usual, sealed)
    }

    /// Appends what the server observed to one of the round's ledgers and answers its number.
    pub(crate) fn push_audit(
        &mut self,
        ledger: usize,
        record: impl FnOnce(SequenceNumber) -> AuditRecord,
    ) -> Option<SequenceNumber> {
        self.push_observed(ledger, record, None).map(|(number, _)| number)
    }

    /// Appends what a person had corrected, sealed under the person's key, and answers its number and id.
    pub(crate) fn push_rectification(
        &mut self,
        ledger: usize,
        record: RectificationRecord,
        key: &SubjectKey,
    ) -> Option<(SequenceNumber, EventId)> {
        self.push_observed(ledger, |_| AuditRecord::Rectification(record), Some(key))
    }

    /// Appends what the server observed, sealed as [`Self::seal_observed`] says.
    fn push_observed(
        &mut self,
        ledger: usize,
        record: impl FnOnce(SequenceNumber) -> AuditRecord,
        others: Option<&SubjectKey>,
    ) -> Option<(SequenceNumber, EventId)> {
        let sealed = self.seal_observed(ledger, record, others)?;
        let id = sealed.event_id().clone();
        Some((self.push_sealed(ledger, sealed)?, id))
    }

    /// What the server observed, as the next record of a ledger: what it says of whoever acted is sealed as
    /// [`Acting`] has it, and everything else that is sealed of it under `others`.
    fn seal_observed(
        &self,
        ledger: usize,
        record: impl FnOnce(SequenceNumber) -> AuditRecord,
        others: Option<&SubjectKey>,
    ) -> Option<SealedEvent> {
        let (_, tip) = self.tip(ledger)?;
        let (tenant, at) = (&tip.tenant, tip.next_time(self.now));
        let entropy = &*self.sequencer.entropy;
        let mut new_id = [0; 16];
        entropy.fill(&mut new_id);
        let (salt, record) = (self.new_salt(), record(tip.next_number()));
        let (record, actor) = match self.acting.named(tenant, &record) {
            Named::InClear => (record, None),
            Named::Sealed(key) => (record, Some(key)),
            Named::LeftOut => (record.unnamed(), None),
        };
        if actor.is_none() && others.is_none() {
            return SealedEvent::audit(&record, tenant, new_id, at, &salt).ok();
        }
        let mut nonces = [[0; NONCE_BYTES]; 2];
        nonces.iter_mut().for_each(|nonce| entropy.fill(nonce));
        let keys = AuditKeys { actor, others, nonces };
        SealedEvent::sealed_audit(&record, tenant, new_id, at, &salt, keys)
    }

    fn new_salt(&self) -> Salt {
        let mut salt = [0; SALT_BYTES];
        self.sequencer.entropy.fill(&mut salt);
        Salt::from_bytes(salt)
    }

    /// Places a record at the end of one of the round's ledgers.
    fn place(
        &mut self,
        ledger: usize,
        signed: SignedAs,
        sealed: SealedEvent,
    ) -> Option<SequenceNumber> {
        let id = *self.tips.get(ledger)?;
        let State { tips, open, signing, .. } = &mut *self.state;
        let tip = tips.get_mut(id)?;
        let number = tip.next_number();
        let key = match signed {
            SignedAs::Usual => signing.signer(tip).cloned(),
            SignedAs::Always => Some(Arc::clone(signing.key_at(tip))),
        };
        open.place(id, tip, Unplaced::from(sealed), self.now, key.as_ref());
        Some(number)
    }

    /// Appends who did what, and answers its number: the record of the server that comes next is what
    /// the act led to, and points back to it.
    pub(crate) fn push_act(
        &mut self,
        ledger: usize,
        act: Administration,
    ) -> Option<SequenceNumber> {
        self.push_audit(ledger, |number| AuditRecord::Administration(act.explaining(number.next())))
    }

    /// From here on, those who act stand in the records as this has it.
    pub(crate) fn name_as(&mut self, acting: Acting) {
        self.acting = Arc::new(acting);
    }

    /// A new record key comes into use, in ledgers that have announced it.
    pub(crate) fn begin_key_change(&mut self, current: Arc<RecordSigner>) {
        self.state.begin_key_change(current, HashSet::new());
    }

    /// From the next record on, a ledger's records are signed with the new record key.
    pub(crate) fn announced(&mut self, ledger: usize) {
        if let Some(tip) = self.tips.get(ledger).and_then(|id| self.state.tips.get_mut(*id)) {
            tip.announced = true;
        }
    }

    pub(crate) fn keep_checkpoint(&mut self, checkpoint: NewCheckpoint) {
        self.state.open.checkpoints.push(checkpoint);
    }

    pub(crate) fn keep_anchored(&mut self, round: AnchoredRound) {
        self.state.open.anchored.push(round);
    }
}

impl Sequencer {
    /// Commits what `build` adds, together with whatever waits. Ledgers that do not exist begin with
    /// what is appended to them.
    pub(crate) fn administer<T>(
        &self,
        tenants: &[TenantId],
        build: impl FnOnce(&mut Round<'_>) -> T,
    ) -> Result<T, AdministerError> {
        self.administer_by(Door::Usual, tenants, build)
    }

    /// The same for what may be said in ledgers that are being closed.
    pub(crate) fn administer_by<T>(
        &self,
        door: Door,
        tenants: &[TenantId],
        build: impl FnOnce(&mut Round<'_>) -> T,
    ) -> Result<T, AdministerError> {
        let mut state = self.lock();
        state.administrators += 1;
        while state.committing {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.administrators -= 1;
        if let Some(reason) = &state.halted {
            let (code, message) = (ErrorCode::OutcomeUnknown, reason.clone());
            self.turn.notify_all();
            return Err(AdministerError::Failed { code, message });
        }
        let shut = state.shut.refuse(tenants, door).map_err(AdministerError::Shut);
        let tips = match shut.and_then(|()| self.load_tips(&mut state, tenants)) {
            Ok(tips) => tips,
            Err(error) => {
                self.turn.notify_all();
                return Err(error);
            }
        };
        let now = self.clock.now();
        state.watch_clock(now);
        let acting = Arc::default();
        let answer =
            build(&mut Round { state: &mut state, sequencer: self, tips: &tips, now, acting });
        if state.open.is_empty() {
            self.turn.notify_all();
            return Ok(answer);
        }
        let completion = Arc::clone(&state.open_completion);
        let closed = self.begin_commit(&mut state);
        drop(state);
        self.commit(closed, &completion);
        match completion.wait().verdict() {
            Ok(()) => Ok(answer),
            Err(failure) => {
                let (code, message) = (failure.code, failure.message.clone());
                Err(AdministerError::Failed { code, message })
            }
        }
    }

    /// Changes how records are signed, between two batches.
    pub(crate) fn with_signing<T>(&self, change: impl FnOnce(&mut HeaderSigning) -> T) -> T {
        change(&mut self.lock().signing)
    }

    /// Goes on with a change of the record key that an earlier process began.
    pub(crate) fn resume_key_change(
        &self,
        current: Arc<RecordSigner>,
        announced: HashSet<TenantId>,
    ) {
        self.lock().begin_key_change(current, announced);
    }

    fn load_tips(
        &self,
        state: &mut State,
        tenants: &[TenantId],
    ) -> Result<Vec<TipId>, AdministerError> {
        let load = |tenant: &TenantId| {
            if let Some(id) = state.tips.find(tenant) {
                return Ok(id);
            }
            let head = self.store.head(tenant).map_err(|source| {
                let tenant = tenant.clone();
                AdministerError::Read { tenant, source }
            })?;
            let announced = head.is_none() || state.signing.has_announced(tenant);
            let head = head.unwrap_or_else(Head::empty);
            Ok(state.tips.insert(Tip::new(tenant.clone(), head, announced)))
        };
        tenants.iter().map(load).collect()
    }
}
