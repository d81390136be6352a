//! `system.retention_started` and `system.retention`: contents of a ledger are about to be dropped,
//! and have been.
//!
//! The first names every record whose content goes, before it goes: a content may be missing only
//! where such a record covers exactly its number. Neither says whose contents they are; who ordered it
//! stands in the `audit` record to which `audit_record` points.

use ledgerstone_proof::SequenceNumber;

use super::SystemRecordError;
use super::fields::Fields;
use super::number_pieces::{self, NUMBERS, read_numbers, write_numbers};
use crate::json_write::ObjectWriter;
use crate::number_set::NumberSet;
use crate::random_id::random_id;

random_id! {
    /// Name of a run that drops contents: 128 random bits. One run may concern several ledgers.
    RetentionRunId
}

/// Why contents are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionReason {
    /// Their time is over.
    Expired,
    /// They held a person in clear who had a right to be erased.
    Erasure,
    /// The tenant is gone.
    TenantClosed,
}

impl RetentionReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Expired, Self::Erasure, Self::TenantClosed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erasure => "erasure",
            Self::TenantClosed => "tenant_closed",
        }
    }

    /// The reason of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The payload of `system.retention_started`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionStarted {
    run: RetentionRunId,
    reason: RetentionReason,
    numbers: NumberSet,
    policy_record: Option<SequenceNumber>,
    audit_record: Option<SequenceNumber>,
}

impl RetentionStarted {
    /// The records that a run begins with in one ledger: one, or several where one would become too
    /// long. None where no number is given.
    pub fn split(run: RetentionRunId, reason: RetentionReason, numbers: &NumberSet) -> Vec<Self> {
        let parts = number_pieces::split(numbers).into_iter();
        parts.filter_map(|part| Self::new(run, reason, part)).collect()
    }

    /// `None` where there are no numbers, too many pieces of them, or one beyond 2^53 - 1.
    pub fn new(run: RetentionRunId, reason: RetentionReason, numbers: NumberSet) -> Option<Self> {
        number_pieces::fits(&numbers).then_some(Self {
            run,
            reason,
            numbers,
            policy_record: None,
            audit_record: None,
        })
    }

    /// The same with the number of the `system` record of this ledger that holds the policy.
    #[must_use]
    pub const fn under_policy(mut self, policy_record: Option<SequenceNumber>) -> Self {
        self.policy_record = policy_record;
        self
    }

    /// The same with the number of the `audit` record of this ledger that says who ordered it.
    #[must_use]
    pub const fn explained_by(mut self, audit_record: Option<SequenceNumber>) -> Self {
        self.audit_record = audit_record;
        self
    }

    pub const fn run(&self) -> RetentionRunId {
        self.run
    }

    pub const fn reason(&self) -> RetentionReason {
        self.reason
    }

    /// The records whose contents go.
    pub const fn numbers(&self) -> &NumberSet {
        &self.numbers
    }

    /// The record that holds the policy by which they go.
    pub const fn policy_record(&self) -> Option<SequenceNumber> {
        self.policy_record
    }

    /// The record that says who ordered it.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.optional_number("audit_record", self.audit_record.map(SequenceNumber::value));
        write_numbers(&self.numbers, object.key("numbers"));
        object.optional_number("policy_record", self.policy_record.map(SequenceNumber::value));
        object.text("reason", self.reason.as_str());
        object.text("run", &self.run.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let run = fields.parsed("run", |text| RetentionRunId::parse(text).ok_or(()))?;
        let reason = fields.parsed("reason", |text| RetentionReason::parse(text).ok_or(()))?;
        let numbers = read_numbers(fields.value("numbers")?)?;
        let started = Self::new(run, reason, numbers).ok_or(NUMBERS)?;
        Ok(started
            .under_policy(fields.optional_sequence_number("policy_record")?)
            .explained_by(fields.optional_sequence_number("audit_record")?))
    }
}

/// The payload of `system.retention`: a run is done in this ledger, and what it covers is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionDone {
    run: RetentionRunId,
    contents: u64,
    segments: u64,
}

impl RetentionDone {
    /// `contents` contents of this ledger were covered, and `segments` containers, which hold other
    /// ledgers too, were written anew by the run. Which ones they are would tell one tenant how much
    /// the others write. `None` for counts beyond 2^53 - 1.
    pub fn new(run: RetentionRunId, contents: u64, segments: u64) -> Option<Self> {
        let max = SequenceNumber::MAX.value();
        (contents <= max && segments <= max).then_some(Self { run, contents, segments })
    }

    pub const fn run(&self) -> RetentionRunId {
        self.run
    }

    /// How many contents of the ledger the run covered.
    pub const fn contents(&self) -> u64 {
        self.contents
    }

    /// How many containers the run wrote anew, as far as the process knows that ended it.
    pub const fn segments(&self) -> u64 {
        self.segments
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.number("contents", self.contents);
        object.text("run", &self.run.to_string());
        object.number("segments", self.segments);
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let run = fields.parsed("run", |text| RetentionRunId::parse(text).ok_or(()))?;
        let (contents, segments) = (fields.number("contents")?, fields.number("segments")?);
        Self::new(run, contents, segments).ok_or(SystemRecordError::Field("contents"))
    }
}
