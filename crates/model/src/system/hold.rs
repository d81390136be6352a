//! `system.hold_set`, `system.hold_release_asked` and `system.hold_released`: a legal hold comes into
//! force, somebody asks for its end, and a second person agrees.
//!
//! Whose hold it is and why, and the filter that narrows it, stand in the `audit` record to which
//! `audit_record` points; its content is kept for as long as the hold stands.

use ledgerstone_proof::{IngestedAt, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::access::PrincipalId;
use crate::hold::{HoldId, HoldScope};
use crate::json_write::ObjectWriter;
use crate::sealing::SubjectId;

/// The payload of `system.hold_set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSet {
    pub hold: HoldId,
    pub scope: HoldScope,
    /// When somebody is to look whether it is still needed. It stands until it is released.
    pub review_at: IngestedAt,
    pub set_by: PrincipalId,
    /// The record that holds owner, reason and filter.
    pub audit_record: SequenceNumber,
}

/// The payload of `system.hold_release_asked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReleaseAsked {
    pub hold: HoldId,
    /// Who asks, and cannot release it.
    pub asked_by: PrincipalId,
    pub audit_record: SequenceNumber,
}

/// The payload of `system.hold_released`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldReleased {
    pub hold: HoldId,
    pub asked_by: PrincipalId,
    pub released_by: PrincipalId,
    pub audit_record: SequenceNumber,
}

fn hold_id(fields: &Fields<'_>) -> Result<HoldId, SystemRecordError> {
    fields.parsed("hold", |text| HoldId::parse(text).ok_or(()))
}

fn principal(fields: &Fields<'_>, name: &'static str) -> Result<PrincipalId, SystemRecordError> {
    fields.parsed(name, |text| PrincipalId::parse(text).ok_or(()))
}

impl HoldSet {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let time = |at: Option<IngestedAt>| at.map(|at| at.to_string());
        object.number("audit_record", self.audit_record.value());
        object.boolean("filtered", self.scope.is_filtered);
        object.optional_text("from", time(self.scope.from).as_deref());
        object.text("hold", &self.hold.to_string());
        object.text("review_at", &self.review_at.to_string());
        object.text("set_by", self.set_by.as_str());
        let subject = self.scope.subject.as_ref().map(ToString::to_string);
        object.optional_text("subject", subject.as_deref());
        object.optional_text("until", time(self.scope.until).as_deref());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let scope = HoldScope {
            subject: fields.optional("subject", |text| SubjectId::parse(text).ok_or(()))?,
            from: fields.optional("from", IngestedAt::parse)?,
            until: fields.optional("until", IngestedAt::parse)?,
            is_filtered: fields.value("filtered")?.boolean() == Some(true),
        };
        Ok(Self {
            hold: hold_id(fields)?,
            scope,
            review_at: fields.parsed("review_at", IngestedAt::parse)?,
            set_by: principal(fields, "set_by")?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}

impl HoldReleaseAsked {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("asked_by", self.asked_by.as_str());
        object.number("audit_record", self.audit_record.value());
        object.text("hold", &self.hold.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            hold: hold_id(fields)?,
            asked_by: principal(fields, "asked_by")?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}

impl HoldReleased {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("asked_by", self.asked_by.as_str());
        object.number("audit_record", self.audit_record.value());
        object.text("hold", &self.hold.to_string());
        object.text("released_by", self.released_by.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            hold: hold_id(fields)?,
            asked_by: principal(fields, "asked_by")?,
            released_by: principal(fields, "released_by")?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}
