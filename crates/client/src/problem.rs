//! What a server says when it refuses: RFC 9457 problem details with the stable code.

use std::fmt;
use std::time::Duration;

use ledgerstone_model::{ErrorCode, Fault};
use ledgerstone_proof::TenantId;
use serde::Deserialize;

/// What leads to a request's id.
const REQUEST_URN: &str = "urn:ledgerstone:request:";

/// A refusal, of a request or of one event in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: u16,
    code: String,
    detail: String,
    remedy: String,
    request_id: Option<String>,
    event_id: Option<String>,
    faults: Vec<Fault>,
    retry_after: Option<Duration>,
    tenant: Option<TenantId>,
}

/// The members of a problem as they come.
#[derive(Deserialize)]
struct Members {
    status: u16,
    code: String,
    detail: String,
    remedy: String,
    instance: Option<String>,
    id: Option<String>,
    #[serde(default)]
    errors: Vec<FaultMembers>,
}

#[derive(Deserialize)]
struct FaultMembers {
    pointer: String,
    code: String,
    detail: String,
}

impl Problem {
    /// Reads a problem; none where the text is none of this interface.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let members: Members = serde_json::from_slice(json).ok()?;
        let instance = members.instance.as_deref().and_then(|urn| urn.strip_prefix(REQUEST_URN));
        Some(Self {
            status: members.status,
            request_id: instance.map(ToOwned::to_owned),
            code: members.code,
            detail: members.detail,
            remedy: members.remedy,
            event_id: members.id,
            faults: members.errors.into_iter().map(fault).collect(),
            retry_after: None,
            tenant: None,
        })
    }

    pub(crate) fn of_tenant(mut self, tenant: Option<TenantId>) -> Self {
        self.tenant = tenant;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The HTTP status that belongs to it.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The stable code as the server wrote it.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The code, where this version knows it.
    pub fn known_code(&self) -> Option<ErrorCode> {
        ErrorCode::parse(&self.code)
    }

    /// What was wrong, and where.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        &self.remedy
    }

    /// The id under which the server's log speaks of the request.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The event that it is about: after `OUTCOME_UNKNOWN`, the id to send it again under.
    pub fn event_id(&self) -> Option<&str> {
        self.event_id.as_deref()
    }

    /// Everything that was wrong with the event.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whose the credential is that was asked with, where it was good.
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// After how long the server says that the same may succeed.
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same may succeed later, as far as the code says: what the refusal of one event
    /// among many has in place of `Retry-After`.
    pub(crate) fn is_transient(&self) -> bool {
        use ErrorCode as C;
        matches!(
            self.known_code(),
            Some(
                C::QueueFull
                    | C::OutcomeUnknown
                    | C::DiskFull
                    | C::Conflict
                    | C::ServerBusy
                    | C::RateLimited
                    | C::NotReady
                    | C::ShuttingDown
            )
        )
    }
}

fn fault(members: FaultMembers) -> Fault {
    let pointer = members.pointer.strip_prefix('#').unwrap_or(&members.pointer).to_owned();
    // A code of a later version still says that something is wrong with the field.
    let code = ErrorCode::parse(&members.code).unwrap_or(ErrorCode::InvalidField);
    Fault::new(pointer, code, members.detail)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::Problem;

    #[test]
    fn a_problem_is_read_whole() {
        let json = br##"{"type":"urn:ledgerstone:error:INVALID_EVENT","title":"t","status":422,
            "detail":"the event has 2 faults","code":"INVALID_EVENT","remedy":"Read.",
            "instance":"urn:ledgerstone:request:r-1","id":"e-1",
            "errors":[{"pointer":"#/actor","code":"MISSING_FIELD","detail":"is missing"},
                      {"pointer":"#","code":"OF_TOMORROW","detail":"is odd"}]}"##;
        let problem = Problem::parse(json).unwrap();
        assert_eq!(problem.known_code(), Some(ErrorCode::InvalidEvent));
        assert_eq!((problem.status(), problem.request_id()), (422, Some("r-1")));
        assert_eq!(problem.event_id(), Some("e-1"));
        let faults: Vec<_> =
            problem.faults().iter().map(|one| (one.pointer(), one.code())).collect();
        assert_eq!(faults, [("/actor", ErrorCode::MissingField), ("", ErrorCode::InvalidField)]);
        assert_eq!(problem.to_string(), "INVALID_EVENT: the event has 2 faults (request r-1)");
        assert!(!problem.is_transient());
    }

    #[test]
    fn what_is_no_problem_is_none() {
        for text in ["", "{}", "[]", "<html>", r#"{"status":404}"#] {
            assert_eq!(Problem::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_code_of_a_later_version_is_kept_as_text() {
        let json = br#"{"status":400,"code":"OF_TOMORROW","detail":"d","remedy":"r"}"#;
        let problem = Problem::parse(json).unwrap();
        assert_eq!((problem.code(), problem.known_code()), ("OF_TOMORROW", None));
    }
}
