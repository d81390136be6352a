//! A person is erased: what they have keys for becomes unreadable, what holds them in clear is dropped,
//! and a certificate says so. The ledger's headers, chain and tree stay as they are.
//!
//! Every step can be taken again, so that an erasure which was interrupted is finished by doing it
//! from the beginning. Refused submissions are searched before the keys go: what the person's values
//! are is known for as long as there are keys.

mod obstacles;
mod survey;

use std::collections::HashMap;

use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_model::subject_request::{
    RequestState, RequestStep, SubjectRequestId, SubjectRight,
};
use ledgerstone_model::system::{
    ErasureCertificate, ErasureStarted, RetentionReason, SystemRecord,
};
use ledgerstone_model::{Actor, Administration, NumberSet};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::RetentionStore;

use crate::dead_letters::DeadLetters;
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::retention::{ContentDrop, RetentionReport};
use crate::sequencer::SignedAs;
use crate::subject_requests::{RequestEntry, push_request};

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

impl Ledger {
    /// What an erasure of a person would reach, as it is now.
    pub fn survey_subject(
        &self,
        tenant: &TenantId,
        subject: &SubjectId,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<Survey>, LedgerError> {
        let (keys, _) = self.ring_for(tenant)?.keys_of(tenant, subject);
        survey::survey(self, tenant, subject, &keys, watch)
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
        let begun = self.subject_requests.erasures.get(tenant, request);
        if let Some(certificate) = begun.as_ref().and_then(|known| known.certificate) {
            return Ok(Some(certificate));
        }
        let (right, state) = (entry.request.right(), entry.request.state());
        if right != SubjectRight::Erasure || state != RequestState::Approved {
            return Err(LedgerError::NotApproved { id: request, state: state.as_str() });
        }
        if begun.is_some() {
            // What a run before this one has begun to drop.
            let resumed = self.retention(means.contents).resume()?;
            refuse_waiting(tenant, &resumed)?;
        }
        let subject = entry.request.subject();
        let keys = self.keys_to_destroy(tenant, request, subject)?;
        let Some(survey) = survey::survey(self, tenant, subject, &keys, watch)? else {
            return Ok(None);
        };
        let obstacles = self.obstacles(tenant, &survey)?;
        let dead_letters = match means.letters {
            Some(letters) if begun.is_some() || obstacles.let_begin(means).is_ok() => {
                survey::remove_letters(self, letters, tenant, subject, &survey)?
            }
            _ => 0,
        };
        let erasure = match begun {
            Some(begun) => (*begun).clone(),
            None => self.begin_unless_held(tenant, &entry, keys, (&survey, means))?,
        };
        self.ring_for(tenant)?.destroy(&erasure.started.key_ids)?;
        let dropped = self.drop_clear(tenant, &entry, (&survey, &obstacles), means)?;
        let mut readable = survey.clear().clone();
        readable.remove(&dropped);
        let certificate = ErasureCertificate {
            request,
            subject: *subject,
            started_record: erasure.started_by,
            basis: entry.request.basis(),
            key_ids: erasure.started.key_ids.clone(),
            requested_by: entry.request.opened_by().clone(),
            approved_by: entry.request.decided_by().unwrap_or(entry.request.opened_by()).clone(),
            received_at: entry.request.received_at(),
            sealed_contents: survey.sealed().len(),
            dropped_contents: dropped.len(),
            still_readable: readable.len(),
            kept_by: obstacles.kept_by.into_iter().collect(),
            dead_letters,
            key_backups_expire_at: self.key_backups_expire_at(),
            storage: self.settings.storage.clone(),
        };
        self.certify(tenant, &entry, erasure, certificate).map(Some)
    }

    /// Says in the ledger which keys will be destroyed, unless something stands against it. No hold
    /// comes between the two.
    fn begin_unless_held(
        &self,
        tenant: &TenantId,
        entry: &RequestEntry,
        keys: Vec<SealingKeyId>,
        (survey, means): (&Survey, &ErasureMeans<'_>),
    ) -> Result<Erasure, LedgerError> {
        let _deciding = hold(&self.holding);
        self.obstacles(tenant, survey)?.let_begin(means)?;
        self.begin_erasure(tenant, entry, keys)
    }

    /// Drops the contents that hold the person in clear, as far as nothing keeps them; answers which
    /// have gone for this request.
    fn drop_clear(
        &self,
        tenant: &TenantId,
        entry: &RequestEntry,
        (survey, obstacles): (&Survey, &Obstacles),
        means: &ErasureMeans<'_>,
    ) -> Result<NumberSet, LedgerError> {
        let mut numbers = survey.clear().clone();
        numbers.remove(&obstacles.kept);
        let drop = ContentDrop {
            tenant: tenant.clone(),
            numbers,
            reason: RetentionReason::Erasure,
            policy_record: None,
            audit_record: Some(entry.audit_record),
        };
        let report = self.retention(means.contents).drop_contents(&[drop])?;
        refuse_waiting(tenant, &report)?;
        let order = (RetentionReason::Erasure, entry.audit_record);
        Ok(self.reader().retention_index().explained_by(self.store(), tenant, order)?)
    }

    /// The keys that were named when it began, or those that there are.
    fn keys_to_destroy(
        &self,
        tenant: &TenantId,
        request: SubjectRequestId,
        subject: &SubjectId,
    ) -> Result<Vec<SealingKeyId>, LedgerError> {
        if let Some(begun) = self.subject_requests.erasures.get(tenant, request) {
            return Ok(begun.started.key_ids.clone());
        }
        let (mut keys, _) = self.ring_for(tenant)?.keys_of(tenant, subject);
        keys.sort_unstable();
        Ok(keys)
    }

    /// Says in the ledger which keys will be destroyed, unless that stands there already.
    fn begin_erasure(
        &self,
        tenant: &TenantId,
        entry: &RequestEntry,
        key_ids: Vec<SealingKeyId>,
    ) -> Result<Erasure, LedgerError> {
        let (request, subject) = (entry.request.id(), *entry.request.subject());
        let _changing = self.subject_requests.requests.change();
        if let Some(begun) = self.subject_requests.erasures.get(tenant, request) {
            return Ok((*begun).clone());
        }
        // It may have been refused while the survey went on.
        let state = self.request(tenant, request)?.request.state();
        if state != RequestState::Approved {
            return Err(LedgerError::NotApproved { id: request, state: state.as_str() });
        }
        let started = ErasureStarted { request, subject, key_ids };
        let said = started.clone();
        let written = self.sequencer.administer(std::slice::from_ref(tenant), |round| {
            round.push(0, SignedAs::Usual, |_, _| SystemRecord::ErasureStarted(said))
        })?;
        let started_by = written.ok_or(LedgerError::NotCreated)?;
        let erasure = Erasure { started, started_by, certificate: None };
        self.subject_requests.erasures.put(tenant.clone(), request, erasure.clone());
        Ok(erasure)
    }

    /// Writes the certificate and the end of the request, in one commit.
    fn certify(
        &self,
        tenant: &TenantId,
        entry: &RequestEntry,
        erasure: Erasure,
        certificate: ErasureCertificate,
    ) -> Result<SequenceNumber, LedgerError> {
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
            Some((number, push_request(round, done, verb, None, &server)?))
        })?;
        let (number, entry) = written.ok_or(LedgerError::NotCreated)?;
        self.subject_requests.requests.put(tenant.clone(), id, entry);
        let erasure = Erasure { certificate: Some(number), ..erasure };
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

/// There is no certificate of what is still there.
fn refuse_waiting(tenant: &TenantId, report: &RetentionReport) -> Result<(), LedgerError> {
    let own = report.ledgers.iter().filter(|outcome| outcome.tenant == *tenant);
    match own.map(|outcome| outcome.waiting).sum::<u64>() {
        0 => Ok(()),
        waiting => Err(LedgerError::ContentsWaiting(waiting)),
    }
}
