//! What keeps something of a person who is to be erased: legal holds, and duties of the retention
//! policy.
//!
//! Keys open what is held as well as what is not, so a hold on anything that is sealed under a key of
//! the person stands against the whole erasure. What is in clear goes or stays content by content.

use std::collections::{BTreeMap, BTreeSet};

use ledgerstone_model::NumberSet;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_proof::{SequenceNumber, TenantId};

use super::{ErasureMeans, Survey};
use crate::error::LedgerError;
use crate::holds::StandingHolds;
use crate::ledger::Ledger;
use crate::reader::Order;
use crate::retention::duty_on;

/// How much of a person something keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptParts {
    /// Contents with values sealed under the person's keys.
    pub sealed: u64,
    /// Contents that hold the person in clear.
    pub clear: u64,
}

/// Everything that keeps something of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// By hold, with its `system.hold_set` record.
    pub holds: BTreeMap<HoldId, (SequenceNumber, KeptParts)>,
    /// By name of the rule.
    pub duties: BTreeMap<String, KeptParts>,
    /// The contents in clear that stay.
    pub kept: NumberSet,
    /// The records that keep them: of holds, and of the policy.
    pub kept_by: BTreeSet<SequenceNumber>,
}

impl Obstacles {
    /// Says why an erasure may not begin, where it may not.
    pub(super) fn let_begin(&self, means: &ErasureMeans<'_>) -> Result<(), LedgerError> {
        if let Some(hold) = self.hold_on_sealed() {
            return Err(LedgerError::HeldBack(hold));
        }
        match self.duty_on_sealed().filter(|_| !means.despite_duties) {
            Some(rule) => Err(LedgerError::DutyToKeep(rule.to_owned())),
            None => Ok(()),
        }
    }

    /// A hold that covers something sealed under the person's keys.
    pub fn hold_on_sealed(&self) -> Option<HoldId> {
        let mut holds = self.holds.iter();
        holds.find(|(_, (_, parts))| parts.sealed > 0).map(|(id, _)| *id)
    }

    /// A duty to keep something that is sealed under the person's keys.
    pub fn duty_on_sealed(&self) -> Option<&str> {
        self.duties_on_sealed().next()
    }

    /// All of them.
    pub fn duties_on_sealed(&self) -> impl Iterator<Item = &str> {
        let duties = self.duties.iter().filter(|(_, parts)| parts.sealed > 0);
        duties.map(|(name, _)| name.as_str())
    }
}

impl Ledger {
    /// What keeps something of what a survey found.
    pub fn obstacles(&self, tenant: &TenantId, survey: &Survey) -> Result<Obstacles, LedgerError> {
        let policy = self.retention_policy(tenant)?;
        let policy_record = self.policy(tenant, PolicyKind::Retention)?.map(|one| one.set_by());
        let mut holds = StandingHolds::read(self, tenant)?;
        let known: Vec<(HoldId, SequenceNumber)> = holds.records().collect();
        let mut found = Obstacles::default();
        let (now, mut all) = (self.clock.now(), survey.sealed().clone());
        all.add(survey.clear());
        for numbers in all.ranges() {
            for record in self.reader().walk(tenant, Order::Sequence, numbers) {
                let record = record?;
                let number = record.sequence_number.value();
                let is_clear = survey.clear().contains(number);
                let count = |parts: &mut KeptParts| {
                    parts.sealed += u64::from(survey.sealed().contains(number));
                    parts.clear += u64::from(is_clear);
                };
                for place in holds.keeping(&record)? {
                    let Some((id, by)) = known.get(place) else { continue };
                    let (_, parts) = found.holds.entry(*id).or_insert((*by, KeptParts::default()));
                    count(parts);
                    if is_clear {
                        found.kept.insert(number);
                        found.kept_by.insert(*by);
                    }
                }
                if let Some(duty) = duty_on(&policy, &record, now)? {
                    count(found.duties.entry(duty).or_default());
                    if is_clear {
                        found.kept.insert(number);
                        found.kept_by.extend(policy_record);
                    }
                }
            }
        }
        Ok(found)
    }
}
