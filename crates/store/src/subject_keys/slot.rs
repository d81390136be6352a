//! What a slot holds: one subject's key, wrapped by its tenant's, or the trace of one destroyed.

use ledgerstone_model::sealing::SealingKeyId;

use crate::record::KeyGeneration;

/// Bytes of a wrapped key: AES key wrap (RFC 3394) adds eight to the key's 32.
pub const WRAPPED_KEY_BYTES: usize = 40;

/// Bytes of a slot's payload; with change number and checksum a slot has 128.
pub(super) const PAYLOAD_BYTES: usize = 116;

const LIVE: u8 = 1;

const DESTROYED: u8 = 2;

/// A subject's name in its slot: a keyed hash, so that the file tells nobody's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectTag(pub [u8; 32]);

/// A subject's key as it may lie on a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WrappedKey {
    /// The tenant's key that unwraps it.
    pub wrapped_by: SealingKeyId,
    pub bytes: [u8; WRAPPED_KEY_BYTES],
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WrappedKey(by {})", self.wrapped_by)
    }
}

/// The payload of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectKeySlot {
    pub key_id: SealingKeyId,
    pub tag: SubjectTag,
    /// The key store's generation when the slot was last changed.
    pub generation: KeyGeneration,
    /// `None` once the key is destroyed. Its id and tag stay, so that what it sealed is known to
    /// be erased and not damaged.
    pub key: Option<WrappedKey>,
}

impl SubjectKeySlot {
    /// State, key id, tag, generation, wrapping key, wrapped key; zeros where there is no key.
    pub(super) fn encode(&self) -> [u8; PAYLOAD_BYTES] {
        let (wrapped_by, wrapped) = match &self.key {
            Some(key) => (*key.wrapped_by.as_bytes(), key.bytes),
            None => ([0; 16], [0; WRAPPED_KEY_BYTES]),
        };
        let state = [if self.key.is_some() { LIVE } else { DESTROYED }];
        let generation = self.generation.0.to_le_bytes();
        let parts: [&[u8]; 6] =
            [&state, self.key_id.as_bytes(), &self.tag.0, &generation, &wrapped_by, &wrapped];
        let mut out = [0; PAYLOAD_BYTES];
        let written = parts.into_iter().flatten();
        out.iter_mut().zip(written).for_each(|(place, byte)| *place = *byte);
        out
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    pub(super) fn decode(payload: &[u8; PAYLOAD_BYTES]) -> Option<Self> {
        let (state, rest) = payload.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<16>()?;
        let (tag, rest) = rest.split_first_chunk::<32>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (wrapped_by, rest) = rest.split_first_chunk::<16>()?;
        let (bytes, spare) = rest.split_first_chunk::<WRAPPED_KEY_BYTES>()?;
        if spare.iter().any(|byte| *byte != 0) {
            return None;
        }
        let key = match *state {
            LIVE => Some(WrappedKey { wrapped_by: SealingKeyId::new(*wrapped_by), bytes: *bytes }),
            DESTROYED if wrapped_by.iter().chain(bytes).all(|byte| *byte == 0) => None,
            _ => return None,
        };
        Some(Self {
            key_id: SealingKeyId::new(*key_id),
            tag: SubjectTag(*tag),
            generation: KeyGeneration(u64::from_le_bytes(*generation)),
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{PAYLOAD_BYTES, SubjectKeySlot, SubjectTag, WrappedKey};
    use crate::record::KeyGeneration;
    use ledgerstone_model::sealing::SealingKeyId;

    fn slot(key: Option<WrappedKey>) -> SubjectKeySlot {
        SubjectKeySlot {
            key_id: SealingKeyId::new([1; 16]),
            tag: SubjectTag([2; 32]),
            generation: KeyGeneration(3),
            key,
        }
    }

    #[test]
    fn slots_are_read_back() {
        let key = WrappedKey { wrapped_by: SealingKeyId::new([4; 16]), bytes: [5; 40] };
        for one in [slot(Some(key)), slot(None)] {
            assert_eq!(SubjectKeySlot::decode(&one.encode()), Some(one));
        }
        assert!(!slot(None).encode().contains(&5), "nothing of a destroyed key stays");
        assert_eq!(SubjectKeySlot::decode(&[0; PAYLOAD_BYTES]), None);
        let mut spare = slot(Some(key)).encode();
        spare[PAYLOAD_BYTES - 1] = 1;
        assert_eq!(SubjectKeySlot::decode(&spare), None);
        let mut half_destroyed = slot(Some(key)).encode();
        half_destroyed[0] = 2;
        assert_eq!(SubjectKeySlot::decode(&half_destroyed), None);
    }
}
