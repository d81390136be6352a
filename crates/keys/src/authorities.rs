//! Whose certificates a service may show.

use reqwest::Certificate;
use thiserror::Error;

/// Certificate authorities in place of those that the system trusts, or the latter.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<Certificate>);

/// The text holds no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is no PEM with certificates in it")]
pub struct AuthoritiesError;

impl Authorities {
    /// Reads certificates in PEM.
    pub fn parse(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let certificates = Certificate::from_pem_bundle(pem).map_err(|_| AuthoritiesError)?;
        if certificates.is_empty() { Err(AuthoritiesError) } else { Ok(Self(certificates)) }
    }

    /// The certificates; none stands for what the system trusts.
    pub(crate) fn certificates(&self) -> &[Certificate] {
        &self.0
    }
}
