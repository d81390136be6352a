//! Reads the members of a `system` record by name and type.

use ledgerstone_proof::SequenceNumber;

use crate::json::Value;
use crate::system::SystemRecordError;

/// The members of one object of the record.
pub(super) struct Fields<'a> {
    object: Value<'a>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(object: Value<'a>) -> Self {
        Self { object }
    }

    pub(super) fn value(&self, name: &'static str) -> Result<Value<'a>, SystemRecordError> {
        self.object.member(name)?.ok_or(SystemRecordError::Field(name))
    }

    pub(super) fn object(&self, name: &'static str) -> Result<Self, SystemRecordError> {
        Ok(Self::new(self.value(name)?))
    }

    /// The same for a member that may be missing.
    pub(super) fn optional_object(
        &self,
        name: &'static str,
    ) -> Result<Option<Self>, SystemRecordError> {
        Ok(self.object.member(name)?.map(Self::new))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<String, SystemRecordError> {
        let text = self.value(name)?.text();
        Ok(text.ok_or(SystemRecordError::Field(name))?.into_owned())
    }

    pub(super) fn number(&self, name: &'static str) -> Result<u64, SystemRecordError> {
        self.value(name)?.unsigned().ok_or(SystemRecordError::Field(name))
    }

    /// The same for a member that is left out where there are none.
    pub(super) fn number_if_any(&self, name: &'static str) -> Result<u64, SystemRecordError> {
        if self.object.member(name)?.is_some() { self.number(name) } else { Ok(0) }
    }

    /// A member that is left out where it is false.
    pub(super) fn is_said(&self, name: &'static str) -> Result<bool, SystemRecordError> {
        match self.object.member(name)? {
            Some(value) => value.boolean().ok_or(SystemRecordError::Field(name)),
            None => Ok(false),
        }
    }

    /// The same for a number that may be missing.
    pub(super) fn optional_number(
        &self,
        name: &'static str,
    ) -> Result<Option<u64>, SystemRecordError> {
        self.object.member(name)?.map(|_| self.number(name)).transpose()
    }

    /// A member read from its text by `read`.
    pub(super) fn parsed<T, E>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, SystemRecordError> {
        read(&self.text(name)?).map_err(|_| SystemRecordError::Field(name))
    }

    /// The same for a member that may be missing.
    pub(super) fn optional<T, E>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SystemRecordError> {
        if self.object.member(name)?.is_none() {
            return Ok(None);
        }
        self.parsed(name, read).map(Some)
    }

    pub(super) fn sequence_number(
        &self,
        name: &'static str,
    ) -> Result<SequenceNumber, SystemRecordError> {
        SequenceNumber::new(self.number(name)?).map_err(|_| SystemRecordError::Field(name))
    }

    /// The same for a member that may be missing.
    pub(super) fn optional_sequence_number(
        &self,
        name: &'static str,
    ) -> Result<Option<SequenceNumber>, SystemRecordError> {
        match self.object.member(name)? {
            Some(_) => self.sequence_number(name).map(Some),
            None => Ok(None),
        }
    }

    /// The same for a member that is left out where there are none.
    pub(super) fn texts_if_any(
        &self,
        name: &'static str,
    ) -> Result<Vec<String>, SystemRecordError> {
        if self.object.member(name)?.is_some() { self.texts(name) } else { Ok(Vec::new()) }
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<String>, SystemRecordError> {
        let mut elements = self.value(name)?.elements();
        let mut out = Vec::new();
        while let Some(element) = elements.next_element()? {
            let text = element.text().ok_or(SystemRecordError::Field(name))?;
            out.push(text.into_owned());
        }
        Ok(out)
    }
}
