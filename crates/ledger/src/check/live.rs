//! Verifying a store while it is being written: the verifier sees the ledgers as they were at one
//! moment, is told when to rest, and can be stopped.
//!
//! The verifier compares what the parts hold with where the store says its ledgers end. Beside a
//! writer these move while it reads, so it is shown a [`FrozenStore`]: heads of one moment, and of
//! the parts only what those heads cover.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EventId, Hash, NodeAddress, SequenceNumber, TenantId};
use ledgerstone_store::{
    AppendError, Batch, Changes, ContainerFinding, Cursor, Head, Inspector, LedgerStore, Part,
    ReadError, RunClaims, RunRecord, SourceName, SourcePosition, StoreStatus, StoredCheckpoint,
    StoredRecord, Wanted,
};

use super::kept_part::{NoMemory, PartMemory};
use super::options::{Scope, VerifyOptions};
use super::report::{Finding, Report};
use super::verify_remembering;
use crate::history::ANCHOR_PREFIX;

/// How often the heads are read again when `_system` moves meanwhile.
const ATTEMPTS_MAX: usize = 100;

/// Records of `_system` read at a time.
const PAGE: usize = 256;

/// Watches a verification and may slow it down or end it.
pub trait Watch: Sync {
    /// Some more records are about to be checked, out of about `total`: of a range, some around it
    /// are read too. To slow the verifier down, answer
    /// later; to end it, answer `Break`.
    fn records(&self, records: u64, total: u64) -> ControlFlow<()>;

    /// The ids of so many records were read once more, without what they stand for.
    fn ids(&self, records: u64, total: u64) -> ControlFlow<()> {
        let _ = records;
        self.records(0, total)
    }

    /// Something is wrong with a container. The report will say so too, at the end.
    fn finding(&self, finding: &Finding);
}

/// Verifies what a store holds now, while it may be written on. `None` where the watcher ended it.
pub fn verify_live(
    store: &dyn LedgerStore,
    options: &VerifyOptions,
    watch: &dyn Watch,
) -> Result<Option<Report>, ReadError> {
    verify_live_remembering(store, options, watch, &NoMemory)
}

/// The same, going on from what an earlier verification of everything, with the same options, has read.
pub fn verify_live_remembering(
    store: &dyn LedgerStore,
    options: &VerifyOptions,
    watch: &dyn Watch,
    memory: &dyn PartMemory,
) -> Result<Option<Report>, ReadError> {
    let frozen = FrozenStore::freeze(store, &options.scope, watch)?;
    let report = verify_remembering(&frozen, options, &|_| {}, memory)?;
    Ok((!frozen.is_stopped()).then_some(report))
}

/// A store as it was at one moment.
struct FrozenStore<'a> {
    inner: &'a dyn LedgerStore,
    heads: HashMap<TenantId, Head>,
    watch: &'a dyn Watch,
    /// Records that the verification will look at, for the watcher.
    total: u64,
    stopped: AtomicBool,
}

impl<'a> FrozenStore<'a> {
    /// Reads the heads of the ledgers in scope. That of `_system` comes first and the others follow,
    /// so that these are as long as its anchors say; should `_system` tell of anything but anchors
    /// meanwhile (a new key, a new tenant), all are read again.
    fn freeze(
        inner: &'a dyn LedgerStore,
        scope: &Scope,
        watch: &'a dyn Watch,
    ) -> Result<Self, ReadError> {
        let system = TenantId::system();
        for _ in 0..ATTEMPTS_MAX {
            let mut heads = HashMap::new();
            let told = inner.head(&system)?;
            for tenant in inner.ledgers()? {
                if tenant != system
                    && is_in(scope, &tenant)
                    && let Some(head) = inner.head(&tenant)?
                {
                    heads.insert(tenant, head);
                }
            }
            let until = told.as_ref().map_or(0, Head::size);
            heads.extend(told.map(|head| (system.clone(), head)));
            if says_nothing_since(inner, until)? {
                let total = total(scope, &heads);
                return Ok(Self { inner, heads, watch, total, stopped: AtomicBool::new(false) });
            }
        }
        let what = "the heads of one moment, because keys or tenants keep changing,".to_owned();
        Err(ReadError::Io { what, source: std::io::ErrorKind::WouldBlock.into() })
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn size(&self, tenant: &TenantId) -> u64 {
        self.heads.get(tenant).map_or(0, Head::size)
    }

    /// A part without what came after the moment.
    fn cut(&self, mut part: Part) -> Part {
        part.contents.checkpoints.retain(|kept| kept.size <= self.size(&kept.tenant));
        let anchors = self.size(&TenantId::system());
        part.contents.anchored.retain(|round| round.anchor < anchors);
        part
    }
}

fn is_in(scope: &Scope, tenant: &TenantId) -> bool {
    match scope {
        Scope::All => true,
        Scope::Tenant(only) | Scope::Range { tenant: only, .. } => only == tenant,
    }
}

fn total(scope: &Scope, heads: &HashMap<TenantId, Head>) -> u64 {
    match scope {
        Scope::All | Scope::Tenant(_) => heads.values().map(Head::size).sum(),
        Scope::Range { tenant, from, to } => {
            heads.get(tenant).map_or(0, |head| head.size().min(*to).saturating_sub(*from))
        }
    }
}

/// Whether `_system` holds nothing but anchors from that number on.
fn says_nothing_since(store: &dyn LedgerStore, from: u64) -> Result<bool, ReadError> {
    let mut next = SequenceNumber::new(from).unwrap_or(SequenceNumber::MAX);
    loop {
        let records = store.read(&TenantId::system(), next, PAGE)?;
        let Some(last) = records.last() else { return Ok(true) };
        next = last.sequence_number.next();
        let is_anchor = |record: &StoredRecord| {
            record.content.as_deref().is_some_and(|content| content.starts_with(ANCHOR_PREFIX))
        };
        if !records.iter().all(is_anchor) {
            return Ok(false);
        }
    }
}

impl LedgerStore for FrozenStore<'_> {
    fn append(&self, _: &Batch) -> Result<(), AppendError> {
        let reason = "a store that is being verified is only read".to_owned();
        Err(AppendError::Unavailable { code: ErrorCode::Internal, reason })
    }

    fn ledgers(&self) -> Result<Vec<TenantId>, ReadError> {
        Ok(self.heads.keys().cloned().collect())
    }

    fn head(&self, tenant: &TenantId) -> Result<Option<Head>, ReadError> {
        Ok(self.heads.get(tenant).cloned())
    }

    fn find(
        &self,
        tenant: &TenantId,
        event_id: &EventId,
    ) -> Result<Option<SequenceNumber>, ReadError> {
        self.inner.find(tenant, event_id)
    }

    fn read(
        &self,
        tenant: &TenantId,
        from: SequenceNumber,
        limit: usize,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let left = self.size(tenant).saturating_sub(from.value());
        let limit = limit.min(usize::try_from(left).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.inner.read(tenant, from, limit)
    }

    fn node(&self, tenant: &TenantId, node: NodeAddress) -> Result<Hash, ReadError> {
        self.inner.node(tenant, node)
    }

    fn changes(&self, cursor: &Cursor, limit: usize, wanted: Wanted) -> Result<Changes, ReadError> {
        self.inner.changes(cursor, limit, wanted)
    }

    fn checkpoints(&self, tenant: &TenantId) -> Result<Vec<StoredCheckpoint>, ReadError> {
        let mut kept = self.inner.checkpoints(tenant)?;
        kept.retain(|kept| kept.size <= self.size(tenant));
        Ok(kept)
    }

    fn position(&self, source: &SourceName) -> Result<Option<SourcePosition>, ReadError> {
        self.inner.position(source)
    }

    fn status(&self) -> StoreStatus {
        self.inner.status()
    }

    fn parts(&self) -> Result<(Vec<Part>, Vec<ContainerFinding>), ReadError> {
        let (parts, findings) = self.inner.parts()?;
        for finding in &findings {
            self.watch.finding(&Finding::of_container(finding.clone()));
        }
        Ok((parts.into_iter().map(|part| self.cut(part)).collect(), findings))
    }

    fn inspect(&self, part: &Part, inspector: &mut dyn Inspector) -> Result<(), ReadError> {
        if self.is_stopped() {
            return Ok(());
        }
        self.inner.inspect(part, &mut Cut { store: self, inspector, run: Shown::Nothing })
    }
}

/// Passes on what belongs to the moment.
struct Cut<'a> {
    store: &'a FrozenStore<'a>,
    inspector: &'a mut dyn Inspector,
    run: Shown,
}

/// What is passed on of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// All of it, also where it is longer than it claims.
    Whole,
    /// So many more records: the run goes on after the moment.
    Next(usize),
}

impl Inspector for Cut<'_> {
    fn wants(&self, tenant: &TenantId) -> bool {
        !self.store.is_stopped() && self.store.size(tenant) > 0 && self.inspector.wants(tenant)
    }

    fn wants_contents(&self) -> bool {
        self.inspector.wants_contents()
    }

    fn finding(&mut self, finding: ContainerFinding) {
        self.store.watch.finding(&Finding::of_container(finding.clone()));
        self.inspector.finding(finding);
    }

    fn begin_run(&mut self, claims: &RunClaims<'_>) {
        let head = self.store.heads.get(claims.tenant).filter(|_| !self.store.is_stopped());
        let left = head.map_or(0, Head::size).saturating_sub(claims.first.value());
        let Some(head) = head.filter(|_| left > 0) else {
            self.run = Shown::Nothing;
            return;
        };
        if left >= claims.count {
            self.run = Shown::Whole;
            return self.inspector.begin_run(claims);
        }
        self.run = Shown::Next(usize::try_from(left).unwrap_or(usize::MAX));
        // The run goes on after the moment: what is shown ends where the ledger ended then.
        self.inspector.begin_run(&RunClaims {
            tenant: claims.tenant,
            first: claims.first,
            count: left,
            previous_hash: claims.previous_hash,
            range_before: claims.range_before,
            last_record_hash: head.record_hash,
            root_after: None,
            offset: claims.offset,
        });
    }

    fn records(&mut self, records: &[RunRecord<'_>]) {
        let shown = match &mut self.run {
            Shown::Nothing => return,
            Shown::Whole => records,
            Shown::Next(left) => {
                let shown = records.get(..*left).unwrap_or(records);
                *left -= shown.len();
                shown
            }
        };
        let (watch, count) = (self.store.watch, shown.len() as u64);
        let verdict = if self.inspector.wants_contents() {
            watch.records(count, self.store.total)
        } else {
            watch.ids(count, self.store.total)
        };
        if verdict.is_break() {
            self.store.stopped.store(true, Ordering::Relaxed);
        }
        if !self.store.is_stopped() {
            self.inspector.records(shown);
        }
    }

    fn end_run(&mut self) {
        if self.run != Shown::Nothing {
            self.run = Shown::Nothing;
            self.inspector.end_run();
        }
    }
}
