//! The wrapped secrets of all tenants of a data directory.

use std::collections::HashMap;
use std::path::Path;

use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_proof::TenantId;

use super::look::Looked;
use super::paired_slots::{PairedSlots, SlotFault, SlotNumber, SlotsReport};
use super::slots_on_disk::SubjectKeysError;
use super::tenant_slot::{TENANT_PAYLOAD_BYTES, TenantKeySlot};
use crate::embedded::files::Files;

const NAME: &str = "tenants";

/// The tenants' keys, of which the two files are the truth and the map is made.
#[derive(Debug)]
pub struct TenantKeySlots {
    slots: PairedSlots<TENANT_PAYLOAD_BYTES>,
    by_key: HashMap<SealingKeyId, (SlotNumber, TenantKeySlot)>,
    /// The newest live key of each tenant.
    newest: HashMap<TenantId, SealingKeyId>,
    is_broken: bool,
}

impl TenantKeySlots {
    /// Opens the files in `DATA/keys`, or makes them.
    pub fn open(directory: &Path, files: &Files) -> Result<(Self, SlotsReport), SubjectKeysError> {
        let (slots, held, mut report) = PairedSlots::open(directory, NAME, files)?;
        let mut keys =
            Self { slots, by_key: HashMap::new(), newest: HashMap::new(), is_broken: false };
        for (number, payload) in held {
            match TenantKeySlot::decode(&payload) {
                Some(slot) => keys.note(number, slot),
                None => report.faults.push(SlotFault { number, offset: 0 }),
            }
        }
        Ok((keys, report))
    }

    /// The keys in `DATA/keys` as they lie there, in their order, and slots that cannot be read.
    /// Nothing is made or healed.
    pub fn look(
        directory: &Path,
    ) -> Result<(Vec<TenantKeySlot>, Vec<SlotFault>), SubjectKeysError> {
        Self::look_with_changes(directory).map(|(slots, faults, _)| (slots, faults))
    }

    /// The same with [`Self::changes`].
    pub(super) fn look_with_changes(
        directory: &Path,
    ) -> Result<(Vec<TenantKeySlot>, Vec<SlotFault>, u64), SubjectKeysError> {
        let Looked { held, mut faults, last_change } = PairedSlots::look(directory, NAME)?;
        let mut slots = Vec::with_capacity(held.len());
        for (number, payload) in held {
            match TenantKeySlot::decode(&payload) {
                Some(slot) => slots.push(slot),
                None => faults.push(SlotFault { number, offset: 0 }),
            }
        }
        Ok((slots, faults, last_change))
    }

    /// How often the files were changed: their share in the generation that frames carry.
    pub const fn changes(&self) -> u64 {
        self.slots.last_change()
    }

    /// Slots are taken in order, so that a later one of the same tenant is its newer key.
    fn note(&mut self, number: SlotNumber, slot: TenantKeySlot) {
        if slot.wrapped.is_some() {
            self.newest.insert(slot.tenant.clone(), slot.key_id);
        } else if self.newest.get(&slot.tenant) == Some(&slot.key_id) {
            self.newest.remove(&slot.tenant);
        }
        self.by_key.insert(slot.key_id, (number, slot));
    }

    /// The key of a tenant that new subject keys are wrapped by.
    pub fn newest(&self, tenant: &TenantId) -> Option<&TenantKeySlot> {
        self.newest.get(tenant).and_then(|id| self.get(id))
    }

    /// A key by its id, destroyed ones too.
    pub fn get(&self, id: &SealingKeyId) -> Option<&TenantKeySlot> {
        self.by_key.get(id).map(|(_, slot)| slot)
    }

    /// Every key, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &TenantKeySlot> {
        self.by_key.values().map(|(_, slot)| slot)
    }

    /// Adds a key; it is durable when this returns.
    pub fn add(&mut self, slot: TenantKeySlot) -> Result<(), SubjectKeysError> {
        if self.by_key.contains_key(&slot.key_id) {
            return Err(SubjectKeysError::Double(slot.key_id));
        }
        let number = self.slots.take_new();
        self.change(number, slot)
    }

    /// Overwrites a key; when this returns, neither file holds it.
    pub fn destroy(&mut self, id: &SealingKeyId) -> Result<(), SubjectKeysError> {
        match self.by_key.get(id) {
            Some((number, slot)) if slot.wrapped.is_some() => {
                let destroyed = TenantKeySlot { wrapped: None, ..slot.clone() };
                self.change(*number, destroyed)
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, number: SlotNumber, slot: TenantKeySlot) -> Result<(), SubjectKeysError> {
        if self.is_broken {
            return Err(SubjectKeysError::Broken);
        }
        let payload = slot.encode().ok_or(SubjectKeysError::TooLong)?;
        if let Err(error) = self.slots.write(&[(number, payload)]) {
            self.is_broken = true;
            return Err(error.into());
        }
        self.note(number, slot);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::TenantKeySlots;
    use crate::embedded::files::Files;
    use crate::subject_keys::TenantKeySlot;
    use ledgerstone_model::sealing::SealingKeyId;
    use ledgerstone_proof::TenantId;
    use std::path::Path;

    fn open(directory: &Path) -> TenantKeySlots {
        TenantKeySlots::open(directory, &Files::new()).unwrap().0
    }

    #[test]
    fn looking_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let look = || TenantKeySlots::look(place.path()).unwrap();
        assert_eq!(look(), (Vec::new(), Vec::new()));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        let slot = |byte: u8| TenantKeySlot {
            tenant: TenantId::parse("acme").unwrap(),
            key_id: SealingKeyId::new([byte; 16]),
            wrapped: Some(vec![byte; 72]),
        };
        let mut keys = open(place.path());
        assert_eq!(look(), (Vec::new(), Vec::new()), "an empty file has no slots");
        keys.add(slot(1)).unwrap();
        keys.add(slot(2)).unwrap();
        keys.destroy(&slot(1).key_id).unwrap();
        drop(keys);
        let destroyed = TenantKeySlot { wrapped: None, ..slot(1) };
        assert_eq!(look(), (vec![destroyed, slot(2)], Vec::new()));
        // Damage in one file is read around and left, damage in both is told.
        for (name, faults) in [("tenants.a", 0), ("tenants.b", 1)] {
            let path = place.path().join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[2 * 512 + 100] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let (slots, found) = look();
            assert_eq!((slots.len(), found.len()), (2 - faults, faults), "{name}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn the_newest_key_counts_and_a_destroyed_one_is_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let acme = TenantId::parse("acme").unwrap();
        let slot = |byte: u8| TenantKeySlot {
            tenant: acme.clone(),
            key_id: SealingKeyId::new([byte; 16]),
            wrapped: Some(vec![byte; 72]),
        };
        let mut keys = open(place.path());
        keys.add(slot(0xa1)).unwrap();
        keys.add(slot(0xa2)).unwrap();
        assert!(keys.add(slot(0xa2)).is_err());
        drop(keys);
        let mut keys = open(place.path());
        assert_eq!(keys.newest(&acme), Some(&slot(0xa2)));
        keys.destroy(&slot(0xa1).key_id).unwrap();
        keys.destroy(&slot(0xa1).key_id).unwrap();
        drop(keys);
        for name in ["tenants.a", "tenants.b"] {
            let bytes = std::fs::read(place.path().join(name)).unwrap();
            assert!(!bytes.windows(72).any(|piece| piece == [0xa1; 72]), "{name}");
        }
        let keys = open(place.path());
        assert_eq!(keys.newest(&acme), Some(&slot(0xa2)));
        assert_eq!(keys.get(&slot(0xa1).key_id).unwrap().wrapped, None);
    }
}
