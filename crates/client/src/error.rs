//! Why a call failed.

use ledgerstone_model::ErrorCode;
use thiserror::Error;

use crate::problem::Problem;

/// Why a call failed. It never holds the credential.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The server refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// No answer came: the server could not be reached, or the connection broke off.
    #[error("{call} failed after {attempts} attempts: {reason}")]
    Unreachable {
        /// Method and URL.
        call: String,
        attempts: u32,
        /// The last attempt's error with its causes.
        reason: String,
    },
    /// What answered did not answer as a Ledgerstone server of this version does.
    #[error("{call} was answered in a way that is not understood: {reason}")]
    UnexpectedAnswer {
        /// Method and URL.
        call: String,
        reason: String,
    },
}

impl ClientError {
    /// The stable code; none where the server's own is unknown to this version.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(problem) => problem.known_code(),
            Self::Unreachable { .. } => Some(ErrorCode::ServerUnreachable),
            Self::UnexpectedAnswer { .. } => Some(ErrorCode::UnexpectedAnswer),
        }
    }

    /// What the server said, where it was the server that refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

/// An error with its causes, which `reqwest` keeps to itself.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = inner.source();
    }
    told
}
