//! What a data directory is opened for writing with: the machine, and where its root key is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_keys::{Place, RootKeySetup};
use ledgerstone_ledger::Settings;
use ledgerstone_ledger::sealing_keys::{KeyLook, KeyRing, KeyRingSettings, RootKey};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::sealing::Preset;
use ledgerstone_store::embedded::Layout;

use crate::config::{Configuration, root_key, variables};
use crate::failure::Failure;
use crate::output::Console;
use crate::system::System;

/// The table of settings about what is sealed.
const SEALING: &str = "sealing.";

/// Parts that come from outside of the directory.
pub struct Means {
    pub system: System,
    pub root_key: RootKeySetup,
    pub sealing: SealingChoices,
}

/// What is sealed by default, and what certificates of erasure say.
#[derive(Clone, Debug)]
pub struct SealingChoices {
    pub default: Preset,
    pub key_backup_lifetime: Option<Duration>,
    pub storage: Option<String>,
}

impl SealingChoices {
    /// Takes them over into the settings of a ledger.
    pub fn choose(&self, settings: &mut Settings) {
        settings.default_sealing = self.default;
        settings.key_backup_lifetime = self.key_backup_lifetime;
        settings.storage.clone_from(&self.storage);
    }
}

impl Means {
    /// Those of a command that has no settings but the environment's.
    pub fn of_environment() -> Result<Self, Failure> {
        let configuration =
            Configuration::of_environment(&variables(), &[root_key::TABLE, SEALING])?;
        let (root_key, sealing) = (configuration.root_key()?, configuration.sealing());
        Ok(Self { system: System::new(), root_key, sealing })
    }

    /// The root key of a directory whose lock is held; one in a file is made where there is none.
    pub(super) fn open_root_key(&self, path: &Path) -> Result<Arc<dyn RootKey>, Failure> {
        let System { clock, entropy, files } = self.system.clone();
        let place = Place { keys: Layout::new(path).keys(), files, clock, entropy };
        ledgerstone_keys::open(&self.root_key, &place)
            .map_err(|error| Failure::new(error.code(), error.to_string()))
    }

    /// The keys of a directory that is only read: nothing is made or healed. `None` where nothing was
    /// ever sealed.
    pub fn look_at_sealing_keys(
        &self,
        path: &Path,
        console: &mut Console,
    ) -> Result<Option<KeyLook>, Failure> {
        let System { clock, entropy, files } = self.system.clone();
        let place = Place { keys: Layout::new(path).keys(), files, clock, entropy };
        let root = ledgerstone_keys::open_to_read(&self.root_key, &place)
            .map_err(|error| Failure::new(error.code(), error.to_string()))?;
        let Some(root) = root else { return Ok(None) };
        let keys = KeyLook::at(&place.keys, root)
            .map_err(|error| Failure::new(error.code(), error.to_string()))?;
        if keys.faults() > 0 {
            console.note(format!(
                "{} slots of the sealing keys are damaged in both files; what was sealed under them \
                 cannot be opened",
                keys.faults()
            ));
        }
        Ok(Some(keys))
    }

    /// The keys that fields are sealed under, of a directory whose lock is held.
    pub(super) fn open_sealing_keys(
        &self,
        path: &Path,
        root_key: &Arc<dyn RootKey>,
        console: &mut Console,
    ) -> Result<Arc<KeyRing>, Failure> {
        let System { clock, entropy, files } = self.system.clone();
        let keys = Layout::new(path).keys();
        let (root, tools) = (Arc::clone(root_key), (clock as _, entropy as _));
        let opened = KeyRing::open(&keys, &files, root, tools, KeyRingSettings::default());
        let (ring, report) =
            opened.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        if report.healed > 0 {
            console.note(format!("{} slots of sealing keys were healed", report.healed));
        }
        for fault in &report.faults {
            console.note(format!(
                "slot {} of the sealing keys is damaged in both files; what was sealed under it \
                 cannot be opened: put the newest copy of {} back",
                fault.number,
                keys.display()
            ));
        }
        check_root(&ring, console)?;
        Ok(Arc::new(ring))
    }
}

/// Another root key than the one that wrapped what lies there is refused, before new tenants are
/// wrapped by it. A service that is away keeps nobody from opening.
fn check_root(ring: &KeyRing, console: &mut Console) -> Result<(), Failure> {
    match ring.check_root() {
        Ok(()) => {}
        Err(error) if error.code() == ErrorCode::WrongRootKey => {
            return Err(Failure::new(error.code(), error.to_string()));
        }
        Err(error) => console.note(format!(
            "{error}; events with fields to seal are refused until it serves, and what is sealed \
             is shown sealed"
        )),
    }
    Ok(())
}
