//! What the time of is over: found by the policy in force, kept by holds, and dropped.

use std::collections::BTreeMap;

use ledgerstone_model::filter::RecordView;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::json::Value;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::retention::{RetentionPolicy, RetentionRule, Term};
use ledgerstone_model::system::{RetentionReason, RetentionRunId};
use ledgerstone_model::{Administration, AuditRecord, NumberSet};
use ledgerstone_proof::{Header, IngestedAt, Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;

use super::{ContentDrop, Retention, RetentionReport};
use crate::erasure::SurveyWatch;
use crate::error::LedgerError;
use crate::holds::StandingHolds;
use crate::ledger::Ledger;
use crate::reader::Order;

/// What a look at one ledger found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerExpiry {
    pub tenant: TenantId,
    /// Contents that were old enough to be looked at.
    pub examined: u64,
    /// Those that are to go.
    pub expired: NumberSet,
    /// What holds keep of those whose time is over, for each hold that stands.
    pub held: Vec<HeldBack>,
    /// Rules that contradicted each other.
    pub conflicts: Vec<RuleConflict>,
    /// The record of the policy by which they go; `None` where the tenant has none.
    pub policy_record: Option<SequenceNumber>,
}

/// What one hold keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    pub hold: HoldId,
    /// The `system.hold_set` record.
    pub record: SequenceNumber,
    pub contents: u64,
}

/// Two rules of which one wanted to let contents go that the other keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleConflict {
    /// The name of the rule with the shorter maximum.
    pub maximum: String,
    /// The name of the rule with the longer minimum.
    pub minimum: String,
    pub contents: u64,
}

impl Ledger {
    /// Looks for contents of a tenant whose time is over now, and changes nothing. `None` where `watch`
    /// ended it.
    pub fn find_expired(
        &self,
        tenant: &TenantId,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<LedgerExpiry>, LedgerError> {
        let policy = self.retention_policy(tenant)?;
        let mut found = LedgerExpiry {
            tenant: tenant.clone(),
            examined: 0,
            expired: NumberSet::new(),
            held: Vec::new(),
            conflicts: Vec::new(),
            policy_record: self.policy(tenant, PolicyKind::Retention)?.map(|one| one.set_by()),
        };
        let (now, size) = (self.clock.now(), self.reader().size(tenant)?);
        let old = first_too_young(self, tenant, &policy, (now, size))?;
        let mut holds = StandingHolds::read(self, tenant)?;
        let mut held = vec![0; holds.records().count()];
        let mut conflicts = BTreeMap::new();
        for record in self.reader().walk(tenant, Order::Sequence, 0..old) {
            let record = record?;
            if record.kind != Kind::System && record.content.is_some() {
                found.examined += 1;
                let term = term_of(&policy, &record)?;
                note_conflict(&mut conflicts, &term);
                if term.is_over(now) {
                    let keeping = holds.keeping(&record)?;
                    if keeping.is_empty() {
                        found.expired.insert(record.sequence_number.value());
                    }
                    for place in keeping {
                        if let Some(count) = held.get_mut(place) {
                            *count += 1;
                        }
                    }
                }
            }
            if watch.records(1, old).is_break() {
                return Ok(None);
            }
        }
        let counted = holds.records().zip(held);
        found.held =
            counted.map(|((hold, record), contents)| HeldBack { hold, record, contents }).collect();
        found.conflicts = conflicts
            .into_iter()
            .map(|((maximum, minimum), contents)| RuleConflict { maximum, minimum, contents })
            .collect();
        Ok(Some(found))
    }

    /// Runs of a tenant that are recorded and not done, and how many of its contents each covers.
    pub fn open_runs(&self, tenant: &TenantId) -> Result<Vec<(RetentionRunId, u64)>, LedgerError> {
        let open = self.reader().retention_index().open_runs(self.store())?.into_iter();
        let own = |(run, mut ledgers): (RetentionRunId, BTreeMap<TenantId, NumberSet>)| {
            ledgers.remove(tenant).map(|numbers| (run, numbers.len()))
        };
        Ok(open.filter_map(own).collect())
    }

    /// Records that somebody ordered something of a tenant, and answers the `audit` record's number.
    pub fn record_order(
        &self,
        tenant: &TenantId,
        act: Administration,
    ) -> Result<SequenceNumber, LedgerError> {
        let by = act.named_actor().cloned();
        let written = self.administer_as(std::slice::from_ref(tenant), by.as_ref(), |round| {
            round.push_audit(0, |_| AuditRecord::Administration(act))
        })?;
        written.ok_or(LedgerError::NotBuilt("the order"))
    }

    /// Counts the contents that a hold keeps, its own record aside. `None` where `watch` ended it.
    pub fn count_held(
        &self,
        tenant: &TenantId,
        hold: HoldId,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<u64>, LedgerError> {
        let audit_record = self.hold(tenant, hold)?.set.audit_record;
        let mut holds = StandingHolds::read(self, tenant)?;
        let place = holds.records().position(|(id, _)| id == hold);
        let (size, mut count) = (self.reader().size(tenant)?, 0);
        for record in self.reader().walk(tenant, Order::Sequence, 0..size) {
            let record = record?;
            let keeping = holds.keeping(&record)?;
            let is_own = record.sequence_number == audit_record;
            if !is_own && place.is_some_and(|place| keeping.contains(&place)) {
                count += 1;
            }
            if watch.records(1, size).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }
}

impl Retention<'_> {
    /// Goes on with open runs, then drops what expired in these ledgers, in one run. `order` is the
    /// number of the record of each ledger that says who ordered it. `None` where `watch` ended it, and
    /// then nothing new was dropped.
    pub fn expire(
        &self,
        tenants: &[(TenantId, Option<SequenceNumber>)],
        watch: &dyn SurveyWatch,
    ) -> Result<Option<Expired>, LedgerError> {
        let resumed = self.resume()?;
        let mut found = Vec::with_capacity(tenants.len());
        let mut drops = Vec::with_capacity(tenants.len());
        for (tenant, audit_record) in tenants {
            let Some(one) = self.ledger.find_expired(tenant, watch)? else { return Ok(None) };
            drops.push(ContentDrop {
                tenant: tenant.clone(),
                numbers: one.expired.clone(),
                reason: RetentionReason::Expired,
                policy_record: one.policy_record,
                audit_record: *audit_record,
            });
            found.push(one);
        }
        let dropped = self.drop_contents(&drops)?;
        Ok(Some(Expired { resumed, found, dropped }))
    }
}

/// What came of a run over what expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Of runs that were open.
    pub resumed: RetentionReport,
    pub found: Vec<LedgerExpiry>,
    pub dropped: RetentionReport,
}

fn note_conflict(conflicts: &mut BTreeMap<(String, String), u64>, term: &Term<'_>) {
    if let Some(found) = term.contradiction() {
        let names = (found.maximum.name().to_owned(), found.minimum.name().to_owned());
        *conflicts.entry(names).or_default() += 1;
    }
}

/// The first record that came in too late for any maximum to be over; nothing behind it can go.
fn first_too_young(
    ledger: &Ledger,
    tenant: &TenantId,
    policy: &RetentionPolicy,
    (now, size): (IngestedAt, u64),
) -> Result<u64, LedgerError> {
    let is_old = |at: IngestedAt| {
        let mut maxima = policy.rules().iter().filter_map(RetentionRule::maximum);
        maxima.any(|most| most.after(at).is_some_and(|end| end <= now))
    };
    // Times never decrease within a ledger, and neither do their ends.
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let number = SequenceNumber::new(middle).unwrap_or(SequenceNumber::MAX);
        if is_old(ledger.reader().record(tenant, number)?.ingested_at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn term_of<'p>(
    policy: &'p RetentionPolicy,
    record: &StoredRecord,
) -> Result<Term<'p>, LedgerError> {
    let damaged = |reason| LedgerError::Damaged {
        tenant: record.tenant.clone(),
        number: record.sequence_number,
        reason,
    };
    let content = record.content.as_deref().unwrap_or_default();
    let (text, _) = split_content(content).map_err(|_| damaged("has no readable content"))?;
    let header = Header::parse(&record.header_bytes());
    let header = header.map_err(|_| damaged("has no readable header"))?;
    let term = policy.term(&RecordView::new(&header, Value::new(text)));
    term.map_err(|_| damaged("is not canonical"))
}

/// The name of the duty that the content of a record falls under; `None` where there is none.
pub(crate) fn duty_on(
    policy: &RetentionPolicy,
    record: &StoredRecord,
    now: IngestedAt,
) -> Result<Option<String>, LedgerError> {
    if record.content.is_none() || record.kind == Kind::System {
        return Ok(None);
    }
    Ok(term_of(policy, record)?.duty(now).map(|rule| rule.name().to_owned()))
}
