//! Work that outlives the request that asked for it: how a job is named and where it stands.

use std::fmt;

use ledgerstone_proof::IngestedAt;
use uuid::Uuid;

use crate::id::uuid_v7;

/// The name of a job: a version 7 UUID in lower case, so that names sort by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(String);

impl JobId {
    /// A new name.
    pub fn new(at: IngestedAt, random: [u8; 16]) -> Self {
        Self(uuid_v7(at, random))
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (uuid.hyphenated().to_string() == text).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    Running,
    /// Its work was done as far as it could be; what is left is done by other jobs, which end this one.
    Waiting,
    /// It ended and has a result.
    Done,
    /// It could not be done.
    Failed,
    /// Somebody ended it before it was done.
    Cancelled,
}

impl JobState {
    const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nobody works on it any more.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Waiting | Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use super::{JobId, JobState};

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_spelling() {
        let at = IngestedAt::from_micros(1_714_564_800_000_000).unwrap();
        let id = JobId::new(at, [0xab; 16]);
        assert_eq!(JobId::parse(id.as_str()), Some(id.clone()));
        assert_eq!(JobId::parse(&id.as_str().to_uppercase()), None);
        assert_eq!(JobId::parse(&id.as_str().replace('-', "")), None);
        assert_eq!(JobId::parse("../../etc/passwd"), None);
        let later = IngestedAt::from_micros(at.micros() + 1000).unwrap();
        assert!(JobId::new(later, [0; 16]) > id);
    }

    #[test]
    fn every_state_is_read_as_it_is_written() {
        for state in JobState::ALL {
            assert_eq!(JobState::parse(state.as_str()), Some(state));
        }
        assert_eq!(JobState::parse("Done"), None);
    }
}
