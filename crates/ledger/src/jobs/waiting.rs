//! Jobs that have done all that can be done now: contents that lie in the part of the log that is being
//! written go with a later run of retention, which then brings to its end what the job was for.

use std::time::Duration;

use ledgerstone_model::JobState;
use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::subject_request::SubjectRequestId;
use ledgerstone_model::system::TenantState;
use ledgerstone_proof::{IngestedAt, TenantId};
use ledgerstone_store::JobRow;
use ledgerstone_store::embedded::Options;

use super::{closing, erasure, of_request};
use crate::error::LedgerError;
use crate::ledger::Ledger;

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    contents: u64,
    until: Option<IngestedAt>,
}

impl Waiting {
    /// For the part that is being written to be full or too old, and for the run of retention after that.
    pub(super) fn new(contents: u64, now: IngestedAt, every: Option<Duration>) -> Self {
        let until = every.and_then(|every| {
            let wait = (Options::default().segment_age + every).as_micros();
            let until = now.micros().checked_add(i64::try_from(wait).ok()?)?;
            IngestedAt::from_micros(until).ok()
        });
        Self { contents, until }
    }

    /// What the job waits for, as its result has it.
    pub fn parse(json: &str) -> Option<Self> {
        let object = Value::new(json.as_bytes());
        let contents = object.member("contents").ok()??.unsigned()?;
        let until = object.member("until").ok()?.and_then(Value::text);
        Some(Self { contents, until: until.and_then(|text| IngestedAt::parse(&text).ok()) })
    }

    /// How many contents are still to go.
    pub const fn contents(self) -> u64 {
        self.contents
    }

    /// When they have gone at the latest; `None` where that is only when somebody asks for a run.
    pub const fn until(self) -> Option<IngestedAt> {
        self.until
    }

    /// The same as a sentence.
    pub fn sentence(self) -> String {
        let (count, verb) = match self.contents {
            1 => ("1 content".to_owned(), ("lies", "goes")),
            many => (format!("{many} contents"), ("lie", "go")),
        };
        let when = match self.until {
            Some(until) => format!("by itself, at the latest at {until}"),
            None => "with the next run of retention that somebody asks for".to_owned(),
        };
        format!(
            "{count} {} in the part of the log that is being written, and {} once that is sealed, {when}; nothing \
             is left to do",
            verb.0, verb.1
        )
    }

    pub(super) fn to_json(self) -> String {
        let mut json = Vec::with_capacity(64);
        let mut object = ObjectWriter::open(&mut json);
        object.number("contents", self.contents);
        object.optional_text("until", self.until.map(|at| at.to_string()).as_deref());
        object.close();
        String::from_utf8_lossy(&json).into_owned()
    }
}

/// What a job waits to see done. Of the jobs that wait for the same, the newest tells how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Awaited {
    Erasure(TenantId, SubjectRequestId),
    Closing(TenantId),
}

impl Awaited {
    /// What a job that waits waits for.
    pub(super) fn of(job: &JobRow) -> Option<Self> {
        if job.state != JobState::Waiting {
            return None;
        }
        match job.kind.as_str() {
            erasure::NAME => {
                Some(Self::Erasure(job.tenant.clone(), of_request::carried_out_by(job)?))
            }
            closing::NAME => closing::tenant_of(job).map(Self::Closing),
            _ => None,
        }
    }

    /// What it came to, once others did what was left; `None` while it is still to be waited for. Erasures are
    /// as of [`Ledger::ensure_requests`].
    pub(super) fn end(&self, ledger: &Ledger) -> Option<Result<String, LedgerError>> {
        match self {
            Self::Erasure(tenant, request) => match ledger.certificate_of(tenant, *request) {
                Some(certificate) => Some(Ok(erasure::result(certificate, *request))),
                // Everything goes with the tenant, and no certificate comes any more.
                None => ledger.refuse_shut(tenant).err().map(|shut| Err(shut.into())),
            },
            Self::Closing(tenant) => {
                let is_closed = ledger.tenant_state(tenant) == Some(TenantState::Closed);
                let closed = is_closed.then(|| ledger.closed_record(tenant)).flatten()?;
                Some(Ok(closing::result(closed, tenant)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_proof::IngestedAt;

    use super::Waiting;

    #[test]
    fn what_is_waited_for_is_read_as_it_is_written() {
        let now = IngestedAt::from_micros(0).unwrap();
        let waiting = Waiting::new(2, now, Some(Duration::from_hours(6)));
        assert_eq!(waiting.until(), IngestedAt::from_micros(30 * 3_600 * 1_000_000).ok());
        assert!(waiting.sentence().starts_with("2 contents lie in the part"));
        let alone = Waiting::new(1, now, None);
        assert!(alone.sentence().contains("1 content lies in"), "{}", alone.sentence());
        assert!(alone.sentence().contains("that somebody asks for"), "{}", alone.sentence());
        for one in [waiting, alone] {
            assert_eq!(Waiting::parse(&one.to_json()), Some(one));
        }
        assert_eq!(Waiting::parse("{}"), None);
    }
}
