//! What the sequencing lock protects, and the sequencing itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_model::system::SigningMode;
use ledgerstone_model::{ErrorCode, SealedEvent};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::ReadError;

use super::refuse_foreign;
use super::shut::ShutLedgers;
use crate::in_flight::InFlight;
use crate::keys::RecordSigner;
use crate::next_batch::{OpenBatch, Tip, Tips, Unplaced};
use crate::receipt::Refusal;
use crate::settings::CLOCK_TOLERANCE;
use crate::ticket::{Completion, Slot};

/// Which key signs a ledger's records.
#[derive(Debug)]
pub(crate) struct HeaderSigning {
    mode: SigningMode,
    current: Arc<RecordSigner>,
    /// While a new record key is being announced: the old key, which signs where it is not yet, and
    /// the ledgers where it is.
    outgoing: Option<(Arc<RecordSigner>, HashSet<TenantId>)>,
}

impl HeaderSigning {
    pub(crate) const fn new(mode: SigningMode, current: Arc<RecordSigner>) -> Self {
        Self { mode, current, outgoing: None }
    }

    /// Every ledger has announced the new key.
    pub(crate) fn end_change(&mut self) {
        self.outgoing = None;
    }

    /// The new key was not announced after all.
    pub(crate) fn cancel_change(&mut self) {
        if let Some((outgoing, _)) = self.outgoing.take() {
            self.current = outgoing;
        }
    }

    pub(crate) const fn set_mode(&mut self, mode: SigningMode) {
        self.mode = mode;
    }

    pub(crate) fn note_announced(&mut self, tenant: &TenantId) {
        if let Some((_, announced)) = &mut self.outgoing {
            announced.insert(tenant.clone());
        }
    }

    pub(crate) fn has_announced(&self, tenant: &TenantId) -> bool {
        self.outgoing.as_ref().is_none_or(|(_, announced)| announced.contains(tenant))
    }

    /// The key in use at this tip, whether or not it signs every record.
    pub(crate) fn key_at(&self, tip: &Tip) -> &Arc<RecordSigner> {
        match &self.outgoing {
            Some((outgoing, _)) if !tip.announced => outgoing,
            _ => &self.current,
        }
    }

    /// The key that signs the next ordinary record; none where checkpoints vouch for records.
    pub(crate) fn signer(&self, tip: &Tip) -> Option<&Arc<RecordSigner>> {
        (self.mode == SigningMode::Record).then(|| self.key_at(tip))
    }
}

/// Why the fate of an id is open.
pub(crate) enum Unsettled {
    /// It was recorded after the sender looked.
    Recorded,
    /// It stands in this batch.
    Batch(Arc<Completion>),
}

/// Everything between a submission and its commit.
#[derive(Debug)]
pub(crate) struct State {
    pub(super) tips: Tips,
    pub(super) open: OpenBatch,
    pub(super) open_completion: Arc<Completion>,
    pub(super) in_flight: InFlight,
    pub(super) signing: HeaderSigning,
    /// Somebody is writing a batch.
    pub(super) committing: bool,
    /// Threads that wait to commit an administrative round; they go first.
    pub(super) administrators: usize,
    pub(super) waiting_for_room: usize,
    /// A write ended with an unknown outcome: nothing is written any more.
    pub(super) halted: Option<String>,
    pub(super) closed: bool,
    pub(super) stopped: bool,
    /// Ledgers of tenants that are being closed, or are closed.
    pub(super) shut: ShutLedgers,
    /// The latest time any record was given.
    latest: Option<IngestedAt>,
    pub(super) clock_behind: Option<Duration>,
}

impl State {
    pub(super) fn new(signing: HeaderSigning) -> Self {
        let completion = Arc::<Completion>::default();
        Self {
            tips: Tips::default(),
            open: OpenBatch::new(0),
            in_flight: InFlight::new(0, Arc::clone(&completion)),
            open_completion: completion,
            signing,
            committing: false,
            administrators: 0,
            waiting_for_room: 0,
            halted: None,
            closed: false,
            stopped: false,
            shut: ShutLedgers::default(),
            latest: None,
            clock_behind: None,
        }
    }

    /// From now on a new record key signs in every ledger that has announced it.
    pub(super) fn begin_key_change(
        &mut self,
        current: Arc<RecordSigner>,
        announced: HashSet<TenantId>,
    ) {
        self.tips.each(|tip| tip.announced = announced.contains(&tip.tenant));
        let outgoing = std::mem::replace(&mut self.signing.current, current);
        self.signing.outgoing = Some((outgoing, announced));
    }

    /// Whether a commit of the open batch may begin now.
    pub(super) fn may_commit(&self) -> bool {
        !self.committing && self.administrators == 0 && !self.open.is_empty()
    }

    /// The ledgers of these events that are not loaded and not known to be missing.
    pub(super) fn missing_ledgers(
        &self,
        events: &[SealedEvent],
        unknown: &HashSet<TenantId>,
    ) -> Vec<TenantId> {
        let mut missing = Vec::new();
        for event in events {
            let tenant = event.tenant();
            if self.tips.find(tenant).is_none()
                && !unknown.contains(tenant)
                && missing.last() != Some(tenant)
            {
                missing.push(tenant.clone());
            }
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// An id whose fate is open although the sender believes it to be settled.
    pub(super) fn unsettled(
        &self,
        events: &[SealedEvent],
        found: &[Result<Option<SequenceNumber>, ReadError>],
        settled: &[bool],
    ) -> Option<Unsettled> {
        let mut all = events.iter().zip(found).zip(settled);
        all.find_map(|((event, found), is_settled)| match found {
            Ok(Some(_)) => (!is_settled).then_some(Unsettled::Recorded),
            Ok(None) | Err(_) => {
                let tip = self.tips.find(event.tenant())?;
                self.in_flight.batch(tip, event.event_id()).map(Unsettled::Batch)
            }
        })
    }

    /// Gives every event a place, or finds that its id has one, or refuses it.
    pub(super) fn sequence(
        &mut self,
        events: Vec<SealedEvent>,
        found: Vec<Result<Option<SequenceNumber>, ReadError>>,
        now: IngestedAt,
    ) -> Vec<Slot> {
        self.watch_clock(now);
        let halted = self.halted.clone();
        let slot = |(event, found): (SealedEvent, Result<_, ReadError>)| match (&halted, found) {
            (Some(reason), _) => {
                Slot::Refused(Refusal::of(&event, ErrorCode::OutcomeUnknown, reason.clone()))
            }
            (None, Ok(Some(number))) => Slot::Recorded { number, sent: Box::new(event) },
            (None, Ok(None)) => self.place(event, now),
            (None, Err(error)) => {
                Slot::Refused(Refusal::of(&event, error.code(), error.to_string()))
            }
        };
        events.into_iter().zip(found).map(slot).collect()
    }

    fn place(&mut self, event: SealedEvent, now: IngestedAt) -> Slot {
        if let Some(refused) = refuse_foreign(&event) {
            return refused;
        }
        if let Some(code) = event.repeats_only() {
            let message =
                "the event was taken for a repetition, and nothing is recorded under its id";
            return Slot::Refused(Refusal::of(&event, code, message.to_owned()));
        }
        let id = self.tips.find(event.tenant());
        let tip = id.and_then(|id| Some((id, self.tips.get_mut(id)?)));
        // A ledger begins with its genesis, and with nothing else.
        let Some((id, tip)) = tip.filter(|(_, tip)| tip.head.size() > 0) else {
            let message = format!("there is no tenant {}", event.tenant());
            return Slot::Refused(Refusal::of(&event, ErrorCode::UnknownTenant, message));
        };
        let (batch, index) = (self.open.number(), self.open.record_count());
        if let Some((batch, index)) =
            self.in_flight.claim(id, event.event_id().clone(), batch, index)
        {
            return Slot::InFlight { batch, index, sent: Box::new(event) };
        }
        let signer = self.signing.signer(tip);
        let index = self.open.place(id, tip, Unplaced::from(event), now, signer);
        Slot::Sequenced { index }
    }

    /// Remembers the latest time, and whether the clock has fallen behind it.
    pub(super) fn watch_clock(&mut self, now: IngestedAt) {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        let behind = latest.micros().abs_diff(now.micros());
        let behind = Duration::from_micros(behind);
        self.clock_behind = (behind > CLOCK_TOLERANCE).then_some(behind);
    }
}
