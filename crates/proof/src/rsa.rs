//! RSA record keys: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2), under the feature `rsa`.
//!
//! One scheme, one exponent and one encoding of a key, so that a key has one id and a message one
//! signature. The arithmetic is that of `aws-lc-rs`.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::signature::KeyId;

/// The algorithm's name in key records, key files and key ids.
pub const ALGORITHM: &str = "rsa";

/// Bits of a fresh key: about as strong as Ed25519 (NIST SP 800-57 part 1, table 2).
pub const BITS: u32 = 3_072;

/// Bytes of a modulus: 2,048 to 4,096 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// Bytes of a public key's encoding beside the modulus.
const OVERHEAD: usize = 38;

/// Bytes of a public key's encoding before the modulus.
const BEFORE_MODULUS: usize = 33;

/// `AlgorithmIdentifier` of `rsaEncryption` with its NULL parameters (RFC 3279 §2.3.1).
const ALGORITHM_IDENTIFIER: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The public exponent 65537 as a DER INTEGER.
const EXPONENT: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// Bytes that are not a key or a signature, a signature that does not hold, or one that could not
/// be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RsaError {
    #[error(
        "not an rsa public key: a SubjectPublicKeyInfo in DER, 2048 to 4096 bits, exponent 65537"
    )]
    PublicKey,
    #[error("not an rsa private key: PKCS#8 in DER, 2048 to 4096 bits, exponent 65537")]
    PrivateKey,
    #[error("an rsa key could not be generated")]
    Generation,
    #[error("an rsa signature is as long as its key's modulus")]
    Form,
    #[error("signature does not verify")]
    Mismatch,
    #[error("the rsa key could not sign")]
    Signing,
}

/// A public key with 2,048 to 4,096 bits and the exponent 65537.
#[derive(Clone)]
pub struct RsaVerifyingKey(Arc<ParsedPublicKey>);

impl RsaVerifyingKey {
    /// Reads a `SubjectPublicKeyInfo` (RFC 5280 §4.1) in DER. Any other spelling of the same key is
    /// refused, as it would have another key id.
    pub fn from_spki(der: &[u8]) -> Result<Self, RsaError> {
        let length = der.len().checked_sub(OVERHEAD).ok_or(RsaError::PublicKey)?;
        let end = BEFORE_MODULUS + length;
        let modulus = der.get(BEFORE_MODULUS..end).ok_or(RsaError::PublicKey)?;
        let has_all_bits = modulus.first().is_some_and(|first| first & 0x80 != 0);
        let is_odd = modulus.last().is_some_and(|last| last & 1 == 1);
        if !MODULUS_BYTES.contains(&length) || !has_all_bits || !is_odd || spki(modulus) != der {
            return Err(RsaError::PublicKey);
        }
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
            .map(|key| Self(Arc::new(key)))
            .map_err(|_| RsaError::PublicKey)
    }

    /// The `SubjectPublicKeyInfo` in DER; in PEM it is what `openssl` takes as a public key.
    pub fn as_spki(&self) -> &[u8] {
        (*self.0).as_ref()
    }

    /// Length of a signature, which is that of the modulus.
    pub fn signature_bytes(&self) -> usize {
        self.as_spki().len().saturating_sub(OVERHEAD)
    }

    /// Bits of the modulus.
    pub fn bits(&self) -> usize {
        8 * self.signature_bytes()
    }

    /// The id that signatures name the key by: over `rsa`, a line end and the encoding.
    pub fn key_id(&self) -> KeyId {
        KeyId::derived(ALGORITHM, self.as_spki())
    }

    /// Whether the signature holds for the message. There is exactly one that does.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), RsaError> {
        if signature.len() != self.signature_bytes() {
            return Err(RsaError::Form);
        }
        self.0.verify_sig(message, signature).map_err(|_| RsaError::Mismatch)
    }
}

impl PartialEq for RsaVerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_spki() == other.as_spki()
    }
}

impl Eq for RsaVerifyingKey {}

impl fmt::Debug for RsaVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaVerifyingKey({})", self.key_id())
    }
}

/// The one encoding of the public key with that modulus.
fn spki(modulus: &[u8]) -> Vec<u8> {
    // Every length below is one of two bytes, because a modulus has at least 256.
    let mut der = Vec::with_capacity(modulus.len() + OVERHEAD);
    let head = |tag: u8, before: usize, der: &mut Vec<u8>| {
        let length = u16::try_from(modulus.len() + before).unwrap_or(u16::MAX);
        der.extend_from_slice(&[tag, 0x82]);
        der.extend_from_slice(&length.to_be_bytes());
    };
    head(0x30, OVERHEAD - 4, &mut der);
    der.extend_from_slice(&ALGORITHM_IDENTIFIER);
    head(0x03, OVERHEAD - 23, &mut der);
    der.push(0);
    head(0x30, OVERHEAD - 28, &mut der);
    head(0x02, 1, &mut der);
    der.push(0);
    der.extend_from_slice(modulus);
    der.extend_from_slice(&EXPONENT);
    der
}

/// A private key.
#[derive(Clone)]
pub struct RsaSigningKey {
    pair: Arc<KeyPair>,
    public: RsaVerifyingKey,
}

impl RsaSigningKey {
    /// Draws a fresh key of [`BITS`] bits. Its primes come from the random generator of
    /// `aws-lc-rs`, which takes none from its caller.
    pub fn generate() -> Result<Self, RsaError> {
        let pair = KeyPair::generate(KeySize::Rsa3072).map_err(|_| RsaError::Generation)?;
        Self::of(pair).map_err(|_| RsaError::Generation)
    }

    /// Reads a private key as PKCS#8 (RFC 5208) in DER, whose parts must fit each other.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, RsaError> {
        Self::of(KeyPair::from_pkcs8(der).map_err(|_| RsaError::PrivateKey)?)
    }

    fn of(pair: KeyPair) -> Result<Self, RsaError> {
        let der: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(|_| RsaError::PrivateKey)?;
        let public = RsaVerifyingKey::from_spki(der.as_ref()).map_err(|_| RsaError::PrivateKey)?;
        Ok(Self { pair: Arc::new(pair), public })
    }

    /// The private key as PKCS#8 in DER: the secret itself.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, RsaError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| RsaError::PrivateKey)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// The public half.
    pub const fn verifying_key(&self) -> &RsaVerifyingKey {
        &self.public
    }

    /// Signs a message; the same message gives the same signature.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RsaError> {
        let mut bytes = vec![0; self.public.signature_bytes()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes)
            .map_err(|_| RsaError::Signing)?;
        Ok(bytes)
    }
}

impl fmt::Debug for RsaSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaSigningKey(of {})", self.public.key_id())
    }
}
