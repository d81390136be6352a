//! The root key in a file of the data directory: nothing to set up, and whoever has the whole
//! directory has the key.

use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_store::key_file::{self, PrivateKeyUse};

use crate::local::{self, LocalRootKey};
use crate::service::{Place, RootKeyService, RootKeySource, SetupError};

pub(crate) const SERVICE: RootKeyService = RootKeyService {
    name: "file",
    about: "`keys/root.key` in the data directory, made when something is first written",
    mark: local::MARK,
};

/// `root.key` among the key files of a data directory.
#[derive(Clone, Copy, Debug)]
pub struct FileSource;

impl RootKeySource for FileSource {
    fn service(&self) -> &'static RootKeyService {
        &SERVICE
    }

    fn open(&self, place: &Place, may_make: bool) -> Result<Box<dyn RootKey>, SetupError> {
        let path = place.keys.join("root.key");
        let read = if may_make {
            key_file::secret(&place.files, &path, PrivateKeyUse::Root, &*place.entropy).map(Some)
        } else {
            key_file::read_secret(&path, PrivateKeyUse::Root)
        };
        match read {
            Ok(Some(key)) => {
                Ok(Box::new(LocalRootKey::new(SERVICE.name, key, place.entropy.clone())))
            }
            Ok(None) => Err(SetupError::Lost { path }),
            Err(source) => Err(SetupError::File { path, source }),
        }
    }
}
