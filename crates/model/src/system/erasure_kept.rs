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
    sealed_for_others: bool,
}

impl ErasureKept {
    /// What an erasure keeps: one record, or several where one would become too long. None where it keeps
    /// nothing.
    pub fn split(request: SubjectRequestId, subject: SubjectId, numbers: &NumberSet) -> Vec<Self> {
        let parts = number_pieces::split(numbers).into_iter();
        let sealed_for_others = false;
        parts.map(|numbers| Self { request, subject, numbers, sealed_for_others }).collect()
    }

    /// The same of contents that hold the person sealed for others alone.
    #[must_use]
    pub const fn for_others(mut self) -> Self {
        self.sealed_for_others = true;
        self
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

    /// Whether they hold the person sealed for others alone.
    pub const fn is_for_others(&self) -> bool {
        self.sealed_for_others
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        write_numbers(&self.numbers, object.key("numbers"));
        object.text("request", &self.request.to_string());
        if self.sealed_for_others {
            object.boolean("sealed_for_others", true);
        }
        object.text("subject", &self.subject.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let numbers = read_numbers(fields.value("numbers")?)?;
        Ok(Self {
            request: fields.parsed("request", |text| SubjectRequestId::parse(text).ok_or(()))?,
            subject: fields.parsed("subject", |text| SubjectId::parse(text).ok_or(()))?,
            numbers: number_pieces::fits(&numbers).then_some(numbers).ok_or(NUMBERS)?,
            sealed_for_others: fields.is_said("sealed_for_others")?,
        })
    }
}
