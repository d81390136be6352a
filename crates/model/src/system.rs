//! The records that verification and enforcement need, written by the server alone.
//!
//! A `system` record is the event
//! `{"event_type":"system.<name>","<name>":{…},"timestamp":"…"}` (members in canonical order): what
//! it says stands in one member named like the last part of its type. Its bytes follow from its
//! values, so reading accepts exactly the bytes that writing makes. People never appear in it; who
//! ordered something and why stands in an `audit` record.

mod anchor;
mod api_key;
mod closing;
mod erasure;
mod erasure_kept;
mod fields;
mod genesis;
mod hold;
mod number_pieces;
mod policy;
mod policy_proposal;
mod retention;
mod signing;
mod subject_request;
mod tail_cut;
mod taxonomy;
mod tenant;

use ledgerstone_proof::IngestedAt;
use thiserror::Error;

use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value};
use crate::json_write::ObjectWriter;

pub use anchor::{ANCHOR_CHECKPOINTS_MAX, Anchor, AnchorError};
pub use api_key::{ApiKeyGrant, ApiKeyRecord, ApiKeyRevocation};
pub use closing::{TenantClosed, TenantClosing, TenantClosingAsked, TenantClosingWithdrawn};
pub use erasure::{ErasureCertificate, ErasureReach, ErasureStarted};
pub use erasure_kept::ErasureKept;
pub use genesis::{
    Announcement, FORMAT_VERSION, Genesis, LedgerId, LedgerOwner, LogName, LogNameError,
};
pub use hold::{HoldReleaseAsked, HoldReleased, HoldSet};
pub use policy::PolicyRecord;
pub use policy_proposal::PolicyProposalRecord;
pub use retention::{RetentionDone, RetentionReason, RetentionRunId, RetentionStarted};
pub use signing::{
    KeyAlgorithm, KeyChange, KeyUse, PublicKey, RecordSigning, SigningKeyRecord, SigningMode,
};
pub use subject_request::SubjectRequestRecord;
pub use tail_cut::TailCut;
pub use taxonomy::TaxonomyRecord;
pub use tenant::{TenantRecord, TenantState};

use fields::Fields;

/// Everything the server states in a ledger for verification and enforcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SystemRecord {
    /// The first record of every ledger.
    Genesis(Box<Genesis>),
    /// A log or record key comes into use.
    SigningKey(SigningKeyRecord),
    /// From a number on, records are signed or left to the checkpoints.
    RecordSigning(RecordSigning),
    /// A tenant is in a new state.
    Tenant(TenantRecord),
    /// Checkpoints of other ledgers that existed at this moment.
    Anchor(Anchor),
    /// Torn bytes were cut from the end of the log when the store was opened.
    TailCut(TailCut),
    /// An API key is granted or revoked.
    ApiKey(ApiKeyRecord),
    /// A tenant's taxonomy comes into force.
    Taxonomy(TaxonomyRecord),
    /// Contents of the ledger are about to be dropped.
    RetentionStarted(RetentionStarted),
    /// They are gone.
    RetentionDone(RetentionDone),
    /// A policy of the tenant comes into force.
    Policy(PolicyRecord),
    /// A policy of the tenant was put forward, and needs a second person.
    PolicyProposal(Box<PolicyProposalRecord>),
    /// A legal hold comes into force.
    HoldSet(Box<HoldSet>),
    /// Somebody asks for the end of a hold.
    HoldReleaseAsked(HoldReleaseAsked),
    /// A second person agrees: the hold is no more.
    HoldReleased(HoldReleased),
    /// A request of a person about their own data went a step further.
    SubjectRequest(Box<SubjectRequestRecord>),
    /// Contents that hold a person in clear stay when the person is erased.
    ErasureKept(ErasureKept),
    /// A person's keys are about to be destroyed.
    ErasureStarted(ErasureStarted),
    /// They are.
    Erasure(Box<ErasureCertificate>),
    /// Somebody asks that a tenant be closed.
    TenantClosingAsked(Box<TenantClosingAsked>),
    TenantClosingWithdrawn(Box<TenantClosingWithdrawn>),
    /// The ledger begins to end.
    TenantClosing(TenantClosing),
    /// It ends: nothing comes after this.
    TenantClosed(TenantClosed),
}

/// Why a stored event is no `system` record this version can read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SystemRecordError {
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    #[error("system record has no readable `{0}`; verify the ledger")]
    Field(&'static str),
    #[error("event type {0:?} is no system record known to this version; use a newer one")]
    UnknownType(String),
    #[error("system record is not spelt the one way it can be; verify the ledger")]
    OtherSpelling,
}

impl SystemRecordError {
    /// The stable code: a newer version's record is told apart from a damaged one.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownType(_) => ErrorCode::UnsupportedFormatVersion,
            Self::NotCanonical(_) | Self::Field(_) | Self::OtherSpelling => {
                ErrorCode::RecordDamaged
            }
        }
    }
}

impl SystemRecord {
    /// The event type, always `system.` and [`Self::name`].
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "system.genesis",
            Self::SigningKey(_) => "system.signing_key",
            Self::RecordSigning(_) => "system.record_signing",
            Self::Tenant(_) => "system.tenant",
            Self::Anchor(_) => "system.anchor",
            Self::TailCut(_) => "system.tail_cut",
            Self::ApiKey(_) => "system.api_key",
            Self::Taxonomy(_) => "system.taxonomy",
            Self::RetentionStarted(_) => "system.retention_started",
            Self::RetentionDone(_) => "system.retention",
            Self::Policy(_) => "system.policy",
            Self::PolicyProposal(_) => "system.policy_proposal",
            Self::HoldSet(_) => "system.hold_set",
            Self::HoldReleaseAsked(_) => "system.hold_release_asked",
            Self::HoldReleased(_) => "system.hold_released",
            Self::SubjectRequest(_) => "system.subject_request",
            Self::ErasureKept(_) => "system.erasure_kept",
            Self::ErasureStarted(_) => "system.erasure_started",
            Self::Erasure(_) => "system.erasure",
            Self::TenantClosingAsked(_) => "system.tenant_closing_asked",
            Self::TenantClosingWithdrawn(_) => "system.tenant_closing_withdrawn",
            Self::TenantClosing(_) => "system.tenant_closing",
            Self::TenantClosed(_) => "system.tenant_closed",
        }
    }

    /// The last part of the event type, which is also the name of the member that holds it all.
    pub fn name(&self) -> &'static str {
        let event_type = self.event_type();
        event_type.strip_prefix("system.").unwrap_or(event_type)
    }

    /// Writes the event in canonical JSON.
    pub fn write_event(&self, at: IngestedAt, out: &mut Vec<u8>) {
        // `event_type` and `timestamp` are the only other members; the payload sorts around them.
        let name = self.name();
        let mut event = ObjectWriter::open(out);
        if name < "event_type" {
            self.write_payload(event.key(name));
        }
        event.text("event_type", self.event_type());
        if ("event_type".."timestamp").contains(&name) {
            self.write_payload(event.key(name));
        }
        event.text("timestamp", &at.to_string());
        if name > "timestamp" {
            self.write_payload(event.key(name));
        }
        event.close();
    }

    fn write_payload(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        match self {
            Self::Genesis(record) => record.write(&mut object),
            Self::SigningKey(record) => record.write(&mut object),
            Self::RecordSigning(record) => record.write(&mut object),
            Self::Tenant(record) => record.write(&mut object),
            Self::Anchor(record) => record.write(&mut object),
            Self::TailCut(record) => record.write(&mut object),
            Self::ApiKey(record) => record.write(&mut object),
            Self::Taxonomy(record) => record.write(&mut object),
            Self::RetentionStarted(record) => record.write(&mut object),
            Self::RetentionDone(record) => record.write(&mut object),
            Self::Policy(record) => record.write(&mut object),
            Self::PolicyProposal(record) => record.write(&mut object),
            Self::HoldSet(record) => record.write(&mut object),
            Self::HoldReleaseAsked(record) => record.write(&mut object),
            Self::HoldReleased(record) => record.write(&mut object),
            Self::SubjectRequest(record) => record.write(&mut object),
            Self::ErasureKept(record) => record.write(&mut object),
            Self::ErasureStarted(record) => record.write(&mut object),
            Self::Erasure(record) => record.write(&mut object),
            Self::TenantClosingAsked(record) => record.write(&mut object),
            Self::TenantClosingWithdrawn(record) => record.write(&mut object),
            Self::TenantClosing(record) => record.write(&mut object),
            Self::TenantClosed(record) => record.write(&mut object),
        }
        object.close();
    }

    /// Reads a stored event of kind `system`, and when it was written. Only the exact bytes that
    /// [`Self::write_event`] makes are accepted.
    pub fn parse(event: &[u8]) -> Result<(Self, IngestedAt), SystemRecordError> {
        let fields = Fields::new(Value::new(event));
        let event_type = fields.text("event_type")?;
        let at = IngestedAt::parse(&fields.text("timestamp")?)
            .map_err(|_| SystemRecordError::Field("timestamp"))?;
        let record = Self::parse_payload(&event_type, &fields)?;
        let mut again = Vec::with_capacity(event.len());
        record.write_event(at, &mut again);
        if again != event {
            return Err(SystemRecordError::OtherSpelling);
        }
        Ok((record, at))
    }

    fn parse_payload(event_type: &str, fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(match event_type {
            "system.genesis" => {
                Self::Genesis(Box::new(Genesis::parse(&fields.object("genesis")?)?))
            }
            "system.signing_key" => {
                Self::SigningKey(SigningKeyRecord::parse(&fields.object("signing_key")?)?)
            }
            "system.record_signing" => {
                Self::RecordSigning(RecordSigning::parse(&fields.object("record_signing")?)?)
            }
            "system.tenant" => Self::Tenant(TenantRecord::parse(&fields.object("tenant")?)?),
            "system.anchor" => Self::Anchor(Anchor::parse(&fields.object("anchor")?)?),
            "system.api_key" => Self::ApiKey(ApiKeyRecord::parse(&fields.object("api_key")?)?),
            "system.tail_cut" => Self::TailCut(TailCut::parse(&fields.object("tail_cut")?)?),
            "system.taxonomy" => {
                Self::Taxonomy(TaxonomyRecord::parse(&fields.object("taxonomy")?)?)
            }
            "system.retention_started" => Self::RetentionStarted(RetentionStarted::parse(
                &fields.object("retention_started")?,
            )?),
            "system.retention" => {
                Self::RetentionDone(RetentionDone::parse(&fields.object("retention")?)?)
            }
            "system.policy" => Self::Policy(PolicyRecord::parse(&fields.object("policy")?)?),
            "system.policy_proposal" => Self::PolicyProposal(Box::new(
                PolicyProposalRecord::parse(&fields.object("policy_proposal")?)?,
            )),
            "system.hold_set" => {
                Self::HoldSet(Box::new(HoldSet::parse(&fields.object("hold_set")?)?))
            }
            "system.hold_release_asked" => Self::HoldReleaseAsked(HoldReleaseAsked::parse(
                &fields.object("hold_release_asked")?,
            )?),
            "system.hold_released" => {
                Self::HoldReleased(HoldReleased::parse(&fields.object("hold_released")?)?)
            }
            "system.subject_request" => Self::SubjectRequest(Box::new(
                SubjectRequestRecord::parse(&fields.object("subject_request")?)?,
            )),
            "system.erasure_kept" => {
                Self::ErasureKept(ErasureKept::parse(&fields.object("erasure_kept")?)?)
            }
            "system.erasure_started" => {
                Self::ErasureStarted(ErasureStarted::parse(&fields.object("erasure_started")?)?)
            }
            "system.erasure" => {
                Self::Erasure(Box::new(ErasureCertificate::parse(&fields.object("erasure")?)?))
            }
            "system.tenant_closing_asked" => Self::TenantClosingAsked(Box::new(
                TenantClosingAsked::parse(&fields.object("tenant_closing_asked")?)?,
            )),
            "system.tenant_closing_withdrawn" => Self::TenantClosingWithdrawn(Box::new(
                TenantClosingWithdrawn::parse(&fields.object("tenant_closing_withdrawn")?)?,
            )),
            "system.tenant_closing" => {
                Self::TenantClosing(TenantClosing::parse(&fields.object("tenant_closing")?)?)
            }
            "system.tenant_closed" => {
                Self::TenantClosed(TenantClosed::parse(&fields.object("tenant_closed")?)?)
            }
            other => return Err(SystemRecordError::UnknownType(other.to_owned())),
        })
    }
}
