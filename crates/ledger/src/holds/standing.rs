//! Which records the holds of a tenant keep.

use std::collections::HashSet;
use std::sync::Arc;

use ledgerstone_model::Filter;
use ledgerstone_model::filter::{Certainty, RecordView};
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::sealing::{
    Envelope, SealingKeyId, SealingPlan, Subject, SubjectId, parties,
};
use ledgerstone_proof::{Header, Kind, SequenceNumber, TenantId, split_content};
use ledgerstone_store::StoredRecord;

use super::HoldEntry;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::policies::SealingInForce;
use crate::subjects::SubjectIds;

/// The holds of a tenant that stand, ready to be tried on its records.
pub(crate) struct StandingHolds<'l> {
    holds: Vec<Standing>,
    fields: SealingInForce,
    /// Without keys nobody can tell whom a record is about: then holds on people keep everything.
    ids: Option<SubjectIds<'l>>,
}

struct Standing {
    entry: Arc<HoldEntry>,
    filter: Filter,
    /// Every key that values of its subject were ever sealed under.
    keys: HashSet<SealingKeyId>,
}

impl<'l> StandingHolds<'l> {
    /// The holds as they are now.
    pub(crate) fn read(ledger: &'l Ledger, tenant: &'l TenantId) -> Result<Self, LedgerError> {
        let mut holds = Vec::new();
        for entry in ledger.holds(tenant)?.into_iter().filter(|entry| entry.stands()) {
            let mut keys = HashSet::new();
            if let (Some(subject), Some(ring)) = (&entry.set.scope.subject, ledger.sealing_keys()) {
                let (live, destroyed) = ring.keys_of(tenant, subject);
                keys.extend(live.into_iter().chain(destroyed));
            }
            // A filter that cannot be read narrows nothing: the hold then keeps more, never less.
            let filter = ledger.hold_words(tenant, &entry)?.filter.unwrap_or(Filter::All);
            holds.push(Standing { entry, filter, keys });
        }
        let ids = ledger.sealing_keys().map(|ring| SubjectIds::new(ring, tenant));
        Ok(Self { holds, fields: ledger.known_sealing_policy(tenant)?, ids })
    }

    /// The `system.hold_set` records of the holds, in their order.
    pub(crate) fn records(&self) -> impl Iterator<Item = (HoldId, SequenceNumber)> {
        self.holds.iter().map(|one| (one.entry.set.hold, one.entry.set_as.0))
    }

    /// The places, among the holds, of those that keep a record's content.
    pub(crate) fn keeping(&mut self, record: &StoredRecord) -> Result<Vec<usize>, LedgerError> {
        let Some(content) = record.content.as_deref() else { return Ok(Vec::new()) };
        if self.holds.is_empty() || record.kind == Kind::System {
            return Ok(Vec::new());
        }
        let damaged = |reason| LedgerError::Damaged {
            tenant: record.tenant.clone(),
            number: record.sequence_number,
            reason,
        };
        let (text, _) = split_content(content).map_err(|_| damaged("has no readable content"))?;
        let header = Header::parse(&record.header_bytes());
        let header = header.map_err(|_| damaged("has no readable header"))?;
        let view = RecordView::new(&header, Value::new(text));
        let mut about = None;
        let mut keeping = Vec::new();
        for (place, one) in self.holds.iter().enumerate() {
            let scope = &one.entry.set.scope;
            let is_own = one.entry.set.audit_record == record.sequence_number;
            let fits = |filter: &Filter| filter.certainty(&view).map(|it| it != Certainty::No);
            let is_meant = scope.is_in_time(record.ingested_at)
                && fits(&one.filter).map_err(|_| damaged("is not canonical"))?;
            let is_kept = match &scope.subject {
                _ if is_own => true,
                _ if !is_meant => false,
                None => true,
                Some(_) if self.ids.is_none() => true,
                Some(subject) => {
                    if about.is_none() {
                        let read = About::read(text, &self.fields, self.ids.as_mut())?;
                        about = Some(read.ok_or_else(|| damaged("is not canonical"))?);
                    }
                    about.as_ref().is_some_and(|about| about.concerns(subject, &one.keys))
                }
            };
            if is_kept {
                keeping.push(place);
            }
        }
        Ok(keeping)
    }
}

/// Whom a record is about.
struct About {
    keys: HashSet<SealingKeyId>,
    people: HashSet<SubjectId>,
}

impl About {
    /// `None` where the text is not canonical.
    fn read(
        text: &[u8],
        fields: &SealingInForce,
        ids: Option<&mut SubjectIds<'_>>,
    ) -> Result<Option<Self>, LedgerError> {
        let Ok((keys, named)) = Self::names(text, fields) else { return Ok(None) };
        let mut people = HashSet::new();
        if let Some(ids) = ids {
            for person in &named {
                people.insert(ids.of(person)?);
            }
        }
        Ok(Some(Self { keys, people }))
    }

    fn names(
        text: &[u8],
        fields: &SealingInForce,
    ) -> Result<(HashSet<SealingKeyId>, Vec<Subject>), NotCanonical> {
        let event = Value::new(text);
        let mut keys = HashSet::new();
        if let Some(sealed) = event.member("sealed")? {
            let mut elements = sealed.elements();
            while let Some(element) = elements.next_element()? {
                keys.extend(Envelope::parse(element).ok().map(|envelope| *envelope.key_id()));
            }
        }
        let plan = SealingPlan::make(text, fields.fields())?;
        let mut named: Vec<Subject> = plan.subjects().into_iter().cloned().collect();
        named.extend(parties(text)?);
        Ok((keys, named))
    }

    fn concerns(&self, subject: &SubjectId, keys: &HashSet<SealingKeyId>) -> bool {
        self.people.contains(subject) || self.keys.iter().any(|key| keys.contains(key))
    }
}
