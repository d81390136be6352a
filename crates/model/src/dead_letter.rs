//! Dead letters: submissions that were refused, kept with the reasons, to be corrected and sent again.
//!
//! What was refused of one request is kept together, as one submission. A letter is one event of it,
//! named by the submission and its place there.

use std::fmt;

use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber, TenantId};
use uuid::Uuid;

use crate::error_code::ErrorCode;
use crate::id::{foreign_id, uuid_v7};
use crate::numbers::Numbers;
use crate::rejection::Fault;

/// Bytes of a text that is kept.
pub const LETTER_BYTES_MAX: usize = 1024 * 1024;

/// The name of a submission: a version 7 UUID in lower case, so that names sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId(Uuid);

impl SubmissionId {
    /// A new name; `None` where the time has no place in one.
    pub fn new(at: IngestedAt, random: [u8; 16]) -> Option<Self> {
        Self::parse(&uuid_v7(at, random))
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (uuid.hyphenated().to_string() == text && uuid.get_version_num() == 7).then_some(Self(uuid))
    }

    /// When it was made, to the millisecond, in microseconds since 1970.
    pub fn made_at_micros(self) -> i64 {
        let (high, _) = self.0.as_u64_pair();
        // Of 64 bits 48 are left, so that it always fits.
        i64::try_from(high >> 16).unwrap_or_default().saturating_mul(1_000)
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The name of a letter: its submission and its place there, counted from 0, e.g. `<uuid>.17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadLetterId {
    submission: SubmissionId,
    index: u32,
}

impl DeadLetterId {
    pub const fn new(submission: SubmissionId, index: u32) -> Self {
        Self { submission, index }
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (submission, index) = text.split_once('.')?;
        let id = Self::new(SubmissionId::parse(submission)?, index.parse().ok()?);
        (id.to_string() == text).then_some(id)
    }

    pub const fn submission(self) -> SubmissionId {
        self.submission
    }

    pub const fn index(self) -> u32 {
        self.index
    }

    /// The id under which an event of this letter is recorded that brings none, so that sending it
    /// again and again records it once.
    pub fn event_id(self, tenant: &TenantId) -> Result<EventId, ledgerstone_proof::NameError> {
        foreign_id("dead-letter", &format!("{tenant}\n{self}"))
    }
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.submission, self.index)
    }
}

/// What has become of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterState {
    /// Nothing of it is recorded.
    Open,
    /// It was sent again, as it was or corrected, and recorded.
    Closed {
        at: IngestedAt,
        /// The event that it became.
        event_id: EventId,
        sequence_number: SequenceNumber,
    },
}

impl LetterState {
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// A refused submission of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place in the submission.
    pub index: u32,
    pub received_at: IngestedAt,
    /// Opaque id of who sent it.
    pub principal: String,
    /// How it was to be read: a name that the way in knows; `None` for the model's own form.
    pub reading: Option<String>,
    pub numbers: Numbers,
    /// The id that the request would have given to an event without one.
    pub default_id: Option<EventId>,
    /// The text as it came, at most [`LETTER_BYTES_MAX`] bytes.
    pub text: Vec<u8>,
    /// Why it was refused.
    pub code: ErrorCode,
    pub detail: String,
    pub faults: Vec<Fault>,
    pub state: LetterState,
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{IngestedAt, TenantId};

    use super::{DeadLetterId, SubmissionId};

    #[test]
    fn names_are_read_as_they_are_written_and_in_no_other_spelling() {
        let at = IngestedAt::from_micros(1_714_564_800_123_456).unwrap();
        let submission = SubmissionId::new(at, [0xab; 16]).unwrap();
        assert_eq!(submission.made_at_micros(), 1_714_564_800_123_000);
        let id = DeadLetterId::new(submission, 17);
        let text = id.to_string();
        assert_eq!(DeadLetterId::parse(&text), Some(id));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            text.replace(".17", ".017"),
            text.replace(".17", ".+17"),
            text.replace(".17", ""),
            format!("../{text}"),
            text.replace(".17", ".4294967296"),
        ] {
            assert_eq!(DeadLetterId::parse(&other), None, "{other}");
        }
        let later = IngestedAt::from_micros(at.micros() + 1_000).unwrap();
        assert!(SubmissionId::new(later, [0; 16]).unwrap() > submission);
    }

    #[test]
    fn every_letter_has_an_event_id_of_its_own() {
        let at = IngestedAt::from_micros(0).unwrap();
        let submission = SubmissionId::new(at, [1; 16]).unwrap();
        let (acme, beta) = (TenantId::parse("acme").unwrap(), TenantId::parse("beta").unwrap());
        let id = DeadLetterId::new(submission, 0);
        assert_eq!(id.event_id(&acme), id.event_id(&acme));
        assert_ne!(id.event_id(&acme), id.event_id(&beta));
        assert_ne!(id.event_id(&acme), DeadLetterId::new(submission, 1).event_id(&acme));
    }
}
