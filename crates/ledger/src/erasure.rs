//! A person is erased: what they have keys for becomes unreadable, what holds them in clear is dropped,
//! and a certificate says so. The ledger's headers, chain and tree stay as they are.
//!
//! What an erasure reaches is found and recorded while there are keys. Every step after that can be taken
//! again, so that an erasure which was interrupted is finished from its records.

mod begin;
mod letters;
mod obstacles;
mod others;
mod survey;

use std::collections::HashMap;

use ledgerstone_model::personal::names::Names;
use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_model::subject_request::{
    RequestState, RequestStep, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::system::{
    ErasureCertificate, ErasureReach, ErasureStarted, RetentionReason, SystemRecord,
};
use ledgerstone_model::{Actor, Administration, NumberSet};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::RetentionStore;

use crate::dead_letters::DeadLetters;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::reader::Order;
use crate::retention::{KeptContents, LedgerOutcome};
use crate::sequencer::SignedAs;
use crate::subject_requests::{RequestEntry, StepWords, push_request};

use begin::ApprovedErasure;
use survey::Surveyor;

pub use obstacles::{KeptParts, Obstacles};
pub use survey::{Survey, SurveyWatch};

/// What an erasure needs beside the ledger, and what it was told.
#[derive(Clone, Copy)]
pub struct ErasureMeans<'a> {
    /// Refused submissions, which name people as well.
    pub letters: Option<&'a DeadLetters>,
    /// The ledger's own store, with the door by which contents go.
    pub contents: &'a dyn RetentionStore,
    /// Whether what is sealed becomes unreadable although a duty keeps it.
    pub despite_duties: bool,
    /// Whether contents that hold the person sealed for others alone stay as they are.
    pub keep_sealed_for_others: bool,
    /// How many contents that hold the person in clear, or sealed for others, may be dropped: as many as were
    /// approved.
    pub clear_contents_max: u64,
}

/// An erasure that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub started: ErasureStarted,
    /// The `system.erasure_started` record.
    pub started_by: SequenceNumber,
    /// The `system.erasure` record; `None` while it is not done.
    pub certificate: Option<SequenceNumber>,
}

/// An erasure that goes on.
struct Begun {
    erasure: Erasure,
    reach: ErasureReach,
    /// What the person was called, as far as that is still known.
    names: Names,
}

impl Ledger {
    /// What an erasure of a person would reach, as it is now.
    pub fn survey_subject(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<Survey>, LedgerError> {
        let (keys, _) = self.ring_for(tenant)?.keys_of(tenant, subject);
        let mut surveyor = Surveyor::new(self, tenant, subject, &keys)?;
        Ok(surveyor.go_on(watch)?.then(|| surveyor.into_found()))
    }

    /// Carries out an approved request for erasure, or goes on where an earlier run was interrupted.
    /// Answers the certificate's number; `None` where `watch` ended it.
    ///
    /// Nothing is done where a hold covers something that is sealed under the person's keys, or a duty
    /// does and `means` do not say that it goes all the same. Once the keys are named in the ledger,
    /// nothing stops it any more.
    pub fn erase(
        &self,
        tenant: &TenantId,
        request: SubjectRequestId,
        means: &ErasureMeans<'_>,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<SequenceNumber>, LedgerError> {
        let entry = self.request(tenant, request)?;
        let known = self.subject_requests.erasures.get(tenant, request);
        if let Some(certificate) = known.and_then(|known| known.certificate) {
            return Ok(Some(certificate));
        }
        let (right, state) = (entry.request.right(), entry.request.state());
        if right != SubjectRight::Erasure || state != RequestState::Approved {
            return Err(LedgerError::NotApproved { id: request, state: state.as_str() });
        }
        let begun = match self.begun_erasure(tenant, request) {
            Some(begun) => begun,
            None => {
                match self.begin_erasure(ApprovedErasure { tenant, entry: &entry, means }, watch)? {
                    Some(begun) => begun,
                    None => return Ok(None),
                }
            }
        };
        self.ring_for(tenant)?.destroy(&begun.erasure.started.key_ids)?;
        // What was refused while the erasure began.
        let whom = (&begun.erasure.started.subject, &begun.names);
        let late_letters = letters::remove(self, means.letters, tenant, whom)?;
        let dropped = self.drop_clear(tenant, &begun.reach, means)?;
        self.certify(tenant, &entry, begun, (dropped, late_letters)).map(Some)
    }

    /// An erasure whose beginning is recorded. One from before its reach was recorded with it begins
    /// once more.
    fn begun_erasure(&self, tenant: &TenantId, request: SubjectRequestId) -> Option<Begun> {
        let erasure = (*self.subject_requests.erasures.get(tenant, request)?).clone();
        let reach = erasure.started.reach.clone()?;
        Some(Begun { erasure, reach, names: Names::default() })
    }

    /// Drops the contents in clear that the erasure named, and answers how many have gone for it.
    fn drop_clear(
        &self,
        tenant: &TenantId,
        reach: &ErasureReach,
        means: &ErasureMeans<'_>,
    ) -> Result<u64, LedgerError> {
        let order = (RetentionReason::Erasure, reach.audit_record);
        let mut named =
            self.reader().retention_index().explained_by(self.store(), tenant, order)?;
        if let Some(own) = reach.run {
            // One that was cut short before it began has named others, which do not count.
            named.retain(|run, _| *run == own);
        }
        if !named.is_empty() {
            let report = self.retention(means.contents).resume()?;
            let own = |outcome: &&LedgerOutcome| named.contains_key(&outcome.run);
            let waiting: u64 = report.ledgers.iter().filter(own).map(|one| one.waiting).sum();
            if waiting > 0 {
                // There is no certificate of what is still there.
                return Err(LedgerError::ContentsWaiting(waiting));
            }
        }
        let mut dropped = NumberSet::new();
        named.values().for_each(|numbers| dropped.add(numbers));
        Ok(dropped.len())
    }

    fn certificate(
        &self,
        entry: &RequestEntry,
        Begun { erasure, reach, .. }: &Begun,
        (dropped_contents, late_letters): (u64, u64),
    ) -> ErasureCertificate {
        let request = &entry.request;
        ErasureCertificate {
            request: request.id(),
            subject: *request.subject(),
            started_record: erasure.started_by,
            basis: request.basis(),
            key_ids: erasure.started.key_ids.clone(),
            requested_by: request.opened_by().clone(),
            approved_by: reach.approved_by.clone(),
            approved_at: Some(reach.approved_at),
            identity_checked_by: request.identity_checked_by().cloned(),
            identity_checked_at: request.identity_checked_at(),
            received_at: request.received_at(),
            despite_duties: reach.despite_duties.clone(),
            sealed_contents: reach.sealed_contents,
            dropped_contents,
            still_readable: reach.still_readable,
            sealed_for_others: reach.sealed_for_others,
            kept_by: reach.kept_by.clone(),
            dead_letters: reach.dead_letters + late_letters,
            key_backups_expire_at: self.key_backups_expire_at(),
            storage: self.settings.storage.clone(),
        }
    }

    /// The contents that earlier erasures of a person kept, and that are still there.
    pub(crate) fn kept_contents(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<KeptContents, LedgerError> {
        let kept = self.reader().retention_index().kept_of(self.store(), tenant, subject)?;
        Ok(KeptContents {
            in_clear: self.still_there(tenant, &kept.in_clear)?,
            for_others: self.still_there(tenant, &kept.for_others)?,
        })
    }

    fn still_there(
        &self,
        tenant: &TenantId,
        numbers: &NumberSet,
    ) -> Result<NumberSet, LedgerError> {
        let mut there = NumberSet::new();
        for numbers in numbers.ranges() {
            for record in self.reader().walk(tenant, Order::Sequence, numbers) {
                let record = record?;
                if record.content.is_some() {
                    there.insert(record.sequence_number.value());
                }
            }
        }
        Ok(there)
    }

    /// Writes the certificate and the end of the request, in one commit.
    fn certify(
        &self,
        tenant: &TenantId,
        entry: &RequestEntry,
        begun: Begun,
        counts: (u64, u64),
    ) -> Result<SequenceNumber, LedgerError> {
        let certificate = self.certificate(entry, &begun, counts);
        let server = Actor::server();
        let done = entry.request.after(RequestStep::Finish, &server.principal_id())?;
        let _changing = self.subject_requests.requests.change();
        let id = done.id();
        let known = self.subject_requests.erasures.get(tenant, id);
        if let Some(number) = known.and_then(|known| known.certificate) {
            // Another run of the same, begun while this one was under way, was first.
            return Ok(number);
        }
        let act = Administration::new("erase", server.clone(), "subject_request", &id.to_string());
        let written = self.sequencer.administer(std::slice::from_ref(tenant), |round| {
            round.push_act(0, act)?;
            let number = round
                .push(0, SignedAs::Usual, |_, _| SystemRecord::Erasure(Box::new(certificate)))?;
            let verb = RequestStep::Finish.as_str();
            Some((number, push_request(round, done, StepWords::new(verb, None), &server)?))
        })?;
        let (number, entry) =
            written.ok_or(LedgerError::NotBuilt("the certificate of the erasure"))?;
        self.subject_requests.requests.put(tenant.clone(), id, entry);
        let erasure = Erasure { certificate: Some(number), ..begun.erasure };
        self.subject_requests.erasures.put(tenant.clone(), id, erasure);
        Ok(number)
    }

    /// Destroys again the keys of everybody who was erased: an older copy of the key files that was
    /// put back brings nobody back. Answers how many keys that were.
    pub fn replay_erasures(&self) -> Result<usize, LedgerError> {
        self.ensure_requests()?;
        let Some(ring) = self.sealing_keys() else { return Ok(0) };
        let all = self.subject_requests.erasures.entries();
        let named = all.iter().flat_map(|(_, _, one)| &one.started.key_ids);
        let live: Vec<_> = named.copied().filter(|id| ring.is_live(id)).collect();
        if !live.is_empty() {
            ring.destroy(&live)?;
            self.record_key_generation()?;
        }
        Ok(live.len())
    }

    /// The erasures of a tenant that began and have no certificate.
    pub fn unfinished_erasures(&self) -> Result<Vec<(TenantId, SubjectRequestId)>, LedgerError> {
        self.ensure_requests()?;
        let entries = self.subject_requests.erasures.entries();
        let open = entries.into_iter().filter(|(tenant, _, erasure)| {
            // Where the tenant goes, everything goes, and no certificate comes any more.
            erasure.certificate.is_none() && self.refuse_shut(tenant).is_ok()
        });
        Ok(open.map(|(tenant, request, _)| (tenant, request)).collect())
    }

    /// Whether an erasure of a person began and has no certificate; as of [`Self::ensure_requests`].
    pub(crate) fn is_being_erased(&self, tenant: &TenantId, subject: &SubjectId) -> bool {
        let erasures = self.subject_requests.erasures.of_tenant(tenant);
        erasures.iter().any(|one| one.started.subject == *subject && one.certificate.is_none())
    }

    /// The record that certifies what a request led to, once it is there.
    pub(crate) fn certificate_of(
        &self,
        tenant: &TenantId,
        request: SubjectRequestId,
    ) -> Option<SequenceNumber> {
        self.subject_requests.erasures.get(tenant, request)?.certificate
    }

    pub(crate) fn certificates_of(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
    ) -> Result<Vec<SequenceNumber>, LedgerError> {
        self.ensure_requests()?;
        let erasures = self.subject_requests.erasures.of_tenant(tenant);
        let own = erasures.iter().filter(|one| one.started.subject == *subject);
        let mut certificates: Vec<_> = own.filter_map(|one| one.certificate).collect();
        certificates.sort_unstable();
        Ok(certificates)
    }

    /// The certificate of each key of a tenant that an erasure destroyed.
    pub(crate) fn certificates_of_keys(
        &self,
        tenant: &TenantId,
    ) -> Result<HashMap<SealingKeyId, SequenceNumber>, LedgerError> {
        self.ensure_requests()?;
        let erasures = self.subject_requests.erasures.of_tenant(tenant);
        let done = erasures.iter().filter_map(|one| Some((one.certificate?, &one.started.key_ids)));
        Ok(done.flat_map(|(number, keys)| keys.iter().map(move |key| (*key, number))).collect())
    }

    fn key_backups_expire_at(&self) -> Option<IngestedAt> {
        let lifetime = self.settings.key_backup_lifetime?;
        let micros = i64::try_from(lifetime.as_micros()).ok()?;
        let at = self.clock.now().micros().saturating_add(micros);
        IngestedAt::from_micros(at).ok()
    }
}
