//! Who asks, and what they may: API keys, tokens of configured issuers, client certificates.
//!
//! [`Authenticator`] makes a [`Caller`] of a request's headers, or an [`AuthError`]; a caller becomes
//! [`Authorised`] for one permission, and nothing else tells a handler whose records it works on.

mod authenticator;
mod caller;
mod certificate;
mod credential;
mod error;
mod issuer;
pub mod jose;
pub mod jwks;
mod jwt;

pub use authenticator::{AuthSettings, Authenticator};
pub use caller::{Asked, Authorised, Caller, CredentialKind};
pub use certificate::{CertificateGrant, CertificateName, PeerCertificate};
pub use error::{AuthError, SettingsError};
pub use issuer::{
    ClaimName, IssuerConfig, IssuerKeys, IssuerStatus, LEEWAY_MAX, RolesFrom, TenantFrom,
};
pub use jwt::TOKEN_BYTES_MAX;
