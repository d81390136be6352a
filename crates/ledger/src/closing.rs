//! Tenants are closed by two people: one asks, another agrees, and from then on nothing is taken and
//! everything that clients sent goes.
//!
//! `_system` says so first, in a `system.tenant` record; what ends the ledger itself names that record
//! (`carry_out`). A crash in between is made good by the next opening and the next job.

mod carry_out;

use std::sync::{Arc, PoisonError};

use ledgerstone_model::json::Value;
use ledgerstone_model::retention::is_kept_by_sender;
use ledgerstone_model::system::{
    Announcement, SystemRecord, TenantClosingAsked, TenantClosingWithdrawn, TenantRecord,
    TenantState,
};
use ledgerstone_model::{Actor, Administration};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::ReadError;

use crate::access_log::Ripe;
use crate::error::LedgerError;
use crate::history::TenantEntry;
use crate::ledger::{Ledger, hold};
use crate::reader::Order;
use crate::retention::ClosingAsked;
use crate::sequencer::SignedAs;
use crate::tenant_states::refuse_ending;

/// How the minimum that senders ask for is called among the rules that are set aside.
const SENDERS_MINIMUM: &str = "security.retention_period_days";

/// What somebody says who wants a tenant closed.
#[derive(Clone, Copy, Debug)]
pub struct ClosingWish<'a> {
    pub reason: &'a str,
    /// Whether contents may go that a legal minimum still keeps.
    pub despite_duties: bool,
}

impl Ledger {
    /// Asks that a tenant be closed. Fails where a hold stands, and where contents have to be kept by
    /// law, unless the wish says that they go nevertheless: the duties are named in the record. A
    /// later wish takes the place of an earlier one.
    pub fn ask_closing(
        &self,
        tenant: &TenantId,
        wish: ClosingWish<'_>,
        by: &Actor,
    ) -> Result<Arc<ClosingAsked>, LedgerError> {
        refuse_ending(tenant, self.tenant_entry(tenant)?.state)?;
        let is_kept = self.is_kept_by_sender(tenant)?;
        let _creating = hold(&self.creating);
        refuse_ending(tenant, self.tenant_entry(tenant)?.state)?;
        self.refuse_standing_holds(tenant)?;
        let duties = self.unexpired_duties(tenant, is_kept)?;
        if !duties.is_empty() && !wish.despite_duties {
            return Err(LedgerError::DutiesStand { tenant: tenant.clone(), duties });
        }
        let act = Administration::new("ask_closing", by.clone(), "tenant", tenant.as_str());
        let act = act.with_reason(wish.reason);
        let written = self.sequencer.administer(&[TenantId::system()], |round| {
            let audit_record = round.push_act(0, act)?;
            let asked = TenantClosingAsked {
                tenant: tenant.clone(),
                asked_by: by.principal_id(),
                despite_duties: duties,
                audit_record,
            };
            let record = SystemRecord::TenantClosingAsked(Box::new(asked));
            round.push(0, SignedAs::Usual, |_, _| record)
        })?;
        written.ok_or(LedgerError::NotBuilt("the wish that the tenant be closed"))?;
        self.closing_asked(tenant)?.ok_or_else(|| LedgerError::NoClosingAsked(tenant.clone()))
    }

    /// The wish that a tenant be closed which waits for a second person.
    pub fn closing_asked(&self, tenant: &TenantId) -> Result<Option<Arc<ClosingAsked>>, ReadError> {
        let waits = self.tenant_state(tenant).is_some_and(|state| !state.is_ending());
        let asked = self.reader().retention_index().closing_asked(self.store(), tenant)?;
        Ok(asked.filter(|_| waits))
    }

    /// Takes back what was asked for in that record of `_system`: whoever asked may, and anybody else who may close
    /// tenants. Nothing has happened by then, and another wish may follow.
    pub fn withdraw_closing(
        &self,
        tenant: &TenantId,
        asked_in: SequenceNumber,
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<(), LedgerError> {
        let _creating = hold(&self.creating);
        refuse_ending(tenant, self.tenant_entry(tenant)?.state)?;
        self.asked_in(tenant, asked_in)?;
        let act = Administration::new("withdraw_closing", by.clone(), "tenant", tenant.as_str());
        let act = match reason {
            Some(reason) => act.with_reason(reason),
            None => act,
        };
        let written = self.sequencer.administer(&[TenantId::system()], |round| {
            let audit_record = round.push_act(0, act)?;
            let withdrawn = TenantClosingWithdrawn {
                tenant: tenant.clone(),
                asked_in,
                withdrawn_by: by.principal_id(),
                audit_record,
            };
            let record = SystemRecord::TenantClosingWithdrawn(Box::new(withdrawn));
            round.push(0, SignedAs::Usual, |_, _| record)
        })?;
        written.map(drop).ok_or(LedgerError::NotBuilt("the withdrawal of the wish"))
    }

    /// The wish that waits, if it is the one in that record of `_system`.
    fn asked_in(
        &self,
        tenant: &TenantId,
        asked_in: SequenceNumber,
    ) -> Result<Arc<ClosingAsked>, LedgerError> {
        let asked = self.closing_asked(tenant)?;
        let asked = asked.ok_or_else(|| LedgerError::NoClosingAsked(tenant.clone()))?;
        if asked.recorded_as == asked_in {
            return Ok(asked);
        }
        let (tenant, found) = (tenant.clone(), asked.recorded_as);
        Err(LedgerError::OtherClosing { tenant, expected: asked_in, found })
    }

    /// Agrees to what another person asked for, whose record of `_system` is named, so that nothing
    /// else is agreed to than what was seen. When this returns, the tenant takes nothing any more, for
    /// ever, and [`close_tenant`](crate::Retention::close_tenant) brings its ledger to the end.
    pub fn approve_closing(
        &self,
        tenant: &TenantId,
        asked_in: SequenceNumber,
        by: &Actor,
    ) -> Result<TenantEntry, LedgerError> {
        // Who read what until now stands in the ledger, before nothing comes into it any more.
        self.write_access_log(Ripe::Everything)?;
        let said = self.asked_in(tenant, asked_in);
        let is_named = |asked: &ClosingAsked| {
            asked.record.despite_duties.iter().any(|duty| duty == SENDERS_MINIMUM)
        };
        let is_kept = match said {
            Ok(asked) if !is_named(&asked) => self.is_kept_by_sender(tenant)?,
            _ => false,
        };
        let _creating = hold(&self.creating);
        let _no_hold_is_set = hold(&self.holding);
        let known = self.tenant_entry(tenant)?;
        refuse_ending(tenant, known.state)?;
        let asked = self.asked_in(tenant, asked_in)?;
        if asked.record.asked_by == by.principal_id() {
            return Err(LedgerError::SecondPerson("asked for the closing cannot approve it"));
        }
        self.refuse_standing_holds(tenant)?;
        let mut duties = self.unexpired_duties(tenant, is_kept)?;
        duties.retain(|duty| !asked.record.despite_duties.contains(duty));
        if !duties.is_empty() {
            return Err(LedgerError::DutiesStand { tenant: tenant.clone(), duties });
        }
        self.begin_closing(tenant, &known, by)
    }

    /// Says in `_system` that a tenant is being closed, and shuts its ledger.
    fn begin_closing(
        &self,
        tenant: &TenantId,
        known: &TenantEntry,
        by: &Actor,
    ) -> Result<TenantEntry, LedgerError> {
        let act = Administration::new("approve_closing", by.clone(), "tenant", tenant.as_str());
        let announced_by = self.say_state(tenant, (known, TenantState::Closing), act)?;
        self.sequencer.shut(tenant, false);
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.begin_closing(tenant, announced_by);
        drop(history);
        self.tenant_entry(tenant)
    }

    /// Writes the state of a tenant into `_system`.
    fn say_state(
        &self,
        tenant: &TenantId,
        (known, state): (&TenantEntry, TenantState),
        act: Administration,
    ) -> Result<Announcement, LedgerError> {
        let written = self.sequencer.administer(&[TenantId::system()], |round| {
            let record = TenantRecord::new(tenant.clone(), known.ledger_id, state);
            let record = record.explained_by(round.push_act(0, act)?);
            let number = round.push(0, SignedAs::Usual, |_, _| SystemRecord::Tenant(record))?;
            Some(Announcement::new(number, round.last_hash(0)?))
        })?;
        written.ok_or(LedgerError::NotBuilt("the closing of the tenant"))
    }

    fn refuse_standing_holds(&self, tenant: &TenantId) -> Result<(), LedgerError> {
        let all = self.holds(tenant)?.into_iter();
        let holds: Vec<_> = all.filter(|one| one.stands()).map(|one| one.set.hold).collect();
        if holds.is_empty() {
            return Ok(());
        }
        Err(LedgerError::HoldsStand { tenant: tenant.clone(), holds })
    }

    /// The rules that name a duty which is not over for the newest record: one too many where their
    /// filters let none of the tenant's records in, never one too few.
    fn unexpired_duties(
        &self,
        tenant: &TenantId,
        is_kept_by_sender: bool,
    ) -> Result<Vec<String>, LedgerError> {
        let policy = self.retention_policy(tenant)?;
        let head = self.store.head(tenant)?;
        let Some(newest) = head.and_then(|head| head.ingested_at) else { return Ok(Vec::new()) };
        let now = self.clock.now();
        let duties = policy.rules().iter().filter(|rule| {
            let minimum = rule.minimum().filter(|_| rule.basis().is_some());
            minimum.is_some_and(|least| least.after(newest).is_none_or(|end| end > now))
        });
        let duties = duties.map(|rule| rule.name().to_owned());
        Ok(duties.chain(is_kept_by_sender.then(|| SENDERS_MINIMUM.to_owned())).collect())
    }

    /// Whether any content of a ledger is kept by what its sender asked for, as retention keeps it. The newest
    /// are looked at first, and all of them where none is: once in a process, as what is not kept is never kept
    /// later. Takes as long as reading the ledger does.
    fn is_kept_by_sender(&self, tenant: &TenantId) -> Result<bool, LedgerError> {
        let (now, size) = (self.clock.now(), self.reader().size(tenant)?);
        let known = hold(&self.kept_by_no_sender).get(tenant).copied();
        // A clock that was set back may be before the end of what is over by the other.
        let known = known.filter(|(_, at)| *at <= now).map_or(0, |(seen, _)| seen.min(size));
        for record in self.reader().walk(tenant, Order::NewestFirst, known..size) {
            let record = record?;
            let Some(content) = record.content.as_deref().filter(|_| record.kind == Kind::Event)
            else {
                continue;
            };
            let damaged = LedgerError::Damaged {
                tenant: tenant.clone(),
                number: record.sequence_number,
                reason: "has no readable content",
            };
            let Ok((text, _)) = split_content(content) else { return Err(damaged) };
            match is_kept_by_sender(Value::new(text), record.ingested_at, now) {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                Err(_) => return Err(damaged),
            }
        }
        hold(&self.kept_by_no_sender).insert(tenant.clone(), (size, now));
        Ok(false)
    }
}
