//! Keys to seal with, under a root key that can be switched off.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_ledger::sealing_keys::{KeyRing, KeyRingSettings, RootKey, RootKeyError};
use ledgerstone_model::sealing::Subject;
use ledgerstone_model::{Clock, Entropy};
use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::files::Files;
use zeroize::Zeroizing;

/// The key ring of a server, and the service behind it.
pub struct SealingKeys {
    pub ring: Arc<KeyRing>,
    root: Arc<SwitchedRoot>,
}

impl SealingKeys {
    pub fn open(directory: &Path, tools: (Arc<dyn Clock>, Arc<dyn Entropy>)) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let root = Arc::new(SwitchedRoot::default());
        let service = Arc::clone(&root) as _;
        let settings = KeyRingSettings::default();
        let (ring, _) = KeyRing::open(directory, &Files::new(), service, tools, settings).unwrap();
        Self { ring: Arc::new(ring), root }
    }

    /// From now on the root key service does not answer.
    pub fn switch_off(&self) {
        self.root.0.store(true, Ordering::SeqCst);
    }

    pub fn switch_on(&self) {
        self.root.0.store(false, Ordering::SeqCst);
    }

    /// Destroys the keys of a person.
    pub fn erase(&self, tenant: &str, kind: &str, id: &str) {
        let tenant = TenantId::parse(tenant).unwrap();
        let person = Subject::Person { kind: kind.to_owned(), id: id.to_owned() };
        let ids = self.ring.ids_of(&tenant, &person).unwrap();
        assert!(!ids.is_empty());
        self.ring.destroy(&ids).unwrap();
    }
}

#[derive(Debug, Default)]
struct SwitchedRoot(AtomicBool);

impl SwitchedRoot {
    fn turned(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        if self.0.load(Ordering::SeqCst) {
            return Err(RootKeyError::Unavailable("switched off".to_owned()));
        }
        Ok(Zeroizing::new(bytes.iter().map(|byte| byte ^ 0x5a).collect()))
    }
}

impl RootKey for SwitchedRoot {
    fn kind(&self) -> &'static str {
        "switched"
    }

    fn wrap(&self, _: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        self.turned(secrets).map(|wrapped| wrapped.to_vec())
    }

    fn unwrap(&self, _: &TenantId, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        self.turned(wrapped)
    }
}
