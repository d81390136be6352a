//! The private key that signs records: of either algorithm, drawn, kept in a key file, and signing.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_model::Entropy;
use ledgerstone_model::system::{KeyAlgorithm, PublicKey};
use ledgerstone_proof::{RsaError, RsaSigningKey, SigningKey};
use zeroize::Zeroizing;

use crate::key_file::{FileKey, PrivateKeyUse, UNKNOWN_ALGORITHM, draw};

/// A private record key.
#[expect(clippy::large_enum_variant, reason = "a process holds three of them at most")]
#[derive(Clone, Debug)]
pub enum RecordKey {
    Ed25519(SigningKey),
    Rsa(RsaSigningKey),
}

impl RecordKey {
    /// Draws a fresh key. The bytes of an Ed25519 key come from `entropy`; the primes of an RSA key
    /// from the generator of the cryptographic library, which takes no other. That takes up to a few
    /// seconds.
    pub fn draw(algorithm: KeyAlgorithm, entropy: &dyn Entropy) -> Result<Self, RsaError> {
        match algorithm {
            KeyAlgorithm::Ed25519 => Ok(Self::Ed25519(draw(entropy))),
            KeyAlgorithm::Rsa => RsaSigningKey::generate().map(Self::Rsa),
        }
    }

    /// Signs a header; the same header gives the same signature.
    pub fn sign(&self, header: &[u8]) -> Result<Vec<u8>, RsaError> {
        match self {
            Self::Ed25519(key) => Ok(key.sign(header).as_bytes().to_vec()),
            Self::Rsa(key) => key.sign(header),
        }
    }
}

impl FileKey for RecordKey {
    fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => key.public(),
            Self::Rsa(key) => PublicKey::Rsa(key.verifying_key().clone()),
        }
    }

    fn encode_into(&self, usage: PrivateKeyUse, line: &mut String) -> io::Result<()> {
        match self {
            Self::Ed25519(key) => key.encode_into(usage, line),
            Self::Rsa(key) => {
                line.push_str(KeyAlgorithm::Rsa.as_str());
                line.push(' ');
                STANDARD.encode_string(&*key.to_pkcs8().map_err(io::Error::other)?, line);
                Ok(())
            }
        }
    }

    fn decode(usage: PrivateKeyUse, algorithm: &str, secret: &str) -> Result<Self, &'static str> {
        match KeyAlgorithm::parse(algorithm).ok_or(UNKNOWN_ALGORITHM)? {
            KeyAlgorithm::Ed25519 => {
                SigningKey::decode(usage, algorithm, secret).map(Self::Ed25519)
            }
            KeyAlgorithm::Rsa => {
                let der = STANDARD.decode(secret).map(Zeroizing::new);
                let key = der.ok().and_then(|der| RsaSigningKey::from_pkcs8(&der).ok());
                key.map(Self::Rsa).ok_or("holds a key that is not PKCS#8 of RSA in base64")
            }
        }
    }
}
