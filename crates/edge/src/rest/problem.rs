//! How a request fails: RFC 9457 problem details with the stable code.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use ledgerstone_ledger::jobs::JobError;
use ledgerstone_ledger::{LedgerError, SubmitError};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::EventId;
use ledgerstone_store::{DeadLetterError, ReadError};
use serde_json::{Value, json};

use super::append::DeadLetterNote;
use crate::auth::AuthError;
use crate::disposition::disposition;

/// Seconds after which a transient failure is worth another attempt.
const RETRY_AFTER_SECONDS: u32 = 1;

/// One fault within a request, by JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub pointer: String,
    pub code: ErrorCode,
    pub detail: String,
}

impl Fault {
    /// The fault as it stands in an answer.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "pointer": format!("#{}", self.pointer),
            "code": self.code.as_str(),
            "detail": self.detail,
        })
    }
}

/// An error answer. What it says is public: what goes to the log alone is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: ErrorCode,
    status: Option<StatusCode>,
    detail: String,
    faults: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
    id: Option<EventId>,
    dead_letter: Option<DeadLetterNote>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            status: None,
            detail: detail.into(),
            faults: Vec::new(),
            headers: Vec::new(),
            id: None,
            dead_letter: None,
        }
    }

    /// The same code under another status than its usual one, where HTTP has a better one.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Names the event that it is about: with `OUTCOME_UNKNOWN`, the id to send it again under.
    #[must_use]
    pub fn with_id(mut self, id: &EventId) -> Self {
        self.id = Some(id.clone());
        self
    }

    /// Says whether the event is kept as a dead letter.
    #[must_use]
    pub fn with_dead_letter(mut self, note: DeadLetterNote) -> Self {
        self.dead_letter = Some(note);
        self
    }

    /// A problem out of an error's own words, unless these are for the server's log alone: its own
    /// failures name files.
    pub fn public(code: ErrorCode, message: String) -> Self {
        let is_ours = disposition(code).status == StatusCode::INTERNAL_SERVER_ERROR
            || code == ErrorCode::LedgerRolledBack;
        if is_ours {
            tracing::error!(%code, message, "a request failed");
            let detail = "the server could not do this; its log says why, under the request's id";
            return Self::new(code, detail);
        }
        Self::new(code, message)
    }

    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| disposition(self.code).status)
    }

    /// The problem as a JSON object; `instance` is the request's id.
    pub fn to_json(&self, instance: Option<&str>) -> Value {
        let mut problem = json!({
            "type": format!("urn:ledgerstone:error:{}", self.code),
            "title": self.code.meaning(),
            "status": self.status().as_u16(),
            "detail": self.detail,
            "code": self.code.as_str(),
            "remedy": self.code.remedy(),
        });
        if let Some(instance) = instance {
            problem["instance"] = json!(format!("urn:ledgerstone:request:{instance}"));
        }
        if let Some(id) = &self.id {
            problem["id"] = json!(id.as_str());
        }
        match self.dead_letter {
            None => {}
            Some(Ok(id)) => problem["dead_letter"] = json!(id.to_string()),
            Some(Err(why_not)) => {
                problem["dead_letter"] = Value::Null;
                problem["dead_letter_reason"] = json!(why_not.as_str());
            }
        }
        if !self.faults.is_empty() {
            problem["errors"] = self.faults.iter().map(Fault::to_json).collect();
        }
        problem
    }
}

impl IntoResponse for Problem {
    /// The body is written by the outermost layer, which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        if disposition(self.code).is_transient {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DeadLetterError> for Problem {
    fn from(error: DeadLetterError) -> Self {
        Self::public(error.code(), error.to_string())
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::InvalidTaxonomy(rejection) = &error {
            return Self::of_rejection("taxonomy", rejection);
        }
        Self::public(error.code(), error.to_string())
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        Self::public(error.code(), error.to_string())
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        Self::public(error.code(), error.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::public(error.code(), error.to_string())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let problem = Self::new(error.code(), error.to_string());
        if problem.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"ledgerstone\"");
            return problem.with_header(header::WWW_AUTHENTICATE, challenge);
        }
        problem
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        let detail = "a part of the path is not UTF-8; write it percent-encoded UTF-8";
        Self::new(ErrorCode::InvalidArgument, detail)
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        let detail = "the parameters are not well formed; write name=value, with & between";
        Self::new(ErrorCode::InvalidArgument, detail)
    }
}
