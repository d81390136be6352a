//! `system.taxonomy`: the taxonomy of the ledger's tenant, the whole document, comes into force.
//!
//! The record names nobody: who ordered it stands in the `audit` record of the same ledger to which
//! `audit_record` points, written just before it. Reading does not compile the schemas, so that a
//! record can be read for ever, whatever becomes of the compiler.

use ledgerstone_proof::SequenceNumber;

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;
use crate::taxonomy::{TaxonomyDocument, TaxonomyMode};

/// The payload of `system.taxonomy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxonomyRecord {
    document: TaxonomyDocument,
    audit_record: SequenceNumber,
}

impl TaxonomyRecord {
    pub const fn new(document: TaxonomyDocument, audit_record: SequenceNumber) -> Self {
        Self { document, audit_record }
    }

    pub const fn document(&self) -> &TaxonomyDocument {
        &self.document
    }

    /// The record that says who set it.
    pub const fn audit_record(&self) -> SequenceNumber {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("audit_record", self.audit_record.value());
        self.document.write_members(object);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let audit_record = SequenceNumber::new(fields.number("audit_record")?)
            .map_err(|_| SystemRecordError::Field("audit_record"))?;
        let mode = fields.parsed("mode", |text| TaxonomyMode::parse(text).ok_or(()))?;
        let version = fields.number("version")?;
        let event_types = fields.value("event_types")?;
        let document = TaxonomyDocument::from_parts(version, mode, event_types)
            .ok_or(SystemRecordError::Field("event_types"))?;
        Ok(Self { document, audit_record })
    }
}
