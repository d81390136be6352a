//! `system.policy_proposal`: a policy that one person has put forward and that comes into force when
//! another approves it.
//!
//! It counts for as long as it would be the next version of its kind and no newer proposal stands in
//! the ledger; then the `system.policy` record of that version holds the document once more.

use ledgerstone_proof::{Canonicalizer, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::access::PrincipalId;
use crate::json_write::ObjectWriter;
use crate::policy::{PolicyDocument, PolicyKind};

/// The payload of `system.policy_proposal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProposalRecord {
    document: PolicyDocument,
    version: u64,
    proposed_by: PrincipalId,
    audit_record: SequenceNumber,
}

impl PolicyProposalRecord {
    /// A document that would be the `version`th of its kind in this ledger.
    pub const fn new(
        document: PolicyDocument,
        version: u64,
        proposed_by: PrincipalId,
        audit_record: SequenceNumber,
    ) -> Self {
        Self { document, version, proposed_by, audit_record }
    }

    pub const fn document(&self) -> &PolicyDocument {
        &self.document
    }

    /// The version that it would have.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Who put it forward, and cannot approve it.
    pub const fn proposed_by(&self) -> &PrincipalId {
        &self.proposed_by
    }

    /// The record that says who that is.
    pub const fn audit_record(&self) -> SequenceNumber {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("audit_record", self.audit_record.value());
        self.document.write(object.key("document"));
        object.text("policy", self.document.kind().as_str());
        object.text("proposed_by", self.proposed_by.as_str());
        object.number("version", self.version);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let kind = fields.parsed("policy", |name| PolicyKind::parse(name).ok_or(()))?;
        let text = fields.value("document")?.raw();
        let document = PolicyDocument::parse_recorded(kind, text, &mut Canonicalizer::new())
            .map_err(|_| SystemRecordError::Field("document"))?;
        Ok(Self {
            document,
            version: fields.number("version")?,
            proposed_by: fields.parsed("proposed_by", |text| PrincipalId::parse(text).ok_or(()))?,
            audit_record: fields.sequence_number("audit_record")?,
        })
    }
}
