//! Unwrapped keys in memory: few, for minutes, and wiped when they go.

use std::collections::HashMap;
use std::hash::Hash;

use ledgerstone_proof::IngestedAt;

/// Keys by their names, each until its time is over.
#[derive(Debug)]
pub(super) struct OpenedKeys<K, V> {
    entries: HashMap<K, (V, i64)>,
    capacity: usize,
    /// Microseconds that an entry stays.
    lifetime: i64,
}

impl<K: Eq + Hash + Clone, V: Clone> OpenedKeys<K, V> {
    pub(super) fn new(capacity: usize, lifetime_micros: i64) -> Self {
        Self { entries: HashMap::new(), capacity, lifetime: lifetime_micros }
    }

    pub(super) fn get(&self, name: &K, now: IngestedAt) -> Option<V> {
        let (value, until) = self.entries.get(name)?;
        (now.micros() < *until).then(|| value.clone())
    }

    /// Keeps a key. Where there is no room, those whose time is over go, and else all of them:
    /// unwrapping them again costs little.
    pub(super) fn put(&mut self, name: K, value: V, now: IngestedAt) {
        if self.entries.len() >= self.capacity {
            self.forget_old(now);
        }
        if self.entries.len() >= self.capacity {
            self.entries.clear();
        }
        self.entries.insert(name, (value, now.micros().saturating_add(self.lifetime)));
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn forget(&mut self, name: &K) {
        self.entries.remove(name);
    }

    /// Wipes every key whose time is over, used or not.
    pub(super) fn forget_old(&mut self, now: IngestedAt) {
        self.entries.retain(|_, (_, until)| now.micros() < *until);
    }
}

#[cfg(test)]
mod tests {
    use super::OpenedKeys;
    use ledgerstone_proof::IngestedAt;

    fn at(micros: i64) -> IngestedAt {
        IngestedAt::from_micros(micros).unwrap()
    }

    #[test]
    fn keys_stay_for_their_time() {
        let mut keys = OpenedKeys::new(10, 100);
        keys.put("a", 1, at(1000));
        assert_eq!(keys.get(&"a", at(1099)), Some(1));
        assert_eq!(keys.get(&"a", at(1100)), None);
        keys.forget_old(at(1100));
        assert!(keys.entries.is_empty());
        keys.put("a", 1, at(2000));
        keys.forget(&"a");
        assert_eq!(keys.get(&"a", at(2000)), None);
    }

    #[test]
    fn there_are_never_more_than_fit() {
        let mut keys = OpenedKeys::new(3, 100);
        for key in 0..100 {
            keys.put(key, key, at(i64::from(key)));
            assert!(keys.entries.len() <= 3);
            assert_eq!(keys.get(&key, at(i64::from(key))), Some(key));
        }
    }
}
