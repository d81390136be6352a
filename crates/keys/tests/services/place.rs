//! A place to open root keys in, and a tenant's secrets.

use std::sync::Arc;
use std::time::Duration;

use ledgerstone_keys::{Place, RootKeySetup, RootKeySource};
use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_model::{Clock, Entropy};
use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory};

/// Two keys of 32 bytes, as a tenant has them.
pub const SECRETS: [u8; 64] = [0x5e; 64];

pub struct Rig {
    directory: TestDirectory,
    clock: Arc<MockClock>,
    entropy: Arc<SeededEntropy>,
}

impl Rig {
    pub fn new(name: &str) -> Self {
        Self {
            directory: TestDirectory::new(name),
            clock: Arc::default(),
            entropy: Arc::new(SeededEntropy::new(11)),
        }
    }

    pub fn directory(&self) -> &TestDirectory {
        &self.directory
    }

    pub fn open(&self, source: impl RootKeySource + 'static) -> Arc<dyn RootKey> {
        let place = Place {
            keys: self.directory.path().to_owned(),
            files: Files::new(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        };
        ledgerstone_keys::open(&RootKeySetup::of(source), &place).unwrap()
    }

    /// The clock and the entropy of everything in this place.
    pub fn parts(&self) -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
        (self.clock.clone(), self.entropy.clone())
    }

    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

/// Whether secrets stand in something, plainly.
pub fn shows_secrets(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|piece| piece == [0x5e; 8])
}
