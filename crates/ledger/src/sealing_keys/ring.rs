//! Gives out the keys of subjects, and is the only one who changes them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectKey};
use ledgerstone_model::{Clock, Entropy, ErrorCode};
use ledgerstone_proof::TenantId;
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::subject_keys::{
    SlotsReport, SubjectKeySlots, SubjectKeysError, SubjectTag, TenantKeySlot, TenantKeySlots,
    WrappedKey,
};
use thiserror::Error;
use zeroize::Zeroizing;

use super::opened::OpenedKeys;
use super::root_key::{RootKey, RootKeyError};
use super::tenant_secrets::TenantSecrets;
use crate::ledger::hold;

/// How long and how many keys are kept unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRingSettings {
    /// Microseconds that an unwrapped key stays in memory.
    pub lifetime_micros: i64,
    /// Unwrapped keys of subjects in memory.
    pub subject_keys_max: usize,
    /// Unwrapped secrets of tenants in memory.
    pub tenant_keys_max: usize,
}

impl Default for KeyRingSettings {
    fn default() -> Self {
        Self {
            lifetime_micros: 5 * 60 * 1_000_000,
            subject_keys_max: 65_536,
            tenant_keys_max: 4_096,
        }
    }
}

/// The keys of all subjects of a deployment.
pub struct KeyRing {
    root: Arc<dyn RootKey>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state: Mutex<State>,
}

struct State {
    tenants: TenantKeySlots,
    subjects: SubjectKeySlots,
    opened_tenants: OpenedKeys<SealingKeyId, Arc<TenantSecrets>>,
    opened_subjects: OpenedKeys<SealingKeyId, SubjectKey>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("root", &self.root.kind()).finish_non_exhaustive()
    }
}

/// Why a key was not given out or changed.
#[derive(Debug, Error)]
pub enum KeyRingError {
    #[error(transparent)]
    Root(#[from] RootKeyError),
    #[error("the key files: {0}")]
    Files(#[from] SubjectKeysError),
    /// The wrapped key does not open under the key that is said to have wrapped it.
    #[error("key {0} does not unwrap; the key files hold something else than was written")]
    Damaged(SealingKeyId),
    #[error("the cryptographic library refused")]
    Refused,
}

impl KeyRingError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Root(error) => error.code(),
            Self::Files(_) => ErrorCode::StorageFailed,
            Self::Damaged(_) => ErrorCode::StoreDamaged,
            Self::Refused => ErrorCode::Internal,
        }
    }
}

impl KeyRing {
    /// Opens the key files of a data directory, or makes them.
    pub fn open(
        directory: &Path,
        files: &Files,
        root: Arc<dyn RootKey>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
        settings: KeyRingSettings,
    ) -> Result<(Self, SlotsReport), KeyRingError> {
        let (tenants, tenants_report) = TenantKeySlots::open(directory, files)?;
        let (subjects, mut report) = SubjectKeySlots::open(directory, files)?;
        report.healed += tenants_report.healed;
        report.unfinished += tenants_report.unfinished;
        report.faults.extend(tenants_report.faults);
        let lifetime = settings.lifetime_micros;
        let state = Mutex::new(State {
            tenants,
            subjects,
            opened_tenants: OpenedKeys::new(settings.tenant_keys_max, lifetime),
            opened_subjects: OpenedKeys::new(settings.subject_keys_max, lifetime),
        });
        Ok((Self { root, clock, entropy, state }, report))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        hold(&self.state)
    }

    /// The generation of the key files, which frames carry.
    pub fn generation(&self) -> KeyGeneration {
        self.state().subjects.generation()
    }

    /// The keys to seal under, one for each subject and in their order. Keys that did not exist
    /// are made and durable when this returns: one pair of syncs for all of them, none where all
    /// were known.
    pub fn keys_for(
        &self,
        tenant: &TenantId,
        subjects: &[&Subject],
    ) -> Result<Vec<SubjectKey>, KeyRingError> {
        let mut state = self.state();
        let secrets = self.current_secrets(&mut state, tenant)?;
        let tags: Vec<SubjectTag> = subjects.iter().map(|subject| secrets.tag(subject)).collect();
        let mut made: Vec<(SubjectTag, SubjectKey, WrappedKey)> = Vec::new();
        for tag in &tags {
            let is_known = state.subjects.of_subject(tag).is_some();
            if !is_known && made.iter().all(|(known, _, _)| known != tag) {
                let key = self.new_key();
                let wrapped = secrets.wrap(&key).ok_or(KeyRingError::Refused)?;
                made.push((*tag, key, wrapped));
            }
        }
        let new: Vec<_> =
            made.iter().map(|(tag, key, wrapped)| (*key.id(), *tag, *wrapped)).collect();
        if !new.is_empty() {
            state.subjects.add(&new)?;
        }
        let now = self.clock.now();
        for (_, key, _) in made {
            state.opened_subjects.put(*key.id(), key, now);
        }
        tags.iter().map(|tag| self.opened_by_tag(&mut state, tenant, tag)).collect()
    }

    /// The key that opens an envelope of this tenant; `None` once it is destroyed, and for a key
    /// that is not this tenant's.
    pub fn key(
        &self,
        tenant: &TenantId,
        id: &SealingKeyId,
    ) -> Result<Option<SubjectKey>, KeyRingError> {
        self.opened(&mut self.state(), tenant, id)
    }

    /// The ids of all keys that a subject ever had and that are not destroyed.
    pub fn ids_of(
        &self,
        tenant: &TenantId,
        subject: &Subject,
    ) -> Result<Vec<SealingKeyId>, KeyRingError> {
        let mut state = self.state();
        let secrets = self.current_secrets(&mut state, tenant)?;
        let tag = secrets.tag(subject);
        let own = state.subjects.iter().filter(|slot| slot.tag == tag && slot.key.is_some());
        Ok(own.map(|slot| slot.key_id).collect())
    }

    /// Destroys keys: when this returns, they are in no file and not in memory.
    pub fn destroy(&self, ids: &[SealingKeyId]) -> Result<KeyGeneration, KeyRingError> {
        let mut state = self.state();
        let generation = state.subjects.destroy(ids)?;
        ids.iter().for_each(|id| state.opened_subjects.forget(id));
        Ok(generation)
    }

    /// Gives a tenant a new wrapping key and wraps all keys of its subjects by it. The keys
    /// themselves, and so the ledger, stay as they are. The old wrapping key is destroyed.
    pub fn rotate(&self, tenant: &TenantId) -> Result<SealingKeyId, KeyRingError> {
        let mut state = self.state();
        let old = self.current_secrets(&mut state, tenant)?;
        let mut bytes = self.random_secrets();
        let naming = old.naming_key();
        bytes.truncate(TenantSecrets::BYTES - naming.len());
        bytes.extend_from_slice(naming);
        let new = self.add_secrets(&mut state, tenant, bytes)?;
        self.rewrap_all(&mut state, tenant, &new)?;
        let outdated: Vec<_> = state
            .tenants
            .iter()
            .filter(|slot| slot.tenant == *tenant && slot.key_id != new.id())
            .map(|slot| slot.key_id)
            .collect();
        for id in outdated {
            state.tenants.destroy(&id)?;
            state.opened_tenants.forget(&id);
        }
        Ok(new.id())
    }

    /// Every key of the tenant that is not wrapped by `new` yet; a rotation that was interrupted is
    /// finished by the next.
    fn rewrap_all(
        &self,
        state: &mut State,
        tenant: &TenantId,
        new: &TenantSecrets,
    ) -> Result<(), KeyRingError> {
        let own: Vec<_> = state
            .subjects
            .iter()
            .filter_map(|slot| slot.key.map(|key| (slot.key_id, key)))
            .filter(|(_, key)| {
                let wrapped_by = state.tenants.get(&key.wrapped_by);
                key.wrapped_by != new.id() && wrapped_by.is_some_and(|slot| slot.tenant == *tenant)
            })
            .collect();
        let mut rewrapped = Vec::with_capacity(own.len());
        for (id, wrapped) in own {
            let secrets = self.secrets(state, tenant, &wrapped.wrapped_by)?;
            let secrets = secrets.ok_or(KeyRingError::Damaged(wrapped.wrapped_by))?;
            let key = secrets.unwrap(id, &wrapped).ok_or(KeyRingError::Damaged(id))?;
            rewrapped.push((id, new.wrap(&key).ok_or(KeyRingError::Refused)?));
        }
        state.subjects.rewrap(&rewrapped)?;
        Ok(())
    }

    /// Wipes unwrapped keys whose time is over. To be called now and then.
    pub fn forget_old(&self) {
        let now = self.clock.now();
        let mut state = self.state();
        state.opened_subjects.forget_old(now);
        state.opened_tenants.forget_old(now);
    }

    fn opened_by_tag(
        &self,
        state: &mut State,
        tenant: &TenantId,
        tag: &SubjectTag,
    ) -> Result<SubjectKey, KeyRingError> {
        let id =
            state.subjects.of_subject(tag).map(|slot| slot.key_id).ok_or(KeyRingError::Refused)?;
        self.opened(state, tenant, &id)?.ok_or(KeyRingError::Damaged(id))
    }

    fn opened(
        &self,
        state: &mut State,
        tenant: &TenantId,
        id: &SealingKeyId,
    ) -> Result<Option<SubjectKey>, KeyRingError> {
        let Some(wrapped) = state.subjects.get(id).and_then(|slot| slot.key) else {
            return Ok(None);
        };
        let owner = state.tenants.get(&wrapped.wrapped_by).map(|slot| &slot.tenant);
        if owner != Some(tenant) {
            return Ok(None);
        }
        let now = self.clock.now();
        if let Some(key) = state.opened_subjects.get(id, now) {
            return Ok(Some(key));
        }
        let Some(secrets) = self.secrets(state, tenant, &wrapped.wrapped_by)? else {
            return Ok(None);
        };
        let key = secrets.unwrap(*id, &wrapped).ok_or(KeyRingError::Damaged(*id))?;
        state.opened_subjects.put(*id, key.clone(), now);
        Ok(Some(key))
    }

    /// The tenant's newest secrets, made where it has none.
    fn current_secrets(
        &self,
        state: &mut State,
        tenant: &TenantId,
    ) -> Result<Arc<TenantSecrets>, KeyRingError> {
        match state.tenants.newest(tenant).map(|slot| slot.key_id) {
            Some(id) => self.secrets(state, tenant, &id)?.ok_or(KeyRingError::Damaged(id)),
            None => {
                let bytes = self.random_secrets();
                self.add_secrets(state, tenant, bytes)
            }
        }
    }

    /// Secrets by their id; `None` once they are destroyed.
    fn secrets(
        &self,
        state: &mut State,
        tenant: &TenantId,
        id: &SealingKeyId,
    ) -> Result<Option<Arc<TenantSecrets>>, KeyRingError> {
        let now = self.clock.now();
        if let Some(secrets) = state.opened_tenants.get(id, now) {
            return Ok(Some(secrets));
        }
        let Some(wrapped) = state.tenants.get(id).and_then(|slot| slot.wrapped.clone()) else {
            return Ok(None);
        };
        let bytes = self.root.unwrap(tenant, &wrapped)?;
        let secrets = TenantSecrets::new(*id, bytes).ok_or(KeyRingError::Damaged(*id))?;
        let secrets = Arc::new(secrets);
        state.opened_tenants.put(*id, Arc::clone(&secrets), now);
        Ok(Some(secrets))
    }

    fn add_secrets(
        &self,
        state: &mut State,
        tenant: &TenantId,
        bytes: Zeroizing<Vec<u8>>,
    ) -> Result<Arc<TenantSecrets>, KeyRingError> {
        let key_id = self.new_id();
        let wrapped = Some(self.root.wrap(tenant, &bytes)?);
        state.tenants.add(TenantKeySlot { tenant: tenant.clone(), key_id, wrapped })?;
        let secrets = TenantSecrets::new(key_id, bytes).ok_or(KeyRingError::Refused)?;
        let secrets = Arc::new(secrets);
        state.opened_tenants.put(key_id, Arc::clone(&secrets), self.clock.now());
        Ok(secrets)
    }

    fn random_secrets(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; TenantSecrets::BYTES]);
        self.entropy.fill(&mut bytes);
        bytes
    }

    fn new_id(&self) -> SealingKeyId {
        let mut id = [0; 16];
        self.entropy.fill(&mut id);
        SealingKeyId::new(id)
    }

    fn new_key(&self) -> SubjectKey {
        let mut bytes = Zeroizing::new([0; 32]);
        self.entropy.fill(bytes.as_mut_slice());
        SubjectKey::new(self.new_id(), bytes)
    }
}
