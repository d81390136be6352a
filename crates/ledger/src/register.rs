//! What `system` records put in force, held in memory: at most one value for each key of a tenant, the
//! newest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ledgerstone_proof::TenantId;

use crate::ledger::hold;

type Entries<K, V> = HashMap<TenantId, BTreeMap<K, Arc<V>>>;

/// Values by tenant and key.
#[derive(Debug)]
pub(crate) struct Register<K, V> {
    /// `None` until somebody has read them.
    entries: RwLock<Option<Entries<K, V>>>,
    /// Held while something is put in force, so that no two acts cross.
    changing: Mutex<()>,
}

impl<K, V> Default for Register<K, V> {
    fn default() -> Self {
        Self { entries: RwLock::new(None), changing: Mutex::default() }
    }
}

impl<K: Ord + Copy, V> Register<K, V> {
    /// Sees to it that the entries are known: `read` gives them where they are not.
    pub(crate) fn ensure<E>(
        &self,
        read: impl FnOnce() -> Result<Vec<(TenantId, K, V)>, E>,
    ) -> Result<(), E> {
        if self.is_filled() {
            return Ok(());
        }
        let _changing = self.change();
        if !self.is_filled() {
            self.fill(read()?);
        }
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&Entries<K, V>) -> T) -> Option<T> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look)
    }

    /// Whether somebody has read the entries.
    pub(crate) fn is_filled(&self) -> bool {
        self.look(|_| ()).is_some()
    }

    /// Holds off other changes while one is made.
    pub(crate) fn change(&self) -> MutexGuard<'_, ()> {
        hold(&self.changing)
    }

    /// Takes in what was read. What was put meanwhile is newer.
    pub(crate) fn fill(&self, rows: Vec<(TenantId, K, V)>) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let mut read = Entries::new();
        for (tenant, key, value) in rows {
            read.entry(tenant).or_default().insert(key, Arc::new(value));
        }
        for (tenant, newer) in entries.take().unwrap_or_default() {
            read.entry(tenant).or_default().extend(newer);
        }
        *entries = Some(read);
    }

    /// Takes in all that another register holds.
    pub(crate) fn fill_from(&self, other: &Self)
    where
        V: Clone,
    {
        let rows = other.entries().into_iter();
        self.fill(rows.map(|(tenant, key, value)| (tenant, key, (*value).clone())).collect());
    }

    /// Everything, in entries that were read.
    pub(crate) fn entries(&self) -> Vec<(TenantId, K, Arc<V>)> {
        let all = |entries: &Entries<K, V>| {
            let of_tenant = |(tenant, values): (&TenantId, &BTreeMap<K, Arc<V>>)| {
                let entry = |(key, value): (&K, &Arc<V>)| (tenant.clone(), *key, Arc::clone(value));
                values.iter().map(entry).collect::<Vec<_>>()
            };
            entries.iter().flat_map(of_tenant).collect()
        };
        self.look(all).unwrap_or_default()
    }

    /// The value of a key, in entries that were read.
    pub(crate) fn get(&self, tenant: &TenantId, key: K) -> Option<Arc<V>> {
        self.look(|entries| entries.get(tenant)?.get(&key).cloned()).flatten()
    }

    /// The values of a tenant, by key, in entries that were read.
    pub(crate) fn of_tenant(&self, tenant: &TenantId) -> Vec<Arc<V>> {
        let values = |entries: &Entries<K, V>| {
            entries.get(tenant).map(|values| values.values().cloned().collect())
        };
        self.look(values).flatten().unwrap_or_default()
    }

    /// Puts a value in force, in entries that were read.
    pub(crate) fn put(&self, tenant: TenantId, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = entries.get_or_insert_default().entry(tenant).or_default();
        of_tenant.insert(key, Arc::clone(&value));
        value
    }
}
