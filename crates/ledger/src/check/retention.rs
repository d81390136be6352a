//! Contents that are not there: each must be covered by a `system.retention_started` record of its
//! ledger that comes after it, and what a run is said to be done with must be gone.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use ledgerstone_model::NumberSet;
use ledgerstone_model::system::{RetentionDone, RetentionRunId, RetentionStarted, SystemRecord};
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::{Check, Location};

use super::context::Context;
use super::options::Scope;
use super::report::Finding;
use super::stretch::Stretch;
use super::walk::Walk;
use crate::projection;

/// One ledger's contents that are not there, and what it says of them.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// The records that were read, and those of kind `system` among them.
    read: NumberSet,
    system: NumberSet,
    absent: NumberSet,
    /// Where what was read stands, by its first record.
    places: BTreeMap<u64, (String, u64)>,
    runs: HashMap<RetentionRunId, Run>,
}

/// A run as the ledger tells of it.
#[derive(Debug, Default)]
struct Run {
    numbers: NumberSet,
    /// The record that says that it is done.
    done: Option<u64>,
}

/// What is wrong with a record about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It covers a `system` record.
    System(u64),
    /// It covers, or points to, a record that does not come before it.
    Later(u64),
    /// Its run is done already.
    Again,
    /// Its run was never started.
    NeverStarted,
    /// It says that its run covered so many contents, and it covered others.
    Count { said: u64, covered: u64 },
}

impl Fault {
    pub(super) const fn note(self) -> &'static str {
        match self {
            Self::System(_) => {
                "a retention record that covers a system record, whose content never goes"
            }
            Self::Later(_) => "a retention record about a record that does not come before it",
            Self::Again => "a retention run that is done already",
            Self::NeverStarted => "a retention run that was never started is said to be done",
            Self::Count { .. } => "a retention run is said to have covered other contents",
        }
    }

    pub(super) fn told_by(self, finding: Finding) -> Finding {
        match self {
            Self::System(number) => finding.values("an event or audit record", number),
            Self::Later(number) => finding.values("earlier records", number),
            Self::Again => finding.values("one end", "another"),
            Self::NeverStarted => finding.values("a system.retention_started record", "none"),
            Self::Count { said, covered } => finding.values(covered, said),
        }
    }
}

impl Retention {
    /// Takes in what was read; that comes before what its `system` records say.
    pub(super) fn take(&mut self, stretch: &Stretch) {
        self.read.insert_range(stretch.first..stretch.end);
        self.system.add(&stretch.system);
        self.absent.add(&stretch.absent);
        if !stretch.absent.is_empty() || !self.runs.is_empty() {
            self.places.insert(stretch.first, (stretch.file.clone(), stretch.offset));
        }
    }

    /// The records that were read, those of kind `system`, and those of others without a content.
    pub(super) const fn seen(&self) -> (&NumberSet, &NumberSet, &NumberSet) {
        (&self.read, &self.system, &self.absent)
    }

    /// Takes in what begins a run.
    pub(super) fn start(&mut self, record: u64, started: &RetentionStarted) -> Option<Fault> {
        let run = self.runs.entry(started.run()).or_default();
        run.numbers.add(started.numbers());
        if run.done.is_some() {
            return Some(Fault::Again);
        }
        let named = [started.policy_record(), started.audit_record()];
        let named = named.into_iter().flatten().map(SequenceNumber::value);
        let later = started.numbers().last().into_iter().chain(named).find(|at| *at >= record);
        let system = || started.numbers().shared_with(&self.system).first();
        later.map(Fault::Later).or_else(|| system().map(Fault::System))
    }

    /// Takes in what ends a run.
    pub(super) fn end(&mut self, record: u64, done: RetentionDone) -> Option<Fault> {
        let Some(run) = self.runs.get_mut(&done.run()) else {
            // What begins it may be among what was not read.
            let is_whole = self.read.meets(0..1) && self.read.len() > record;
            return is_whole.then_some(Fault::NeverStarted);
        };
        if run.done.is_some() {
            return Some(Fault::Again);
        }
        run.done = Some(record);
        let (said, covered) = (done.contents(), run.numbers.len());
        let is_whole = self.read.meets(0..1);
        (is_whole && said != covered).then_some(Fault::Count { said, covered })
    }

    /// Everything is read: names contents that are missing though nothing covers them, and those that
    /// are left of runs that are done.
    pub(super) fn finish(
        &mut self,
        context: &Context<'_>,
        tenant: &TenantId,
        findings: &mut Vec<Finding>,
    ) {
        let mut uncovered = self.absent.clone();
        let mut left = NumberSet::new();
        for run in self.runs.values() {
            uncovered.remove(&run.numbers);
            if run.done.is_some() {
                left.add(&run.numbers);
            }
        }
        if !uncovered.is_empty() {
            for run in self.runs_not_read(context, tenant) {
                uncovered.remove(&run);
            }
        }
        let missing = "the content is gone, and no retention record covers it";
        let values = ("the content that was recorded", "none");
        let told = uncovered.ranges().map(|at| (at, Check::ContentHash, missing, values));
        findings.extend(told.map(|told| self.finding(tenant, told)));
        left = left.shared_with(&self.read);
        left.remove(&self.absent);
        left.remove(&self.system);
        let kept = "the content is there, though its retention run is said to be done";
        let told = left.ranges().map(|at| (at, Check::Record, kept, ("none", "a content")));
        findings.extend(told.map(|told| self.finding(tenant, told)));
    }

    fn finding(
        &self,
        tenant: &TenantId,
        (numbers, check, note, values): (Range<u64>, Check, &str, (&str, &str)),
    ) -> Finding {
        let mut finding = Finding::new(check, note).at(tenant, numbers.start);
        if let Some((_, (file, offset))) = self.places.range(..=numbers.start).next_back() {
            finding = finding.in_file(file, *offset);
        }
        finding.following = numbers.end - numbers.start - 1;
        finding.values(values.0, values.1)
    }

    /// What records cover that the verification does not read: of a part of a ledger those outside it,
    /// and beside a writer those that came after the moment that is verified. They are taken at their word.
    fn runs_not_read(&self, context: &Context<'_>, tenant: &TenantId) -> Vec<NumberSet> {
        let mut covered = Vec::new();
        let read = projection::system_records(context.store(), |found| {
            let number = found.sequence_number.value();
            if found.ledger == *tenant
                && !self.read.contains(number)
                && let SystemRecord::RetentionStarted(started) = found.record
            {
                covered.push(started.numbers().within(0..number));
            }
        });
        // What cannot be read covers nothing; that it cannot be read is told where it stands.
        drop(read);
        covered
    }

    /// Whether a run that has not ended covers any of these records.
    fn explains(&self, context: &Context<'_>, tenant: &TenantId, numbers: &Range<u64>) -> bool {
        let open = self.runs.values().filter(|run| run.done.is_none());
        open.map(|run| &run.numbers).any(|covered| covered.meets(numbers.clone()))
            || self
                .runs_not_read(context, tenant)
                .iter()
                .any(|covered| covered.meets(numbers.clone()))
    }
}

/// Containers beside those of the store, which only a run that has not ended explains.
#[derive(Debug, Default)]
pub(super) struct Strays {
    found: Vec<Stray>,
}

#[derive(Debug)]
struct Stray {
    places: Vec<Location>,
    /// What the part holds whose records they hold too.
    records: Vec<(TenantId, Range<u64>)>,
}

impl Strays {
    pub(super) fn take(&mut self, places: Vec<Location>, stretches: &[Stretch]) {
        if places.is_empty() {
            return;
        }
        let records = stretches.iter().map(|one| (one.tenant.clone(), one.first..one.end));
        self.found.push(Stray { places, records: records.collect() });
    }

    /// Names those that no run explains, where everything was read that could.
    pub(super) fn check(
        &self,
        context: &Context<'_>,
        walks: &HashMap<TenantId, Walk>,
        findings: &mut Vec<Finding>,
    ) {
        let options = context.options();
        if options.scope != Scope::All || !options.since.is_empty() {
            return;
        }
        for stray in &self.found {
            let is_explained = stray.records.iter().any(|(tenant, numbers)| {
                let walk = walks.get(tenant);
                walk.is_some_and(|walk| walk.retention.explains(context, tenant, numbers))
            });
            if is_explained {
                continue;
            }
            for place in &stray.places {
                let note = "another container of records that the store has elsewhere, and no \
                            unfinished retention run explains it";
                let finding = Finding::new(Check::Section, note);
                let finding = finding.in_file(&place.file.to_string_lossy(), place.offset);
                findings.push(finding.values("no such file", "one"));
            }
        }
    }
}
