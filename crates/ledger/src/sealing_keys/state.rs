//! What the key ring does under its lock: only memory and the key files, never the root key service.

use std::collections::HashMap;
use std::sync::Arc;

use ledgerstone_model::sealing::{SealingKeyId, SubjectKey};
use ledgerstone_proof::{IngestedAt, TenantId};
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::subject_keys::{
    StrandedKeys, SubjectKeySlots, SubjectKeysError, SubjectTag, TenantKeySlot, TenantKeySlots,
    WrappedKey,
};

use super::opened::OpenedKeys;
use super::ring::{KeyRingError, KeyRingSettings};
use super::tenant_secrets::TenantSecrets;

/// The key files and the keys that are unwrapped.
pub(super) struct State {
    pub(super) tenants: TenantKeySlots,
    pub(super) subjects: SubjectKeySlots,
    opened_tenants: OpenedKeys<SealingKeyId, Arc<TenantSecrets>>,
    opened_subjects: OpenedKeys<SealingKeyId, SubjectKey>,
}

/// Secrets of a tenant that an operation cannot do without.
#[derive(Debug)]
pub(super) enum Wanted {
    /// It has none yet.
    First,
    /// These are not unwrapped.
    Opened(SealingKeyId),
}

/// What is known of a key.
pub(super) enum Found {
    Opened(SubjectKey),
    /// It can be unwrapped by these.
    Wrapped(WrappedKey, Arc<TenantSecrets>),
    /// It could be unwrapped by these, which are not unwrapped themselves.
    Wants(SealingKeyId),
    Destroyed,
    /// There is none of this tenant.
    Unknown,
}

/// Why an operation stopped.
#[derive(Debug)]
pub(super) enum Stop {
    Wants(Wanted),
    Failed(KeyRingError),
}

impl From<KeyRingError> for Stop {
    fn from(error: KeyRingError) -> Self {
        Self::Failed(error)
    }
}

impl From<SubjectKeysError> for Stop {
    fn from(error: SubjectKeysError) -> Self {
        Self::Failed(error.into())
    }
}

/// The secrets that were asked for during one operation, which serve it however long it took to get
/// them.
#[derive(Default)]
pub(super) struct Held(HashMap<SealingKeyId, Arc<TenantSecrets>>);

impl Held {
    pub(super) fn keep(&mut self, secrets: Arc<TenantSecrets>) {
        self.0.insert(secrets.id(), secrets);
    }
}

impl State {
    pub(super) fn new(
        tenants: TenantKeySlots,
        subjects: SubjectKeySlots,
        settings: KeyRingSettings,
    ) -> Self {
        let lifetime = settings.lifetime_micros;
        Self {
            tenants,
            subjects,
            opened_tenants: OpenedKeys::new(settings.tenant_keys_max, lifetime),
            opened_subjects: OpenedKeys::new(settings.subject_keys_max, lifetime),
        }
    }

    /// The changes of both pairs of files together: whichever of them is older makes it smaller.
    pub(super) fn generation(&self) -> KeyGeneration {
        KeyGeneration(self.subjects.generation().0.saturating_add(self.tenants.changes()))
    }

    /// Keys of people that no key of a tenant opens.
    pub(super) fn stranded(&self) -> StrandedKeys {
        StrandedKeys::among(self.tenants.iter(), self.subjects.iter())
    }

    /// Some live secrets, always the same.
    pub(super) fn any_tenant(&self) -> Option<(TenantId, SealingKeyId)> {
        let live = self.tenants.iter().filter(|slot| slot.wrapped.is_some());
        let first = live.min_by_key(|slot| *slot.key_id.as_bytes());
        first.map(|slot| (slot.tenant.clone(), slot.key_id))
    }

    /// Secrets as the service wrapped them; `None` once they are destroyed.
    pub(super) fn wrapped_secrets(&self, id: &SealingKeyId) -> Option<Vec<u8>> {
        self.tenants.get(id).and_then(|slot| slot.wrapped.clone())
    }

    /// The tenant's newest secrets.
    pub(super) fn current_secrets(
        &self,
        tenant: &TenantId,
        held: &Held,
        now: IngestedAt,
    ) -> Result<Arc<TenantSecrets>, Stop> {
        let newest = self.tenants.newest(tenant).ok_or(Stop::Wants(Wanted::First))?;
        let secrets = self.secrets(&newest.key_id, held, now)?;
        secrets.ok_or_else(|| KeyRingError::Damaged(newest.key_id).into())
    }

    /// Secrets by their id; `None` once they are destroyed.
    fn secrets(
        &self,
        id: &SealingKeyId,
        held: &Held,
        now: IngestedAt,
    ) -> Result<Option<Arc<TenantSecrets>>, Stop> {
        if self.tenants.get(id).is_none_or(|slot| slot.wrapped.is_none()) {
            return Ok(None);
        }
        let known = held.0.get(id).cloned().or_else(|| self.opened_tenants.get(id, now));
        known.map(Some).ok_or(Stop::Wants(Wanted::Opened(*id)))
    }

    /// Keeps unwrapped secrets, unless they were destroyed in between.
    pub(super) fn keep_secrets(&mut self, secrets: &Arc<TenantSecrets>, now: IngestedAt) {
        if self.wrapped_secrets(&secrets.id()).is_some() {
            self.opened_tenants.put(secrets.id(), Arc::clone(secrets), now);
        }
    }

    /// Adds a tenant's new secrets; they are durable when this returns.
    pub(super) fn add_secrets(
        &mut self,
        tenant: &TenantId,
        secrets: &Arc<TenantSecrets>,
        wrapped: Vec<u8>,
        now: IngestedAt,
    ) -> Result<(), KeyRingError> {
        let (tenant, wrapped) = (tenant.clone(), Some(wrapped));
        self.tenants.add(TenantKeySlot { tenant, key_id: secrets.id(), wrapped })?;
        self.opened_tenants.put(secrets.id(), Arc::clone(secrets), now);
        Ok(())
    }

    /// Destroys all secrets of a tenant but these.
    pub(super) fn destroy_outdated(
        &mut self,
        tenant: &TenantId,
        newest: &SealingKeyId,
    ) -> Result<(), Stop> {
        let own = self.tenants.iter().filter(|slot| slot.tenant == *tenant);
        let outdated: Vec<_> = own.map(|slot| slot.key_id).filter(|id| id != newest).collect();
        for id in outdated {
            self.tenants.destroy(&id)?;
            self.opened_tenants.forget(&id);
        }
        Ok(())
    }

    /// The keys of a subject, live ones and destroyed ones. A live one says by what wrapped it whose
    /// it is; a destroyed one opens nothing, and its tag is known within its tenant alone.
    pub(super) fn keys_of(
        &self,
        tenant: &TenantId,
        tag: &SubjectTag,
    ) -> (Vec<SealingKeyId>, Vec<SealingKeyId>) {
        let (mut live, mut destroyed) = (Vec::new(), Vec::new());
        for slot in self.subjects.iter().filter(|slot| slot.tag == *tag) {
            match &slot.key {
                None => destroyed.push(slot.key_id),
                Some(key) => {
                    let wrapped_by = self.tenants.get(&key.wrapped_by);
                    if wrapped_by.is_some_and(|owner| owner.tenant == *tenant) {
                        live.push(slot.key_id);
                    }
                }
            }
        }
        (live, destroyed)
    }

    /// Whether a key is there and not destroyed.
    pub(super) fn is_live(&self, id: &SealingKeyId) -> bool {
        self.subjects.get(id).is_some_and(|slot| slot.key.is_some())
    }

    /// Looks for a key by its id.
    pub(super) fn find(
        &self,
        tenant: &TenantId,
        id: &SealingKeyId,
        held: &Held,
        now: IngestedAt,
    ) -> Found {
        let Some(slot) = self.subjects.get(id) else {
            return Found::Unknown;
        };
        let Some(wrapped) = slot.key else {
            return Found::Destroyed;
        };
        if self.tenants.get(&wrapped.wrapped_by).is_none_or(|by| by.tenant != *tenant) {
            return Found::Unknown;
        }
        if let Some(key) = self.opened_subjects.get(id, now) {
            return Found::Opened(key);
        }
        match self.secrets(&wrapped.wrapped_by, held, now) {
            Ok(Some(secrets)) => Found::Wrapped(wrapped, secrets),
            Ok(None) => Found::Destroyed,
            Err(_) => Found::Wants(wrapped.wrapped_by),
        }
    }

    /// A key by its id; `None` once it is destroyed, and for one that is not this tenant's.
    pub(super) fn opened(
        &mut self,
        tenant: &TenantId,
        id: &SealingKeyId,
        held: &Held,
        now: IngestedAt,
    ) -> Result<Option<SubjectKey>, Stop> {
        match self.find(tenant, id, held, now) {
            Found::Opened(key) => Ok(Some(key)),
            Found::Wrapped(wrapped, secrets) => {
                let key = secrets.unwrap(*id, &wrapped).ok_or(KeyRingError::Damaged(*id))?;
                self.opened_subjects.put(*id, key.clone(), now);
                Ok(Some(key))
            }
            Found::Wants(secrets) => Err(Stop::Wants(Wanted::Opened(secrets))),
            Found::Destroyed | Found::Unknown => Ok(None),
        }
    }

    /// Keeps unwrapped keys, except those that were destroyed in between.
    pub(super) fn keep_opened(&mut self, keys: &[SubjectKey], now: IngestedAt) {
        for key in keys {
            if self.is_live(key.id()) {
                self.opened_subjects.put(*key.id(), key.clone(), now);
            }
        }
    }

    /// The key of a subject; `None` where it has none.
    pub(super) fn opened_by_tag(
        &mut self,
        tenant: &TenantId,
        tag: &SubjectTag,
        held: &Held,
        now: IngestedAt,
    ) -> Result<Option<SubjectKey>, Stop> {
        let Some(id) = self.subjects.of_subject(tag).map(|slot| slot.key_id) else {
            return Ok(None);
        };
        let key = self.opened(tenant, &id, held, now)?;
        key.map(Some).ok_or_else(|| KeyRingError::Damaged(id).into())
    }

    /// Adds keys of subjects that had none; they are durable when this returns.
    pub(super) fn add_subjects<'a>(
        &mut self,
        new: &[(SealingKeyId, SubjectTag, WrappedKey)],
        keys: impl Iterator<Item = &'a SubjectKey>,
        now: IngestedAt,
    ) -> Result<(), SubjectKeysError> {
        if new.is_empty() {
            return Ok(());
        }
        self.subjects.add(new)?;
        for key in keys {
            self.opened_subjects.put(*key.id(), key.clone(), now);
        }
        Ok(())
    }

    pub(super) fn destroy(
        &mut self,
        ids: &[SealingKeyId],
    ) -> Result<KeyGeneration, SubjectKeysError> {
        self.subjects.destroy(ids)?;
        ids.iter().for_each(|id| self.opened_subjects.forget(id));
        Ok(self.generation())
    }

    /// Destroys every live key of a tenant; answers whether there was one.
    pub(super) fn destroy_all_of(&mut self, tenant: &TenantId) -> Result<bool, SubjectKeysError> {
        let owner = |by: &SealingKeyId| self.tenants.get(by).map(|slot| &slot.tenant);
        let own = self.subjects.iter().filter(|slot| {
            slot.key.as_ref().is_some_and(|key| owner(&key.wrapped_by) == Some(tenant))
        });
        let subjects: Vec<_> = own.map(|slot| slot.key_id).collect();
        let own = self.tenants.iter().filter(|slot| slot.tenant == *tenant);
        let live = own.filter(|slot| slot.wrapped.is_some());
        let secrets: Vec<_> = live.map(|slot| slot.key_id).collect();
        if !subjects.is_empty() {
            self.destroy(&subjects)?;
        }
        for id in &secrets {
            self.tenants.destroy(id)?;
            self.opened_tenants.forget(id);
        }
        Ok(!subjects.is_empty() || !secrets.is_empty())
    }

    /// Every key of the tenant that `new` has not wrapped yet, wrapped by it; a rotation that was
    /// interrupted is finished by the next.
    pub(super) fn rewrapped(
        &self,
        tenant: &TenantId,
        new: &TenantSecrets,
        held: &Held,
        now: IngestedAt,
    ) -> Result<Vec<(SealingKeyId, WrappedKey)>, Stop> {
        let mut rewrapped = Vec::new();
        for slot in self.subjects.iter() {
            let Some(wrapped) = slot.key else { continue };
            let wrapped_by = self.tenants.get(&wrapped.wrapped_by);
            if wrapped_by.is_none_or(|by| by.tenant != *tenant) {
                continue;
            }
            let secrets = self.secrets(&wrapped.wrapped_by, held, now)?;
            let secrets = secrets.ok_or(KeyRingError::Damaged(wrapped.wrapped_by))?;
            let id = slot.key_id;
            let key = secrets.unwrap(id, &wrapped).ok_or(KeyRingError::Damaged(id))?;
            rewrapped.push((id, new.wrap(&key).ok_or(KeyRingError::Refused)?));
        }
        Ok(rewrapped)
    }

    /// How many secrets of tenants and keys of subjects are unwrapped.
    pub(super) fn opened_counts(&self) -> (usize, usize) {
        (self.opened_tenants.len(), self.opened_subjects.len())
    }

    pub(super) fn forget_old(&mut self, now: IngestedAt) {
        self.opened_subjects.forget_old(now);
        self.opened_tenants.forget_old(now);
    }
}
