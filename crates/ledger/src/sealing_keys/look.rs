//! Keys of a data directory that is only read: as the key files are at one moment, and nothing is made,
//! healed or kept.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ledgerstone_model::personal::redact::HASH_KEY_BYTES;
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::visible::KeyState;
use ledgerstone_proof::TenantId;
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::subject_keys::{LookedKeys, SubjectKeySlot, TenantKeySlot};
use zeroize::Zeroizing;

use super::ring::KeyRingError;
use super::root_key::RootKey;
use super::source::{KeySource, Refused};
use super::tenant_secrets::TenantSecrets;
use crate::ledger::hold;

/// The keys of a data directory, for one command that reads it.
pub struct KeyLook {
    root: Arc<dyn RootKey>,
    /// In the order of their slots, the newest last.
    tenants: Vec<TenantKeySlot>,
    subjects: HashMap<SealingKeyId, SubjectKeySlot>,
    generation: KeyGeneration,
    stranded: u64,
    faults: usize,
    /// What erasures named: destroyed, whatever the files say.
    erased: HashSet<SealingKeyId>,
    opened: Mutex<HashMap<SealingKeyId, Arc<TenantSecrets>>>,
}

impl fmt::Debug for KeyLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLook").field("root", &self.root.kind()).finish_non_exhaustive()
    }
}

impl KeyLook {
    /// Reads the key files of a data directory.
    pub fn at(directory: &Path, root: Arc<dyn RootKey>) -> Result<Self, KeyRingError> {
        let looked = LookedKeys::at(directory)?;
        let stranded = looked.stranded().unknown.len() as u64;
        let LookedKeys { tenants, subjects, generation, faults } = looked;
        let subjects = subjects.into_iter().map(|slot| (slot.key_id, slot)).collect();
        Ok(Self {
            root,
            tenants,
            subjects,
            generation,
            stranded,
            faults,
            erased: HashSet::new(),
            opened: Mutex::default(),
        })
    }

    /// The same with the keys that erasures named, for which an older copy of a slot may still hold
    /// something: nothing is opened with them.
    #[must_use]
    pub fn without_erased(self, erased: HashSet<SealingKeyId>) -> Self {
        Self { erased, ..self }
    }

    /// The generation of the key files.
    pub const fn generation(&self) -> KeyGeneration {
        self.generation
    }

    /// Keys of people whose wrapping key is not there: nobody can tell whose they are.
    pub const fn stranded(&self) -> u64 {
        self.stranded
    }

    /// Slots that are damaged in both files.
    pub const fn faults(&self) -> usize {
        self.faults
    }

    /// Has the root key service unwrap the newest secrets there are, if there are any: whether it is there,
    /// and holds the key that wrapped them.
    pub fn check_root(&self) -> Result<(), KeyRingError> {
        let newest = self
            .tenants
            .iter()
            .rev()
            .find_map(|slot| slot.wrapped.as_ref().map(|wrapped| (slot, wrapped)));
        let Some((slot, wrapped)) = newest else { return Ok(()) };
        let bytes = self.root.unwrap(&slot.tenant, wrapped)?;
        TenantSecrets::new(slot.key_id, bytes).map(drop).ok_or(KeyRingError::Refused)
    }

    /// What kind of service holds the root key.
    pub fn root_service(&self) -> &'static str {
        self.root.kind()
    }

    pub(super) fn root(&self) -> &dyn RootKey {
        &*self.root
    }

    /// In the order of their slots, the newest last.
    pub(super) fn tenants(&self) -> &[TenantKeySlot] {
        &self.tenants
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &SubjectKeySlot> {
        self.subjects.values()
    }

    fn state(&self, tenant: &TenantId, id: &SealingKeyId, refused: &mut Refused) -> KeyState {
        if self.erased.contains(id) {
            return KeyState::Destroyed(None);
        }
        let Some(slot) = self.subjects.get(id) else {
            // It may have been in a slot that is lost.
            return if self.faults > 0 { KeyState::Unavailable } else { KeyState::Unknown };
        };
        let Some(wrapped) = slot.key else {
            return KeyState::Destroyed(None);
        };
        let wrapped_by = self.tenants.iter().find(|one| one.key_id == wrapped.wrapped_by);
        let Some(wrapped_by) = wrapped_by.filter(|one| one.tenant == *tenant) else {
            return KeyState::Unknown;
        };
        if wrapped_by.wrapped.is_none() {
            return KeyState::Destroyed(None);
        }
        let secrets = self.secrets(wrapped_by, refused);
        let key = secrets.and_then(|secrets| secrets.unwrap(*id, &wrapped));
        key.map_or(KeyState::Unavailable, KeyState::Held)
    }

    fn secrets(&self, slot: &TenantKeySlot, refused: &mut Refused) -> Option<Arc<TenantSecrets>> {
        if let Some(known) = hold(&self.opened).get(&slot.key_id) {
            return Some(Arc::clone(known));
        }
        if refused.0.contains(&slot.key_id) {
            return None;
        }
        let bytes = self.root.unwrap(&slot.tenant, slot.wrapped.as_ref()?).ok();
        let secrets = bytes.and_then(|bytes| TenantSecrets::new(slot.key_id, bytes)).map(Arc::new);
        match &secrets {
            Some(secrets) => {
                hold(&self.opened).insert(slot.key_id, Arc::clone(secrets));
            }
            None => {
                refused.0.insert(slot.key_id);
            }
        }
        secrets
    }
}

impl KeySource for KeyLook {
    fn states(
        &self,
        tenant: &TenantId,
        ids: &BTreeSet<SealingKeyId>,
        refused: &mut Refused,
    ) -> HashMap<SealingKeyId, KeyState> {
        ids.iter().map(|id| (*id, self.state(tenant, id, refused))).collect()
    }

    fn hash_key(
        &self,
        tenant: &TenantId,
        refused: &mut Refused,
    ) -> Option<Zeroizing<[u8; HASH_KEY_BYTES]>> {
        let mut own = self.tenants.iter().rev().filter(|slot| slot.tenant == *tenant);
        let newest = own.find(|slot| slot.wrapped.is_some())?;
        self.secrets(newest, refused).map(|secrets| secrets.hash_key())
    }
}
