//! What is held about one person, for the person (Regulation (EU) 2016/679, articles 15 and 20): every
//! record in which they stand, with their own values whole and those of others redacted (article 15(4)),
//! and with what an outsider needs to check it.

pub mod csv;
pub mod json;

use std::collections::HashSet;

use ledgerstone_model::access::{Role, RoleSet, Sight};
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::subject_request::{RequestState, SubjectRequestId, SubjectRight};
use ledgerstone_model::visible::{Own, ReadEvent, Why, is_in_clear};
use ledgerstone_model::{ErrorCode, HiddenPart};
use ledgerstone_proof::{
    Hash, IngestedAt, Kind, SequenceNumber, TenantId, TreeSize, split_content,
};
use ledgerstone_store::StoredRecord;
use thiserror::Error;

use crate::checkpoint::SignedCheckpoint;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::subjects::{SubjectIds, SubjectView, targets_person};
use crate::visible::{Viewer, VisibleEvent};

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    #[error("request {id} asks for {right}, and a bundle belongs to a request for access")]
    OtherRight { id: SubjectRequestId, right: &'static str },
    #[error("request {id} is {state}; a bundle is given once a second person has approved it")]
    NotApproved { id: SubjectRequestId, state: &'static str },
    #[error(
        "request {id} is {state} since {since}, and a bundle is given until then; open a new request for access"
    )]
    Ended { id: SubjectRequestId, state: &'static str, since: IngestedAt },
    #[error("keys cannot be had now, so that record {0} would not be whole; nothing was given out")]
    NotWhole(SequenceNumber),
}

impl BundleError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::OtherRight { .. } | Self::NotApproved { .. } | Self::Ended { .. } => {
                ErrorCode::RequestState
            }
            Self::NotWhole(_) => ErrorCode::KeyServiceUnavailable,
        }
    }
}

/// The bundle of one person's request.
pub struct Bundle<'l> {
    ledger: &'l Ledger,
    tenant: TenantId,
    request: SubjectRequestId,
    subject: SubjectView,
    /// Those that are destroyed among them: what they sealed is told as erased.
    keys: HashSet<SealingKeyId>,
    ids: SubjectIds<'l>,
    viewer: Viewer<'l>,
}

/// A record in which the person stands.
#[derive(Clone, Debug)]
pub struct BundledEvent {
    event: VisibleEvent,
    /// As it is hashed; `None` where it says of others in clear what the event does not show.
    content: Option<Vec<u8>>,
}

/// How a record is proved: the checkpoint of the whole page, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledProof {
    pub leaf_index: u64,
    pub hashes: Vec<Hash>,
}

impl BundledEvent {
    /// The event, opened and redacted for the person.
    pub const fn event(&self) -> &VisibleEvent {
        &self.event
    }

    /// The canonical content, sealed as it is; `None` where it says of others in clear what is redacted
    /// in the event.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }
}

impl Ledger {
    /// What an approved request for access is answered with. The approval is the second person that
    /// an export in the open needs.
    pub fn bundle(
        &self,
        tenant: &TenantId,
        request: SubjectRequestId,
    ) -> Result<Bundle<'_>, LedgerError> {
        let entry = self.request(tenant, request)?;
        let (right, state) = (entry.request.right(), entry.request.state());
        if right != SubjectRight::Access {
            return Err(BundleError::OtherRight { id: request, right: right.as_str() }.into());
        }
        if state.is_final() {
            let (state, since) = (state.as_str(), entry.set_at);
            return Err(BundleError::Ended { id: request, state, since }.into());
        }
        if state != RequestState::Approved {
            return Err(BundleError::NotApproved { id: request, state: state.as_str() }.into());
        }
        let subject = self.subject_of_id(tenant, entry.request.subject())?;
        let keys = subject.live_keys.iter().chain(&subject.destroyed_keys).copied().collect();
        let ids = SubjectIds::new(self.ring_for(tenant)?, tenant);
        // What is about others is seen as the least of all readers sees it.
        let others = Sight::of(RoleSet::from(Role::Viewer), tenant);
        let viewer = self.viewer_of_subject(tenant, others)?;
        Ok(Bundle { ledger: self, tenant: tenant.clone(), request, subject, keys, ids, viewer })
    }
}

impl Bundle<'_> {
    pub const fn request(&self) -> SubjectRequestId {
        self.request
    }

    pub const fn subject(&self) -> &SubjectView {
        &self.subject
    }

    /// Whether all that was sealed for the person is unreadable now.
    pub fn is_erased(&self) -> bool {
        self.subject.live_keys.is_empty() && !self.subject.destroyed_keys.is_empty()
    }

    /// The sight by which others' values are shown.
    pub const fn sight(&self) -> Sight {
        self.viewer.sight()
    }

    /// A record for the person; `None` where they do not stand in it. A record whose content was dropped, or
    /// is about to be, tells of nobody. The person's own values are whole, or it fails.
    pub fn view(&mut self, record: StoredRecord) -> Result<Option<BundledEvent>, LedgerError> {
        let record = self.viewer.readable(record);
        let Some(content) = record.content.clone().filter(|_| record.kind != Kind::System) else {
            return Ok(None);
        };
        let number = record.sequence_number;
        let damaged =
            |reason| LedgerError::Damaged { tenant: record.tenant.clone(), number, reason };
        let (text, _) = split_content(&content).map_err(|_| damaged("has no readable content"))?;
        let read = ReadEvent::read(text).map_err(|_| damaged("is not canonical"))?;
        let targets_person = targets_person(text, self.viewer.fields());
        let targets_person = targets_person.map_err(|_| damaged("is not canonical"))?;
        let parties = self.ids.sure_parties(&record, text)?;
        let role = self.ids.role_of(&self.subject.id, &parties, targets_person)?;
        let is_sealed_for_them = read.key_ids().any(|key| self.keys.contains(key));
        if !is_sealed_for_them && !role.is_actor && !role.is_target {
            return Ok(None);
        }
        let event = self.viewer.view_own(record, Own { keys: &self.keys, role });
        let is_away = |part: &HiddenPart| part.why() == Why::Unavailable;
        if event.hidden().iter().any(is_away) {
            return Err(BundleError::NotWhole(number).into());
        }
        let shows_nothing =
            |part: &HiddenPart| is_in_clear(text, part.pointer()).is_ok_and(|is_clear| !is_clear);
        let content = event.hidden().iter().all(shows_nothing).then_some(content);
        Ok(Some(BundledEvent { event, content }))
    }

    /// A checkpoint over so many records at least.
    pub fn checkpoint(&self, size: u64) -> Result<SignedCheckpoint, LedgerError> {
        let recent = self.ledger.recent_checkpoint(&self.tenant)?;
        if recent.size.value() >= size { Ok(recent) } else { self.ledger.checkpoint(&self.tenant) }
    }

    /// The way from a record to a checkpoint's root.
    pub fn prove(&self, event: &BundledEvent, size: TreeSize) -> Result<BundledProof, LedgerError> {
        let number = event.event.record().sequence_number;
        let hashes = self.ledger.reader().inclusion_proof(&self.tenant, number, size)?;
        Ok(BundledProof { leaf_index: number.value(), hashes })
    }
}
