//! People as the tenant's keys know them: looked up by type and id, named by an opaque id ever after.

use std::collections::HashMap;

use ledgerstone_model::sealing::{FieldPolicy, SealingKeyId, Subject, SubjectId};
use ledgerstone_model::visible::OwnRole;
use ledgerstone_proof::{SequenceNumber, TenantId};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::sealing_keys::{KeyRing, KeyRingError};

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectView {
    pub id: SubjectId,
    /// Keys that open something.
    pub live_keys: Vec<SealingKeyId>,
    /// Keys that were destroyed.
    pub destroyed_keys: Vec<SealingKeyId>,
    /// The certificates of erasures that are done, oldest first.
    pub certificates: Vec<SequenceNumber>,
}

impl Ledger {
    /// Looks a person up by type and id. Somebody of whom nothing was ever sealed has an id too, and
    /// no keys: contents may still hold them in clear.
    pub fn subject(&self, tenant: &TenantId, who: &Subject) -> Result<SubjectView, LedgerError> {
        let id = self.ring_for(tenant)?.subject_id(tenant, who)?;
        self.subject_of_id(tenant, &id)
    }

    /// What is known of a person by the opaque id.
    pub fn subject_of_id(
        &self,
        tenant: &TenantId,
        id: &SubjectId,
    ) -> Result<SubjectView, LedgerError> {
        let (live_keys, destroyed_keys) = self.ring_for(tenant)?.keys_of(tenant, id);
        let certificates = self.certificates_of(tenant, id)?;
        Ok(SubjectView { id: *id, live_keys, destroyed_keys, certificates })
    }

    /// The keys that fields are sealed under.
    pub(crate) fn ring_for(&self, tenant: &TenantId) -> Result<&KeyRing, LedgerError> {
        self.sealing_keys().ok_or_else(|| LedgerError::NoSealingKeys(tenant.clone()))
    }
}

/// Opaque ids of people, each computed once.
#[derive(Debug)]
pub(crate) struct SubjectIds<'a> {
    keys: &'a KeyRing,
    tenant: TenantId,
    known: HashMap<Subject, SubjectId>,
}

/// People whose ids are remembered at a time.
const KNOWN_MAX: usize = 65_536;

impl<'a> SubjectIds<'a> {
    pub(crate) fn new(keys: &'a KeyRing, tenant: &TenantId) -> Self {
        Self { keys, tenant: tenant.clone(), known: HashMap::new() }
    }

    pub(crate) fn of(&mut self, subject: &Subject) -> Result<SubjectId, KeyRingError> {
        if let Some(known) = self.known.get(subject) {
            return Ok(*known);
        }
        let id = self.keys.subject_id(&self.tenant, subject)?;
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(subject.clone(), id);
        Ok(id)
    }

    /// Who of an event somebody is, of the actor and the target that it names in clear.
    pub(crate) fn role_of(
        &mut self,
        who: &SubjectId,
        (actor, target): (Option<&Subject>, Option<&Subject>),
        fields: &FieldPolicy,
    ) -> Result<OwnRole, KeyRingError> {
        let mut is_them = |named: Option<&Subject>| match named {
            Some(named) => self.of(named).map(|id| id == *who),
            None => Ok(false),
        };
        let (is_actor, is_target) = (is_them(actor)?, is_them(target)?);
        let is_person = match target {
            Some(Subject::Person { kind, .. }) => fields.is_person(kind),
            _ => false,
        };
        Ok(OwnRole { is_actor, is_target, targets_another: is_person && !is_target })
    }
}
