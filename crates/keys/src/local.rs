//! A root key that this process holds: 32 secret bytes, whoever keeps them.
//!
//! Wrapped: key id (8 bytes), nonce (24), XAES-256-GCM ciphertext. The associated data is
//! [`CONTEXT`], the key id and the tenant, so that nothing opens for another tenant.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use ledgerstone_ledger::sealing_keys::{RootKey, RootKeyError, WrappedBy};
use ledgerstone_model::Entropy;
use ledgerstone_model::sealing::xaes::{self, NONCE_BYTES};
use ledgerstone_proof::TenantId;
use zeroize::Zeroizing;

/// The first byte of what local root keys wrap.
pub(crate) const MARK: u8 = 1;

/// What the associated data begins with; frozen.
const CONTEXT: &[u8] = b"ledgerstone root key v1\0";

/// What the id of a root key is the HMAC of; frozen.
const ID_LABEL: &[u8] = b"ledgerstone root key id v1";

const ID_BYTES: usize = 8;

/// Which root key wrapped something; tells nothing about the key.
type RootKeyId = [u8; ID_BYTES];

/// A root key in memory.
pub(crate) struct LocalRootKey {
    kind: &'static str,
    key: Zeroizing<[u8; 32]>,
    id: RootKeyId,
    entropy: Arc<dyn Entropy>,
}

impl LocalRootKey {
    pub(crate) fn new(
        kind: &'static str,
        key: Zeroizing<[u8; 32]>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), ID_LABEL);
        let mut id = [0; ID_BYTES];
        id.iter_mut().zip(tag.as_ref()).for_each(|(place, byte)| *place = *byte);
        Self { kind, key, id, entropy }
    }

    fn associated(&self, tenant: &TenantId) -> Vec<u8> {
        [CONTEXT, &self.id, tenant.as_str().as_bytes()].concat()
    }
}

impl fmt::Debug for LocalRootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalRootKey({}, {})", self.kind, hex::encode(self.id))
    }
}

impl RootKey for LocalRootKey {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        // Room for the tag, so that no copy of the secrets stays behind when it grows.
        let mut text = Vec::with_capacity(secrets.len() + xaes::TAG_BYTES);
        text.extend_from_slice(secrets);
        xaes::seal(&self.key, &nonce, &self.associated(tenant), &mut text)
            .map_err(|_| RootKeyError::Refused("the cryptographic library failed".to_owned()))?;
        Ok([self.id.as_slice(), &nonce, &text].concat())
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let parts = wrapped.split_first_chunk::<ID_BYTES>();
        let parts =
            parts.and_then(|(id, rest)| Some((id, rest.split_first_chunk::<NONCE_BYTES>()?)));
        let Some((id, (nonce, text))) = parts else {
            return Err(RootKeyError::Wrong("it is cut short".to_owned()));
        };
        if *id != self.id {
            return Err(RootKeyError::Wrong(format!(
                "it was wrapped by the root key {}, and this one is {}",
                hex::encode(id),
                hex::encode(self.id)
            )));
        }
        xaes::open(&self.key, nonce, &self.associated(tenant), text).map_err(|_| {
            RootKeyError::Wrong(format!(
                "it was changed, or wrapped for another tenant than {tenant}"
            ))
        })
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<WrappedBy> {
        let is_own = wrapped.starts_with(&self.id);
        let key = Some(hex::encode(self.id));
        is_own.then(|| WrappedBy { service: self.kind.to_owned(), key })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledgerstone_ledger::sealing_keys::{RootKey as _, RootKeyError};
    use ledgerstone_model::ErrorCode;
    use ledgerstone_proof::TenantId;
    use ledgerstone_testkit::SeededEntropy;
    use zeroize::Zeroizing;

    use super::LocalRootKey;

    fn root(byte: u8) -> LocalRootKey {
        LocalRootKey::new("file", Zeroizing::new([byte; 32]), Arc::new(SeededEntropy::new(3)))
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    #[test]
    fn what_was_wrapped_for_a_tenant_opens_for_it_alone() {
        let (one, acme) = (root(7), tenant("acme"));
        let wrapped = one.wrap(&acme, &[9; 64]).unwrap();
        assert!(!wrapped.windows(8).any(|piece| piece == [9; 8]));
        assert_ne!(wrapped, one.wrap(&acme, &[9; 64]).unwrap(), "no nonce is used twice");
        assert_eq!(root(7).unwrap(&acme, &wrapped).unwrap().as_slice(), [9; 64]);
        for name in ["acm", "acme-2", "other"] {
            let error = one.unwrap(&tenant(name), &wrapped).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(error.code(), ErrorCode::WrongRootKey);
        }
        let error = root(8).unwrap(&acme, &wrapped).unwrap_err();
        assert!(matches!(&error, RootKeyError::Wrong(why) if why.contains("and this one is")));
    }

    #[test]
    fn whatever_is_changed_does_not_open() {
        let (one, acme) = (root(7), tenant("acme"));
        let wrapped = one.wrap(&acme, &[9; 64]).unwrap();
        for at in 0..wrapped.len() {
            for bit in 0..8 {
                let mut changed = wrapped.clone();
                changed[at] ^= 1 << bit;
                let error = one.unwrap(&acme, &changed).unwrap_err();
                assert!(matches!(error, RootKeyError::Wrong(_)), "{at}: {error}");
            }
            assert!(one.unwrap(&acme, &wrapped[..at]).is_err(), "{at}");
        }
        assert!(one.unwrap(&acme, &[wrapped.as_slice(), &[0]].concat()).is_err());
    }

    /// What this version wrote must open for ever.
    #[test]
    fn the_bytes_are_frozen() {
        let wrapped = root(7).wrap(&tenant("acme"), b"two keys").unwrap();
        let known = "00d6646e2eaabeeaed8f01dbe4140b1d89a9817b8a6f46b301dd50d0a6e8eb9c566432d4b986b8456197\
                     6693ed39efd228ab89146585e4a0";
        assert_eq!(hex::encode(&wrapped), known);
        let wrapped = hex::decode(known).unwrap();
        assert_eq!(root(7).unwrap(&tenant("acme"), &wrapped).unwrap().as_slice(), b"two keys");
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?}", root(0xab));
        assert!(shown.starts_with("LocalRootKey(file, ") && !shown.contains("abab"), "{shown}");
        assert!(!shown.contains("171"), "{shown}");
    }
}
