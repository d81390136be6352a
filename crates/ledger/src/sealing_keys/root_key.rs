//! The port to whatever holds the root key.

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use thiserror::Error;
use zeroize::Zeroizing;

/// Wraps and unwraps the secrets of tenants under a key that never leaves the service.
///
/// Implementations bind the wrapped bytes to the tenant where the service can. They wait for the
/// network where they must, and never for ever.
pub trait RootKey: Send + Sync + std::fmt::Debug {
    /// What kind of service this is, for status and logs.
    fn kind(&self) -> &'static str;

    /// Wraps secrets; at most
    /// [`WRAPPED_SECRETS_BYTES_MAX`](ledgerstone_store::subject_keys::WRAPPED_SECRETS_BYTES_MAX)
    /// bytes.
    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError>;

    /// Unwraps what [`Self::wrap`] gave for this tenant.
    fn unwrap(&self, tenant: &TenantId, wrapped: &[u8])
    -> Result<Zeroizing<Vec<u8>>, RootKeyError>;

    /// What wrapped these bytes, as far as they tell without being unwrapped; `None` where they tell
    /// that it was another root key.
    fn wrapped_by(&self, _wrapped: &[u8]) -> Option<WrappedBy> {
        Some(WrappedBy { service: self.kind().to_owned(), key: None })
    }
}

/// What wrapped the secrets of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedBy {
    /// The service's name.
    pub service: String,
    /// Which of its keys, where that can be told.
    pub key: Option<String>,
}

/// Why the root key did not serve.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RootKeyError {
    /// The service does not answer; later it may.
    #[error("the root key service does not answer: {0}")]
    Unavailable(String),
    /// The service answers that it will not.
    #[error("the root key service refused: {0}")]
    Refused(String),
    /// This root key did not wrap these bytes for this tenant.
    #[error("the root key does not open what is there: {0}")]
    Wrong(String),
}

impl RootKeyError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Unavailable(_) | Self::Refused(_) => ErrorCode::KeyServiceUnavailable,
            Self::Wrong(_) => ErrorCode::WrongRootKey,
        }
    }
}
