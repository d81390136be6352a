//! What a data directory is opened for writing with: the machine, and where its root key is.

use std::path::Path;
use std::sync::Arc;

use ledgerstone_keys::{Place, RootKeySetup};
use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_store::embedded::Layout;

use crate::config::{root_key, variables};
use crate::failure::Failure;
use crate::system::System;

/// Parts that come from outside of the directory.
pub struct Means {
    pub system: System,
    pub root_key: RootKeySetup,
}

impl Means {
    /// Those of a command that has no settings but the environment's.
    pub fn of_environment() -> Result<Self, Failure> {
        let root_key = root_key::of_environment(&variables())?;
        Ok(Self { system: System::new(), root_key })
    }

    /// The root key of a directory whose lock is held; one in a file is made where there is none.
    pub(super) fn open_root_key(&self, path: &Path) -> Result<Arc<dyn RootKey>, Failure> {
        let System { clock, entropy, files } = self.system.clone();
        let place = Place { keys: Layout::new(path).keys(), files, clock, entropy };
        ledgerstone_keys::open(&self.root_key, &place)
            .map_err(|error| Failure::new(error.code(), error.to_string()))
    }
}
