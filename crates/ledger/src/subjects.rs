//! People as the tenant's keys know them: looked up by type and id, named by an opaque id ever after.

use std::collections::HashMap;

use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::sealing::{FieldPolicy, SealingKeyId, Subject, SubjectId, party};
use ledgerstone_model::visible::OwnRole;
use ledgerstone_proof::{SequenceNumber, TenantId};
use ledgerstone_store::StoredRecord;

use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::sealing::{SealError, reopen};
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

    /// Who of an event somebody is, of the actor and the target that it names in clear. A target of a person's
    /// type is another person, unless its id, which `opened_target` reads where it is sealed, says that it
    /// is them.
    pub(crate) fn role_of(
        &mut self,
        who: &SubjectId,
        (actor, target): (Option<&Subject>, Option<&Subject>),
        targets_person: bool,
        opened_target: impl FnOnce() -> Option<Subject>,
    ) -> Result<OwnRole, KeyRingError> {
        let mut is_them = |named: Option<&Subject>| match named {
            Some(named) => self.of(named).map(|id| id == *who),
            None => Ok(false),
        };
        let (is_actor, is_target) = (is_them(actor)?, is_them(target)?);
        let is_another = match target {
            _ if !targets_person => false,
            Some(_) => !is_target,
            None => !is_them(opened_target().as_ref())?,
        };
        Ok(OwnRole { is_actor, is_target, targets_another: is_another })
    }
}

/// Whether the target of an event has a person's type.
pub(crate) fn targets_person(text: &[u8], fields: &FieldPolicy) -> Result<bool, NotCanonical> {
    let Some(target) = Value::new(text).member("target")? else { return Ok(false) };
    let kind = target.member("type")?.and_then(Value::text);
    Ok(kind.is_some_and(|kind| fields.is_person(&kind)))
}

/// The actor or target of a record, whose id is opened where it is sealed; `None` where there is none, or
/// it can be read no more.
pub(crate) fn opened_party(
    keys: &KeyRing,
    record: &StoredRecord,
    text: &[u8],
    group: &str,
) -> Option<Subject> {
    if let Some(clear) = party(text, group).ok()? {
        return Some(clear);
    }
    let opened = reopen(Some(keys), (&record.tenant, &record.event_id), text).ok()?;
    party(&opened.text, group).ok()?
}
