//! Taxonomies: set in their tenant's ledger, looked up in memory, and asked about every event.
//!
//! Setting one is two records of one append: an `audit` record that says who, and the
//! `system.taxonomy` record that points to it, holds the whole document, and is what counts.
//! [`Ledger::admit`] is the one place where events of all ways in meet their tenant's taxonomy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ledgerstone_model::event::ValidEvent;
use ledgerstone_model::system::{SystemRecord, TaxonomyRecord};
use ledgerstone_model::{
    Actor, Administration, AdmittedEvent, ErrorCode, Rejection, Taxonomy, TaxonomyDraft,
};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::admin::{AdminError, AdminStore, TaxonomyRow};
use ledgerstone_store::{LedgerStore, ReadError};
use thiserror::Error;

use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::projection;
use crate::sequencer::SignedAs;

/// Why an event goes no further.
#[derive(Debug, Error)]
pub enum AdmissionError {
    /// The taxonomy is enforced and the event does not fit.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// Which taxonomy is in force could not be read.
    #[error("the taxonomies could not be read: {0}")]
    Read(#[from] ReadError),
}

impl AdmissionError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(rejection) => rejection.code(),
            Self::Read(error) => error.code(),
        }
    }
}

/// A tenant's taxonomy and the records that set it.
#[derive(Debug)]
pub struct TaxonomyInForce {
    taxonomy: Taxonomy,
    set_by: Option<SetBy>,
}

/// The records that set a taxonomy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetBy {
    /// The `system.taxonomy` record.
    pub record: SequenceNumber,
    pub at: IngestedAt,
    /// The `audit` record that says who.
    pub audit_record: SequenceNumber,
}

impl TaxonomyInForce {
    const fn none() -> Self {
        Self { taxonomy: Taxonomy::none(), set_by: None }
    }

    pub const fn taxonomy(&self) -> &Taxonomy {
        &self.taxonomy
    }

    /// `None` where the tenant never set one.
    pub const fn set_by(&self) -> Option<SetBy> {
        self.set_by
    }
}

type Entries = HashMap<TenantId, Arc<TaxonomyInForce>>;

/// The taxonomies of all tenants, in memory.
#[derive(Debug, Default)]
pub(crate) struct Taxonomies {
    /// `None` until somebody has read them.
    entries: RwLock<Option<Entries>>,
    /// Held while one is set, so that no two acts cross.
    changing: Mutex<()>,
}

impl Taxonomies {
    /// Looks into the entries once they are known.
    fn with<T>(&self, look: impl FnOnce(&Entries) -> T) -> Option<T> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
    }

    fn fill(&self, rows: impl Iterator<Item = TaxonomyRow>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // What was set meanwhile is newer.
        let known = entries.take().unwrap_or_default();
        let mut read: Entries = rows.map(entry).collect();
        read.extend(known);
        *entries = Some(read);
    }

    fn put(&self, tenant: TenantId, in_force: Arc<TaxonomyInForce>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.get_or_insert_default().insert(tenant, in_force);
    }
}

fn entry(row: TaxonomyRow) -> (TenantId, Arc<TaxonomyInForce>) {
    let TaxonomyRow { tenant, set_by: record, set_at: at, audit_record, document } = row;
    let set_by = Some(SetBy { record, at, audit_record });
    (tenant, Arc::new(TaxonomyInForce { taxonomy: Taxonomy::new(document), set_by }))
}

/// The newest taxonomy of every tenant out of the ledgers themselves, all of which are gone through.
pub fn read(store: &dyn LedgerStore) -> Result<HashMap<TenantId, TaxonomyRow>, ReadError> {
    let mut newest = HashMap::new();
    projection::system_records(store, |read| {
        if let SystemRecord::Taxonomy(record) = read.record {
            let row = TaxonomyRow {
                tenant: read.ledger.clone(),
                set_by: read.sequence_number,
                set_at: read.ingested_at,
                audit_record: record.audit_record(),
                document: record.document().clone(),
            };
            newest.insert(read.ledger, row);
        }
    })?;
    Ok(newest)
}

impl Ledger {
    /// Lets an event in that its tenant's taxonomy has nothing against. Every way in passes here:
    /// nothing else makes what can be sealed.
    ///
    /// What is recorded under an id was let in when it came first, and stays recorded whatever the
    /// taxonomy says now: an event that would be refused is looked up, and where its id is recorded
    /// it goes on, to be compared and no more.
    pub fn admit(&self, event: ValidEvent) -> Result<AdmittedEvent, AdmissionError> {
        let admitted = match self.find_taxonomy(event.tenant())? {
            Some(in_force) => in_force.taxonomy.admit(event),
            None => Taxonomy::none().admit(event),
        };
        let kept_out = match admitted {
            Ok(admitted) => return Ok(admitted),
            Err(kept_out) => kept_out,
        };
        let event = kept_out.event();
        match self.store.find(event.tenant(), event.id())? {
            Some(_) => Ok(kept_out.into_repetition()),
            None => Err(kept_out.into_rejection().into()),
        }
    }

    /// The taxonomy in force of a tenant.
    pub fn taxonomy(&self, tenant: &TenantId) -> Result<Arc<TaxonomyInForce>, ReadError> {
        let found = self.find_taxonomy(tenant)?;
        Ok(found.unwrap_or_else(|| Arc::new(TaxonomyInForce::none())))
    }

    pub(crate) fn load_taxonomies(&self, admin: &dyn AdminStore) -> Result<(), AdminError> {
        self.taxonomies.fill(admin.taxonomies()?.into_iter());
        Ok(())
    }

    fn find_taxonomy(&self, tenant: &TenantId) -> Result<Option<Arc<TaxonomyInForce>>, ReadError> {
        let look = |entries: &Entries| entries.get(tenant).cloned();
        if let Some(found) = self.taxonomies.with(look) {
            return Ok(found);
        }
        let _changing = hold(&self.taxonomies.changing);
        if self.taxonomies.with(|_| ()).is_none() {
            self.taxonomies.fill(read(&*self.store)?.into_values());
        }
        Ok(self.taxonomies.with(look).flatten())
    }

    /// Sets a tenant's taxonomy, durably and for all events that come afterwards. Refused are schemas
    /// that cannot be used, and a draft that is based on another version than the one in force.
    pub fn set_taxonomy(
        &self,
        tenant: &TenantId,
        draft: TaxonomyDraft,
        by: &Actor,
    ) -> Result<Arc<TaxonomyInForce>, LedgerError> {
        if tenant.is_system() || self.store.head(tenant)?.is_none() {
            return Err(LedgerError::UnknownTenant(tenant.clone()));
        }
        self.find_taxonomy(tenant)?;
        let _changing = hold(&self.taxonomies.changing);
        let known = self.taxonomies.with(|entries| entries.get(tenant).cloned()).flatten();
        let found = known.as_ref().map_or(0, |known| known.taxonomy.document().version());
        if let Some(expected) = draft.based_on().filter(|expected| *expected != found) {
            return Err(LedgerError::TaxonomyChanged { tenant: tenant.clone(), expected, found });
        }
        let document = draft.at_version(found + 1).ok_or(LedgerError::NotBuilt("the taxonomy"))?;
        let taxonomy = Taxonomy::compile(document).map_err(LedgerError::InvalidTaxonomy)?;
        let set_by = self.write_taxonomy(tenant, &taxonomy, by)?;
        let in_force = Arc::new(TaxonomyInForce { taxonomy, set_by: Some(set_by) });
        self.taxonomies.put(tenant.clone(), Arc::clone(&in_force));
        Ok(in_force)
    }

    fn write_taxonomy(
        &self,
        tenant: &TenantId,
        taxonomy: &Taxonomy,
        by: &Actor,
    ) -> Result<SetBy, LedgerError> {
        let document = taxonomy.document();
        let label = format!("version {}, {}", document.version(), document.mode().as_str());
        let act = Administration::new("set", by.clone(), "taxonomy", tenant.as_str());
        let act = act.with_label(&label);
        let by = act.named_actor().cloned();
        let written = self.administer_as(std::slice::from_ref(tenant), by.as_ref(), |round| {
            let audit_record = round.push_act(0, act)?;
            let mut set_at = None;
            let record = round.push(0, SignedAs::Usual, |_, now| {
                set_at = Some(now);
                SystemRecord::Taxonomy(TaxonomyRecord::new(document.clone(), audit_record))
            })?;
            Some(SetBy { record, at: set_at?, audit_record })
        })?;
        written.ok_or(LedgerError::NotBuilt("the taxonomy"))
    }
}
