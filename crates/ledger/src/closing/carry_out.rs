//! A ledger is brought to its end: its contents go by a recorded run, and the last record and the last
//! checkpoint say so. Then the keys that opened it are destroyed.
//!
//! Every step looks whether it was done before, so that a closing that was cut short anywhere goes on.

use std::sync::PoisonError;

use ledgerstone_model::system::{
    RetentionReason, SystemRecord, TenantClosed, TenantClosing, TenantState,
};
use ledgerstone_model::{Actor, Administration, NumberSet};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId};

use crate::checkpoint::Signing;
use crate::dead_letters::DeadLetters;
use crate::erasure::SurveyWatch;
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::reader::Order;
use crate::retention::{ContentDrop, Ending, Retention};
use crate::sequencer::{Door, ShutTenant, SignedAs};

/// Dead letters that are looked at in one go.
const LETTERS_AT_ONCE: usize = 1_000;

/// What is left of a ledger's contents.
struct Contents {
    /// How many records ever had one that may go.
    count: u64,
    present: NumberSet,
}

impl Retention<'_> {
    /// Brings the ledger of a tenant that two people have closed to its end, and answers the number of
    /// the record with which it ends; `None` where `watch` stopped it. Whatever was done before is
    /// passed over, so that an interrupted call is made good by another.
    pub fn close_tenant(
        &self,
        tenant: &TenantId,
        letters: Option<&DeadLetters>,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<SequenceNumber>, LedgerError> {
        let ledger = self.ledger;
        let _one_at_a_time = hold(&ledger.closing);
        let state = ledger.tenant_entry(tenant)?.state;
        if !state.is_ending() {
            return Err(LedgerError::NoClosingAsked(tenant.clone()));
        }
        let mut ending = ledger.ending(tenant)?;
        let closing = match ending.closing {
            Some(closing) => closing,
            None => ledger.say_closing(tenant)?,
        };
        if ending.closed.is_none() {
            let Some(contents) = self.drop_everything(tenant, closing, watch)? else {
                return Ok(None);
            };
            let said = TenantClosed { closing_record: closing, contents };
            ending.closed = Some(ledger.say_closed(tenant, said)?);
        }
        if let Some(letters) = letters {
            // Late, so that a refusal that was under way when the ledger was shut is among them.
            remove_letters(letters, tenant)?;
        }
        if state != TenantState::Closed {
            ledger.conclude_closing(tenant)?;
        }
        ledger.destroy_keys_of(tenant)?;
        Ok(ending.closed)
    }

    /// Drops every content that came before the closing, by runs that the ledger tells of; answers how
    /// many records had one.
    fn drop_everything(
        &self,
        tenant: &TenantId,
        closing: SequenceNumber,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<u64>, LedgerError> {
        let Some(Contents { count, present }) = self.ledger.contents(tenant, closing, watch)?
        else {
            return Ok(None);
        };
        let index = self.ledger.reader().retention_index();
        let mut uncovered = present;
        let covered = index.covered(self.ledger.store(), tenant)?;
        uncovered.remove(&covered);
        if !uncovered.is_empty() {
            self.drop_contents(&[ContentDrop {
                tenant: tenant.clone(),
                numbers: uncovered,
                reason: RetentionReason::TenantClosed,
                policy_record: None,
                audit_record: None,
            }])?;
        }
        // Runs that were open before, and one of this closing that was cut short.
        self.resume()?;
        if self.left_of_runs(tenant)? > 0 {
            // What lies in the part that is being written does not wait until that is full.
            self.settle()?;
            self.resume()?;
        }
        match self.left_of_runs(tenant)? {
            0 => Ok(Some(count)),
            waiting => Err(LedgerError::ContentsWaiting(waiting)),
        }
    }

    /// How many contents the runs cover that are not done in a ledger.
    fn left_of_runs(&self, tenant: &TenantId) -> Result<u64, LedgerError> {
        let open = self.ledger.open_runs(tenant)?;
        Ok(open.iter().map(|(_, contents)| contents).sum())
    }
}

impl Ledger {
    /// Tenants whose closing two people agreed on and that has not come to its end.
    pub fn unfinished_closings(&self) -> Vec<TenantId> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let closing = history.tenants().iter().filter(|(_, one)| one.state == TenantState::Closing);
        closing.map(|(tenant, _)| tenant.clone()).collect()
    }

    /// The last record of a tenant that is closed; `None` where it cannot be read.
    pub(crate) fn closed_record(&self, tenant: &TenantId) -> Option<SequenceNumber> {
        self.ending(tenant).ok()?.closed
    }

    /// Destroys the keys of closed tenants again: an older copy of the key files that was put back
    /// opens nothing. Answers of how many tenants some had come back.
    pub fn replay_closings(&self) -> Result<usize, LedgerError> {
        let history = self.history();
        let mut come_back = 0;
        for (tenant, entry) in history.tenants() {
            if entry.state == TenantState::Closed && self.destroy_keys_of(tenant)? {
                come_back += 1;
            }
        }
        Ok(come_back)
    }

    /// At opening: ledgers of tenants that are being closed, or are closed, take nothing.
    pub(crate) fn shut_closing_tenants(&self) -> Result<(), LedgerError> {
        let history = self.history();
        for (tenant, entry) in history.tenants() {
            if entry.state.is_ending() {
                let has_ended =
                    entry.state == TenantState::Closed || self.ending(tenant)?.closed.is_some();
                self.sequencer.shut(tenant, has_ended);
            }
        }
        Ok(())
    }

    fn ending(&self, tenant: &TenantId) -> Result<Ending, LedgerError> {
        Ok(self.reader().retention_index().ending(self.store(), tenant)?)
    }

    /// Writes the record from which on the ledger takes nothing but what ends it.
    fn say_closing(&self, tenant: &TenantId) -> Result<SequenceNumber, LedgerError> {
        let announced_by = self.tenant_entry(tenant)?.closing;
        let announced_by =
            announced_by.ok_or_else(|| LedgerError::NoClosingAsked(tenant.clone()))?;
        let record = SystemRecord::TenantClosing(TenantClosing { announced_by });
        self.say_last(tenant, record)
    }

    /// Writes the last record, and shuts the ledger for good.
    fn say_closed(
        &self,
        tenant: &TenantId,
        said: TenantClosed,
    ) -> Result<SequenceNumber, LedgerError> {
        // Nothing that every open ledger is told comes behind it.
        let _creating = hold(&self.creating);
        let number = self.say_last(tenant, SystemRecord::TenantClosed(said))?;
        self.sequencer.shut(tenant, true);
        Ok(number)
    }

    fn say_last(
        &self,
        tenant: &TenantId,
        record: SystemRecord,
    ) -> Result<SequenceNumber, LedgerError> {
        let tenants = std::slice::from_ref(tenant);
        let written = self.sequencer.administer_by(Door::Ending, tenants, |round| {
            round.push(0, SignedAs::Usual, |_, _| record)
        })?;
        written.ok_or(LedgerError::NotBuilt("the end of the ledger"))
    }

    /// Signs the last checkpoint, has `_system` anchor it, and says there that the tenant is closed.
    fn conclude_closing(&self, tenant: &TenantId) -> Result<(), LedgerError> {
        self.sign_checkpoints(std::slice::from_ref(tenant), Signing::Last)?;
        self.anchor()?;
        let _creating = hold(&self.creating);
        let known = self.tenant_entry(tenant)?;
        let act = Administration::new("close", Actor::server(), "tenant", tenant.as_str());
        self.say_state(tenant, (&known, TenantState::Closed), act)?;
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.set_tenant_state(tenant, TenantState::Closed);
        Ok(())
    }

    /// The contents before the closing that may go. `None` where `watch` stopped it.
    fn contents(
        &self,
        tenant: &TenantId,
        closing: SequenceNumber,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<Contents>, LedgerError> {
        let mut contents = Contents { count: 0, present: NumberSet::new() };
        for record in self.reader().walk(tenant, Order::Sequence, 0..closing.value()) {
            let record = record?;
            if record.kind != Kind::System {
                contents.count += 1;
                if record.content.is_some() {
                    contents.present.insert(record.sequence_number.value());
                }
            }
            if watch.records(1, closing.value()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(contents))
    }

    /// Destroys every key of a tenant, and answers whether there was one.
    fn destroy_keys_of(&self, tenant: &TenantId) -> Result<bool, LedgerError> {
        let destroyed = self.sealing_keys().map(|keys| keys.destroy_all_of(tenant));
        let destroyed = destroyed.transpose()?.unwrap_or(false);
        if destroyed {
            self.record_key_generation()?;
        }
        Ok(destroyed)
    }

    /// Whether a ledger has ended: nothing is told to it any more.
    pub(crate) fn has_ended(&self, tenant: &TenantId) -> bool {
        self.sequencer.has_ended(tenant)
    }

    /// Fails where a tenant is being closed, or is closed.
    pub(crate) fn refuse_shut(&self, tenant: &TenantId) -> Result<(), ShutTenant> {
        self.sequencer.refuse_shut(tenant)
    }
}

/// What was refused of a tenant holds what its clients sent.
fn remove_letters(letters: &DeadLetters, tenant: &TenantId) -> Result<(), LedgerError> {
    loop {
        let some = letters.list(tenant, None, LETTERS_AT_ONCE)?;
        if some.is_empty() {
            return Ok(());
        }
        for (id, _) in some {
            letters.remove(tenant, id)?;
        }
    }
}
