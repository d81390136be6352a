//! A tenant is closed: somebody asks for it (`system.tenant_closing_asked`, in `_system`), which may be withdrawn
//! (`system.tenant_closing_withdrawn`), and after another person has agreed, the tenant's own ledger begins to end (`system.tenant_closing`) and ends
//! (`system.tenant_closed`). Nothing comes after that.
//!
//! Who they are and why stands in `audit` records of `_system`.

use ledgerstone_proof::{SequenceNumber, TenantId};

use super::SystemRecordError;
use super::fields::Fields;
use super::genesis::Announcement;
use crate::access::PrincipalId;
use crate::json_write::ObjectWriter;

/// The payload of `system.tenant_closing_asked`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantClosingAsked {
    pub tenant: TenantId,
    /// Who asks, and cannot agree.
    pub asked_by: PrincipalId,
    /// Names of the retention rules whose legal minimum is set aside, in order and each once.
    pub despite_duties: Vec<String>,
    /// The record of `_system` that holds the reason.
    pub audit_record: SequenceNumber,
}

/// The payload of `system.tenant_closing_withdrawn`: what was asked for waits for nobody any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantClosingWithdrawn {
    pub tenant: TenantId,
    /// The `system.tenant_closing_asked` record.
    pub asked_in: SequenceNumber,
    pub withdrawn_by: PrincipalId,
    /// The record of `_system` that says who and why.
    pub audit_record: SequenceNumber,
}

/// The payload of `system.tenant_closing`: from here on the ledger takes nothing but what ends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantClosing {
    /// The `system.tenant` record of `_system` that says so.
    pub announced_by: Announcement,
}

/// The payload of `system.tenant_closed`: every content of an `event` or `audit` record is gone. It is
/// the last record of its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantClosed {
    /// The `system.tenant_closing` record of this ledger.
    pub closing_record: SequenceNumber,
    /// How many `event` and `audit` records the ledger has.
    pub contents: u64,
}

impl TenantClosingAsked {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("asked_by", self.asked_by.as_str());
        object.number("audit_record", self.audit_record.value());
        object.texts("despite_duties", &self.despite_duties);
        object.text("tenant_id", self.tenant.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            asked_by: fields.parsed("asked_by", |text| PrincipalId::parse(text).ok_or(()))?,
            despite_duties: fields.texts("despite_duties")?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}

impl TenantClosingWithdrawn {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("asked_in", self.asked_in.value());
        object.number("audit_record", self.audit_record.value());
        object.text("tenant_id", self.tenant.as_str());
        object.text("withdrawn_by", self.withdrawn_by.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            asked_in: fields.sequence_number("asked_in")?,
            withdrawn_by: fields
                .parsed("withdrawn_by", |text| PrincipalId::parse(text).ok_or(()))?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}

impl TenantClosing {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let mut announced_by = ObjectWriter::open(object.key("announced_by"));
        self.announced_by.write(&mut announced_by);
        announced_by.close();
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self { announced_by: Announcement::parse(&fields.object("announced_by")?)? })
    }
}

impl TenantClosed {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("closing_record", self.closing_record.value());
        object.number("contents", self.contents);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            closing_record: fields.sequence_number("closing_record")?,
            contents: fields.number("contents")?,
        })
    }
}
