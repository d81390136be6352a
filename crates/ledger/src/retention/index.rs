//! Which record covers a content that is gone, and which runs have not ended: read from the ledgers
//! when it is first asked for, and followed from there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use ledgerstone_model::NumberSet;
use ledgerstone_model::system::{RetentionReason, RetentionRunId, RetentionStarted, SystemRecord};
use ledgerstone_model::visible::HiddenPart;
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::{Cursor, LedgerStore, ReadError};

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

/// The runs of all ledgers.
#[derive(Debug, Default)]
pub(crate) struct RunIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cursor: Cursor,
    ledgers: HashMap<TenantId, Runs>,
}

/// The runs of one ledger.
#[derive(Debug, Default)]
struct Runs {
    started: Vec<(SequenceNumber, RetentionStarted)>,
    done: HashSet<RetentionRunId>,
}

/// What runs that have not ended cover, by run and ledger.
pub(crate) type OpenRuns = BTreeMap<RetentionRunId, BTreeMap<TenantId, NumberSet>>;

impl RunIndex {
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
        for (tenant, runs) in &state.ledgers {
            for (record, started) in &runs.started {
                if !runs.done.contains(&started.run()) {
                    let ledgers = open.entry(started.run()).or_default();
                    // Whatever a record says, it is about those before it.
                    let numbers = started.numbers().within(0..record.value());
                    ledgers.entry(tenant.clone()).or_default().add(&numbers);
                }
            }
        }
        Ok(open)
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
        let Self { cursor, ledgers } = self;
        *cursor =
            projection::system_records_after(store, cursor.clone(), |found| match found.record {
                SystemRecord::RetentionStarted(started) => {
                    let runs = ledgers.entry(found.ledger).or_default();
                    runs.started.push((found.sequence_number, started));
                }
                SystemRecord::RetentionDone(done) => {
                    ledgers.entry(found.ledger).or_default().done.insert(done.run());
                }
                _ => {}
            })?;
        Ok(())
    }
}
