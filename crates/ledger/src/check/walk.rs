//! One ledger from end to end: stretches from all parts, joined in order.

use std::collections::{BTreeMap, HashMap};

use ledgerstone_model::SystemRecord;
use ledgerstone_model::system::{Anchor, LedgerId};
use ledgerstone_proof::{
    Hash, IngestedAt, SequenceNumber, TenantId, leaf_hash, record_hash, verify_inclusion,
};
use ledgerstone_store::{Check, LedgerStore};

use super::context::Context;
use super::ending::{Ending, Place, Read};
use super::interval::Interval;
use super::key_history::KeyHistory;
use super::options::{Scope, VerifyOptions};
use super::report::Finding;
use super::retention::Retention;
use super::stretch::Stretch;
use crate::error::LedgerError;
use crate::history::{SystemHistory, read_genesis};
use crate::reader::log_keys_of;
use crate::trees::{inclusion, range_at, root_at, subtrees};

/// One ledger as far as it is put together.
#[derive(Debug)]
pub(super) struct Walk {
    tenant: TenantId,
    /// Number of the next record.
    next: u64,
    last_hash: Hash,
    last_at: Option<IngestedAt>,
    /// The tree so far; `None` once damage has made it unknown, until a part claims it again.
    tree: Option<Interval>,
    roots: HashMap<u64, Hash>,
    keys: KeyHistory,
    /// Stretches that cannot be joined yet, by their first record.
    pending: BTreeMap<u64, Vec<Stretch>>,
    /// Whether the walk begins at the genesis; otherwise stretches are joined once all are there.
    is_whole: bool,
    /// Whether records of it are damaged or missing, which findings name.
    is_damaged: bool,
    /// Whether the walk goes on to the ledger's last record.
    reaches_end: bool,
    /// Anchors that were read and not yet checked.
    pub(super) anchors: Vec<(u64, Anchor)>,
    /// Tenants that `system.tenant` records name, with the ledger that the first one announces.
    pub(super) tenants: HashMap<TenantId, LedgerId>,
    /// Where the genesis stands.
    genesis_place: (String, u64),
    /// What it says of contents that were dropped, and which are not there.
    pub(super) retention: Retention,
    /// How it ends, where it does.
    ending: Ending,
}

impl Walk {
    pub(super) fn begin(tenant: TenantId, options: &VerifyOptions) -> Self {
        Self {
            is_whole: options.reads_whole(&tenant),
            is_damaged: false,
            reaches_end: !matches!(options.scope, Scope::Range { .. }),
            tenant,
            next: 0,
            last_hash: Hash::ZERO,
            last_at: None,
            tree: Some(Interval::empty(0)),
            roots: HashMap::new(),
            keys: KeyHistory::default(),
            pending: BTreeMap::new(),
            anchors: Vec::new(),
            tenants: HashMap::new(),
            genesis_place: (String::new(), 0),
            retention: Retention::default(),
            ending: Ending::default(),
        }
    }

    pub(super) const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Whether every record from the genesis on was read and is as it was written.
    pub(super) const fn is_sound(&self) -> bool {
        self.is_whole && !self.is_damaged
    }

    /// Whether the ledger ends before that size.
    pub(super) const fn is_shorter_than(&self, size: u64) -> bool {
        self.reaches_end && size > self.next
    }

    /// Number of records up to the last one read.
    pub(super) const fn size(&self) -> u64 {
        self.next
    }

    pub(super) const fn last_hash(&self) -> Hash {
        self.last_hash
    }

    pub(super) fn root(&self) -> Option<Hash> {
        self.tree.as_ref().map(Interval::root)
    }

    /// The recomputed root at a size, where it is known.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied()
    }

    pub(super) const fn keys(&self) -> &KeyHistory {
        &self.keys
    }

    pub(super) const fn ending(&self) -> &Ending {
        &self.ending
    }

    /// File and offset of the genesis; empty where it was not among what was read.
    pub(super) fn genesis_place(&self) -> (&str, u64) {
        (&self.genesis_place.0, self.genesis_place.1)
    }

    /// Takes in a stretch, and joins what can be joined.
    pub(super) fn take(&mut self, stretch: Stretch, findings: &mut Vec<Finding>) {
        if !self.is_whole || stretch.first > self.next {
            self.pending.entry(stretch.first).or_default().push(stretch);
            return;
        }
        self.join(stretch, findings);
        while let Some(stretches) = self.pending.remove(&self.next) {
            for stretch in stretches {
                self.join(stretch, findings);
            }
        }
    }

    /// All parts are read: joins what is left, and says what is missing.
    pub(super) fn finish(
        &mut self,
        context: &Context<'_>,
        system: Option<&SystemHistory>,
        findings: &mut Vec<Finding>,
    ) {
        if !self.is_whole
            && let Err(error) = self.begin_in_the_middle(context, system)
        {
            let finding = Finding::new(Check::Record, error.to_string());
            findings.push(finding.at(&self.tenant, self.first_pending().unwrap_or(0)));
        }
        let pending = std::mem::take(&mut self.pending);
        for stretch in pending.into_values().flatten() {
            if stretch.first > self.next {
                self.skip_gap(&stretch, findings);
            }
            self.join(stretch, findings);
        }
        if !self.reaches_end
            && let (Some(genesis), Some(system)) = (self.keys.genesis(), system)
        {
            let all = log_keys_of(genesis, system);
            self.keys.go_on(all);
        }
        if !self.reaches_end
            && let Err(error) = self.complete_tree(context)
        {
            findings.push(Finding::new(Check::MerkleRoot, error.to_string()).of(&self.tenant));
        }
        self.retention.finish(context, &self.tenant, findings);
        self.finish_ending(findings);
        self.compare_head(context, findings);
    }

    fn finish_ending(&self, findings: &mut Vec<Finding>) {
        let (numbers, system, absent) = self.retention.seen();
        let read = Read {
            tenant: &self.tenant,
            is_whole: self.is_sound(),
            end: self.reaches_end.then_some(self.next),
            numbers,
            system,
            absent,
        };
        self.ending.finish(&read, findings);
    }

    fn first_pending(&self) -> Option<u64> {
        self.pending.keys().next().copied()
    }

    fn skip_gap(&mut self, stretch: &Stretch, findings: &mut Vec<Finding>) {
        self.is_damaged = true;
        let missing = stretch.first - self.next;
        let note = match missing {
            1 => format!("record {} is missing", self.next),
            _ => format!("{missing} records are missing, {} to {}", self.next, stretch.first - 1),
        };
        let mut finding = Finding::new(Check::Sequence, note)
            .at(&self.tenant, self.next)
            .in_file(&stretch.file, stretch.offset)
            .values(self.next, stretch.first);
        finding.following = missing - 1;
        findings.push(finding);
        self.next = stretch.first;
        self.last_hash = stretch.previous_hash;
        self.tree = None;
    }

    fn join(&mut self, stretch: Stretch, findings: &mut Vec<Finding>) {
        let claim = |check, note: &str| {
            Finding::new(check, note)
                .at(&stretch.tenant, stretch.first)
                .in_file(&stretch.file, stretch.offset)
        };
        if stretch.first < self.next {
            let note = "records with numbers that were already there";
            findings.push(claim(Check::Sequence, note).values(self.next, stretch.first));
            if stretch.end <= self.next {
                return;
            }
            // Too much came before: what goes on from here is taken at its word.
            self.next = stretch.first;
            self.last_hash = stretch.previous_hash;
            self.last_at = None;
            self.tree = None;
        }
        self.is_damaged |= stretch.damaged_at.is_some();
        if stretch.first == 0 && stretch.damaged_at != Some(0) && !starts_with_genesis(&stretch) {
            findings.push(claim(Check::Record, "the ledger does not begin with its genesis"));
        }
        if stretch.previous_hash != self.last_hash {
            let note = "the records do not follow the record before them";
            let finding = claim(Check::PreviousHash, note);
            findings.push(finding.values(self.last_hash, stretch.previous_hash));
        }
        if let (Some(before), Some(first)) = (self.last_at, stretch.first_at)
            && before > first
        {
            let finding = claim(Check::Record, "the time is before that of the record before");
            findings.push(finding.values(format!("{before} or later"), first));
        }
        if let (Some(tree), Some(before)) = (&self.tree, &stretch.frontier_before)
            && tree != before
        {
            let note = "the tree before the records is not the one that they say they continue";
            findings.push(claim(Check::MerkleRoot, note).values(before.root(), tree.root()));
        }
        self.join_tree(&stretch);
        self.keys.take(&stretch, findings);
        self.next = stretch.end;
        self.last_hash = stretch.last_hash;
        self.last_at = stretch.last_at.or(self.last_at);
        self.retention.take(&stretch);
        self.take_statements(stretch, findings);
    }

    fn join_tree(&mut self, stretch: &Stretch) {
        let before = match (stretch.tree.is_frontier(), &self.tree) {
            (true, _) => None,
            (false, Some(tree)) => Some(tree.clone()),
            (false, None) => return,
        };
        let joined = |part: &Interval| match &before {
            None => part.clone(),
            Some(before) => {
                let mut whole = before.clone();
                whole.join(part);
                whole
            }
        };
        for snapshot in &stretch.snapshots {
            self.roots.insert(snapshot.to(), joined(snapshot).root());
        }
        self.tree = (!stretch.tree_is_doubtful).then(|| joined(&stretch.tree));
    }

    fn take_statements(&mut self, stretch: Stretch, findings: &mut Vec<Finding>) {
        for statement in stretch.statements {
            let finding = |note: &str| {
                Finding::new(Check::Record, note)
                    .at(&self.tenant, statement.number)
                    .in_file(&stretch.file, statement.offset)
            };
            if !statement.is_about_its_ledger() && !self.tenant.is_system() {
                let note = "a record that only the ledger _system may hold";
                findings.push(finding(note).values("another", statement.said.event_type()));
                continue;
            }
            let place = Place {
                number: statement.number,
                file: stretch.file.clone(),
                offset: statement.offset,
            };
            match statement.said {
                SystemRecord::Anchor(anchor) => self.anchors.push((statement.number, anchor)),
                SystemRecord::Tenant(tenant) => {
                    let id = tenant.ledger_id();
                    let first = *self.tenants.entry(tenant.tenant().clone()).or_insert(id);
                    if first != id {
                        let note = "a tenant with another ledger than the one announced for it";
                        findings.push(finding(note).values(first, id));
                    }
                }
                SystemRecord::RetentionStarted(started) => {
                    let faked = self.ending.drops(&started, self.is_whole && !self.is_damaged);
                    findings.extend(faked.map(|note| finding(note).values("a closing", "none")));
                    let told = self.retention.start(statement.number, &started);
                    findings
                        .extend(told.into_iter().map(|told| told.told_by(finding(told.note()))));
                }
                SystemRecord::RetentionDone(done) => {
                    let told = self.retention.end(statement.number, done);
                    findings
                        .extend(told.into_iter().map(|told| told.told_by(finding(told.note()))));
                }
                SystemRecord::TenantClosing(closing) => {
                    let told = self.ending.begin(place, &closing);
                    findings.extend(told.map(|note| finding(note).values("one", "another")));
                }
                SystemRecord::TenantClosed(closed) => {
                    let is_whole = self.is_whole && !self.is_damaged;
                    let told = self.ending.end(place, closed, is_whole);
                    let named = closed.closing_record.value();
                    findings.extend(told.map(|note| finding(note).values("its beginning", named)));
                }
                SystemRecord::Genesis(_) if statement.number == 0 => {
                    self.genesis_place = (stretch.file.clone(), statement.offset);
                }
                _ => {}
            }
        }
    }

    /// Takes what precedes the first record that was read from the store, and holds it together: the
    /// record before is the last leaf of the tree before.
    fn begin_in_the_middle(
        &mut self,
        context: &Context<'_>,
        system: Option<&SystemHistory>,
    ) -> Result<(), LedgerError> {
        let store = context.store();
        let (genesis, _) = read_genesis(store, &self.tenant)?
            .ok_or_else(|| LedgerError::UnknownTenant(self.tenant.clone()))?;
        let since = context.options().since_of(&self.tenant).map(|since| since.size);
        let first = self.first_pending().or(since).unwrap_or(0);
        if first > 0 {
            let log_keys = system.map(|history| log_keys_of(&genesis, history));
            let log_keys = log_keys.unwrap_or_else(|| vec![genesis.log_key().clone()]);
            self.keys = KeyHistory::in_the_middle(genesis, log_keys);
            self.begin_at(store, first)?;
        }
        Ok(())
    }

    fn begin_at(&mut self, store: &dyn LedgerStore, first: u64) -> Result<(), LedgerError> {
        let range = range_at(store, &self.tenant, first)?;
        let number = SequenceNumber::new(first - 1).unwrap_or(SequenceNumber::MAX);
        let damaged = |reason| LedgerError::Damaged { tenant: self.tenant.clone(), number, reason };
        let before = store.read(&self.tenant, number, 1)?.into_iter().next();
        let header = before.as_ref().ok_or_else(|| damaged("is missing"))?.header_bytes();
        let proof = inclusion(store, &self.tenant, first - 1, first)?;
        verify_inclusion(first - 1, first, &leaf_hash(&header), &proof, &range.root())
            .map_err(|_| damaged("is not in the ledger's tree"))?;
        self.last_hash = record_hash(&header);
        self.last_at = before.map(|before| before.ingested_at);
        self.next = first;
        self.roots.insert(first, range.root());
        self.tree = Interval::frontier(first, range.hashes());
        Ok(())
    }

    /// For a range of records: takes the rest of the tree from the store, up to the size of the
    /// next checkpoint and to the ledger's end.
    fn complete_tree(&mut self, context: &Context<'_>) -> Result<(), LedgerError> {
        let Some(head) = context.store().head(&self.tenant)? else {
            return Ok(());
        };
        let checkpoint = context.next_wanted(&self.tenant, self.next.saturating_sub(1));
        for size in checkpoint.into_iter().chain([head.size()]) {
            let Some(tree) = &self.tree else {
                return Ok(());
            };
            if size < self.next || size > head.size() {
                continue;
            }
            let mut whole = tree.clone();
            for node in subtrees(whole.to(), size) {
                whole.append(node.level, context.store().node(&self.tenant, node)?);
            }
            self.roots.insert(size, whole.root());
        }
        Ok(())
    }

    /// What the store believes to be the ledger's end, against what was read.
    fn compare_head(&self, context: &Context<'_>, findings: &mut Vec<Finding>) {
        let finding = |note: &str| Finding::new(Check::Head, note).at(&self.tenant, self.next);
        let head = match context.store().head(&self.tenant) {
            // What stands behind damage was read here, and the store does not serve it.
            Ok(head)
                if context.store().status().read_only
                    && head.as_ref().map_or(0, ledgerstone_store::Head::size) < self.next =>
            {
                return;
            }
            Ok(Some(head)) => head,
            Ok(None) => return findings.push(finding("the store has no head of this ledger")),
            Err(error) => return findings.push(finding(&error.to_string())),
        };
        if !self.reaches_end {
            let root = self.root_at(head.size());
            if let Some(root) = root.filter(|root| *root != head.range.root()) {
                let note = "the records are not those of the ledger's tree";
                let finding = Finding::new(Check::MerkleRoot, note).of(&self.tenant);
                findings.push(finding.values(head.range.root(), root));
            }
            return;
        }
        if head.size() != self.next {
            let note = "the store's head has another size than the ledger has records";
            findings.push(finding(note).values(head.size(), self.next));
            return;
        }
        if head.record_hash != self.last_hash {
            let note = "the store's head has another record hash than the last record";
            findings.push(finding(note).values(head.record_hash, self.last_hash));
        }
        if let Some(root) = self.root().filter(|root| *root != head.range.root()) {
            let note = "the store's head has another root than the ledger's tree";
            findings.push(finding(note).values(head.range.root(), root));
        }
    }

    /// For an incremental verification: the beginning must still be what it was.
    pub(super) fn compare_since(&self, context: &Context<'_>, findings: &mut Vec<Finding>) {
        let Some(since) = context.options().since_of(&self.tenant) else {
            return;
        };
        let finding = |check, note: &str| {
            Finding::new(check, note)
                .at(&self.tenant, since.size.min(self.next))
                .with_code(ledgerstone_model::ErrorCode::LedgerRolledBack)
        };
        if since.size > self.next {
            let note = "the ledger is shorter than when it was verified";
            findings.push(finding(Check::Truncated, note).values(since.size, self.next));
            return;
        }
        let root = self.root_at(since.size);
        let root = root.map_or_else(|| root_at(context.store(), &self.tenant, since.size), Ok);
        match root {
            Ok(root) if root == since.root => {}
            Ok(root) => {
                let note = "the beginning of the ledger is not what it was when it was verified";
                findings.push(finding(Check::MerkleRoot, note).values(since.root, root));
            }
            Err(error) => findings.push(finding(Check::MerkleRoot, &error.to_string())),
        }
    }
}

fn starts_with_genesis(stretch: &Stretch) -> bool {
    stretch
        .statements
        .first()
        .is_some_and(|first| first.number == 0 && matches!(first.said, SystemRecord::Genesis(_)))
}
