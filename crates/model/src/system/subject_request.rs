//! `system.subject_request`: a request of a person about their own data, after its newest step.
//!
//! Nobody stands in it by name: the person is an opaque id, and so is whoever took a step. What was
//! written about it in words stands in the `audit` record to which `audit_record` points.

use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::access::PrincipalId;
use crate::json_write::ObjectWriter;
use crate::sealing::SubjectId;
use crate::subject_request::{
    ErasureBasis, Rectification, RefusalGround, RequestState, SubjectRequest, SubjectRequestId,
    SubjectRight,
};

/// The payload of `system.subject_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequestRecord {
    request: SubjectRequest,
    audit_record: SequenceNumber,
}

impl SubjectRequestRecord {
    pub const fn new(request: SubjectRequest, audit_record: SequenceNumber) -> Self {
        Self { request, audit_record }
    }

    pub const fn request(&self) -> &SubjectRequest {
        &self.request
    }

    /// The record that says who took the step, and what they wrote about it.
    pub const fn audit_record(&self) -> SequenceNumber {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let request = &self.request;
        object.number("audit_record", self.audit_record.value());
        object.optional_text("basis", request.basis.map(ErasureBasis::as_str));
        object.optional_text("decided_by", request.decided_by.as_ref().map(PrincipalId::as_str));
        object.text("due_at", &request.due_at.to_string());
        object.boolean("extended", request.is_extended);
        object.optional_text("ground", request.ground.map(RefusalGround::as_str));
        let checked_at = request.identity_checked_at.map(|at| at.to_string());
        object.optional_text("identity_checked_at", checked_at.as_deref());
        let checked_by = request.identity_checked_by.as_ref().map(PrincipalId::as_str);
        object.optional_text("identity_checked_by", checked_by);
        object.text("opened_by", request.opened_by.as_str());
        object.text("received_at", &request.received_at.to_string());
        if let Some(rectification) = &request.rectification {
            write_rectification(rectification, object.key("rectification"));
        }
        object.text("request", &request.id.to_string());
        object.text("right", request.right.as_str());
        object.text("state", request.state.as_str());
        object.text("subject", &request.subject.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let principal = |text: &str| PrincipalId::parse(text).ok_or(());
        let request = SubjectRequest {
            id: fields.parsed("request", |text| SubjectRequestId::parse(text).ok_or(()))?,
            right: fields.parsed("right", |text| SubjectRight::parse(text).ok_or(()))?,
            subject: fields.parsed("subject", |text| SubjectId::parse(text).ok_or(()))?,
            state: fields.parsed("state", |text| RequestState::parse(text).ok_or(()))?,
            basis: fields.optional("basis", |text| ErasureBasis::parse(text).ok_or(()))?,
            ground: fields.optional("ground", |text| RefusalGround::parse(text).ok_or(()))?,
            received_at: fields.parsed("received_at", IngestedAt::parse)?,
            due_at: fields.parsed("due_at", IngestedAt::parse)?,
            is_extended: fields.value("extended")?.boolean() == Some(true),
            opened_by: fields.parsed("opened_by", principal)?,
            identity_checked_by: fields.optional("identity_checked_by", principal)?,
            identity_checked_at: fields.optional("identity_checked_at", IngestedAt::parse)?,
            decided_by: fields.optional("decided_by", principal)?,
            rectification: match fields.optional_object("rectification")? {
                Some(fields) => Some(parse_rectification(&fields)?),
                None => None,
            },
        };
        Ok(Self { request, audit_record: fields.sequence_number("audit_record")? })
    }
}

fn write_rectification(rectification: &Rectification, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.array("corrected", &rectification.corrected, |number, out| {
        out.extend_from_slice(number.value().to_string().as_bytes());
    });
    object.text("event_id", rectification.event_id.as_str());
    object.number("sequence_number", rectification.sequence_number.value());
    object.close();
}

fn parse_rectification(fields: &Fields<'_>) -> Result<Rectification, SystemRecordError> {
    let mut corrected = Vec::new();
    let mut elements = fields.value("corrected")?.elements();
    while let Some(element) = elements.next_element()? {
        let number = element.unsigned().and_then(|number| SequenceNumber::new(number).ok());
        corrected.push(number.ok_or(SystemRecordError::Field("corrected"))?);
    }
    Ok(Rectification {
        event_id: fields.parsed("event_id", EventId::parse_stored)?,
        sequence_number: fields.sequence_number("sequence_number")?,
        corrected,
    })
}
