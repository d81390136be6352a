//! A store whose appends wait until the test lets them go, so that a test decides what gathers
//! meanwhile.

use std::sync::{Arc, Condvar, Mutex};

use ledgerstone_proof::{EventId, Hash, NodeAddress, SequenceNumber, TenantId};
use ledgerstone_store::{
    AppendError, Batch, Changes, Cursor, Head, Inspector, LedgerStore, Part, ReadError, SourceName,
    SourcePosition, StoreStatus, StoredCheckpoint, StoredRecord,
};

/// Wraps a store and holds appends back while it is shut.
pub struct Gate<S> {
    inner: S,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    is_shut: bool,
    waiting: usize,
    /// The next lookup of this id waits after it has looked.
    held_id: Option<EventId>,
    is_held: bool,
}

impl<S> Gate<S> {
    pub fn new(inner: S) -> Arc<Self> {
        Arc::new(Self { inner, state: Mutex::default(), moved: Condvar::new() })
    }

    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// From now on appends wait.
    pub fn shut(&self) {
        self.state.lock().unwrap().is_shut = true;
    }

    /// Waits until an append waits.
    pub fn wait_for_append(&self) {
        let state = self.state.lock().unwrap();
        drop(self.moved.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    /// Lets appends go.
    pub fn open(&self) {
        self.state.lock().unwrap().is_shut = false;
        self.moved.notify_all();
    }

    /// Holds back the answer to the next lookup of an id.
    pub fn hold_lookup(&self, id: &EventId) {
        self.state.lock().unwrap().held_id = Some(id.clone());
    }

    /// Waits until a lookup is held back.
    pub fn wait_for_lookup(&self) {
        let state = self.state.lock().unwrap();
        drop(self.moved.wait_while(state, |state| !state.is_held).unwrap());
    }

    /// Lets the lookup answer what it saw.
    pub fn release_lookup(&self) {
        self.state.lock().unwrap().is_held = false;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.moved.notify_all();
        state = self.moved.wait_while(state, |state| state.is_shut).unwrap();
        state.waiting -= 1;
    }
}

impl<S: LedgerStore> LedgerStore for Gate<S> {
    fn append(&self, batch: &Batch) -> Result<(), AppendError> {
        self.pass();
        self.inner.append(batch)
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
        let found = self.inner.find(tenant, event_id);
        let mut state = self.state.lock().unwrap();
        if state.held_id.as_ref() == Some(event_id) {
            state.held_id = None;
            state.is_held = true;
            self.moved.notify_all();
            drop(self.moved.wait_while(state, |state| state.is_held).unwrap());
        }
        found
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

    fn changes(&self, cursor: &Cursor, limit: usize) -> Result<Changes, ReadError> {
        self.inner.changes(cursor, limit)
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

    fn parts(&self) -> Result<(Vec<Part>, Vec<ledgerstone_store::ContainerFinding>), ReadError> {
        self.inner.parts()
    }

    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
        self.inner.inspect(part, inspector)
    }
}
