//! The table of root key services, and what each of them is made from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_model::{Clock, Entropy, ErrorCode};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::key_file::KeyFileError;
use ledgerstone_store::subject_keys::SubjectKeysError;
use thiserror::Error;

/// Every service there is.
pub const SERVICES: &[&RootKeyService] = &[
    &crate::file::SERVICE,
    &crate::secret::SERVICE,
    &crate::vault::SERVICE,
    &crate::aws_kms::SERVICE,
];

/// Their names, as settings and status have them.
pub const SERVICE_NAMES: [&str; SERVICES.len()] = {
    let mut names = [""; SERVICES.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = SERVICES[at].name;
        at += 1;
    }
    names
};

/// A service that can hold the root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootKeyService {
    /// Its name in settings.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The first byte of everything it wraps; frozen. Services that wrap in the same way share one.
    pub mark: u8,
}

/// The service of this name.
pub fn service(name: &str) -> Option<&'static RootKeyService> {
    SERVICES.iter().copied().find(|service| service.name == name)
}

/// Where a root key is used, and what only the machine can give.
#[derive(Clone)]
pub struct Place {
    /// The directory of the key files of a data directory.
    pub keys: PathBuf,
    pub files: Files,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// A service with all that it has to be told.
pub trait RootKeySource: fmt::Debug + Send + Sync {
    fn service(&self) -> &'static RootKeyService;

    /// The root key itself. Asks nobody over the network: a service that is away must not keep a
    /// ledger from being opened.
    ///
    /// `may_make` says whether a root key may be drawn where there is none: not where something was
    /// wrapped that only the lost one opens.
    fn open(&self, place: &Place, may_make: bool) -> Result<Box<dyn RootKey>, SetupError>;
}

/// Why there is no root key to work with.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error(
        "{} is missing, and it wrapped the keys of tenants; put it back from a copy of the keys, \
         without which no sealed field can be read", path.display()
    )]
    Lost { path: PathBuf },
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: KeyFileError,
    },
    #[error(
        "the keys of the tenant {tenant} were wrapped by {wrapped_by}, and {in_use} is to be used; \
         name the service that wrapped them, as the previous one if they are to move"
    )]
    OtherService { tenant: String, wrapped_by: String, in_use: String },
    #[error("the key files: {0}")]
    Slots(#[from] SubjectKeysError),
}

impl SetupError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Lost { .. } | Self::OtherService { .. } => ErrorCode::WrongRootKey,
            Self::File { source, .. } => source.code(),
            Self::Slots(_) => ErrorCode::StorageFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{SERVICE_NAMES, SERVICES, service};

    #[test]
    fn names_stand_once_and_marks_never_change() {
        let marks: HashMap<_, _> = SERVICES.iter().map(|one| (one.name, one.mark)).collect();
        let frozen = [("file", 1), ("secret", 1), ("vault", 2), ("aws-kms", 3)];
        assert_eq!(marks, HashMap::from(frozen));
        assert_eq!(SERVICE_NAMES.len(), frozen.len());
        for name in SERVICE_NAMES {
            assert_eq!(service(name).unwrap().name, name);
        }
        assert!(service("none").is_none());
    }
}
