//! A key that verifies signatures of exactly one algorithm.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use thiserror::Error;

use super::algorithm::Algorithm;
use super::der::rsa_numbers;
use super::jws::CompactJws;
use super::roca;

/// Shortest secret for [`Algorithm::Hs256`] (RFC 7518 section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Sizes of an RSA modulus in bytes: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("there is no public key in PEM (`-----BEGIN PUBLIC KEY-----`) in it")]
    Pem,
    #[error("the key is of none of the algorithms configured")]
    Algorithm,
    #[error("the key fits several of the algorithms configured; configure one of them")]
    SeveralAlgorithms,
    #[error("the key is damaged, or of a kind that is not known here")]
    Malformed,
    #[error("the RSA key has fewer than 2048 or more than 8192 bits")]
    RsaSize,
    #[error("the RSA key's public exponent is even, 1, or longer than 32 bits")]
    RsaExponent,
    #[error(
        "the RSA key comes from a generator whose private keys can be computed (CVE-2017-15361)"
    )]
    RsaRoca,
    #[error("the secret has fewer than 32 bytes")]
    ShortSecret,
}

/// A key with its one algorithm (RFC 8725 section 3.1), and the id by which tokens name it.
pub struct JoseKey {
    key_id: Option<String>,
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl JoseKey {
    /// The public keys of a PEM text (RFC 7468 section 13), each of exactly one of the algorithms.
    pub fn from_pem(pem: &[u8], allowed: &[Algorithm]) -> Result<Vec<Self>, KeyError> {
        let mut keys = Vec::new();
        for der in SubjectPublicKeyInfoDer::pem_slice_iter(pem) {
            keys.push(Self::from_der(&der.map_err(|_| KeyError::Pem)?, allowed)?);
        }
        if keys.is_empty() { Err(KeyError::Pem) } else { Ok(keys) }
    }

    fn from_der(der: &[u8], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        let mut fitting = allowed.iter().filter_map(|algorithm| {
            Some((*algorithm, ParsedPublicKey::new(algorithm.public()?, der).ok()?))
        });
        let (algorithm, key) = fitting.next().ok_or(KeyError::Algorithm)?;
        if fitting.next().is_some() {
            return Err(KeyError::SeveralAlgorithms);
        }
        if algorithm.rsa().is_some() {
            let rsa = RsaPublicKey::from_der(der).map_err(|_| KeyError::Malformed)?;
            let (modulus, exponent) = rsa_numbers(rsa.as_ref()).ok_or(KeyError::Malformed)?;
            check_rsa(modulus, exponent)?;
        }
        Ok(Self { key_id: None, algorithm, material: Material::Public(key) })
    }

    /// A key of raw public bytes: 32 of Ed25519, an uncompressed point of ECDSA.
    pub(super) fn from_raw(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let public = algorithm.public().ok_or(KeyError::Algorithm)?;
        let key = ParsedPublicKey::new(public, bytes).map_err(|_| KeyError::Malformed)?;
        Ok(Self { key_id: None, algorithm, material: Material::Public(key) })
    }

    /// An RSA key of its modulus and exponent, each without leading zero bytes.
    pub(super) fn from_rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let parameters = algorithm.rsa().ok_or(KeyError::Algorithm)?;
        check_rsa(n, e)?;
        let key = RsaPublicKeyComponents { n, e }
            .to_parsed_public_key(parameters)
            .map_err(|_| KeyError::Malformed)?;
        Ok(Self { key_id: None, algorithm, material: Material::Public(key) })
    }

    /// A shared secret for [`Algorithm::Hs256`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::ShortSecret);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Ok(Self {
            key_id: None,
            algorithm: Algorithm::Hs256,
            material: Material::Secret(Box::new(key)),
        })
    }

    pub(super) fn named(mut self, key_id: Option<String>) -> Self {
        self.key_id = key_id;
        self
    }

    /// The id by which tokens name it; a key without one may be meant by any.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this key signed the token. A token that claims another algorithm than the key's was
    /// not signed by it.
    pub fn verifies(&self, token: &CompactJws<'_>) -> bool {
        if Algorithm::parse(token.algorithm()) != Some(self.algorithm) {
            return false;
        }
        match &self.material {
            Material::Public(key) => key.verify_sig(token.signed(), token.signature()).is_ok(),
            Material::Secret(key) => hmac::verify(key, token.signed(), token.signature()).is_ok(),
        }
    }
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyError> {
    let high_bit = modulus.first().is_some_and(|byte| byte & 0x80 != 0);
    if !MODULUS_BYTES.contains(&modulus.len()) || (modulus.len() == 256 && !high_bit) {
        return Err(KeyError::RsaSize);
    }
    let is_odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !is_odd || exponent.len() > 4 || exponent == [1] {
        return Err(KeyError::RsaExponent);
    }
    if roca::has_fingerprint(modulus) { Err(KeyError::RsaRoca) } else { Ok(()) }
}

impl fmt::Debug for JoseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("JoseKey");
        shown.field("key_id", &self.key_id).field("algorithm", &self.algorithm);
        shown.finish_non_exhaustive()
    }
}
