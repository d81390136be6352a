//! One run: recorded, covered by checkpoints, carried out by the store, and recorded as done.

use std::collections::{BTreeMap, BTreeSet};

use ledgerstone_model::NumberSet;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::system::{
    RetentionDone, RetentionReason, RetentionRunId, RetentionStarted, SystemRecord,
};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId};
use ledgerstone_store::{DropPlan, DropReport, RetentionStore};

use crate::error::LedgerError;
use crate::holds::StandingHolds;
use crate::ledger::{Ledger, hold};
use crate::reader::Order;
use crate::sequencer::{Door, Round, SignedAs};

/// Records that begin a run which are written in one commit.
pub(crate) const STARTED_PER_COMMIT: usize = 16;

/// What one ledger is to lose.
#[derive(Clone, Debug)]
pub struct ContentDrop {
    pub tenant: TenantId,
    /// Of `event` and `audit` records; those whose content is gone already are passed over.
    pub numbers: NumberSet,
    pub reason: RetentionReason,
    /// The record of the ledger that holds the policy by which they go.
    pub policy_record: Option<SequenceNumber>,
    /// The record of the ledger that says who ordered it.
    pub audit_record: Option<SequenceNumber>,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// What became of each ledger that a run concerns; empty where nothing was to be dropped.
    pub ledgers: Vec<LedgerOutcome>,
    /// What legal holds kept of what was to be dropped.
    pub held: BTreeMap<TenantId, NumberSet>,
    /// Ledgers of which nothing was dropped, as another policy came into force since it was looked what
    /// expired there.
    pub overtaken: BTreeSet<TenantId>,
    /// What the store did for all of them.
    pub store: DropReport,
}

/// What became of one ledger in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOutcome {
    pub tenant: TenantId,
    pub run: RetentionRunId,
    /// Contents that the run covers.
    pub covered: u64,
    /// Those that are still there, because what holds them is not sealed yet. The run is open until
    /// it is resumed and finds none.
    pub waiting: u64,
    /// The record that says that the run is done here.
    pub done: Option<SequenceNumber>,
}

/// Dropping contents of a deployment's ledgers: what needs the store's own door beside the ledger.
pub struct Retention<'a> {
    pub(crate) ledger: &'a Ledger,
    store: &'a dyn RetentionStore,
}

impl ContentDrop {
    /// What a run over these numbers begins with.
    pub(crate) fn records(
        &self,
        run: RetentionRunId,
        numbers: &NumberSet,
    ) -> Vec<RetentionStarted> {
        let started = RetentionStarted::split(run, self.reason, numbers).into_iter();
        let whole = |record: RetentionStarted| {
            record.under_policy(self.policy_record).explained_by(self.audit_record)
        };
        started.map(whole).collect()
    }
}

/// A run that was decided upon and recorded.
struct Begun {
    run: RetentionRunId,
    covered: Covered,
    /// What was left out.
    report: RetentionReport,
}

/// What a run covers, by ledger.
type Covered = BTreeMap<TenantId, NumberSet>;

impl Ledger {
    /// Dropping contents; `store` is the ledger's own.
    pub const fn retention<'a>(&'a self, store: &'a dyn RetentionStore) -> Retention<'a> {
        Retention { ledger: self, store }
    }
}

impl Retention<'_> {
    /// Drops contents in one run over any number of ledgers, so that whatever holds several of them is
    /// written anew once. What a legal hold covers stays, whatever the reason is. Nothing is recorded or
    /// dropped where a number is that of a `system` record or of none. An error after that leaves a run
    /// that [`resume`](Self::resume) goes on with.
    pub fn drop_contents(&self, drops: &[ContentDrop]) -> Result<RetentionReport, LedgerError> {
        let _one_at_a_time = hold(&self.ledger.retaining);
        let Begun { run, covered, report } = self.begin(drops)?;
        let RetentionReport { held, overtaken, .. } = report;
        let report = self.carry_out(&[(run, covered)])?;
        Ok(RetentionReport { held, overtaken, ..report })
    }

    /// Decides what goes and says so in the ledgers. No hold and no policy comes between the two.
    fn begin(&self, drops: &[ContentDrop]) -> Result<Begun, LedgerError> {
        let _deciding = hold(&self.ledger.holding);
        let _policies = self.ledger.hold_policies()?;
        let mut wanted = Vec::with_capacity(drops.len());
        let mut report = RetentionReport::default();
        for drop in drops {
            if self.is_overtaken(drop)? {
                report.overtaken.insert(drop.tenant.clone());
                continue;
            }
            let (numbers, kept) = self.droppable(drop)?;
            if !numbers.is_empty() {
                wanted.push((drop, numbers));
            }
            if !kept.is_empty() {
                report.held.entry(drop.tenant.clone()).or_default().add(&kept);
            }
        }
        let run = self.new_run();
        let mut covered = Covered::new();
        for (drop, numbers) in wanted {
            self.record(&drop.tenant, &drop.records(run, &numbers))?;
            covered.entry(drop.tenant.clone()).or_default().add(&numbers);
        }
        Ok(Begun { run, covered, report })
    }

    /// Whether the policy by which contents were found to have expired is in force no more.
    fn is_overtaken(&self, drop: &ContentDrop) -> Result<bool, LedgerError> {
        if drop.reason != RetentionReason::Expired {
            return Ok(false);
        }
        let now = self.ledger.policy(&drop.tenant, PolicyKind::Retention)?;
        Ok(now.map(|policy| policy.set_by()) != drop.policy_record)
    }

    pub(crate) fn new_run(&self) -> RetentionRunId {
        let mut id = [0; 16];
        self.ledger.entropy.fill(&mut id);
        RetentionRunId::from_bytes(id)
    }

    /// Brings everything that was committed to where its contents can be dropped.
    pub(crate) fn settle(&self) -> Result<(), LedgerError> {
        Ok(self.store.settle()?)
    }

    /// Goes on with every run that has not ended: those that a crash or an error cut short, and those
    /// of which something waited.
    pub fn resume(&self) -> Result<RetentionReport, LedgerError> {
        let _one_at_a_time = hold(&self.ledger.retaining);
        let open = self.ledger.reader().retention_index().open_runs(self.ledger.store())?;
        self.carry_out(&open.into_iter().collect::<Vec<_>>())
    }

    /// The numbers whose contents are there and may go, and those that holds keep; refuses those that
    /// never go.
    fn droppable(&self, drop: &ContentDrop) -> Result<(NumberSet, NumberSet), LedgerError> {
        let (reader, tenant) = (self.ledger.reader(), &drop.tenant);
        let size = reader.size(tenant)?;
        if let Some(last) = drop.numbers.last().filter(|last| *last >= size) {
            let number = SequenceNumber::new(last).unwrap_or(SequenceNumber::MAX);
            return Err(LedgerError::RecordNotFound { tenant: tenant.clone(), number, size });
        }
        let mut holds = StandingHolds::read(self.ledger, tenant)?;
        let (mut there, mut held) = (NumberSet::new(), NumberSet::new());
        let mut wanted = drop.numbers.clone();
        if drop.reason == RetentionReason::Expired {
            // What waits for the end of the part that is being written goes with the run that named it.
            let covered = reader.retention_index().covered(self.ledger.store(), tenant)?;
            wanted.remove(&covered);
        }
        for numbers in wanted.ranges() {
            for record in reader.walk(tenant, Order::Sequence, numbers) {
                let record = record?;
                let number = record.sequence_number;
                if record.kind == Kind::System {
                    return Err(LedgerError::NeverDropped { tenant: tenant.clone(), number });
                }
                if record.content.is_none() {
                    continue;
                }
                let is_held = !holds.keeping(&record)?.is_empty();
                if is_held { &mut held } else { &mut there }.insert(number.value());
            }
        }
        Ok((there, held))
    }

    /// Says in the ledger what goes.
    pub(crate) fn record(
        &self,
        tenant: &TenantId,
        records: &[RetentionStarted],
    ) -> Result<(), LedgerError> {
        for records in records.chunks(STARTED_PER_COMMIT) {
            let tenants = std::slice::from_ref(tenant);
            let pushed = self
                .ledger
                .sequencer
                .administer_by(Door::Ending, tenants, |round| push_started(round, records))?;
            pushed.ok_or(LedgerError::NotBuilt("what says which contents go"))?;
        }
        Ok(())
    }

    /// Drops what recorded runs cover, and says where they are done.
    fn carry_out(
        &self,
        runs: &[(RetentionRunId, Covered)],
    ) -> Result<RetentionReport, LedgerError> {
        let mut plan = DropPlan::new();
        for (tenant, numbers) in runs.iter().flat_map(|(_, covered)| covered) {
            plan.add(tenant, numbers);
        }
        let tenants: Vec<TenantId> = plan.iter().map(|(tenant, _)| tenant.clone()).collect();
        if tenants.is_empty() {
            return Ok(RetentionReport::default());
        }
        // What goes is under a signature before it goes.
        self.ledger.checkpoints(&tenants)?;
        let store = self.store.drop_contents(&plan)?;
        let mut ledgers = Vec::with_capacity(tenants.len());
        for (run, covered) in runs {
            for (tenant, numbers) in covered {
                ledgers.push(self.record_end(*run, tenant, numbers, &store)?);
            }
        }
        Ok(RetentionReport { ledgers, store, ..RetentionReport::default() })
    }

    /// Says in the ledger that a run is done there, unless something waits.
    fn record_end(
        &self,
        run: RetentionRunId,
        tenant: &TenantId,
        numbers: &NumberSet,
        store: &DropReport,
    ) -> Result<LedgerOutcome, LedgerError> {
        let covered = numbers.len();
        let waiting = store.waiting.get(tenant).map_or(0, |set| set.shared_with(numbers).len());
        let tenant = tenant.clone();
        let mut outcome = LedgerOutcome { tenant, run, covered, waiting, done: None };
        if waiting == 0 {
            let done = RetentionDone::new(run, covered, store.rewritten.len() as u64);
            let done = SystemRecord::RetentionDone(
                done.ok_or(LedgerError::NotBuilt("what says that contents went"))?,
            );
            let pushed = self.ledger.sequencer.administer_by(
                Door::Ending,
                std::slice::from_ref(&outcome.tenant),
                |round| round.push(0, SignedAs::Usual, |_, _| done),
            )?;
            outcome.done =
                Some(pushed.ok_or(LedgerError::NotBuilt("what says that contents went"))?);
        }
        Ok(outcome)
    }
}

/// Writes records that begin a run into the first ledger of a round.
fn push_started(round: &mut Round<'_>, records: &[RetentionStarted]) -> Option<()> {
    records.iter().try_for_each(|record| {
        let record = SystemRecord::RetentionStarted(record.clone());
        round.push(0, SignedAs::Usual, |_, _| record).map(|_| ())
    })
}
