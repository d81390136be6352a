//! Which record covers a content that is gone, which runs have not ended, what erasures keep, which holds
//! stand, which policies wait for a second person, and how far the closing of a tenant is: read from the ledgers when it
//! is first asked for, and followed from there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use ledgerstone_model::NumberSet;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::SubjectId;
use ledgerstone_model::system::{
    ErasureReach, PolicyProposalRecord, RetentionReason, RetentionRunId, RetentionStarted,
    SystemRecord, TenantClosingAsked,
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
    /// The newest wish that a tenant be closed, unless it was withdrawn.
    closings: HashMap<TenantId, Arc<ClosingAsked>>,
}

/// What was recorded of one ledger.
#[derive(Debug, Default)]
struct OfLedger {
    started: Vec<(SequenceNumber, RetentionStarted)>,
    /// What those of them that are in force cover, once somebody asked; `None` again where that changed.
    covered: Option<Arc<NumberSet>>,
    done: HashSet<RetentionRunId>,
    erasures: Erasures,
    holds: BTreeMap<HoldId, Arc<HoldEntry>>,
    proposals: BTreeMap<PolicyKind, Arc<Proposal>>,
    ending: Ending,
}

/// What is known of the erasures of one ledger.
#[derive(Debug, Default)]
struct Erasures {
    /// The records that ordered one that began without naming its run.
    begun: HashSet<SequenceNumber>,
    /// The runs of those that name theirs.
    runs: HashSet<RetentionRunId>,
    /// Whether one began without saying what it reaches, and so which runs are its own.
    is_vague: bool,
    /// The contents that hold people and were kept.
    kept: HashMap<SubjectId, KeptContents>,
}

/// The contents that erasures of a person kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeptContents {
    pub(crate) in_clear: NumberSet,
    /// Those that hold the person sealed for others alone.
    pub(crate) for_others: NumberSet,
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
    ) -> Result<Arc<NumberSet>, ReadError> {
        let (covered, followed) = self.covered_as_known(store, tenant);
        followed.map(|()| covered)
    }

    /// The same, as far as the ledgers could be read, and whether all could.
    pub(crate) fn covered_as_known(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
    ) -> (Arc<NumberSet>, Result<(), ReadError>) {
        let mut state = hold(&self.state);
        let followed = state.follow(store);
        let covered = state.ledgers.get_mut(tenant).map(OfLedger::covered).unwrap_or_default();
        (covered, followed)
    }

    /// The runs that have not ended.
    pub(crate) fn open_runs(&self, store: &dyn LedgerStore) -> Result<OpenRuns, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let mut open = OpenRuns::new();
        for (tenant, known) in &state.ledgers {
            for (record, started) in known.in_force() {
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

    /// The contents that hold a person and that erasures of the person kept.
    pub(crate) fn kept_of(
        &self,
        store: &dyn LedgerStore,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<KeptContents, ReadError> {
        let mut state = hold(&self.state);
        state.follow(store)?;
        let known = state.ledgers.get(tenant).and_then(|known| known.erasures.kept.get(subject));
        Ok(known.cloned().unwrap_or_default())
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

    /// The newest wish that a tenant be closed that was not withdrawn, whether or not it still counts.
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
        let known = self.ledgers.get(tenant)?;
        let covers = |(record, started): &&(SequenceNumber, RetentionStarted)| {
            number < *record && started.numbers().contains(number.value())
        };
        // One that is not in force tells at least who meant to.
        known
            .in_force()
            .chain(&known.started)
            .find(covers)
            .map(|(record, started)| Dropped { record: *record, reason: started.reason() })
    }

    /// Takes in what the ledgers gained.
    fn follow(&mut self, store: &dyn LedgerStore) -> Result<(), ReadError> {
        let Self { cursor, ledgers, closings } = self;
        projection::system_records_after(store, cursor, |found| match found.record {
            SystemRecord::TenantClosingAsked(record) => {
                let (recorded_as, asked_at) = (found.sequence_number, found.ingested_at);
                let tenant = record.tenant.clone();
                let asked = ClosingAsked { record: *record, recorded_as, asked_at };
                closings.insert(tenant, Arc::new(asked));
            }
            SystemRecord::TenantClosingWithdrawn(record) => {
                let is_meant = |asked: &Arc<ClosingAsked>| asked.recorded_as == record.asked_in;
                if closings.get(&record.tenant).is_some_and(is_meant) {
                    closings.remove(&record.tenant);
                }
            }
            _ => ledgers.entry(found.ledger.clone()).or_default().take(found),
        })
    }
}

impl OfLedger {
    /// The records of runs without those for an erasure that never began: they are written before what
    /// begins it.
    fn in_force(&self) -> impl Iterator<Item = &(SequenceNumber, RetentionStarted)> {
        self.started.iter().filter(|(_, started)| {
            started.reason() != RetentionReason::Erasure
                || self.erasures.runs.contains(&started.run())
                || started.audit_record().is_none_or(|order| self.erasures.begun.contains(&order))
                || self.done.contains(&started.run())
                || self.erasures.is_vague
        })
    }

    /// The numbers of all that are in force.
    fn covered(&mut self) -> Arc<NumberSet> {
        if let Some(covered) = &self.covered {
            return Arc::clone(covered);
        }
        let mut covered = NumberSet::new();
        for (record, started) in self.in_force() {
            // Whatever a record says, it is about those before it.
            covered.add(&started.numbers().within(0..record.value()));
        }
        Arc::clone(self.covered.insert(Arc::new(covered)))
    }

    fn take(&mut self, found: ProjectedRecord) {
        let (number, at) = (found.sequence_number, found.ingested_at);
        if matches!(
            found.record,
            SystemRecord::RetentionStarted(_)
                | SystemRecord::RetentionDone(_)
                | SystemRecord::ErasureStarted(_)
        ) {
            self.covered = None;
        }
        match found.record {
            SystemRecord::RetentionStarted(started) => self.started.push((number, started)),
            SystemRecord::RetentionDone(done) => drop(self.done.insert(done.run())),
            SystemRecord::ErasureStarted(started) => match started.reach {
                Some(ErasureReach { run: Some(run), .. }) => drop(self.erasures.runs.insert(run)),
                Some(reach) => drop(self.erasures.begun.insert(reach.audit_record)),
                None => self.erasures.is_vague = true,
            },
            // Also where the erasure never began, unlike the runs of one: it is looked only whether these contents are
            // there and hold the same person, so that one too many changes nothing.
            SystemRecord::ErasureKept(kept) => {
                let known = self.erasures.kept.entry(*kept.subject()).or_default();
                let numbers = kept.numbers().within(0..number.value());
                let of_kind =
                    if kept.is_for_others() { &mut known.for_others } else { &mut known.in_clear };
                of_kind.add(&numbers);
            }
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

#[cfg(test)]
mod tests {
    use ledgerstone_model::access::PrincipalId;
    use ledgerstone_model::subject_request::SubjectRequestId;
    use ledgerstone_model::system::{ErasureReach, ErasureStarted, RetentionDone};

    use super::*;

    fn number(value: u64) -> SequenceNumber {
        SequenceNumber::new(value).unwrap()
    }

    fn now() -> IngestedAt {
        IngestedAt::from_micros(1_700_000_000_000_000).unwrap()
    }

    fn take(known: &mut OfLedger, at: u64, record: SystemRecord) {
        let ledger = TenantId::parse("acme").unwrap();
        known.take(ProjectedRecord {
            ledger,
            sequence_number: number(at),
            ingested_at: now(),
            record,
        });
    }

    fn run(id: u8, reason: RetentionReason, order: u64) -> SystemRecord {
        let run = RetentionRunId::from_bytes([id; 16]);
        let started = RetentionStarted::new(run, reason, NumberSet::from(1..3)).unwrap();
        SystemRecord::RetentionStarted(started.explained_by(Some(number(order))))
    }

    fn erasure(order: Option<u64>) -> SystemRecord {
        let reach = order.map(|order| ErasureReach {
            audit_record: number(order),
            run: None,
            approved_by: PrincipalId::of_jwt("https://issuer.example", "berta"),
            approved_at: now(),
            clear_contents_approved: None,
            keep_sealed_for_others: false,
            despite_duties: Vec::new(),
            sealed_contents: 0,
            still_readable: 0,
            sealed_for_others: 0,
            kept_by: Vec::new(),
            dead_letters: 0,
        });
        SystemRecord::ErasureStarted(ErasureStarted {
            request: SubjectRequestId::from_bytes([1; 16]),
            subject: SubjectId::from_bytes([1; 32]),
            key_ids: Vec::new(),
            reach,
        })
    }

    fn in_force(known: &OfLedger) -> Vec<u64> {
        known.in_force().map(|(number, _)| number.value()).collect()
    }

    #[test]
    fn runs_of_an_erasure_count_from_its_beginning() {
        let mut known = OfLedger::default();
        take(&mut known, 10, run(1, RetentionReason::Erasure, 4));
        take(&mut known, 11, run(2, RetentionReason::Erasure, 5));
        take(&mut known, 12, run(3, RetentionReason::Expired, 6));
        assert_eq!(in_force(&known), [12]);
        take(&mut known, 13, erasure(Some(5)));
        assert_eq!(in_force(&known), [11, 12]);
        // One from before erasures said what they reach may have any run.
        take(&mut known, 14, erasure(None));
        assert_eq!(in_force(&known), [10, 11, 12]);
    }

    /// It was cut short, a hold was set, and it began with another run.
    #[test]
    fn an_erasure_that_names_its_run_has_no_other() {
        let mut known = OfLedger::default();
        take(&mut known, 10, run(1, RetentionReason::Erasure, 4));
        take(&mut known, 11, run(2, RetentionReason::Erasure, 4));
        let SystemRecord::ErasureStarted(mut started) = erasure(Some(4)) else { panic!() };
        let named = started.reach.take();
        started.reach = named
            .map(|reach| ErasureReach { run: Some(RetentionRunId::from_bytes([2; 16])), ..reach });
        take(&mut known, 12, SystemRecord::ErasureStarted(started));
        assert_eq!(in_force(&known), [11]);
    }

    #[test]
    fn what_is_covered_is_known_anew_whenever_that_changes() {
        let covered = |known: &mut OfLedger| -> Vec<(u64, u64)> {
            known.covered().ranges().map(|range| (range.start, range.end)).collect()
        };
        let mut known = OfLedger::default();
        take(&mut known, 10, run(1, RetentionReason::Erasure, 4));
        assert_eq!(covered(&mut known), [], "its erasure has not begun");
        take(&mut known, 11, erasure(Some(4)));
        assert_eq!(covered(&mut known), [(1, 3)]);
        let (reason, numbers) = (RetentionReason::Expired, NumberSet::from(7..30));
        let later = RetentionStarted::new(RetentionRunId::from_bytes([2; 16]), reason, numbers);
        take(&mut known, 12, SystemRecord::RetentionStarted(later.unwrap()));
        assert_eq!(covered(&mut known), [(1, 3), (7, 12)], "of those before the record alone");
        take(&mut known, 13, run(3, RetentionReason::Erasure, 5));
        let done = RetentionDone::new(RetentionRunId::from_bytes([3; 16]), 2, 0).unwrap();
        assert_eq!(covered(&mut known), [(1, 3), (7, 12)]);
        take(&mut known, 14, SystemRecord::RetentionDone(done));
        assert!(known.covered.is_none());
    }
}
