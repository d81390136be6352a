//! Which records the holds of a tenant keep.

use std::collections::HashSet;
use std::sync::Arc;

use ledgerstone_model::Filter;
use ledgerstone_model::filter::{Certainty, RecordView};
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::json::{NotCanonical, Value};
use ledgerstone_model::sealing::{Envelope, SealingKeyId, SealingPlan, SubjectId};
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
            let is_kept = match (&scope.subject, self.ids.as_mut()) {
                _ if is_own => true,
                _ if !is_meant => false,
                (None, _) | (Some(_), None) => true,
                (Some(subject), Some(ids)) => {
                    if about.is_none() {
                        about = Some(About::read((record, text), &self.fields, ids)?);
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
    /// Whether somebody whom it names may be anybody: then every hold on a person keeps it.
    is_unsure: bool,
}

impl About {
    fn read(
        (record, text): (&StoredRecord, &[u8]),
        fields: &SealingInForce,
        ids: &mut SubjectIds<'_>,
    ) -> Result<Self, LedgerError> {
        let not_canonical = |_: NotCanonical| LedgerError::Damaged {
            tenant: record.tenant.clone(),
            number: record.sequence_number,
            reason: "is not canonical",
        };
        let keys = sealing_keys_in(text).map_err(not_canonical)?;
        let plan = SealingPlan::make(text, fields.fields()).map_err(not_canonical)?;
        let parties = ids.parties(record, text)?;
        let mut people = HashSet::new();
        for person in plan.subjects().into_iter().chain(parties.known()) {
            people.insert(ids.of(person)?);
        }
        Ok(Self { keys, people, is_unsure: parties.is_unsure() })
    }

    fn concerns(&self, subject: &SubjectId, keys: &HashSet<SealingKeyId>) -> bool {
        self.is_unsure
            || self.people.contains(subject)
            || self.keys.iter().any(|key| keys.contains(key))
    }
}

/// The keys that something of an event is sealed under.
fn sealing_keys_in(text: &[u8]) -> Result<HashSet<SealingKeyId>, NotCanonical> {
    let mut keys = HashSet::new();
    if let Some(sealed) = Value::new(text).member("sealed")? {
        let mut elements = sealed.elements();
        while let Some(element) = elements.next_element()? {
            keys.extend(Envelope::parse(element).ok().map(|envelope| *envelope.key_id()));
        }
    }
    Ok(keys)
}
