//! `system.policy`: a policy of the ledger's tenant, the whole document, comes into force.
//!
//! The record names nobody: who ordered it stands in the `audit` record of the same ledger to which
//! `audit_record` points, written just before it. Without one the server set it, because the tenant
//! had none.

use ledgerstone_proof::{Canonicalizer, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;
use crate::policy::{PolicyDocument, PolicyKind};

/// The payload of `system.policy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    document: PolicyDocument,
    version: u64,
    audit_record: Option<SequenceNumber>,
}

impl PolicyRecord {
    /// The `version`th document of its kind in this ledger, counted from 1.
    pub const fn new(
        document: PolicyDocument,
        version: u64,
        audit_record: Option<SequenceNumber>,
    ) -> Self {
        Self { document, version, audit_record }
    }

    pub const fn document(&self) -> &PolicyDocument {
        &self.document
    }

    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The record that says who set it; `None` where the server did.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        if let Some(audit_record) = self.audit_record {
            object.number("audit_record", audit_record.value());
        }
        self.document.write(object.key("document"));
        object.text("policy", self.document.kind().as_str());
        object.number("version", self.version);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let audit_record = fields.optional_sequence_number("audit_record")?;
        let kind = fields.parsed("policy", |name| PolicyKind::parse(name).ok_or(()))?;
        let text = fields.value("document")?.raw();
        let document = PolicyDocument::parse_recorded(kind, text, &mut Canonicalizer::new())
            .map_err(|_| SystemRecordError::Field("document"))?;
        Ok(Self { document, version: fields.number("version")?, audit_record })
    }
}
