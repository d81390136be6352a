//! Policies that need two people: one puts them forward, another approves.
//!
//! That is so where a retention policy could let anything go earlier than the one in force. A proposal
//! is a record of its own and comes to nothing when another policy of its kind comes into force, or is
//! put forward, before somebody approves it.

use std::sync::Arc;

use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::retention::RetentionPolicy;
use ledgerstone_model::system::{PolicyProposalRecord, SystemRecord};
use ledgerstone_model::{Actor, Administration};
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::ReadError;
use ledgerstone_store::admin::PolicyRow;

use super::{PolicyDraft, PolicyInForce};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Reader;
use crate::retention::Proposal;
use crate::sequencer::SignedAs;

impl Reader {
    /// The policy of a kind that waits for a second person, read from the ledgers.
    pub fn proposed_policy(
        &self,
        tenant: &TenantId,
        kind: PolicyKind,
    ) -> Result<Option<Arc<Proposal>>, ReadError> {
        let found = self.retention_index().proposal(self.store(), tenant, kind)?;
        let rows = super::read(self.store())?;
        let own = |row: &&PolicyRow| row.tenant == *tenant && row.document.kind() == kind;
        let in_force = rows.iter().find(own).map_or(0, |row| row.version);
        Ok(found.filter(|proposal| proposal.record.version() == in_force + 1))
    }
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyOutcome {
    InForce(Arc<PolicyInForce>),
    /// It waits for a second person.
    Proposed(Arc<Proposal>),
}

impl Ledger {
    /// Sets a policy where one person is enough for it, and puts it forward where not.
    pub fn set_or_propose_policy(
        &self,
        tenant: &TenantId,
        draft: PolicyDraft,
        by: &Actor,
    ) -> Result<PolicyOutcome, LedgerError> {
        match self.set_policy(tenant, draft.clone(), by) {
            Ok(policy) => Ok(PolicyOutcome::InForce(policy)),
            Err(LedgerError::ShortensRetention(_)) => {
                self.propose_policy(tenant, draft, by).map(PolicyOutcome::Proposed)
            }
            Err(error) => Err(error),
        }
    }

    fn propose_policy(
        &self,
        tenant: &TenantId,
        draft: PolicyDraft,
        by: &Actor,
    ) -> Result<Arc<Proposal>, LedgerError> {
        let PolicyDraft { document, based_on } = draft;
        let kind = document.kind();
        let _changing = self.policies.register.change();
        let version = self.next_policy_version(tenant, kind, based_on)?;
        let act = Administration::new("propose", by.clone(), "policy", kind.as_str());
        let act = act.with_label(&format!("version {version}"));
        let named = act.named_actor().cloned();
        let written =
            self.administer_as(std::slice::from_ref(tenant), named.as_ref(), |round| {
                let audit_record = round.push_act(0, act)?;
                let record =
                    PolicyProposalRecord::new(document, version, by.principal_id(), audit_record);
                let record = SystemRecord::PolicyProposal(Box::new(record));
                round.push(0, SignedAs::Usual, |_, _| record)
            })?;
        written.ok_or(LedgerError::NotBuilt("the proposed policy"))?;
        self.proposed_policy(tenant, kind)?.ok_or(LedgerError::NothingProposed(kind.as_str()))
    }

    /// The policy of a kind that waits for a second person.
    pub fn proposed_policy(
        &self,
        tenant: &TenantId,
        kind: PolicyKind,
    ) -> Result<Option<Arc<Proposal>>, ReadError> {
        let found = self.reader().retention_index().proposal(self.store(), tenant, kind)?;
        let in_force = self.policy(tenant, kind)?.map_or(0, |policy| policy.version());
        Ok(found.filter(|proposal| proposal.record.version() == in_force + 1))
    }

    /// Puts a proposed policy in force: another person than the one who put it forward, who names the
    /// record that holds it, so that nothing else is approved than what was seen.
    pub fn approve_policy(
        &self,
        tenant: &TenantId,
        kind: PolicyKind,
        proposed_in: SequenceNumber,
        by: &Actor,
    ) -> Result<Arc<PolicyInForce>, LedgerError> {
        self.policy(tenant, kind)?;
        let _changing = self.policies.register.change();
        let proposal = self.proposed_policy(tenant, kind)?;
        let proposal = proposal.ok_or_else(|| LedgerError::NothingProposed(kind.as_str()))?;
        if proposal.recorded_as != proposed_in {
            let (kind, found) = (kind.as_str(), proposal.recorded_as);
            return Err(LedgerError::OtherProposal { kind, expected: proposed_in, found });
        }
        if *proposal.record.proposed_by() == by.principal_id() {
            return Err(LedgerError::SecondPerson("put the policy forward cannot approve it"));
        }
        let version = proposal.record.version();
        self.write_policy(tenant, ("approve", version), proposal.record.document().clone(), by)
    }

    /// Why a document needs a second person; `None` where it needs none.
    pub(super) fn shortening(
        &self,
        tenant: &TenantId,
        document: &PolicyDocument,
    ) -> Result<Option<String>, ReadError> {
        let Some(new) = document.retention() else { return Ok(None) };
        Ok(new.shortens(&self.retention_policy(tenant)?))
    }

    /// How long a tenant's contents are kept: its own policy, or what counts where it has none.
    pub fn retention_policy(&self, tenant: &TenantId) -> Result<RetentionPolicy, ReadError> {
        let policy = self.policy(tenant, PolicyKind::Retention)?;
        let own = policy.as_ref().and_then(|policy| policy.document().retention());
        Ok(own.cloned().unwrap_or_default())
    }
}
