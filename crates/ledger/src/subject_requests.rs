//! The register of what people ask about their own data: every step is an `audit` record that says who
//! took it and why, and the `system.subject_request` record that points to it and holds the whole
//! request as it stands then.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_model::subject_request::{
    ErasureBasis, ErasureTerms, RequestStep, SubjectRequest, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::system::{SubjectRequestRecord, SystemRecord};
use ledgerstone_model::{Actor, Administration};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::admin::{AdminError, AdminStore, ErasureRow, SubjectRequestRow};
use ledgerstone_store::{LedgerStore, ReadError};

use crate::erasure::Erasure;
use crate::error::LedgerError;
use crate::holds::HoldEntry;
use crate::ledger::Ledger;
use crate::projection;
use crate::rectification::Correction;
use crate::register::Register;
use crate::sequencer::{Round, SignedAs};

/// A request as it stands, and the record that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestEntry {
    pub request: SubjectRequest,
    /// The `system.subject_request` record of the newest step.
    pub set_by: SequenceNumber,
    pub set_at: IngestedAt,
    /// The `audit` record that says who took the step, and why.
    pub audit_record: SequenceNumber,
}

/// A request that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    pub right: SubjectRight,
    /// For erasures alone.
    pub basis: Option<ErasureBasis>,
    pub subject: SubjectId,
    /// In the words of whoever opens it; stands in the `audit` record.
    pub reason: Option<String>,
    /// For erasures: the ledger is gone through although an erasure is certified and nothing is known to be
    /// left, as the person may be named in clear again.
    pub again: bool,
}

/// What the `audit` record of a step says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepWords<'a> {
    verb: &'a str,
    /// In the words of whoever took it.
    reason: Option<&'a str>,
    /// How far an erasure may go that it approves.
    terms: Option<ErasureTerms>,
}

impl<'a> StepWords<'a> {
    pub(crate) const fn new(verb: &'a str, reason: Option<&'a str>) -> Self {
        Self { verb, reason, terms: None }
    }
}

/// The requests of all tenants, and the erasures that began.
#[derive(Debug, Default)]
pub(crate) struct SubjectRequests {
    pub(crate) requests: Register<SubjectRequestId, RequestEntry>,
    pub(crate) erasures: Register<SubjectRequestId, Erasure>,
    /// What corrects a record, by the record's number, oldest first.
    pub(crate) corrections: Register<SequenceNumber, Vec<Correction>>,
}

impl SubjectRequests {
    /// Takes in what the requests that are known had corrected.
    fn fill_corrections(&self) {
        let mut rows: BTreeMap<(TenantId, SequenceNumber), Vec<Correction>> = BTreeMap::new();
        for (tenant, _, entry) in self.requests.entries() {
            let Some(rectification) = entry.request.rectification() else { continue };
            for number in &rectification.corrected {
                let correction = Correction {
                    event_id: rectification.event_id.clone(),
                    sequence_number: rectification.sequence_number,
                };
                rows.entry((tenant.clone(), *number)).or_default().push(correction);
            }
        }
        let rows = rows.into_iter().map(|((tenant, number), mut corrections)| {
            corrections.sort_by_key(|one| one.sequence_number);
            (tenant, number, corrections)
        });
        self.corrections.fill(rows.collect());
    }

    /// Takes in what was corrected just now.
    pub(crate) fn note_corrected(
        &self,
        tenant: &TenantId,
        corrected: &[SequenceNumber],
        correction: &Correction,
    ) {
        for number in corrected {
            let known = self.corrections.get(tenant, *number);
            let mut all = known.map(|known| (*known).clone()).unwrap_or_default();
            all.push(correction.clone());
            self.corrections.put(tenant.clone(), *number, all);
        }
    }
}

fn request_entry(row: SubjectRequestRow) -> (TenantId, SubjectRequestId, RequestEntry) {
    let SubjectRequestRow { tenant, set_by, set_at, record } = row;
    let (request, audit_record) = (record.request().clone(), record.audit_record());
    (tenant, request.id(), RequestEntry { request, set_by, set_at, audit_record })
}

fn erasure_entry(row: ErasureRow) -> (TenantId, SubjectRequestId, Erasure) {
    let ErasureRow { tenant, started_by, started, certificate } = row;
    (tenant, started.request, Erasure { started, started_by, certificate })
}

/// Requests and erasures out of the ledgers themselves, all of which are gone through.
fn read(store: &dyn LedgerStore) -> Result<SubjectRequests, ReadError> {
    let mut requests = Vec::new();
    let mut erasures: Vec<(TenantId, SubjectRequestId, Erasure)> = Vec::new();
    projection::system_records(store, |read| match read.record {
        SystemRecord::SubjectRequest(record) => requests.push(request_entry(SubjectRequestRow {
            tenant: read.ledger,
            set_by: read.sequence_number,
            set_at: read.ingested_at,
            record: *record,
        })),
        SystemRecord::ErasureStarted(started) => erasures.push(erasure_entry(ErasureRow {
            tenant: read.ledger,
            started_by: read.sequence_number,
            started,
            certificate: None,
        })),
        SystemRecord::Erasure(certificate) => {
            let same = |(tenant, request, _): &&mut (TenantId, SubjectRequestId, Erasure)| {
                *tenant == read.ledger && *request == certificate.request
            };
            if let Some((_, _, erasure)) = erasures.iter_mut().find(same) {
                erasure.certificate = Some(read.sequence_number);
            }
        }
        _ => {}
    })?;
    let all = SubjectRequests::default();
    all.requests.fill(requests);
    all.erasures.fill(erasures);
    Ok(all)
}

/// The keys of people that erasures have named, by tenant, out of the ledgers themselves, all of
/// which are gone through.
pub fn erased_keys(
    store: &dyn LedgerStore,
) -> Result<HashMap<TenantId, HashSet<SealingKeyId>>, ReadError> {
    let mut erased: HashMap<TenantId, HashSet<SealingKeyId>> = HashMap::new();
    for (tenant, _, erasure) in read(store)?.erasures.entries() {
        erased.entry(tenant).or_default().extend(&erasure.started.key_ids);
    }
    Ok(erased)
}

impl Ledger {
    /// How many keys of a tenant's people erasures have named.
    pub fn erased_keys(&self, tenant: &TenantId) -> Result<u64, LedgerError> {
        self.ensure_requests()?;
        let erasures = self.subject_requests.erasures.of_tenant(tenant);
        let keys = erasures.iter().flat_map(|erasure| &erasure.started.key_ids);
        Ok(keys.collect::<HashSet<_>>().len() as u64)
    }

    /// The requests of a tenant, oldest first.
    pub fn requests(&self, tenant: &TenantId) -> Result<Vec<Arc<RequestEntry>>, LedgerError> {
        self.ensure_requests()?;
        let mut entries = self.subject_requests.requests.of_tenant(tenant);
        entries.sort_by_key(|entry| (entry.request.received_at(), entry.request.id()));
        Ok(entries)
    }

    /// A request of a tenant.
    pub fn request(
        &self,
        tenant: &TenantId,
        id: SubjectRequestId,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        self.ensure_requests()?;
        let found = self.subject_requests.requests.get(tenant, id);
        found.ok_or_else(|| LedgerError::UnknownRequest { tenant: tenant.clone(), id })
    }

    /// Opens a request. An erasure of a person who was erased, of whom nothing was kept and nothing sealed
    /// since, is answered with when that was, unless it is asked for `again`; one beside another that is
    /// open, with the other's id.
    pub fn open_request(
        &self,
        tenant: &TenantId,
        new: &NewRequest,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        self.ensure_requests()?;
        let _changing = self.subject_requests.requests.change();
        if new.right == SubjectRight::Erasure {
            self.refuse_open_erasure(tenant, &new.subject)?;
            if !new.again {
                self.refuse_second_erasure(tenant, &new.subject)?;
            }
        }
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        let id = SubjectRequestId::from_bytes(id);
        let right = (new.right, new.basis);
        let at = self.clock.now();
        let request = SubjectRequest::open(id, right, new.subject, by.principal_id(), at);
        self.write_request(tenant, request, StepWords::new("open", new.reason.as_deref()), by)
    }

    fn refuse_open_erasure(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<(), LedgerError> {
        let requests = self.subject_requests.requests.of_tenant(tenant);
        let is_open = |entry: &&Arc<RequestEntry>| {
            let request = &entry.request;
            request.right() == SubjectRight::Erasure
                && request.subject() == subject
                && !request.state().is_final()
        };
        match requests.iter().find(is_open) {
            Some(open) => {
                let (id, state) = (open.request.id(), open.request.state().as_str());
                Err(LedgerError::ErasureOpen { id, state })
            }
            None => Ok(()),
        }
    }

    pub(crate) fn refuse_second_erasure(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<(), LedgerError> {
        let known = self.subject_of_id(tenant, subject)?;
        match known.certificates.last() {
            Some(certificate)
                if known.live_keys.is_empty()
                    && self.kept_contents(tenant, subject)?.in_clear.is_empty() =>
            {
                let certificate = *certificate;
                let at_of =
                    |number| self.reader().record(tenant, number).map(|record| record.ingested_at);
                let at = at_of(certificate)?;
                // What came in between the two was not looked at.
                let erasures = self.subject_requests.erasures.of_tenant(tenant);
                let own = erasures.iter().find(|one| one.certificate == Some(certificate));
                let begun_at = own.map_or(Ok(at), |erasure| at_of(erasure.started_by))?;
                Err(LedgerError::AlreadyErased { at, begun_at, certificate })
            }
            _ => Ok(()),
        }
    }

    /// Takes a request a step further.
    pub fn step_request(
        &self,
        tenant: &TenantId,
        id: SubjectRequestId,
        step: RequestStep,
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        self.take_step((tenant, id), step, StepWords::new(step.as_str(), reason), by)
    }

    /// Approves a request. How far an erasure may go stands in the `audit` record.
    pub fn approve_request(
        &self,
        tenant: &TenantId,
        id: SubjectRequestId,
        terms: ErasureTerms,
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        let step = if terms.despite_duties {
            RequestStep::ApproveDespiteDuties
        } else {
            RequestStep::Approve
        };
        let words = StepWords { verb: step.as_str(), reason, terms: Some(terms) };
        self.take_step((tenant, id), step, words, by)
    }

    fn take_step(
        &self,
        (tenant, id): (&TenantId, SubjectRequestId),
        step: RequestStep,
        words: StepWords<'_>,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        self.request(tenant, id)?;
        let _changing = self.subject_requests.requests.change();
        let entry = self.request(tenant, id)?;
        let is_order = matches!(step, RequestStep::Approve | RequestStep::ApproveDespiteDuties);
        let is_erasure = entry.request.right() == SubjectRight::Erasure;
        if is_order && is_erasure {
            self.refuse_held(tenant, entry.request.subject())?;
        }
        let mut next = entry.request.after(step, &by.principal_id())?;
        if step == RequestStep::CheckIdentity {
            next = next.checked_at(self.clock.now());
        }
        let has_begun = self.subject_requests.erasures.get(tenant, id).is_some();
        if has_begun && !is_order {
            return Err(LedgerError::ErasureBegun(id));
        }
        let words = StepWords { terms: words.terms.filter(|_| is_erasure), ..words };
        self.write_request(tenant, next, words, by)
    }

    /// The holds on a person that stand, whether or not they cover anything yet.
    pub(crate) fn holds_on(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<Vec<Arc<HoldEntry>>, LedgerError> {
        let mut holds = self.holds(tenant)?;
        holds.retain(|hold| hold.stands() && hold.set.scope.subject.as_ref() == Some(subject));
        Ok(holds)
    }

    /// Refuses where a hold on the person stands. One that covers something of them by other
    /// words is met when the erasure is carried out.
    fn refuse_held(&self, tenant: &TenantId, subject: &SubjectId) -> Result<(), LedgerError> {
        match self.holds_on(tenant, subject)?.first() {
            Some(hold) => Err(LedgerError::HoldOnPerson(hold.set.hold)),
            None => Ok(()),
        }
    }

    fn write_request(
        &self,
        tenant: &TenantId,
        request: SubjectRequest,
        words: StepWords<'_>,
        by: &Actor,
    ) -> Result<Arc<RequestEntry>, LedgerError> {
        let id = request.id();
        let named = (words.reason.is_some() || by.is_named()).then_some(by);
        let written = self.administer_as(std::slice::from_ref(tenant), named, |round| {
            push_request(round, request, words, by)
        })?;
        let entry = written.ok_or(LedgerError::NotBuilt("the step of the request"))?;
        Ok(self.subject_requests.requests.put(tenant.clone(), id, entry))
    }

    /// Reads requests and erasures out of the projection, and destroys again what was erased.
    pub(crate) fn load_requests(&self, admin: &dyn AdminStore) -> Result<(), AdminError> {
        let requests = admin.subject_requests()?.into_iter().map(request_entry).collect();
        self.subject_requests.requests.fill(requests);
        let erasures = admin.erasures()?.into_iter().map(erasure_entry).collect();
        self.subject_requests.erasures.fill(erasures);
        self.subject_requests.fill_corrections();
        Ok(())
    }

    pub(crate) fn ensure_requests(&self) -> Result<(), LedgerError> {
        if self.subject_requests.requests.is_filled() && self.subject_requests.erasures.is_filled()
        {
            return Ok(());
        }
        let SubjectRequests { requests, erasures, .. } = read(&*self.store)?;
        self.subject_requests.requests.fill_from(&requests);
        self.subject_requests.erasures.fill_from(&erasures);
        self.subject_requests.fill_corrections();
        Ok(())
    }
}

/// Writes a step into the first ledger of a round.
pub(crate) fn push_request(
    round: &mut Round<'_>,
    request: SubjectRequest,
    words: StepWords<'_>,
    by: &Actor,
) -> Option<RequestEntry> {
    let target = request.id().to_string();
    let mut act = Administration::new(words.verb, by.clone(), "subject_request", &target);
    if let Some(reason) = words.reason {
        act = act.with_reason(reason);
    }
    if let Some(terms) = words.terms {
        act = act.with_erasure_terms(terms);
    }
    let audit_record = round.push_act(0, act)?;
    let said = SubjectRequestRecord::new(request.clone(), audit_record);
    let mut set_at = None;
    let set_by = round.push(0, SignedAs::Usual, |_, now| {
        set_at = Some(now);
        SystemRecord::SubjectRequest(Box::new(said))
    })?;
    Some(RequestEntry { request, set_by, set_at: set_at?, audit_record })
}
