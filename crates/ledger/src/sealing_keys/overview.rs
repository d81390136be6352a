//! The sealing keys as they can be told: whose they are, how many, and by what they are wrapped. Never
//! a key.

use std::collections::{BTreeMap, HashMap};

use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_proof::TenantId;
use ledgerstone_store::KeyGeneration;
use ledgerstone_store::subject_keys::{SubjectKeySlot, TenantKeySlot};

use super::look::KeyLook;
use super::ring::KeyRing;
use super::root_key::{RootKey, WrappedBy};

/// The keys of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKeys {
    pub tenant: TenantId,
    /// The tenant's key, by which new keys of its people are wrapped.
    pub key_id: SealingKeyId,
    pub wrapped_by: WrappedBy,
    /// Older keys of the tenant that still wrap something: a rotation did not end.
    pub outdated: u64,
    /// Keys of people that open something.
    pub live: u64,
}

/// All keys of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingKeysOverview {
    /// How often the key files were changed.
    pub generation: KeyGeneration,
    /// By the tenants' names.
    pub tenants: Vec<TenantKeys>,
    /// Keys of people that were destroyed, of all tenants: whose they were is not kept.
    pub destroyed: u64,
    /// Slots that are damaged in both files.
    pub lost: u64,
}

impl SealingKeysOverview {
    /// Counts what stands in the slots; of tenants in their order, the newest key last.
    fn of<'a>(
        tenants: impl Iterator<Item = &'a TenantKeySlot>,
        subjects: impl Iterator<Item = &'a SubjectKeySlot>,
        newest: impl Fn(&TenantId) -> Option<SealingKeyId>,
        root: &dyn RootKey,
        (generation, lost): (KeyGeneration, u64),
    ) -> Self {
        let mut owners: HashMap<SealingKeyId, TenantId> = HashMap::new();
        let mut found: BTreeMap<String, TenantKeys> = BTreeMap::new();
        for slot in tenants {
            let Some(wrapped) = slot.wrapped.as_deref() else { continue };
            owners.insert(slot.key_id, slot.tenant.clone());
            let entry = found.entry(slot.tenant.to_string()).or_insert_with(|| TenantKeys {
                tenant: slot.tenant.clone(),
                key_id: slot.key_id,
                wrapped_by: told(root, wrapped),
                outdated: 0,
                live: 0,
            });
            if newest(&slot.tenant) == Some(slot.key_id) {
                entry.key_id = slot.key_id;
                entry.wrapped_by = told(root, wrapped);
            } else {
                entry.outdated += 1;
            }
        }
        let mut destroyed = 0;
        for slot in subjects {
            let owner = match &slot.key {
                None => {
                    destroyed += 1;
                    continue;
                }
                Some(key) => owners.get(&key.wrapped_by),
            };
            if let Some(entry) = owner.and_then(|owner| found.get_mut(owner.as_str())) {
                entry.live += 1;
            }
        }
        let tenants = found.into_values().collect();
        Self { generation, tenants, destroyed, lost }
    }
}

fn told(root: &dyn RootKey, wrapped: &[u8]) -> WrappedBy {
    let unknown = || WrappedBy { service: "unknown".to_owned(), key: None };
    root.wrapped_by(wrapped).unwrap_or_else(unknown)
}

impl KeyRing {
    /// The keys there are.
    pub fn overview(&self) -> SealingKeysOverview {
        let state = self.state();
        SealingKeysOverview::of(
            state.tenants.iter(),
            state.subjects.iter(),
            |tenant| state.tenants.newest(tenant).map(|slot| slot.key_id),
            self.root(),
            (state.generation(), self.lost()),
        )
    }
}

impl KeyLook {
    /// The keys there are.
    pub fn overview(&self) -> SealingKeysOverview {
        let newest = |tenant: &TenantId| {
            let own = self.tenants().iter().rev().filter(|slot| slot.tenant == *tenant);
            own.filter(|slot| slot.wrapped.is_some()).map(|slot| slot.key_id).next()
        };
        let told = (self.generation(), self.faults() as u64);
        SealingKeysOverview::of(self.tenants().iter(), self.subjects(), newest, self.root(), told)
    }
}
