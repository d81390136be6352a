//! A store whose appends fail or wait when a test says so, in every way the contract allows.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, Hash, NodeAddress, SequenceNumber, TenantId};

use super::gate::Gate;
use crate::batch::{Batch, SourceName, SourcePosition};
use crate::contract::{Changes, Cursor, Inspector, LedgerStore, Part, StoreStatus, Wanted};
use crate::error::{AppendError, Moved, ReadError};
use crate::record::{ContainerFinding, Head, StoredCheckpoint, StoredRecord};
use crate::retention::{DropError, DropPlan, DropReport, RetentionStore};

/// How one append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// `Unavailable`; nothing is written.
    Unavailable,
    /// `Conflict`, as if another writer had moved the first ledger; nothing is written.
    Conflict,
    /// `Unknown`; nothing is written.
    UnknownNotApplied,
    /// `Unknown`; the batch is written.
    UnknownApplied,
    /// `Unavailable` although the batch is written: a broken store, for tests of the tests.
    LyingUnavailable,
    /// `Ok` although nothing is written: a broken store, for tests of the tests.
    LyingOk,
}

impl AppendFault {
    /// The faults that the contract allows.
    pub const HONEST: [Self; 4] =
        [Self::Unavailable, Self::Conflict, Self::UnknownNotApplied, Self::UnknownApplied];

    fn applies(self) -> bool {
        matches!(self, Self::UnknownApplied | Self::LyingUnavailable)
    }
}

/// Wraps a store and lets chosen appends fail. Reading is passed through, but for what the gate holds
/// back.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    gate: Gate,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// Faults by the number of the append, from 0.
    faults: BTreeMap<u64, AppendFault>,
    appends: u64,
    fired: u64,
    /// An append ended `Unknown`; nothing is written until the store is opened again.
    closed: bool,
}

impl<S: LedgerStore> FaultyStore<S> {
    /// No append fails yet.
    pub fn new(inner: S) -> Self {
        Self { inner, gate: Gate::default(), plan: Mutex::default() }
    }

    /// Lets the append of that number fail; the first append has number 0.
    pub fn fail_append(&self, number: u64, fault: AppendFault) {
        self.plan().faults.insert(number, fault);
    }

    /// Lets the next append fail.
    pub fn fail_next(&self, fault: AppendFault) {
        let mut plan = self.plan();
        let next = plan.appends;
        plan.faults.insert(next, fault);
    }

    /// Appends seen so far.
    pub fn appends(&self) -> u64 {
        self.plan().appends
    }

    /// Faults that have happened so far.
    pub fn fired(&self) -> u64 {
        self.plan().fired
    }

    /// Where appends and look-ups can be made to wait.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The wrapped store.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// The fault of the append that begins now.
    fn begin(&mut self) -> Option<AppendFault> {
        let fault = self.faults.remove(&self.appends);
        self.appends += 1;
        self.fired += u64::from(fault.is_some());
        fault
    }
}

impl<S: LedgerStore> LedgerStore for FaultyStore<S> {
    fn append(&self, batch: &Batch) -> Result<(), AppendError> {
        self.gate.pass();
        // Held to the end: a fault closes the store before the next append looks.
        let mut plan = self.plan();
        if plan.closed {
            return Err(unknown("an earlier append ended unknown; open the store again"));
        }
        let Some(fault) = plan.begin() else {
            drop(plan);
            return self.inner.append(batch);
        };
        let first = batch.ledgers.first().map(|append| append.tenant.clone());
        if fault.applies() {
            self.inner.append(batch)?;
        }
        match fault {
            AppendFault::LyingOk => Ok(()),
            AppendFault::Unavailable | AppendFault::LyingUnavailable => {
                Err(AppendError::Unavailable {
                    code: ErrorCode::StorageFailed,
                    reason: "a planned fault".to_owned(),
                })
            }
            AppendFault::Conflict => {
                let what = Moved::Head(first.unwrap_or_else(TenantId::system));
                Err(AppendError::Conflict { what })
            }
            AppendFault::UnknownApplied | AppendFault::UnknownNotApplied => {
                plan.closed = true;
                Err(unknown("a planned fault"))
            }
        }
    }

    fn ledgers(&self) -> Result<Vec<TenantId>, ReadError> {
        self.inner.ledgers()
    }

    fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        self.inner.head(tenant)
    }

    fn find(
        &self,
        tenant: &TenantId,
        event_id: &EventId,
    ) -> Result<Option<SequenceNumber>, ReadError> {
        Ok(self.gate.answer(event_id, self.inner.find(tenant, event_id)?))
    }

    fn read(
        &self,
        tenant: &TenantId,
        from: SequenceNumber,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        self.inner.read(tenant, from, limit)
    }

    fn node(&self, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
        self.inner.node(tenant, node)
    }

    fn changes(&self, cursor: &Cursor, limit: usize, wanted: Wanted) -> Result<Changes, ReadError> {
        self.inner.changes(cursor, limit, wanted)
    }

    fn checkpoints(&self, tenant: &TenantId) -> Result<Vec<StoredCheckpoint>, ReadError> {
        self.inner.checkpoints(tenant)
    }

    fn position(&self, source: &SourceName) -> Result<Option<SourcePosition>, ReadError> {
        self.inner.position(source)
    }

    fn status(&self) -> StoreStatus {
        self.inner.status()
    }

    fn parts(&self) -> Result<(Vec<Part>, Vec<ContainerFinding>), ReadError> {
        self.inner.parts()
    }

    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
        self.inner.inspect(part, inspector)
    }
}

impl<S: RetentionStore> RetentionStore for FaultyStore<S> {
    fn drop_contents(&self, plan: &DropPlan) -> Result<DropReport, DropError> {
        if self.plan().closed {
            let reason = "an earlier append ended unknown".to_owned();
            return Err(DropError::Unknown { reason });
        }
        self.inner.drop_contents(plan)
    }

    fn settle(&self) -> Result<(), DropError> {
        self.inner.settle()
    }
}

fn unknown(reason: &str) -> AppendError {
    AppendError::Unknown { reason: reason.to_owned() }
}
