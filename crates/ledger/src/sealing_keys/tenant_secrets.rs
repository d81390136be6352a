//! What a tenant's key is made of, and what is done with it.

use aws_lc_rs::hmac;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectKey};
use ledgerstone_store::subject_keys::{SubjectTag, WRAPPED_KEY_BYTES, WrappedKey};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;

/// No subject's bytes begin like this: they begin with a length.
const HASH_KEY_CONTEXT: &[u8] = b"ledgerstone-redaction/v1";

/// Two keys: one wraps the keys of subjects and is rotated, the other names subjects and stays.
pub(super) struct TenantSecrets {
    id: SealingKeyId,
    bytes: Zeroizing<Vec<u8>>,
}

impl TenantSecrets {
    /// Bytes of both keys.
    pub(super) const BYTES: usize = 2 * KEY_BYTES;

    /// Takes the wrapping key and, behind it, the naming key.
    pub(super) fn new(id: SealingKeyId, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == Self::BYTES).then_some(Self { id, bytes })
    }

    pub(super) const fn id(&self) -> SealingKeyId {
        self.id
    }

    /// The naming key, for the secrets that follow these.
    pub(super) fn naming_key(&self) -> &[u8] {
        self.bytes.get(KEY_BYTES..).unwrap_or_default()
    }

    fn wrapping_key(&self) -> &[u8] {
        self.bytes.get(..KEY_BYTES).unwrap_or_default()
    }

    /// The subject's name in key files.
    pub(super) fn tag(&self, subject: &Subject) -> SubjectTag {
        self.namer().tag(subject)
    }

    /// Names many subjects at less cost than one by one.
    pub(super) fn namer(&self) -> Namer {
        Namer(hmac::Key::new(hmac::HMAC_SHA256, self.naming_key()))
    }

    /// A key under which shown values are hashed: the same for as long as the tenant has keys, and
    /// nowhere written.
    pub(super) fn hash_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.naming_key());
        let tag = hmac::sign(&key, HASH_KEY_CONTEXT);
        let mut out = Zeroizing::new([0; KEY_BYTES]);
        out.iter_mut().zip(tag.as_ref()).for_each(|(place, byte)| *place = *byte);
        out
    }

    /// AES key wrap (RFC 3394); `None` only where the library refuses.
    pub(super) fn wrap(&self, key: &SubjectKey) -> Option<WrappedKey> {
        let mut bytes = [0; WRAPPED_KEY_BYTES];
        let kek = AesKek::new(&AES_256, self.wrapping_key()).ok()?;
        kek.wrap(key.expose(), &mut bytes).ok()?;
        Some(WrappedKey { wrapped_by: self.id, bytes })
    }

    /// The key that [`Self::wrap`] wrapped; `None` for any other bytes.
    pub(super) fn unwrap(&self, id: SealingKeyId, wrapped: &WrappedKey) -> Option<SubjectKey> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let kek = AesKek::new(&AES_256, self.wrapping_key()).ok()?;
        // The library asks for room for the wrapped form.
        let mut room = Zeroizing::new([0; WRAPPED_KEY_BYTES]);
        let key = kek.unwrap(&wrapped.bytes, room.as_mut_slice()).ok()?;
        bytes.copy_from_slice(key.get(..KEY_BYTES)?);
        Some(SubjectKey::new(id, bytes))
    }
}

/// The naming key, ready to be used.
pub(super) struct Namer(hmac::Key);

impl Namer {
    /// The subject's name in key files.
    pub(super) fn tag(&self, subject: &Subject) -> SubjectTag {
        let tag = hmac::sign(&self.0, &subject.to_bytes());
        let mut out = [0; 32];
        out.iter_mut().zip(tag.as_ref()).for_each(|(place, byte)| *place = *byte);
        SubjectTag(out)
    }
}

#[cfg(test)]
mod tests {
    use super::TenantSecrets;
    use ledgerstone_model::sealing::{SealingKeyId, Subject, SubjectKey};
    use zeroize::Zeroizing;

    fn secrets(byte: u8) -> TenantSecrets {
        TenantSecrets::new(SealingKeyId::new([byte; 16]), Zeroizing::new(vec![byte; 64])).unwrap()
    }

    #[test]
    fn keys_are_wrapped_and_unwrapped_by_the_same_secrets_only() {
        let key = SubjectKey::new(SealingKeyId::new([1; 16]), Zeroizing::new([9; 32]));
        let wrapped = secrets(5).wrap(&key).unwrap();
        assert!(!wrapped.bytes.windows(8).any(|piece| piece == [9; 8]));
        assert_eq!(secrets(5).unwrap(*key.id(), &wrapped).unwrap().expose(), key.expose());
        assert!(secrets(6).unwrap(*key.id(), &wrapped).is_none());
        let mut changed = wrapped;
        changed.bytes[7] ^= 1;
        assert!(secrets(5).unwrap(*key.id(), &changed).is_none());
        assert!(TenantSecrets::new(*key.id(), Zeroizing::new(vec![0; 63])).is_none());
    }

    #[test]
    fn subjects_are_named_by_the_second_key() {
        let ana = Subject::Person { kind: "user".to_owned(), id: "ana".to_owned() };
        assert_eq!(secrets(5).tag(&ana), secrets(5).tag(&ana));
        assert_ne!(secrets(5).tag(&ana), secrets(6).tag(&ana));
        assert_ne!(secrets(5).tag(&ana), secrets(5).tag(&Subject::Tenant));
        assert_eq!(secrets(5).hash_key(), secrets(5).hash_key());
        assert_ne!(secrets(5).hash_key(), secrets(6).hash_key());
    }
}
