//! All subject keys of a data directory: found by subject and by key id, changed on the disk first.

use std::collections::HashMap;
use std::path::Path;

use ledgerstone_model::sealing::SealingKeyId;
use thiserror::Error;

use super::look::Looked;
use super::paired_slots::{PairedSlots, SlotFault, SlotNumber, SlotsError, SlotsReport};
use super::slot::{PAYLOAD_BYTES, SubjectKeySlot, SubjectTag, WrappedKey};
use crate::embedded::files::Files;
use crate::record::KeyGeneration;

const NAME: &str = "subjects";

/// The subject keys, of which the two files are the truth and the maps are made.
#[derive(Debug)]
pub struct SubjectKeySlots {
    slots: PairedSlots<PAYLOAD_BYTES>,
    by_key: HashMap<SealingKeyId, (SlotNumber, SubjectKeySlot)>,
    /// The newest live key of each subject.
    by_subject: HashMap<SubjectTag, SealingKeyId>,
    generation: KeyGeneration,
    is_broken: bool,
}

/// Why subject keys could not be read or changed.
#[derive(Debug, Error)]
pub enum SubjectKeysError {
    #[error(transparent)]
    Slots(#[from] SlotsError),
    #[error("a key {0} stands there already")]
    Double(SealingKeyId),
    #[error("the root key service wrapped a tenant's key into more bytes than a slot has")]
    TooLong,
    #[error("an earlier change of the key files did not finish; open them again")]
    Broken,
}

impl SubjectKeySlots {
    /// Opens the files in `DATA/keys`, or makes them.
    pub fn open(directory: &Path, files: &Files) -> Result<(Self, SlotsReport), SubjectKeysError> {
        let (slots, held, mut report) = PairedSlots::open(directory, NAME, files)?;
        let mut keys = Self {
            slots,
            by_key: HashMap::with_capacity(held.len()),
            by_subject: HashMap::with_capacity(held.len()),
            generation: KeyGeneration(0),
            is_broken: false,
        };
        for (number, payload) in held {
            match SubjectKeySlot::decode(&payload) {
                Some(slot) => keys.note(number, slot),
                // The checksum holds and the content does not: no version wrote that.
                None => report.faults.push(SlotFault { number, offset: 0 }),
            }
        }
        Ok((keys, report))
    }

    /// The keys in `DATA/keys` as they lie there, and slots that cannot be read. Nothing is made or
    /// healed.
    pub fn look(
        directory: &Path,
    ) -> Result<(Vec<SubjectKeySlot>, Vec<SlotFault>), SubjectKeysError> {
        let Looked { held, mut faults, .. } = PairedSlots::look(directory, NAME)?;
        let mut slots = Vec::with_capacity(held.len());
        for (number, payload) in held {
            match SubjectKeySlot::decode(&payload) {
                Some(slot) => slots.push(slot),
                None => faults.push(SlotFault { number, offset: 0 }),
            }
        }
        Ok((slots, faults))
    }

    fn note(&mut self, number: SlotNumber, slot: SubjectKeySlot) {
        self.generation = KeyGeneration(self.generation.0.max(slot.generation.0));
        if slot.key.is_some() {
            self.by_subject.insert(slot.tag, slot.key_id);
        } else if self.by_subject.get(&slot.tag) == Some(&slot.key_id) {
            self.by_subject.remove(&slot.tag);
        }
        self.by_key.insert(slot.key_id, (number, slot));
    }

    /// The generation of the last change of these files: their share in the one that frames carry.
    pub const fn generation(&self) -> KeyGeneration {
        self.generation
    }

    /// The key of a subject that new events are sealed under.
    pub fn of_subject(&self, tag: &SubjectTag) -> Option<&SubjectKeySlot> {
        self.by_subject.get(tag).and_then(|id| self.by_key.get(id)).map(|(_, slot)| slot)
    }

    /// A key by its id, destroyed ones too.
    pub fn get(&self, id: &SealingKeyId) -> Option<&SubjectKeySlot> {
        self.by_key.get(id).map(|(_, slot)| slot)
    }

    /// Every slot, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &SubjectKeySlot> {
        self.by_key.values().map(|(_, slot)| slot)
    }

    /// Adds new keys; they are durable when this returns. One pair of syncs for all of them.
    pub fn add(
        &mut self,
        new: &[(SealingKeyId, SubjectTag, WrappedKey)],
    ) -> Result<KeyGeneration, SubjectKeysError> {
        if let Some((id, _, _)) = new.iter().find(|(id, _, _)| self.by_key.contains_key(id)) {
            return Err(SubjectKeysError::Double(*id));
        }
        let generation = KeyGeneration(self.generation.0 + 1);
        let slots = new.iter().map(|(key_id, tag, key)| {
            let slot = SubjectKeySlot { key_id: *key_id, tag: *tag, generation, key: Some(*key) };
            (self.slots.take_new(), slot)
        });
        let slots: Vec<_> = slots.collect();
        self.change(slots)
    }

    /// Puts newly wrapped forms of keys in place of the old ones. Keys that are not there or are
    /// destroyed stay as they are.
    pub fn rewrap(
        &mut self,
        keys: &[(SealingKeyId, WrappedKey)],
    ) -> Result<KeyGeneration, SubjectKeysError> {
        let generation = KeyGeneration(self.generation.0 + 1);
        let known = keys.iter().filter_map(|(id, key)| Some((self.by_key.get(id)?, key)));
        let live = known.filter(|((_, slot), _)| slot.key.is_some());
        let slots = live
            .map(|((number, slot), key)| {
                (*number, SubjectKeySlot { generation, key: Some(*key), ..*slot })
            })
            .collect();
        self.change(slots)
    }

    /// Overwrites keys; when this returns, neither file holds anything that opens what they sealed.
    /// Keys that are destroyed already stay so.
    pub fn destroy(&mut self, ids: &[SealingKeyId]) -> Result<KeyGeneration, SubjectKeysError> {
        let generation = KeyGeneration(self.generation.0 + 1);
        let known = ids.iter().filter_map(|id| self.by_key.get(id));
        let slots = known
            .filter(|(_, slot)| slot.key.is_some())
            .map(|(number, slot)| (*number, SubjectKeySlot { generation, key: None, ..*slot }))
            .collect();
        self.change(slots)
    }

    fn change(
        &mut self,
        slots: Vec<(SlotNumber, SubjectKeySlot)>,
    ) -> Result<KeyGeneration, SubjectKeysError> {
        if self.is_broken {
            return Err(SubjectKeysError::Broken);
        }
        if slots.is_empty() {
            return Ok(self.generation);
        }
        let encoded: Vec<_> = slots.iter().map(|(number, slot)| (*number, slot.encode())).collect();
        if let Err(error) = self.slots.write(&encoded) {
            self.is_broken = true;
            return Err(error.into());
        }
        for (number, slot) in slots {
            self.note(number, slot);
        }
        Ok(self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::{SubjectKeySlots, SubjectKeysError};
    use crate::embedded::files::Files;
    use crate::subject_keys::{SubjectTag, WrappedKey};
    use ledgerstone_model::sealing::SealingKeyId;
    use std::path::Path;

    fn id(byte: u8) -> SealingKeyId {
        SealingKeyId::new([byte; 16])
    }

    fn wrapped(byte: u8) -> WrappedKey {
        WrappedKey { wrapped_by: id(200), bytes: [byte; 40] }
    }

    fn open(directory: &Path) -> SubjectKeySlots {
        let (keys, report) = SubjectKeySlots::open(directory, &Files::new()).unwrap();
        assert!(report.faults.is_empty());
        keys
    }

    #[test]
    fn keys_are_found_by_subject_and_by_id_after_opening_again() {
        let place = tempfile::tempdir().unwrap();
        let mut keys = open(place.path());
        let (ana, bo) = (SubjectTag([1; 32]), SubjectTag([2; 32]));
        let first = keys.add(&[(id(1), ana, wrapped(11)), (id(2), bo, wrapped(12))]).unwrap();
        assert_eq!(first.0, 1);
        let (looked, faults) = SubjectKeySlots::look(place.path()).unwrap();
        assert_eq!(looked.iter().map(|slot| slot.key_id).collect::<Vec<_>>(), [id(1), id(2)]);
        assert!(faults.is_empty());
        drop(keys);
        let mut keys = open(place.path());
        assert_eq!(keys.generation(), first);
        assert_eq!(keys.of_subject(&ana).unwrap().key_id, id(1));
        assert!(matches!(keys.add(&[(id(2), ana, wrapped(9))]), Err(SubjectKeysError::Double(_))));
        assert_eq!(keys.add(&[]).unwrap(), first, "nothing new changes nothing");
    }

    #[test]
    fn a_destroyed_key_is_nowhere_and_the_subject_may_begin_anew() {
        let place = tempfile::tempdir().unwrap();
        let mut keys = open(place.path());
        let ana = SubjectTag([1; 32]);
        keys.add(&[(id(1), ana, wrapped(0xa7)), (id(2), SubjectTag([2; 32]), wrapped(12))])
            .unwrap();
        let generation = keys.destroy(&[id(1), id(99)]).unwrap();
        assert_eq!(keys.destroy(&[id(1)]).unwrap(), generation, "a second time does nothing");
        drop(keys);
        for name in ["subjects.a", "subjects.b"] {
            let bytes = std::fs::read(place.path().join(name)).unwrap();
            assert!(!bytes.windows(8).any(|piece| piece == [0xa7; 8]), "{name}");
        }
        let mut keys = open(place.path());
        assert!(keys.of_subject(&ana).is_none());
        assert!(keys.get(&id(1)).unwrap().key.is_none(), "that it was destroyed is known");
        keys.rewrap(&[(id(1), wrapped(1))]).unwrap();
        assert!(keys.get(&id(1)).unwrap().key.is_none(), "no rewrapping brings it back");
        keys.add(&[(id(3), ana, wrapped(13))]).unwrap();
        drop(keys);
        assert_eq!(open(place.path()).of_subject(&ana).unwrap().key_id, id(3));
    }

    #[test]
    fn rewrapping_replaces_and_raises_the_generation() {
        let place = tempfile::tempdir().unwrap();
        let mut keys = open(place.path());
        let first = keys.add(&[(id(1), SubjectTag([1; 32]), wrapped(0xb3))]).unwrap();
        let second = keys.rewrap(&[(id(1), wrapped(0xc4))]).unwrap();
        assert!(second > first);
        drop(keys);
        let bytes = std::fs::read(place.path().join("subjects.a")).unwrap();
        assert!(!bytes.windows(8).any(|piece| piece == [0xb3; 8]));
        assert_eq!(open(place.path()).get(&id(1)).unwrap().key, Some(wrapped(0xc4)));
    }
}
