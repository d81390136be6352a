//! TLS: certificate and key from PEM files, client certificates, and new files without a dropped
//! connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use ledgerstone_model::ErrorCode;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// How often the files are looked at.
pub(super) const RELOAD_INTERVAL: Duration = Duration::from_secs(3);

/// Protocols in the order of preference (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Whether clients show certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nobody is asked for one.
    #[default]
    None,
    /// Who has one of these authorities may show it.
    Optional(PathBuf),
    /// Who has none of these authorities is not let in.
    Required(PathBuf),
}

/// Where certificate and key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: the server's own certificate first, then those in between.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
    pub clients: ClientCertificates,
}

/// Why files cannot be used for TLS. None of the variants holds anything of a key.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not well-formed PEM, or holds no {what}", path.display())]
    Pem { path: PathBuf, what: &'static str },
    #[error("{} and {} do not make a TLS server: {source}", certificate.display(), key.display())]
    Refused {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("the authorities in {} cannot be used: {reason}", path.display())]
    Authorities { path: PathBuf, reason: String },
}

impl TlsError {
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::InvalidTlsSettings
    }
}

/// TLS as the files say; cheap to clone. New connections see new files, old ones keep what they
/// began with.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    settings: TlsSettings,
    current: RwLock<Arc<ServerConfig>>,
    /// The files as they were when they were last read, whether or not they could be used.
    seen: Mutex<Vec<Version>>,
}

/// What shows that a file is another than before.
type Version = Option<(SystemTime, u64)>;

impl Tls {
    /// Reads the files.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        let seen = versions(&settings);
        let current = read(&settings)?;
        Ok(Self(Arc::new(Shared {
            settings,
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(seen),
        })))
    }

    /// Reads the files again. Where they cannot be used, those from before stay in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = versions(&self.0.settings);
        let fresh = Arc::new(read(&self.0.settings)?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the files again if they are others than before, and answers whether they were.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let found = versions(&self.0.settings);
        if *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) == found {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn files(settings: &TlsSettings) -> impl Iterator<Item = &Path> {
    let authorities = match &settings.clients {
        ClientCertificates::None => None,
        ClientCertificates::Optional(path) | ClientCertificates::Required(path) => Some(path),
    };
    [&settings.certificate, &settings.key].into_iter().chain(authorities).map(PathBuf::as_path)
}

fn versions(settings: &TlsSettings) -> Vec<Version> {
    let version = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files(settings).map(version).collect()
}

fn read(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    let refused = |source| TlsError::Refused {
        certificate: settings.certificate.clone(),
        key: settings.key.clone(),
        source,
    };
    let chain = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(&settings.key)?)
        .map_err(|_| TlsError::Pem { path: settings.key.clone(), what: "private key" })?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(refused)?;
    let verified = |path: &Path, is_required: bool| {
        let unusable = |reason: String| TlsError::Authorities { path: path.to_owned(), reason };
        let mut roots = RootCertStore::empty();
        for authority in certificates(path)? {
            roots.add(authority).map_err(|error| unusable(error.to_string()))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
        verifier.build().map_err(|error| unusable(error.to_string()))
    };
    let builder = match &settings.clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Optional(path) => {
            builder.with_client_cert_verifier(verified(path, false)?)
        }
        ClientCertificates::Required(path) => {
            builder.with_client_cert_verifier(verified(path, true)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(refused)?;
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = || TlsError::Pem { path: path.to_owned(), what: "certificate" };
    let text = bytes(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|_| pem())?;
    if found.is_empty() { Err(pem()) } else { Ok(found) }
}
