//! How authentication fails, with what the client is told and what stays inside.

use std::borrow::Cow;
use std::fmt;

use ledgerstone_model::ErrorCode;

/// Why nobody is let in. [`fmt::Display`] is the public message; it repeats nothing of a credential
/// and never tells which part of a secret was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthError {
    code: ErrorCode,
    message: Cow<'static, str>,
    detail: Option<String>,
}

impl AuthError {
    pub(super) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), detail: None }
    }

    /// The same with more for those who operate the server.
    #[must_use]
    pub(super) fn with_detail(mut self, detail: String) -> Self {
        self.detail = Some(detail);
        self
    }

    /// The stable code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the client is told.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is for the server's own log alone.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The value of the `WWW-Authenticate` header that goes with the answer (RFC 6750 section 3);
    /// none where another credential would not help.
    pub const fn challenge(&self) -> Option<&'static str> {
        match self.code {
            ErrorCode::Unauthenticated => Some("Bearer realm=\"ledgerstone\""),
            ErrorCode::AmbiguousCredential => {
                Some("Bearer realm=\"ledgerstone\", error=\"invalid_request\"")
            }
            ErrorCode::InvalidToken | ErrorCode::TokenExpired | ErrorCode::KeyRevoked => {
                Some("Bearer realm=\"ledgerstone\", error=\"invalid_token\"")
            }
            ErrorCode::Forbidden => {
                Some("Bearer realm=\"ledgerstone\", error=\"insufficient_scope\"")
            }
            _ => None,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuthError {}

/// A setting that cannot be used, named by where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SettingsError {
    place: String,
    reason: String,
}

impl SettingsError {
    pub(super) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }

    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidAuthSettings
    }
}
