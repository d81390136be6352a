//! Legal holds: set by one person, released by two, and above everything that lets contents go.
//!
//! A hold is a `system.hold_set` record, which names nobody, and the `audit` record before it with owner,
//! reason and filter; the content of that stays for as long as the hold stands. A hold that covers
//! nothing yet is taken as well: what comes in later may be what it is about.

mod standing;

use std::sync::Arc;

use ledgerstone_model::audit::{filter_of, owner_of, reason_of};
use ledgerstone_model::hold::{HoldId, HoldScope};
use ledgerstone_model::sealing::SubjectId;
use ledgerstone_model::system::{HoldReleaseAsked, HoldReleased, HoldSet, SystemRecord};
use ledgerstone_model::{Actor, Administration, Filter};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId, split_content};
use ledgerstone_store::ReadError;

use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::sequencer::SignedAs;

pub(crate) use standing::StandingHolds;

/// A hold and the records about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEntry {
    pub set: HoldSet,
    /// The `system.hold_set` record, and when it was written.
    pub set_as: (SequenceNumber, IngestedAt),
    /// Who asked for its end, and the record of that.
    pub release_asked: Option<(HoldReleaseAsked, SequenceNumber)>,
    /// Who released it, and the record of that.
    pub released: Option<(HoldReleased, SequenceNumber)>,
}

/// A hold that somebody wants to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHold {
    pub subject: Option<SubjectId>,
    pub filter: Option<Filter>,
    pub from: Option<IngestedAt>,
    pub until: Option<IngestedAt>,
    pub review_at: IngestedAt,
    /// Who answers for it.
    pub owner: String,
    pub reason: String,
}

/// What people wrote about a hold, and the filter that narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldWords {
    pub owner: Option<String>,
    pub reason: Option<String>,
    pub filter: Option<Filter>,
}

impl HoldEntry {
    pub(crate) const fn new(set: HoldSet, set_as: (SequenceNumber, IngestedAt)) -> Self {
        Self { set, set_as, release_asked: None, released: None }
    }

    /// Whether it holds anything back.
    pub const fn stands(&self) -> bool {
        self.released.is_none()
    }
}

impl Ledger {
    /// Every hold that a tenant ever had, oldest first.
    pub fn holds(&self, tenant: &TenantId) -> Result<Vec<Arc<HoldEntry>>, ReadError> {
        let mut holds = self.reader().retention_index().holds(self.store(), tenant)?;
        holds.sort_unstable_by_key(|hold| hold.set_as.0);
        Ok(holds)
    }

    /// A hold of a tenant.
    pub fn hold(&self, tenant: &TenantId, id: HoldId) -> Result<Arc<HoldEntry>, LedgerError> {
        let found = self.holds(tenant)?.into_iter().find(|entry| entry.set.hold == id);
        found.ok_or_else(|| LedgerError::UnknownHold { tenant: tenant.clone(), id })
    }

    /// What people wrote about a hold; nothing of it once the content of its `audit` record went,
    /// after it was released.
    pub fn hold_words(
        &self,
        tenant: &TenantId,
        entry: &HoldEntry,
    ) -> Result<HoldWords, LedgerError> {
        let record = self.reader().record(tenant, entry.set.audit_record)?;
        let content = self.reader().withheld(tenant)?.taken_from(record).content;
        let content = content.unwrap_or_default();
        let Ok((event, _)) = split_content(&content) else { return Ok(HoldWords::default()) };
        let (owner, reason, filter) = (owner_of(event), reason_of(event), filter_of(event));
        Ok(HoldWords { owner, reason, filter })
    }

    /// Sets a hold, durably: what no run has begun to drop stays from here on.
    pub fn set_hold(
        &self,
        tenant: &TenantId,
        new: &NewHold,
        by: &Actor,
    ) -> Result<Arc<HoldEntry>, LedgerError> {
        if tenant.is_system() || self.store.head(tenant)?.is_none() {
            return Err(LedgerError::UnknownTenant(tenant.clone()));
        }
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        let id = HoldId::from_bytes(id);
        let scope = HoldScope {
            subject: new.subject,
            from: new.from,
            until: new.until,
            is_filtered: new.filter.is_some(),
        };
        let mut act = Administration::new("set", by.clone(), "hold", &id.to_string())
            .with_owner(&new.owner)
            .with_reason(&new.reason);
        if let Some(filter) = &new.filter {
            act = act.with_filter(filter);
        }
        let (review_at, set_by) = (new.review_at, by.principal_id());
        let _one_at_a_time = hold(&self.holding);
        self.record_about_hold(tenant, act, |audit_record| {
            let set = HoldSet { hold: id, scope, review_at, set_by, audit_record };
            SystemRecord::HoldSet(Box::new(set))
        })?;
        self.hold(tenant, id)
    }

    /// Asks for the end of a hold, or, where another person has asked before, ends it. The answer
    /// says which.
    pub fn release_hold(
        &self,
        tenant: &TenantId,
        id: HoldId,
        reason: &str,
        by: &Actor,
    ) -> Result<Arc<HoldEntry>, LedgerError> {
        let _one_at_a_time = hold(&self.holding);
        let entry = self.hold(tenant, id)?;
        if let Some((_, released_as)) = &entry.released {
            return Err(LedgerError::HoldReleased { id, released_as: *released_as });
        }
        let who = by.principal_id();
        let target = id.to_string();
        let act = |verb| Administration::new(verb, by.clone(), "hold", &target).with_reason(reason);
        match &entry.release_asked {
            None => self.record_about_hold(tenant, act("ask_release"), |audit_record| {
                let asked = HoldReleaseAsked { hold: id, asked_by: who, audit_record };
                SystemRecord::HoldReleaseAsked(asked)
            })?,
            Some((asked, _)) if asked.asked_by == who => {
                return Err(LedgerError::SecondPerson("asked for the release cannot approve it"));
            }
            Some((asked, _)) => {
                let asked_by = asked.asked_by.clone();
                self.record_about_hold(tenant, act("release"), |audit_record| {
                    let (hold, released_by) = (id, who);
                    let released = HoldReleased { hold, asked_by, released_by, audit_record };
                    SystemRecord::HoldReleased(released)
                })?;
            }
        }
        self.hold(tenant, id)
    }

    fn record_about_hold(
        &self,
        tenant: &TenantId,
        act: Administration,
        record: impl FnOnce(SequenceNumber) -> SystemRecord,
    ) -> Result<(), LedgerError> {
        let by = act.named_actor().cloned();
        let written = self.administer_as(std::slice::from_ref(tenant), by.as_ref(), |round| {
            let audit_record = round.push_act(0, act)?;
            round.push(0, SignedAs::Usual, |_, _| record(audit_record))
        })?;
        written.map(drop).ok_or(LedgerError::NotBuilt("the hold"))
    }
}
