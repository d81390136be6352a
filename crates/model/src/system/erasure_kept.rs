//! `system.erasure_kept`: contents that hold a person in clear and stay, because something keeps them.
//!
//! The names by which they were found go with the person's keys, so their numbers are what a later erasure
//! finds them by, when the hold is released or the duty over.

use super::SystemRecordError;
use super::fields::Fields;
use super::number_pieces::{self, NUMBERS, read_numbers, write_numbers};
use crate::json_write::ObjectWriter;
use crate::number_set::NumberSet;
use crate::sealing::SubjectId;
use crate::subject_request::SubjectRequestId;

/// The payload of `system.erasure_kept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureKept {
    request: SubjectRequestId,
    subject: SubjectId,
    numbers: NumberSet,
}

impl ErasureKept {
    /// What an erasure keeps: one record, or several where one would become too long. None where it keeps
    /// nothing.
    pub fn split(request: SubjectRequestId, subject: SubjectId, numbers: &NumberSet) -> Vec<Self> {
        let parts = number_pieces::split(numbers).into_iter();
        parts.map(|numbers| Self { request, subject, numbers }).collect()
    }

    /// The request for erasure.
    pub const fn request(&self) -> SubjectRequestId {
        self.request
    }

    pub const fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// The records whose contents stay.
    pub const fn numbers(&self) -> &NumberSet {
        &self.numbers
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        write_numbers(&self.numbers, object.key("numbers"));
        object.text("request", &self.request.to_string());
        object.text("subject", &self.subject.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let numbers = read_numbers(fields.value("numbers")?)?;
        Ok(Self {
            request: fields.parsed("request", |text| SubjectRequestId::parse(text).ok_or(()))?,
            subject: fields.parsed("subject", |text| SubjectId::parse(text).ok_or(()))?,
            numbers: number_pieces::fits(&numbers).then_some(numbers).ok_or(NUMBERS)?,
        })
    }
}
