//! What of a person is sealed under somebody else's key, in the events that name the person as actor or target.
//!
//! Destroying the person's keys does not reach it: a target of a type that is no person's is sealed for whoever
//! acted, and a field that names both is sealed for the target alone.

use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::personal::names::{Names, names_party};
use ledgerstone_model::sealing::{
    Envelope, EnvelopePlace, FieldPolicy, SealingPlan, Subject, SubjectId,
};
use ledgerstone_proof::Kind;
use ledgerstone_store::StoredRecord;
use zeroize::Zeroizing;

use crate::error::LedgerError;
use crate::sealing::{ReopenError, reopen};
use crate::sealing_keys::KeyRing;
use crate::subjects::SubjectIds;

/// Which of the two that an event names the person is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    is_actor: bool,
    /// The person as the target, by the type and id there.
    target: Option<Subject>,
    /// The type by which the event calls the person.
    kind: Option<String>,
}

impl Part {
    /// Looks for the person in an event.
    pub(super) fn read(
        (record, text): (&StoredRecord, &[u8]),
        subject: &SubjectId,
        ids: &mut SubjectIds<'_>,
    ) -> Result<Self, LedgerError> {
        let parties = ids.sure_parties(record, text)?;
        let is_actor = ids.is(parties.actor(), subject)?;
        let is_target = ids.is(parties.target(), subject)?;
        let target = parties.target().known().filter(|_| is_target).cloned();
        let actor = parties.actor().known().filter(|_| is_actor);
        let kind = match target.as_ref().or(actor) {
            Some(Subject::Person { kind, .. }) => Some(kind.clone()),
            Some(Subject::Tenant | Subject::AccessMonth(_)) | None => None,
        };
        Ok(Self { is_actor, target, kind })
    }

    /// Whether the event names the person at all.
    pub(super) const fn is_any(&self) -> bool {
        self.is_actor || self.target.is_some()
    }

    /// Whether the person is the `actor` or the `target`.
    pub(super) fn is(&self, group: &str) -> bool {
        if group == "target" { self.target.is_some() } else { self.is_actor }
    }

    /// The person as the target, by the type and id there.
    pub(super) const fn target(&self) -> Option<&Subject> {
        self.target.as_ref()
    }

    /// The type by which the event calls the person.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }
}

/// Envelopes of an event under keys that are not the person's, and that open something.
pub(super) struct OthersEnvelopes<'a> {
    record: &'a StoredRecord,
    text: &'a [u8],
    envelopes: Vec<Envelope>,
}

impl<'a> OthersEnvelopes<'a> {
    /// Of a record of the server's own there are none: what those who act had to say in it is theirs.
    pub(super) fn of(
        (record, text): (&'a StoredRecord, &'a [u8]),
        mut envelopes: Vec<Envelope>,
        ring: &KeyRing,
    ) -> Self {
        envelopes.retain(|one| record.kind == Kind::Event && ring.is_live(one.key_id()));
        Self { record, text, envelopes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// The event with everything in its place that there are keys for; as it is stored where an envelope of it
    /// does not open, which says nothing against the others.
    pub(super) fn opened_event(&self, ring: &KeyRing) -> Result<Zeroizing<Vec<u8>>, LedgerError> {
        match reopen(Some(ring), (&self.record.tenant, &self.record.event_id), self.text) {
            Ok(opened) => Ok(opened.text),
            Err(ReopenError::Keys(error)) => Err(error.into()),
            Err(ReopenError::Event(_)) => Ok(Zeroizing::new(self.text.to_vec())),
        }
    }

    /// What each opens to.
    pub(super) fn open(&self, ring: &KeyRing) -> Result<Vec<Zeroizing<Vec<u8>>>, LedgerError> {
        let StoredRecord { tenant, event_id, .. } = self.record;
        let mut out = Vec::with_capacity(self.envelopes.len());
        for envelope in &self.envelopes {
            // It may have been destroyed a moment ago.
            let Some(key) = ring.key(tenant, envelope.key_id())? else { continue };
            out.extend(envelope.open(&key, EnvelopePlace { tenant, event_id }));
        }
        Ok(out)
    }
}

/// Notes what values call the person.
pub(super) fn note_names(
    opened: &[Zeroizing<Vec<u8>>],
    part: &Part,
    names: &mut Names,
) -> Result<(), NotCanonical> {
    for plaintext in opened {
        let mut members = Value::new(plaintext).members();
        while let Some((pointer, value)) = members.next_member()? {
            let is_theirs = names_party(&pointer.text()).is_some_and(|group| part.is(group));
            if let Some(name) = value.text().filter(|_| is_theirs) {
                names.note(&name);
            }
        }
    }
    Ok(())
}

/// Whether values of the person as the target are among what is sealed for others: such as a policy would seal
/// for the person, who counts as one whatever the type, and all others of `target` and `data` but those that
/// it gives to somebody else by a rule of its own.
pub(super) fn holds_target(
    opened: &[Zeroizing<Vec<u8>>],
    target: &Subject,
    event: &[u8],
    policy: &FieldPolicy,
) -> Result<bool, NotCanonical> {
    let plan = SealingPlan::make(event, policy)?;
    for plaintext in opened {
        let mut members = Value::new(plaintext).members();
        while let Some((pointer, _)) = members.next_member()? {
            let pointer = pointer.text();
            let is_by_place = matches!(pointer.split('/').nth(1), Some("target" | "data"))
                && plan.owner_of(&pointer).is_none_or(|owner| owner == target);
            if is_by_place || plan.meets(target, &pointer) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
