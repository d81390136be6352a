//! Which record covers a content that is gone, which runs have not ended, which holds stand, which
//! policies wait for a second person, and how far the closing of a tenant is: read from the ledgers when it
//! is first asked for, and followed from there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ledgerstone_model::NumberSet;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::system::{
    PolicyProposalRecord, RetentionReason, RetentionRunId, RetentionStarted, SystemRecord,
    TenantClosingAsked,
};
use ledgerstone_model::visible::HiddenPart;
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::admin::ProjectedRecord;
use ledgerstone_store::{Cursor, LedgerStore, ReadError};

use crate::holds::HoldEntry;
use crate::ledger::hold;
use crate::projection;

/// Why a record has no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The `system.retention_started` record of its ledger that covers it.
    pub record: SequenceNumber,
    pub reason: RetentionReason,
}

impl Dropped {
    /// The same as answers tell it.
    pub const fn hidden_part(self) -> HiddenPart {
        HiddenPart::dropped(self.record, self.reason)
    }
}

/// What was recorded of all ledgers.
#[derive(Debug, Default)]
pub(crate) struct RetentionIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cursor: Cursor,
    ledgers: HashMap<TenantId, OfLedger>,
    /// The newest wish that a tenant be closed.
    closings: HashMap<TenantId, Arc<ClosingAsked>>,
}

/// What was recorded of one ledger.
#[derive(Debug, Default)]
struct OfLedger {
    started: Vec<(SequenceNumber, RetentionStarted)>,
    done: HashSet<RetentionRunId>,
    holds: BTreeMap<HoldId, Arc<HoldEntry>>,
    proposals: BTreeMap<PolicyKind, Arc<Proposal>>,
    ending: Ending,
}

/// The records by which a ledger ends, as far as they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) closing: Option<SequenceNumber>,
    pub(crate) closed: Option<SequenceNumber>,
}

/// Somebody's wish that a tenant be closed, and the record of `_system` that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingAsked {
    pub record: TenantClosingAsked,
    pub recorded_as: SequenceNumber,
    pub asked_at: IngestedAt,
}

/// The newest policy of its kind that was put forward, and the record that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub record: PolicyProposalRecord,
    pub recorded_as: SequenceNumber,
    pub proposed_at: IngestedAt,
}

/// What runs that have not ended cover, by run and ledger.
pub(crate) type OpenRuns = BTreeMap<RetentionRunId, BTreeMap<TenantId, NumberSet>>;

impl RetentionIndex {
    /// The record that covers a content; `None` where none does.
    pub(crate) fn covering(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
        number: SequenceNumber,
    ) -> Result<Option<Dropped>, ReadError> {
        let mut state = hold(&self.state);
        if let Some(found) = state.covering(tenant, number) {
            return Ok(Some(found));
        }
        state.follow(store)?;
        Ok(state.covering(tenant, number))
    }

    /// Every number of a ledger whose content was dropped, or is about to be.
    pub(crate) fn covered(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
    ) -> Result<NumberSet, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let mut covered = NumberSet::new();
        for (record, started) in state.ledgers.get(tenant).iter().flat_map(|runs| &runs.started) {
            covered.add(&started.numbers().within(0..record.value()));
        }
        Ok(covered)
    }

    /// The runs that have not ended.
    pub(crate) fn open_runs(&self, store: &dyn LedgerStore) -> Result<OpenRuns, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let mut open = OpenRuns::new();
        for (tenant, known) in &state.ledgers {
            for (record, started) in &known.started {
                if !known.done.contains(&started.run()) {
                    let ledgers = open.entry(started.run()).or_default();
                    // Whatever a record says, it is about those before it.
                    let numbers = started.numbers().within(0..record.value());
                    ledgers.entry(tenant.clone()).or_default().add(&numbers);
                }
            }
        }
        Ok(open)
    }

    /// What runs of a reason cover that one `audit` record explains, by run.
    pub(crate) fn explained_by(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
        (reason, audit_record): (RetentionReason, SequenceNumber),
    ) -> Result<BTreeMap<RetentionRunId, NumberSet>, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let mut covered = BTreeMap::<_, NumberSet>::new();
        let started = state.ledgers.get(tenant).map(|known| known.started.as_slice());
        for (_, started) in started.unwrap_or_default() {
            if started.reason() == reason && started.audit_record() == Some(audit_record) {
                covered.entry(started.run()).or_default().add(started.numbers());
            }
        }
        Ok(covered)
    }

    /// Every hold that a tenant ever had, by id.
    pub(crate) fn holds(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
    ) -> Result<Vec<Arc<HoldEntry>>, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let known = state.ledgers.get(tenant);
        Ok(known.map(|known| known.holds.values().cloned().collect()).unwrap_or_default())
    }

    /// The newest proposal of a kind, whether or not it still counts.
    pub(crate) fn proposal(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
        kind: PolicyKind,
    ) -> Result<Option<Arc<Proposal>>, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        Ok(state.ledgers.get(tenant).and_then(|known| known.proposals.get(&kind)).cloned())
    }

    /// The newest wish that a tenant be closed, whether or not it still counts.
    pub(crate) fn closing_asked(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
    ) -> Result<Option<Arc<ClosingAsked>>, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        Ok(state.closings.get(tenant).cloned())
    }

    /// How far a ledger is with its end.
    pub(crate) fn ending(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
    ) -> Result<Ending, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        Ok(state.ledgers.get(tenant).map(|known| known.ending).unwrap_or_default())
    }
}

impl State {
    fn covering(&self, tenant: &TenantId, number: SequenceNumber) -> Option<Dropped> {
        let started = &self.ledgers.get(tenant)?.started;
        let covers = |(record, started): &&(SequenceNumber, RetentionStarted)| {
            number < *record && started.numbers().contains(number.value())
        };
        started
            .iter()
            .find(covers)
            .map(|(record, started)| Dropped { record: *record, reason: started.reason() })
    }

    /// Takes in what the ledgers gained.
    fn follow(&mut self, store: &dyn LedgerStore) -> Result<(), ReadError> {
        let Self { cursor, ledgers, closings } = self;
        *cursor = projection::system_records_after(store, cursor.clone(), |found| {
            if let SystemRecord::TenantClosingAsked(record) = found.record {
                let (recorded_as, asked_at) = (found.sequence_number, found.ingested_at);
                let tenant = record.tenant.clone();
                let asked = ClosingAsked { record: *record, recorded_as, asked_at };
                closings.insert(tenant, Arc::new(asked));
            } else {
                ledgers.entry(found.ledger.clone()).or_default().take(found);
            }
        })?;
        Ok(())
    }
}

impl OfLedger {
    fn take(&mut self, found: ProjectedRecord) {
        let (number, at) = (found.sequence_number, found.ingested_at);
        match found.record {
            SystemRecord::RetentionStarted(started) => self.started.push((number, started)),
            SystemRecord::RetentionDone(done) => drop(self.done.insert(done.run())),
            SystemRecord::PolicyProposal(record) => {
                let kind = record.document().kind();
                let proposal = Proposal { record: *record, recorded_as: number, proposed_at: at };
                self.proposals.insert(kind, Arc::new(proposal));
            }
            SystemRecord::HoldSet(set) => {
                let entry = HoldEntry::new(*set, (number, at));
                self.holds.entry(entry.set.hold).or_insert_with(|| Arc::new(entry));
            }
            SystemRecord::HoldReleaseAsked(asked) => {
                self.change(asked.hold, |entry| entry.release_asked = Some((asked, number)));
            }
            SystemRecord::HoldReleased(released) => {
                self.change(released.hold, |entry| entry.released = Some((released, number)));
            }
            SystemRecord::TenantClosing(_) => drop(self.ending.closing.get_or_insert(number)),
            SystemRecord::TenantClosed(_) => drop(self.ending.closed.get_or_insert(number)),
            _ => {}
        }
    }

    fn change(&mut self, id: HoldId, change: impl FnOnce(&mut HoldEntry)) {
        if let Some(entry) = self.holds.get_mut(&id) {
            change(Arc::make_mut(entry));
        }
    }
}
