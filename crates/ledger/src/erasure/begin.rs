//! From an approved request to the record by which its erasure begins.
//!
//! Whatever is found by the person's own values is recorded before the keys go: which contents are dropped,
//! in `system.retention_started`, which stay, in `system.erasure_kept`, and why, in `system.erasure_started`.
//! So a run that is interrupted afterwards is finished from the records.

use ledgerstone_model::NumberSet;
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::subject_request::RequestState;
use ledgerstone_model::system::{
    ErasureKept, ErasureReach, ErasureStarted, RetentionReason, SystemRecord,
};
use ledgerstone_proof::{SequenceNumber, TenantId};

use super::survey::{Survey, SurveyWatch, Surveyor};
use super::{Begun, Erasure, ErasureMeans, Obstacles, letters};
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::retention::{ContentDrop, STARTED_PER_COMMIT};
use crate::sequencer::{Round, SignedAs};
use crate::subject_requests::RequestEntry;

/// How often what stands against an erasure is looked for, while more of the person comes in.
const OBSTACLE_LOOKS_MAX: usize = 4;

const NOT_BUILT: LedgerError = LedgerError::NotBuilt("what begins the erasure");

/// An approved request whose erasure is to begin.
#[derive(Clone, Copy)]
pub(super) struct ApprovedErasure<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) entry: &'a RequestEntry,
    pub(super) means: &'a ErasureMeans<'a>,
}

impl Ledger {
    /// Surveys the person and says in the ledger what is erased, unless something stands against it. `None`
    /// where `watch` ended it.
    ///
    /// What came in since the survey is looked at again while no hold can be set and no policy changes.
    pub(super) fn begin_erasure(
        &self,
        approved: ApprovedErasure<'_>,
        watch: &dyn SurveyWatch,
    ) -> Result<Option<Begun>, LedgerError> {
        let (tenant, subject) = (approved.tenant, approved.entry.request.subject());
        loop {
            let keys = self.keys_to_destroy(approved)?;
            let mut surveyor = Surveyor::new(self, tenant, subject, &keys)?;
            if !surveyor.go_on(watch)? {
                return Ok(None);
            }
            let _deciding = hold(&self.holding);
            let _policies = self.hold_policies()?;
            if self.keys_to_destroy(approved)? != keys {
                // Something of the person was sealed for the first time while the ledger was gone through.
                continue;
            }
            surveyor.go_on(&())?;
            return self.begin_surveyed(approved, keys, surveyor).map(Some);
        }
    }

    /// The keys that were named when it began, or those that there are.
    fn keys_to_destroy(
        &self,
        approved: ApprovedErasure<'_>,
    ) -> Result<Vec<SealingKeyId>, LedgerError> {
        let request = &approved.entry.request;
        if let Some(begun) = self.subject_requests.erasures.get(approved.tenant, request.id()) {
            return Ok(begun.started.key_ids.clone());
        }
        let (mut keys, _) =
            self.ring_for(approved.tenant)?.keys_of(approved.tenant, request.subject());
        keys.sort_unstable();
        Ok(keys)
    }

    fn begin_surveyed(
        &self,
        approved: ApprovedErasure<'_>,
        key_ids: Vec<SealingKeyId>,
        mut surveyor: Surveyor<'_>,
    ) -> Result<Begun, LedgerError> {
        let ApprovedErasure { tenant, entry, means } = approved;
        let (request, subject) = (entry.request.id(), *entry.request.subject());
        let _changing = self.subject_requests.requests.change();
        if let Some(begun) = self.begun_erasure(tenant, request) {
            return Ok(begun);
        }
        // It may have been refused while the survey went on.
        let state = self.request(tenant, request)?.request.state();
        if state != RequestState::Approved {
            return Err(LedgerError::NotApproved { id: request, state: state.as_str() });
        }
        let obstacles = self.last_obstacles(tenant, &mut surveyor)?;
        obstacles.let_begin(means)?;
        let survey = surveyor.found();
        let left = left_for_others(means, survey, &obstacles);
        let mut stays = obstacles.kept.clone();
        stays.add(&left);
        // What says who ordered it explains everything that goes, and never goes itself.
        if survey.clear().contains(entry.audit_record.value()) {
            stays.insert(entry.audit_record.value());
        }
        let drop = clear_drop(approved, survey, &stays)?;
        let mut in_clear = stays.clone();
        in_clear.remove(&left);
        let kept = ErasureKept::split(request, subject, &in_clear).into_iter();
        let for_others = ErasureKept::split(request, subject, &left).into_iter();
        let kept = kept.chain(for_others.map(ErasureKept::for_others));
        let whom = (&subject, survey.names());
        let run = self.retention(means.contents).new_run();
        let reach = ErasureReach {
            audit_record: entry.audit_record,
            run: Some(run),
            approved_by: entry.request.decided_by().unwrap_or(entry.request.opened_by()).clone(),
            approved_at: entry.set_at,
            clear_contents_approved: Some(means.clear_contents_max),
            keep_sealed_for_others: means.keep_sealed_for_others,
            despite_duties: obstacles.duties_on_sealed().map(str::to_owned).collect(),
            sealed_contents: survey.sealed().len(),
            still_readable: stays.len(),
            sealed_for_others: left.len(),
            kept_by: obstacles.kept_by.into_iter().collect(),
            dead_letters: letters::remove(self, means.letters, tenant, whom)?,
        };
        let started = ErasureStarted { request, subject, key_ids, reach: Some(reach.clone()) };
        let drops = drop.records(run, &drop.numbers).into_iter();
        let records = kept.map(SystemRecord::ErasureKept);
        let records = records.chain(drops.map(SystemRecord::RetentionStarted)).collect();
        let erasure = self.record_start(approved, started, records)?;
        Ok(Begun { erasure, reach, names: survey.names().clone() })
    }

    /// What stands against it. That takes its time where there is much of the person, so it is seen to that
    /// nothing of them came in meanwhile.
    fn last_obstacles(
        &self,
        tenant: &TenantId,
        surveyor: &mut Surveyor<'_>,
    ) -> Result<Obstacles, LedgerError> {
        let mut obstacles = self.obstacles(tenant, surveyor.found())?;
        for _ in 1..OBSTACLE_LOOKS_MAX {
            let before = surveyor.found().counts();
            surveyor.go_on(&())?;
            if surveyor.found().counts() == before {
                break;
            }
            obstacles = self.obstacles(tenant, surveyor.found())?;
        }
        Ok(obstacles)
    }

    /// The records about contents, and the one about keys, are of one commit. Where they are too many for
    /// one, those about contents begin before it, and count for nothing until it is there.
    fn record_start(
        &self,
        ApprovedErasure { tenant, entry, .. }: ApprovedErasure<'_>,
        started: ErasureStarted,
        mut records: Vec<SystemRecord>,
    ) -> Result<Erasure, LedgerError> {
        records.push(SystemRecord::ErasureStarted(started.clone()));
        let mut last = None;
        for records in records.chunks(STARTED_PER_COMMIT) {
            let push = |round: &mut Round<'_>| push_all(round, records);
            let written = self.sequencer.administer(std::slice::from_ref(tenant), push)?;
            last = Some(written.ok_or(NOT_BUILT)?);
        }
        let started_by = last.ok_or(NOT_BUILT)?;
        let erasure = Erasure { started, started_by, certificate: None };
        let request = entry.request.id();
        self.subject_requests.erasures.put(tenant.clone(), request, erasure.clone());
        Ok(erasure)
    }
}

/// Writes records into the first ledger of a round, and answers the number of the last.
fn push_all(round: &mut Round<'_>, records: &[SystemRecord]) -> Option<SequenceNumber> {
    let mut last = None;
    for record in records {
        last = Some(round.push(0, SignedAs::Usual, |_, _| record.clone())?);
    }
    last
}

/// What the approval leaves as it is, of what nothing keeps.
fn left_for_others(means: &ErasureMeans<'_>, survey: &Survey, obstacles: &Obstacles) -> NumberSet {
    if !means.keep_sealed_for_others {
        return NumberSet::new();
    }
    let mut left = survey.sealed_for_others();
    left.remove(&obstacles.kept);
    left
}

/// The contents in clear that go: all but those that stay, if they are not more than were approved.
fn clear_drop(
    ApprovedErasure { tenant, entry, means }: ApprovedErasure<'_>,
    survey: &Survey,
    stays: &NumberSet,
) -> Result<ContentDrop, LedgerError> {
    let mut numbers = survey.clear().clone();
    numbers.remove(stays);
    let (found, approved) = (numbers.len(), means.clear_contents_max);
    if found > approved {
        return Err(LedgerError::MoreInClear { found, approved });
    }
    Ok(ContentDrop {
        tenant: tenant.clone(),
        numbers,
        reason: RetentionReason::Erasure,
        policy_record: None,
        audit_record: Some(entry.audit_record),
    })
}
