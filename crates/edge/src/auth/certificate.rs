//! Client certificates: a name in the certificate stands for a principal that the configuration
//! knows.

use std::collections::HashMap;

use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{CredentialKind, PrincipalId, RoleSet};
use ledgerstone_proof::{Hash, TenantId, sha256};
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::caller::Caller;
use super::error::{AuthError, SettingsError};

/// A name out of a certificate's subject alternative names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// e.g. `spiffe://example.org/billing`.
    Uri(String),
    /// In lower case.
    Dns(String),
}

impl CertificateName {
    /// A name as the configuration writes it: a URI has `://` in it, a DNS name has not. A name
    /// with a wildcard stands for nobody in particular and is refused.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let refuse =
            |reason: &str| Err(SettingsError::new(format!("certificate name {text:?}"), reason));
        if text.is_empty() || text.contains('*') || text.contains(char::is_whitespace) {
            return refuse("write one URI or DNS name, without wildcards or spaces");
        }
        if text.contains("://") {
            return Ok(Self::Uri(text.to_owned()));
        }
        let is_dns = text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
        if is_dns { Ok(Self::Dns(text.to_ascii_lowercase())) } else { refuse("this is neither") }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Uri(text) | Self::Dns(text) => text,
        }
    }
}

/// What a certificate's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateGrant {
    pub tenant: TenantId,
    pub roles: RoleSet,
}

/// The certificate of a client whose TLS handshake succeeded: whoever makes this has verified the
/// chain to a trusted authority and the possession of the key.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    fingerprint: Hash,
    names: Vec<CertificateName>,
}

impl PeerCertificate {
    /// Reads the DER of the client's own certificate. Names that cannot be read are no names.
    pub fn read(der: &[u8]) -> Result<Self, AuthError> {
        let unreadable = |error: webpki::Error| {
            AuthError::new(ErrorCode::InvalidToken, "the client certificate cannot be read")
                .with_detail(error.to_string())
        };
        let der = CertificateDer::from_slice(der);
        let certificate = EndEntityCert::try_from(&der).map_err(unreadable)?;
        let uris = certificate.valid_uri_names().map(|name| CertificateName::Uri(name.to_owned()));
        let dns = certificate
            .valid_dns_names()
            .map(|name| CertificateName::Dns(name.to_ascii_lowercase()));
        Ok(Self { fingerprint: sha256(&der), names: uris.chain(dns).collect() })
    }

    /// SHA-256 of the certificate, by which a token may be bound to it (RFC 8705 section 3.1).
    pub const fn fingerprint(&self) -> &Hash {
        &self.fingerprint
    }
}

/// Which name stands for whom.
#[derive(Debug, Default)]
pub(super) struct CertificateTable {
    grants: HashMap<CertificateName, CertificateGrant>,
}

impl CertificateTable {
    pub(super) fn new(
        grants: Vec<(CertificateName, CertificateGrant)>,
    ) -> Result<Self, SettingsError> {
        let mut table = Self::default();
        for (name, grant) in grants {
            let place = format!("certificate name {:?}", name.as_str());
            if grant.roles.is_empty() {
                return Err(SettingsError::new(place, "it has no role"));
            }
            if table.grants.insert(name, grant).is_some() {
                return Err(SettingsError::new(place, "it stands twice"));
            }
        }
        Ok(table)
    }

    /// The caller that a certificate stands for. A certificate with names of several principals is
    /// nobody in particular.
    pub(super) fn caller(&self, peer: &PeerCertificate) -> Result<Option<Caller>, AuthError> {
        let mut known = peer.names.iter().filter_map(|name| Some((name, self.grants.get(name)?)));
        let Some((name, grant)) = known.next() else {
            return Ok(None);
        };
        if known.next().is_some() {
            return Err(AuthError::new(
                ErrorCode::AmbiguousCredential,
                "the client certificate has names of several principals; use one with one of them",
            ));
        }
        Ok(Some(Caller::new(
            grant.tenant.clone(),
            grant.roles,
            PrincipalId::of_certificate(name.as_str()),
            CredentialKind::Certificate,
            Some(name.as_str().to_owned()),
        )))
    }
}
