//! The root key as a secret that the environment gives to the process: a data directory that is
//! copied or stolen does not open without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_store::key_file::{self, PrivateKeyUse};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::local::{self, LocalRootKey};
use crate::service::{Place, RootKeyService, RootKeySource, SetupError};

pub(crate) const SERVICE: RootKeyService = RootKeyService {
    name: "secret",
    about: "32 bytes that the environment or a mounted file gives",
    mark: local::MARK,
};

const KEY_BYTES: usize = 32;

/// A root key as text.
#[derive(Clone)]
pub struct RootSecret(Zeroizing<[u8; KEY_BYTES]>);

/// The text is no root key. It never repeats anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it is neither 32 bytes in base64, as `openssl rand -base64 32` makes them, nor the line of a \
     file root.key"
)]
pub struct RootSecretError;

impl RootSecret {
    /// Reads 32 bytes in base64 with padding, or the text of a key file `root.key`. Space around
    /// them does not count.
    pub fn parse(text: &str) -> Result<Self, RootSecretError> {
        let text = text.trim();
        let line = Zeroizing::new(format!("{text}\n"));
        if let Ok(key) = key_file::parse_secret(line.as_bytes(), PrivateKeyUse::Root) {
            return Ok(Self(key));
        }
        let mut room = Zeroizing::new([0; KEY_BYTES + 1]);
        match (STANDARD.decode_slice(text, room.as_mut_slice()), room.first_chunk()) {
            (Ok(KEY_BYTES), Some(key)) => Ok(Self(Zeroizing::new(*key))),
            _ => Err(RootSecretError),
        }
    }
}

impl std::fmt::Debug for RootSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootSecret(…)")
    }
}

/// A root key that was handed over.
#[derive(Clone, Debug)]
pub struct SecretSource(pub RootSecret);

impl RootKeySource for SecretSource {
    fn service(&self) -> &'static RootKeyService {
        &SERVICE
    }

    fn open(&self, place: &Place, _: bool) -> Result<Box<dyn RootKey>, SetupError> {
        let key = self.0.0.clone();
        Ok(Box::new(LocalRootKey::new(SERVICE.name, key, place.entropy.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::RootSecret;

    #[test]
    fn a_secret_is_base64_or_the_line_of_a_key_file() {
        let base64 = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        for text in [
            base64.to_owned(),
            format!(" {base64}\n"),
            format!("ledgerstone-key-v1 root xaes-256-gcm {base64}\n"),
        ] {
            assert_eq!(*RootSecret::parse(&text).unwrap().0, [7; 32], "{text}");
        }
        for text in [
            String::new(),
            "correct horse battery staple".to_owned(),
            "07".repeat(32),
            base64.replace('=', ""),
            format!("Bw{base64}"),
            base64[4..].to_owned(),
            format!("ledgerstone-key-v1 store ed25519 {base64}"),
        ] {
            let error = RootSecret::parse(&text).map(drop).unwrap_err();
            assert!(text.is_empty() || !error.to_string().contains(&text));
        }
        assert_eq!(format!("{:?}", RootSecret::parse(base64).unwrap()), "RootSecret(…)");
    }
}
