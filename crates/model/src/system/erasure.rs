//! `system.erasure_started` and `system.erasure`: a person's keys are about to be destroyed, and the
//! certificate that they are.
//!
//! The first names every key, so that whoever opens the ledger destroys again what an older copy of
//! the key files may bring back, and says what was found while the keys were there, which nobody can find
//! again. Both name the person by the opaque id alone.

use ledgerstone_proof::{IngestedAt, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use super::retention::RetentionRunId;
use crate::access::PrincipalId;
use crate::json_write::ObjectWriter;
use crate::sealing::{SealingKeyId, SubjectId};
use crate::subject_request::{ErasureBasis, SubjectRequestId};

/// The payload of `system.erasure_started`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureStarted {
    pub request: SubjectRequestId,
    pub subject: SubjectId,
    /// Every key that the person has, in the order of their ids.
    pub key_ids: Vec<SealingKeyId>,
    /// `None` in records that are older than this member.
    pub reach: Option<ErasureReach>,
}

/// What an erasure reaches, as it was found before the keys went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureReach {
    /// The record that says who approved it; the run that drops contents for it names it too.
    pub audit_record: SequenceNumber,
    /// The run that drops contents for it; `None` in records that are older than this member, of which every run
    /// counts that names `audit_record`.
    pub run: Option<RetentionRunId>,
    pub approved_by: PrincipalId,
    pub approved_at: IngestedAt,
    /// How many contents that hold the person in clear, or sealed for others, were approved to be dropped whole;
    /// `None` in records that are older than this member.
    pub clear_contents_approved: Option<u64>,
    /// Whether those that hold the person sealed for others alone were approved to stay.
    pub keep_sealed_for_others: bool,
    /// Rules of the retention policy that name a duty to keep something sealed, which was set aside.
    pub despite_duties: Vec<String>,
    /// Contents with values that are sealed under the keys.
    pub sealed_contents: u64,
    /// Contents that hold the person in clear, or sealed for others, and stay.
    pub still_readable: u64,
    /// Those of them that stay as they are sealed for others alone, and were approved to stay.
    pub sealed_for_others: u64,
    /// The records of holds and policies that keep them.
    pub kept_by: Vec<SequenceNumber>,
    /// Refused submissions that were removed.
    pub dead_letters: u64,
}

/// The payload of `system.erasure`, the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureCertificate {
    pub request: SubjectRequestId,
    pub subject: SubjectId,
    /// The `system.erasure_started` record.
    pub started_record: SequenceNumber,
    pub basis: Option<ErasureBasis>,
    pub key_ids: Vec<SealingKeyId>,
    pub requested_by: PrincipalId,
    pub approved_by: PrincipalId,
    /// `None` in certificates that are older than this member.
    pub approved_at: Option<IngestedAt>,
    /// Who checked that whoever asked is the person, and when; `None` in certificates that are older than these
    /// members, and the time also where the identity was checked before it was recorded.
    pub identity_checked_by: Option<PrincipalId>,
    pub identity_checked_at: Option<IngestedAt>,
    pub received_at: IngestedAt,
    /// Rules of the retention policy that name a duty to keep something sealed, which was set aside.
    pub despite_duties: Vec<String>,
    /// Contents with sealed values of the person, which nobody can open any more.
    pub sealed_contents: u64,
    /// Contents that held the person in clear and were dropped as a whole.
    pub dropped_contents: u64,
    /// Contents that hold the person in clear, or sealed for others, and stay.
    pub still_readable: u64,
    /// Those of them that stay as they are sealed for others alone, and were approved to stay.
    pub sealed_for_others: u64,
    /// The records of holds and policies that keep them.
    pub kept_by: Vec<SequenceNumber>,
    /// Refused submissions that were removed.
    pub dead_letters: u64,
    /// When the last copy of the key files that still has the keys ends, as the operator declares.
    pub key_backups_expire_at: Option<IngestedAt>,
    /// What the data directory lies on, as the operator declares.
    pub storage: Option<String>,
}

impl ErasureStarted {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.texts("key_ids", &texts(&self.key_ids));
        if let Some(reach) = &self.reach {
            reach.write(object.key("reach"));
        }
        object.text("request", &self.request.to_string());
        object.text("subject", &self.subject.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            request: fields.parsed("request", |text| SubjectRequestId::parse(text).ok_or(()))?,
            subject: fields.parsed("subject", |text| SubjectId::parse(text).ok_or(()))?,
            key_ids: key_ids(fields)?,
            reach: fields
                .optional_object("reach")?
                .map(|reach| ErasureReach::parse(&reach))
                .transpose()?,
        })
    }
}

impl ErasureReach {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.text("approved_at", &self.approved_at.to_string());
        object.text("approved_by", self.approved_by.as_str());
        object.number("audit_record", self.audit_record.value());
        object.optional_number("clear_contents_approved", self.clear_contents_approved);
        object.number("dead_letters", self.dead_letters);
        write_duties(&mut object, &self.despite_duties);
        if self.keep_sealed_for_others {
            object.boolean("keep_sealed_for_others", true);
        }
        write_numbers(&mut object, "kept_by", &self.kept_by);
        object.optional_text("run", self.run.map(|run| run.to_string()).as_deref());
        object.number("sealed_contents", self.sealed_contents);
        write_if_any(&mut object, "sealed_for_others", self.sealed_for_others);
        object.number("still_readable", self.still_readable);
        object.close();
    }

    fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            audit_record: fields.sequence_number("audit_record")?,
            run: fields.optional("run", |text| RetentionRunId::parse(text).ok_or(()))?,
            approved_by: fields.parsed("approved_by", |text| PrincipalId::parse(text).ok_or(()))?,
            approved_at: fields.parsed("approved_at", IngestedAt::parse)?,
            clear_contents_approved: fields.optional_number("clear_contents_approved")?,
            keep_sealed_for_others: fields.is_said("keep_sealed_for_others")?,
            despite_duties: fields.texts_if_any("despite_duties")?,
            sealed_contents: fields.number("sealed_contents")?,
            still_readable: fields.number("still_readable")?,
            sealed_for_others: fields.number_if_any("sealed_for_others")?,
            kept_by: kept_by(fields)?,
            dead_letters: fields.number("dead_letters")?,
        })
    }
}

impl ErasureCertificate {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        let approved_at = self.approved_at.map(|at| at.to_string());
        object.optional_text("approved_at", approved_at.as_deref());
        object.text("approved_by", self.approved_by.as_str());
        object.optional_text("basis", self.basis.map(ErasureBasis::as_str));
        object.number("dead_letters", self.dead_letters);
        write_duties(object, &self.despite_duties);
        object.number("dropped_contents", self.dropped_contents);
        let checked_at = self.identity_checked_at.map(|at| at.to_string());
        object.optional_text("identity_checked_at", checked_at.as_deref());
        let checked_by = self.identity_checked_by.as_ref().map(PrincipalId::as_str);
        object.optional_text("identity_checked_by", checked_by);
        write_numbers(object, "kept_by", &self.kept_by);
        let until = self.key_backups_expire_at.map(|at| at.to_string());
        object.optional_text("key_backups_expire_at", until.as_deref());
        object.texts("key_ids", &texts(&self.key_ids));
        object.text("received_at", &self.received_at.to_string());
        object.text("request", &self.request.to_string());
        object.text("requested_by", self.requested_by.as_str());
        object.number("sealed_contents", self.sealed_contents);
        write_if_any(object, "sealed_for_others", self.sealed_for_others);
        object.number("started_record", self.started_record.value());
        object.number("still_readable", self.still_readable);
        object.optional_text("storage", self.storage.as_deref());
        object.text("subject", &self.subject.to_string());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let principal = |text: &str| PrincipalId::parse(text).ok_or(());
        Ok(Self {
            request: fields.parsed("request", |text| SubjectRequestId::parse(text).ok_or(()))?,
            subject: fields.parsed("subject", |text| SubjectId::parse(text).ok_or(()))?,
            started_record: fields.sequence_number("started_record")?,
            basis: fields.optional("basis", |text| ErasureBasis::parse(text).ok_or(()))?,
            key_ids: key_ids(fields)?,
            requested_by: fields.parsed("requested_by", principal)?,
            approved_by: fields.parsed("approved_by", principal)?,
            approved_at: fields.optional("approved_at", IngestedAt::parse)?,
            identity_checked_by: fields.optional("identity_checked_by", principal)?,
            identity_checked_at: fields.optional("identity_checked_at", IngestedAt::parse)?,
            received_at: fields.parsed("received_at", IngestedAt::parse)?,
            despite_duties: fields.texts_if_any("despite_duties")?,
            sealed_contents: fields.number("sealed_contents")?,
            dropped_contents: fields.number("dropped_contents")?,
            still_readable: fields.number("still_readable")?,
            sealed_for_others: fields.number_if_any("sealed_for_others")?,
            kept_by: kept_by(fields)?,
            dead_letters: fields.number("dead_letters")?,
            key_backups_expire_at: fields.optional("key_backups_expire_at", IngestedAt::parse)?,
            storage: fields.optional("storage", |text| Ok::<_, ()>(text.to_owned()))?,
        })
    }
}

/// Left out where there are none.
fn write_duties(object: &mut ObjectWriter<'_>, duties: &[String]) {
    if !duties.is_empty() {
        object.texts("despite_duties", duties);
    }
}

/// Left out where it is none.
fn write_if_any(object: &mut ObjectWriter<'_>, name: &str, number: u64) {
    object.optional_number(name, (number > 0).then_some(number));
}

fn write_numbers(object: &mut ObjectWriter<'_>, name: &str, numbers: &[SequenceNumber]) {
    object.array(name, numbers, |number, out| out.extend_from_slice(number.to_string().as_bytes()));
}

fn texts(ids: &[SealingKeyId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

fn key_ids(fields: &Fields<'_>) -> Result<Vec<SealingKeyId>, SystemRecordError> {
    let ids = fields.texts("key_ids")?;
    let ids: Option<Vec<_>> = ids.iter().map(|text| SealingKeyId::parse(text)).collect();
    ids.ok_or(SystemRecordError::Field("key_ids"))
}

fn kept_by(fields: &Fields<'_>) -> Result<Vec<SequenceNumber>, SystemRecordError> {
    let mut elements = fields.value("kept_by")?.elements();
    let mut out = Vec::new();
    while let Some(element) = elements.next_element()? {
        let number = element.unsigned().and_then(|number| SequenceNumber::new(number).ok());
        out.push(number.ok_or(SystemRecordError::Field("kept_by"))?);
    }
    Ok(out)
}
