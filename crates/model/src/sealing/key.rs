//! The keys that fields are sealed with, one per person.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// The name of a subject key: 16 random bytes that say nothing about the person, and nothing at all
/// once the key is destroyed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealingKeyId([u8; 16]);

/// A 256-bit key. Wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SubjectKey {
    id: SealingKeyId,
    bytes: Zeroizing<[u8; 32]>,
}

impl SealingKeyId {
    /// Names a key by 16 random bytes.
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads the 22 characters of unpadded URL-safe base64 (RFC 4648 section 5) that
    /// [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeyId({self})")
    }
}

impl SubjectKey {
    /// A key of 32 random bytes under a new name.
    pub const fn new(id: SealingKeyId, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { id, bytes }
    }

    pub const fn id(&self) -> &SealingKeyId {
        &self.id
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::{SealingKeyId, SubjectKey};
    use zeroize::Zeroizing;

    #[test]
    fn names_are_read_back() {
        let id = SealingKeyId::new([0xfb; 16]);
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(SealingKeyId::parse(&id.to_string()), Some(id));
        for wrong in ["", "abc", "+/v7+/v7+/v7+/v7+/v7+w", "-_v7-_v7-_v7-_v7-_v7-x"] {
            assert_eq!(SealingKeyId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let key = SubjectKey::new(SealingKeyId::new([1; 16]), Zeroizing::new([0xab; 32]));
        let shown = format!("{key:?}");
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
    }
}
