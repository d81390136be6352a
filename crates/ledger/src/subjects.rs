//! People as the tenant's keys know them: looked up by type and id, named by an opaque id ever after.

mod parties;

use std::collections::HashMap;

use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::sealing::{FieldPolicy, SealingKeyId, Subject, SubjectId};
use ledgerstone_model::visible::OwnRole;
use ledgerstone_proof::{SequenceNumber, TenantId};

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::sealing::SealError;
use crate::sealing_keys::{KeyRing, KeyRingError, Refused};

pub(crate) use parties::{Parties, Party};

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
    /// What whoever looked the person up is to know of the type.
    pub note: Option<String>,
}

impl Ledger {
    /// Looks a person up by type and id. Somebody of whom nothing was ever sealed has an id too, and
    /// no keys: contents may still hold them in clear.
    pub fn subject(&self, tenant: &TenantId, who: &Subject) -> Result<SubjectView, LedgerError> {
        let id = self.ring_for(tenant)?.subject_id(tenant, who)?;
        let note = match who {
            Subject::Person { kind, .. } => self.note_on_type(tenant, kind)?,
            Subject::Tenant | Subject::AccessMonth(_) => None,
        };
        Ok(SubjectView { note, ..self.subject_of_id(tenant, &id)? })
    }

    /// What is to be known of a type that is no person's by the tenant's policy: its targets are sealed for
    /// whoever acted.
    pub(crate) fn note_on_type(
        &self,
        tenant: &TenantId,
        kind: &str,
    ) -> Result<Option<String>, LedgerError> {
        let policy = self.known_sealing_policy(tenant).map_err(SealError::from)?;
        Ok(policy.fields().note_on_type(kind))
    }

    /// What is known of a person by the opaque id.
    pub fn subject_of_id(
        &self,
        tenant: &TenantId,
        id: &SubjectId,
    ) -> Result<SubjectView, LedgerError> {
        let (live_keys, destroyed_keys) = self.ring_for(tenant)?.keys_of(tenant, id);
        let certificates = self.certificates_of(tenant, id)?;
        Ok(SubjectView { id: *id, live_keys, destroyed_keys, certificates, note: None })
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
    /// What the key service did not give when it was asked for sealed ids.
    refused: Refused,
}

/// People whose ids are remembered at a time.
const KNOWN_MAX: usize = 65_536;

impl<'a> SubjectIds<'a> {
    pub(crate) fn new(keys: &'a KeyRing, tenant: &TenantId) -> Self {
        Self { keys, tenant: tenant.clone(), known: HashMap::new(), refused: Refused::default() }
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

    /// Whether that is them.
    pub(crate) fn is(&mut self, party: &Party, who: &SubjectId) -> Result<bool, KeyRingError> {
        party.known().map_or(Ok(false), |named| Ok(self.of(named)? == *who))
    }

    /// Who of a record somebody is. A target of a person's type is another person, unless its id says that it
    /// is them.
    pub(crate) fn role_of(
        &mut self,
        who: &SubjectId,
        parties: &Parties,
        targets_person: bool,
    ) -> Result<OwnRole, KeyRingError> {
        let is_actor = self.is(parties.actor(), who)?;
        let is_target = self.is(parties.target(), who)?;
        Ok(OwnRole { is_actor, is_target, targets_another: targets_person && !is_target })
    }
}

/// Whether the target of an event has a person's type.
pub(crate) fn targets_person(text: &[u8], fields: &FieldPolicy) -> Result<bool, NotCanonical> {
    let Some(target) = Value::new(text).member("target")? else { return Ok(false) };
    let kind = target.member("type")?.and_then(Value::text);
    Ok(kind.is_some_and(|kind| fields.is_person(&kind)))
}
